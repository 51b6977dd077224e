"""Guarded MD for learning: a run that stops where the potential is no longer to be trusted.

Temperature is kept by a Langevin thermostat, which is robust for small cells far from equilibrium and gives every
seed another path. It has no place in production: it changes how far atoms get.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from ase import Atoms

from interfaceflow.core.errors import DataFileError
from interfaceflow.core.progress import Progress
from interfaceflow.dynamics.data_file import write_data_file
from interfaceflow.dynamics.ensembles import Barostat, langevin_lines
from interfaceflow.dynamics.frame import LammpsFrame
from interfaceflow.dynamics.guard import (
    Guard,
    GuardRecord,
    clear_guard_files,
    explain_break,
    guard_lines,
    read_breaking_frame,
    read_guard_record,
)
from interfaceflow.dynamics.lammps_run import AtomsLostError, check_room, run_lammps, setup_lines, thermo_lines
from interfaceflow.dynamics.pair_style import PairStyle
from interfaceflow.dynamics.snapshots import Snapshot, dump_lines, read_snapshots
from interfaceflow.dynamics.thermo import read_thermo
from interfaceflow.dynamics.velocities import draw_velocities

_N_STORED: Final = 200
_USUAL_VOLUMES: Final = (0.85, 1.25)
_BYTES_PER_ATOM: Final = 120


@dataclass(frozen=True)
class GuardedSettings:
    """What a guarded run is asked for.

    Attributes
    ----------
    temperature_K, duration_ps, timestep_fs
        Temperature [K], length [ps] and time step [fs].
    select_threshold
        Frames with a larger grade are candidates, dimensionless.
    guard
        When it stops.
    barostat
        Which pressure is relaxed to zero: none, along the normal alone, or all three together.
    normal_axis
        Cell vector whose normal pressure that is.
    max_candidates
        Largest number of candidate frames that are returned.
    """

    temperature_K: float
    duration_ps: float
    timestep_fs: float
    select_threshold: float
    guard: Guard
    barostat: Barostat = "none"
    normal_axis: int = 2
    max_candidates: int = 100

    @property
    def n_steps(self) -> int:
        """MD steps, a whole number of looks at distances."""
        unit = self.guard.distances_every
        return unit * max(1, round(1000.0 * self.duration_ps / self.timestep_fs / unit))


@dataclass(frozen=True)
class GuardedRun:
    """How a guarded run went.

    Attributes
    ----------
    reached_ps
        Time it lasted [ps].
    broke
        Whether it was stopped before its time.
    reason
        What stopped it.
    largest_grade
        Largest extrapolation grade seen.
    candidates
        Frames above the select threshold, or on the way to evaporating or collapsing, in order of time, thinned; the
        breaking frame is the last.
    breaking
        The frame that stopped it.
    last_safe
        Last stored frame below the select threshold and of usual volume, with velocities; the start where there was
        none.
    record
        The grade over time.
    """

    reached_ps: float
    broke: bool
    reason: str | None
    largest_grade: float
    candidates: tuple[Snapshot, ...]
    breaking: Snapshot | None
    last_safe: Snapshot
    record: GuardRecord


def run_guarded_md(
    atoms: Atoms,
    pair_style: PairStyle,
    settings: GuardedSettings,
    folder: Path,
    *,
    seed: int,
    progress: Progress | None = None,
) -> GuardedRun:
    """Run MD until its time is over or the guard stops it.

    Atoms that fly apart between two looks of the guard are a break like any other, without a breaking frame.

    Parameters
    ----------
    atoms
        Where it starts; its velocities are used if it has any, else they are drawn.
    pair_style
        The potential.
    settings
        What is asked for.
    folder
        Folder of its own for the files of this run.
    seed
        Seed of the velocities and the thermostat.
    progress
        Is advanced by the MD steps done, at most ``settings.n_steps``.

    Raises
    ------
    ExternalProgramError
        If LAMMPS failed.
    UserInputError
        If the potential does not know an element, or the folder cannot be written.
    """
    check_room(folder, 3 * _N_STORED * len(atoms) * _BYTES_PER_ATOM)
    if not np.any(atoms.get_momenta()):
        atoms = draw_velocities(atoms, settings.temperature_K, np.random.default_rng(seed))
    frame = LammpsFrame.of(atoms.cell.array, settings.normal_axis)
    clear_guard_files(folder, "guarded")
    for name in ("safe", "candidates"):
        (folder / f"{name}.dump").unlink(missing_ok=True)
    write_data_file(atoms, pair_style, frame, folder / "start.data")
    lost = None
    try:
        script = _script(atoms, pair_style, settings, seed)
        run_lammps(script, folder, "guarded", program=pair_style.program, progress=progress)
    except AtomsLostError as error:
        lost = str(error)
    return _collect(atoms, settings, folder, frame, lost)


def _script(atoms: Atoms, pair_style: PairStyle, settings: GuardedSettings, seed: int) -> list[str]:
    guard, n_steps = settings.guard, settings.n_steps
    stored_every = guard.distances_every * max(1, n_steps // (guard.distances_every * _N_STORED))
    grade = pair_style.grade.per_atom if pair_style.grade else None
    lines = [
        *setup_lines(pair_style, "read_data start.data", timestep_fs=settings.timestep_fs),
        *guard_lines(guard, pair_style, atoms, "guarded"),
        *langevin_lines(settings.temperature_K, settings.temperature_K, seed=seed, barostat=settings.barostat),
        *thermo_lines(max(stored_every, n_steps // 20)),
    ]
    if grade is None:
        lines += dump_lines("safe", stored_every, None)
    else:
        below = f"v_largest_grade < {settings.select_threshold:.10g}"
        lines += dump_lines("safe", stored_every, grade, skip=f"!({below})")
        lines += dump_lines("candidates", stored_every, grade, skip=below)
    return [*lines, f"run {n_steps}"]


def _collect(start: Atoms, settings: GuardedSettings, folder: Path, frame: LammpsFrame, lost: str | None) -> GuardedRun:
    """Read what the run left; ``lost`` is the error of a run whose atoms flew apart."""
    record = read_guard_record(folder, "guarded")
    breaking = read_breaking_frame(folder, "guarded", start, frame)
    below = _read_whole(folder / "safe.dump", start, frame)
    safe = [snapshot for snapshot in below if _has_usual_volume(snapshot, start)]
    swollen = [snapshot for snapshot in below if not _has_usual_volume(snapshot, start)]
    candidates = sorted(
        [*_read_whole(folder / "candidates.dump", start, frame), *swollen], key=lambda snapshot: snapshot.step
    )
    if breaking is not None:
        candidates = [snapshot for snapshot in candidates if snapshot.step < breaking.step]
        candidates = [*_thin(candidates, settings.max_candidates - 1), breaking]
        reached_step = breaking.step
        reason: str | None = explain_break(settings.guard, breaking, start, settings.timestep_fs)
    else:
        candidates = _thin(candidates, settings.max_candidates)
        reached_step, reason = int(read_thermo(folder / "guarded.log").column("Step")[-1]), lost
    return GuardedRun(
        reached_ps=reached_step * settings.timestep_fs / 1000.0,
        broke=reason is not None,
        reason=reason,
        largest_grade=record.largest_grade,
        candidates=tuple(candidates),
        breaking=breaking,
        last_safe=safe[-1] if safe else Snapshot(0, start, None),
        record=record,
    )


def _has_usual_volume(snapshot: Snapshot, start: Atoms) -> bool:
    low, high = _USUAL_VOLUMES
    return bool(low < snapshot.atoms.get_volume() / start.get_volume() < high)


def _read_whole(dump: Path, start: Atoms, frame: LammpsFrame) -> list[Snapshot]:
    """Read the whole snapshots of a dump, if it was begun; LAMMPS may have crashed within the last."""
    whole: list[Snapshot] = []
    if dump.is_file():
        with suppress(DataFileError):
            whole.extend(read_snapshots(dump, start, frame))
    return whole


def _thin(snapshots: list[Snapshot], limit: int) -> list[Snapshot]:
    """Keep at most ``limit`` snapshots, evenly spread over the list."""
    if len(snapshots) <= limit:
        return snapshots
    return [snapshots[i] for i in np.linspace(0, len(snapshots) - 1, limit).round().astype(int)]
