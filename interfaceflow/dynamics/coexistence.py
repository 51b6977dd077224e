"""A metal half solid, half molten, and whether its solid grows or melts at a temperature.

Two phases in one cell, as in J. R. Morris and X. Song, doi:10.1063/1.1474581: the interface moves towards the less
stable phase, with neither superheating nor undercooling.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Final

import numpy as np
from ase import Atoms
from ase.build import make_supercell
from numpy.typing import NDArray

from interfaceflow.core.errors import CalculationError
from interfaceflow.core.progress import SilentProgress
from interfaceflow.dynamics.data_file import write_data_file
from interfaceflow.dynamics.ensembles import langevin_lines, two_phase_line
from interfaceflow.dynamics.frame import LammpsFrame
from interfaceflow.dynamics.guard import Guard
from interfaceflow.dynamics.lammps_run import AtomsLostError
from interfaceflow.dynamics.pair_style import PairStyle
from interfaceflow.dynamics.snapshots import Snapshot, dump_lines, read_snapshots
from interfaceflow.dynamics.stages import Chain, Stage, StageRecord, fingerprint_of
from interfaceflow.dynamics.velocities import draw_velocities
from interfaceflow.schemas.dynamics import CoexistenceRun

SolidFraction = Callable[[Atoms], float]

_WARM_PS: Final = 2.0
_MELT_PS: Final = 4.0
_COOL_PS: Final = 2.0
_HOT_FACTORS: Final = (1.5, 2.5, 4.0)
_TRANSIENT_PS: Final = 1.5
_N_PIECES: Final = 5
_FRAMES_PER_PIECE: Final = 10
_DECISIVE_CHANGE: Final = 0.15
_GONE: Final = 0.1
_RIGHT_ANGLE_COSINE: Final = 1e-3


@dataclass(frozen=True)
class CoexistenceModel:
    """What all runs of a search share.

    Attributes
    ----------
    pair_style
        The potential.
    timestep_fs
        Time step [fs].
    guard
        How often the grade is looked at; it stops nothing.
    solid_fraction
        Gives the share of solid-like atoms of a structure.
    seed
        Seed of velocities and thermostats.
    """

    pair_style: PairStyle
    timestep_fs: float
    guard: Guard
    solid_fraction: SolidFraction
    seed: int

    def steps(self, time_ps: float) -> int:
        """Return a time as a whole number of MD steps."""
        return max(1, round(1000.0 * time_ps / self.timestep_fs))

    def chain(self, start: Atoms, folder: Path, *words: str) -> Chain:
        """Return a chain of runs that begins with a structure, its data file written."""
        folder.mkdir(parents=True, exist_ok=True)
        write_data_file(start, self.pair_style, LammpsFrame.identity(), folder / "start.data")
        mark = fingerprint_of(start, self.pair_style, self.guard, f"{self.timestep_fs!r} {self.seed}", *words)
        return Chain(folder, start, self.pair_style, self.guard, self.timestep_fs, 1, mark, SilentProgress())


def build_long_cell(metal: Atoms, n_atoms: int) -> Atoms:
    """Repeat a crystal to about a number of atoms, three times as long along its third vector as across.

    The cell is orthogonal where the lattice allows it, as those of metals do: bcc, fcc, hcp.

    Parameters
    ----------
    metal
        Bulk cell, primitive or not.
    n_atoms
        Atoms wanted.
    """
    brick = _orthogonal_cell(metal)
    lengths = brick.cell.lengths()

    def cost(repeats: tuple[int, int, int]) -> float:
        a, b, c = lengths * repeats
        size = np.log(len(brick) * np.prod(repeats) / n_atoms)
        return float(4 * size**2 + np.log(c / (3 * a)) ** 2 + 10 * np.log(a / b) ** 2)

    across = max(2, round((n_atoms / len(brick)) ** (1 / 3)))
    best = min(product(range(1, across + 3), range(1, across + 3), range(2, 6 * across)), key=cost)
    long: Atoms = LammpsFrame.of(brick.cell.array).turn(brick).repeat(best)
    return long


def _orthogonal_cell(crystal: Atoms) -> Atoms:
    """Return the smallest cell of a crystal with right angles, or the crystal's own where there is none nearby."""
    multiples = np.array(list(product(range(-2, 3), repeat=3)))
    multiples = multiples[np.any(multiples != 0, axis=1)]
    vectors = multiples @ crystal.cell.array
    lengths = np.linalg.norm(vectors, axis=1)
    order = np.argsort(lengths, kind="stable")
    cosines = (vectors @ vectors.T / np.outer(lengths, lengths))[np.ix_(order, order)]
    right_angle = np.abs(cosines) < _RIGHT_ANGLE_COSINE
    for k in range(len(order)):  # by the longest of the three vectors
        for j in np.flatnonzero(right_angle[k, :k]):
            for i in np.flatnonzero(right_angle[k, :j] & right_angle[j, :j]):
                matrix = multiples[order[np.array([i, j, k])]]
                if np.linalg.det(matrix @ crystal.cell.array) > 0:
                    brick: Atoms = make_supercell(crystal, matrix)
                    return brick
    return crystal


def prepare_half_molten(
    long_cell: Atoms, model: CoexistenceModel, *, warm_K: float, hot_K: float, folder: Path
) -> tuple[Atoms, float]:
    """Melt the upper half of a crystal while the lower half is held.

    Parameters
    ----------
    long_cell
        Crystal in LAMMPS' frame.
    model
        What all runs share.
    warm_K
        Temperature at which the crystal finds its volume, and to which the melt is cooled [K].
    hot_K
        Temperature at which the upper half is melted [K]; raised if that does not do.
    folder
        Folder for the files.

    Returns
    -------
    half_molten : Atoms
        The cell, without velocities.
    largest_grade : float
        Largest extrapolation grade seen on the way.

    Raises
    ------
    CalculationError
        If the crystal did not melt by half, or flew apart.
    """
    fraction, grade = float("nan"), 0.0
    for attempt, factor in enumerate(_HOT_FACTORS):
        atoms, largest = _melt_half(long_cell, model, warm_K, factor * hot_K, folder / f"attempt_{attempt}")
        fraction, grade = model.solid_fraction(atoms), max(grade, largest)
        if 0.2 <= fraction <= 0.8:
            return atoms, grade
    raise CalculationError(
        f"half of the metal was to be melted at {_HOT_FACTORS[-1] * hot_K:.0f} K, and {fraction:.0%} of its atoms are "
        f"solid-like afterwards, so coexistence cannot be set up (files: {folder}); raise melting_point.highest_K "
        f"(now {hot_K:g}) if nothing melted, train the potential on the hot metal if everything did"
    )


def run_coexistence(
    half_molten: Atoms, model: CoexistenceModel, temperature_K: float, duration_ps: float, folder: Path
) -> CoexistenceRun:
    """Hold a half-molten cell at a temperature and zero pressure, until the solid has clearly grown or shrunk.

    The run goes in pieces and ends early when the solid's share has changed by 0.15 or one phase is gone; at the
    end of its time the sign of the slope decides.

    Parameters
    ----------
    half_molten
        Cell of `prepare_half_molten`.
    model
        What all runs share.
    temperature_K
        Temperature [K].
    duration_ps
        Longest time [ps].
    folder
        Folder of its own for the files.

    Raises
    ------
    CalculationError
        If the atoms flew apart.
    """
    start = draw_velocities(half_molten, temperature_K, np.random.default_rng(model.seed))
    chain = model.chain(start, folder, f"{temperature_K!r} {duration_ps!r}")
    n_steps = _FRAMES_PER_PIECE * model.steps(duration_ps / _N_PIECES / _FRAMES_PER_PIECE)
    times: list[float] = []
    shares: list[float] = []
    grade, evaporated = 0.0, False
    read_command = "read_data start.data"
    for piece in range(_N_PIECES):
        stage = _hold(f"piece_{piece}", read_command, piece * n_steps, n_steps, temperature_K, model)
        frames, record = _run(chain, stage)
        grade = max(grade, record.largest_grade)
        times += [frame.step * model.timestep_fs / 1000.0 for frame in frames]
        shares += [model.solid_fraction(frame.atoms) for frame in frames]
        read_command = f"read_restart {stage.restart}"
        evaporated = record.broke
        if evaporated or _is_decided(np.array(times), np.array(shares)):
            break
    first, last, slope = _trend(np.array(times), np.array(shares))
    return CoexistenceRun(
        temperature_K=temperature_K,
        solid_fraction_start=first,
        solid_fraction_end=last,
        grew=not evaporated and (last > 1 - _GONE or (last >= _GONE and slope > 0)),
        largest_grade=grade,
    )


def _melt_half(
    long_cell: Atoms, model: CoexistenceModel, warm_K: float, hot_K: float, folder: Path
) -> tuple[Atoms, float]:
    start = draw_velocities(long_cell, 2 * warm_K, np.random.default_rng(model.seed))  # half becomes potential energy
    chain = model.chain(start, folder, f"{warm_K!r} {hot_K!r}")
    n_warm, n_melt, n_cool = model.steps(_WARM_PS), model.steps(_MELT_PS), model.steps(_COOL_PS)
    expand = langevin_lines(warm_K, warm_K, seed=model.seed, barostat="isotropic")
    warm = Stage("warm", "read_data start.data", 0, n_warm, expand, max(1, n_warm // 10))
    heat = (
        "region upper block INF INF INF INF $(lz/2) INF units box",
        "group upper region upper",
        *langevin_lines(hot_K, hot_K, seed=model.seed + 1, group="upper"),
    )
    melt = Stage("melt", f"read_restart {warm.restart}", n_warm, n_melt, heat, max(1, n_melt // 10))
    settle = (
        "reset_timestep 0",
        *langevin_lines(hot_K, warm_K, seed=model.seed + 2, group="upper"),
        *dump_lines("cool_frames", n_cool, None),
    )
    cool = Stage("cool", f"read_restart {melt.restart}", 0, n_cool, settle, max(1, n_cool // 10))
    results = [_run(chain, stage) for stage in (warm, melt, cool)]
    atoms = results[-1][0][-1].atoms
    atoms.arrays.pop("momenta", None)
    return atoms, max(record.largest_grade for _, record in results)


def _hold(
    name: str, read_command: str, first_step: int, n_steps: int, temperature_K: float, model: CoexistenceModel
) -> Stage:
    every = n_steps // _FRAMES_PER_PIECE
    body = (
        two_phase_line(temperature_K, model.timestep_fs),
        *dump_lines(f"{name}_frames", every, None),
    )
    return Stage(name, read_command, first_step, n_steps, body, max(1, every))


def _run(chain: Chain, stage: Stage) -> tuple[list[Snapshot], StageRecord]:
    """Run a stage and return its snapshots, if it writes any, and its record."""
    try:
        record = chain.run(stage)
    except AtomsLostError as error:
        raise CalculationError(f"the search for the metal's melting point failed: {error}") from error
    dump = chain.folder / f"{stage.name}_frames.dump"
    frames = list(read_snapshots(dump, chain.start, LammpsFrame.identity())) if dump.is_file() else []
    return frames, record


def _is_decided(times_ps: NDArray[np.float64], shares: NDArray[np.float64]) -> bool:
    if times_ps[-1] <= 2 * _TRANSIENT_PS:
        return False
    first, last, _ = _trend(times_ps, shares)
    return bool(abs(last - first) > _DECISIVE_CHANGE or last < _GONE or last > 1 - _GONE)


def _trend(times_ps: NDArray[np.float64], shares: NDArray[np.float64]) -> tuple[float, float, float]:
    """Return the solid's share at the start and the end, and its slope [1/ps], all after the first transient."""
    later = times_ps >= min(_TRANSIENT_PS, times_ps[-1] / 3)
    times_ps, shares = times_ps[later], shares[later]
    slope = float(np.polyfit(times_ps, shares, 1)[0]) if len(shares) > 2 else 0.0
    return float(shares[:3].mean()), float(shares[-3:].mean()), slope
