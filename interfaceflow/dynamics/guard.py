"""What watches over a run: the extrapolation grade, distances no training configuration ever had, and the volume."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Final

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from interfaceflow.core.errors import DataFileError, UserInputError
from interfaceflow.dynamics.frame import LammpsFrame
from interfaceflow.dynamics.pair_style import PairStyle
from interfaceflow.dynamics.snapshots import Snapshot, dump_lines, read_snapshots

CLOSEST_SHARE: Final = 0.9
DISTANCES_EVERY: Final = 5

SMALLEST_VOLUME: Final = 0.7
LARGEST_VOLUME: Final = 1.4

_RECORD = "grade"
_FAR = "extrapolated"
_CLOSE = "collided"
_BURST = "burst"


@dataclass(frozen=True)
class Guard:
    """When a run has to stop.

    Attributes
    ----------
    break_threshold
        Extrapolation grade at which it stops, dimensionless.
    every
        Steps between two looks at the grade; distances and the volume are looked at every fifth time. A cell whose
        volume leaves 0.7 to 1.4 of what it was at the start has evaporated or collapsed, and stops the run.
    min_distances_A
        Smallest distance in the training set by pair, as ``"Cl-Li"`` [Å]; closer than 0.9 of it stops the run.
    """

    break_threshold: float
    every: int = 10
    min_distances_A: Mapping[str, float] = field(default_factory=dict)

    @property
    def distances_every(self) -> int:
        """Steps between two looks at distances."""
        return DISTANCES_EVERY * self.every


def onlooker(every: int) -> Guard:
    """Return a guard that writes the grade down and stops nothing."""
    return Guard(break_threshold=1e300, every=every)


@dataclass(frozen=True)
class GuardRecord:
    """What the guard saw.

    Attributes
    ----------
    steps
        MD steps it looked at, shape (n_looks,).
    grades
        Largest grade of all atoms at these steps, shape (n_looks,), dimensionless.
    """

    steps: NDArray[np.int64]
    grades: NDArray[np.float64]

    @property
    def largest_grade(self) -> float:
        """Largest grade seen, 0 where the potential has none."""
        return float(self.grades.max()) if len(self.grades) else 0.0


def guard_lines(guard: Guard, pair_style: PairStyle, atoms: Atoms, name: str) -> list[str]:
    """Return the commands that compute, write down and act on what the guard looks at.

    They define the variable ``largest_grade`` where the potential has a grade. The frame that stops a run is kept
    with its velocities and grades; `read_breaking_frame` reads it.

    Parameters
    ----------
    guard
        Thresholds.
    pair_style
        The potential.
    atoms
        The structure of the run.
    name
        The record is written to ``<name>.grade``; letters, digits and underscores.
    """
    grade = pair_style.grade
    if grade is None:
        return _distance_lines(guard, pair_style, atoms, name) + _volume_lines(guard, pair_style, atoms, name)
    threshold = f"{guard.break_threshold:.10g}"
    return [
        *grade.lines(guard.every),
        f"compute largest_grade all reduce max {grade.per_atom}",
        'variable largest_grade equal "c_largest_grade"',
        f"fix record all ave/time {guard.every} 1 {guard.every} v_largest_grade file {name}.{_RECORD}",
        *_halt_lines("break_grade", guard.every, f"v_largest_grade >= {threshold}"),
        *dump_lines(f"{name}_{_FAR}", guard.every, grade.per_atom, skip=f"v_largest_grade < {threshold}"),
        *_distance_lines(guard, pair_style, atoms, name),
        *_volume_lines(guard, pair_style, atoms, name),
    ]


def read_guard_record(folder: Path, name: str) -> GuardRecord:
    """Read what a guard wrote down; empty where the potential has no grade."""
    path = folder / f"{name}.{_RECORD}"
    rows = [line.split() for line in path.read_text().splitlines()] if path.is_file() else []
    numbers = [row for row in rows if row and row[0] != "#"]
    return GuardRecord(np.array([int(row[0]) for row in numbers], int), np.array([float(row[1]) for row in numbers]))


def read_breaking_frame(folder: Path, name: str, start: Atoms, frame: LammpsFrame) -> Snapshot | None:
    """Return the frame at which the guard stopped a run, if it did; arguments as in `guard_lines`."""
    for path in _break_dumps(folder, name):
        if path.is_file():
            with suppress(DataFileError):  # LAMMPS crashed while it wrote: the guard did not stop this run
                for snapshot in read_snapshots(path, start, frame):
                    return snapshot
    return None


def clear_guard_files(folder: Path, name: str) -> None:
    """Remove what an earlier run of this name left, so that it is not taken for this one's."""
    for path in (folder / f"{name}.{_RECORD}", *_break_dumps(folder, name)):
        path.unlink(missing_ok=True)


def explain_break(guard: Guard, breaking: Snapshot, start: Atoms, timestep_fs: float) -> str:
    """Say what stopped a run that began with the structure ``start``."""
    time = f"at {breaking.step * timestep_fs / 1000.0:.3f} ps"
    if breaking.largest_grade >= guard.break_threshold:
        grade = f"extrapolation grade {breaking.largest_grade:.2f}"
        return f"{grade} reached the break threshold {guard.break_threshold:g} {time}"
    volume = breaking.atoms.get_volume() / start.get_volume()
    if not SMALLEST_VOLUME < volume < LARGEST_VOLUME:
        return f"the cell went to {volume:.2f} of its volume {time}: the potential lets it evaporate or collapse here"
    pair, distance = closest_approach(breaking.atoms, guard.min_distances_A) or ("two atoms", float("nan"))
    return f"{pair} came as close as {distance:.2f} Å {time}, below 0.9 of the training set's smallest distance"


def closest_approach(atoms: Atoms, min_distances_A: Mapping[str, float]) -> tuple[str, float] | None:
    """Return the pair that is too close and its distance [Å], or nothing.

    Parameters
    ----------
    atoms
        Configuration, periodic.
    min_distances_A
        Smallest distance in the training set by pair [Å]; 0.9 of it is allowed.
    """
    from ase.neighborlist import neighbor_list

    symbols = np.array(atoms.get_chemical_symbols())
    limits = {_pair_of(pair): CLOSEST_SHARE * distance for pair, distance in min_distances_A.items()}
    if not limits:
        return None
    first, second, distances = neighbor_list("ijd", atoms, max(limits.values()))
    for i in np.argsort(distances):
        pair = _pair_of(f"{symbols[first[i]]}-{symbols[second[i]]}")
        if distances[i] < limits.get(pair, 0.0):
            return "-".join(pair), float(distances[i])
    return None


def _distance_lines(guard: Guard, pair_style: PairStyle, atoms: Atoms, name: str) -> list[str]:
    """Return the commands that count the pairs that are too close; the training set may lack some pairs."""
    present = set(atoms.get_chemical_symbols())
    pairs = {_pair_of(pair): distance for pair, distance in guard.min_distances_A.items()}
    pairs = {pair: distance for pair, distance in pairs.items() if present.issuperset(pair)}
    if not pairs:
        return []
    lines = [f"group {symbol} type {pair_style.type_of(symbol)}" for symbol in sorted(set(chain(*pairs)))]
    for (a, b), distance in pairs.items():
        cutoff = f"cutoff {CLOSEST_SHARE * distance:.10g} {pair_style.type_of(b)}"
        lines += [
            f"compute close_{a}_{b} {a} coord/atom {cutoff}",
            f"compute n_close_{a}_{b} {a} reduce sum c_close_{a}_{b}",
        ]
    total = "+".join(f"c_n_close_{a}_{b}" for a, b in pairs)
    grade = pair_style.grade.per_atom if pair_style.grade else None
    return [
        *lines,
        f'variable n_close equal "{total}"',
        *_halt_lines("break_distance", guard.distances_every, "v_n_close > 0"),
        *dump_lines(f"{name}_{_CLOSE}", guard.distances_every, grade, skip="v_n_close == 0"),
    ]


def _volume_lines(guard: Guard, pair_style: PairStyle, atoms: Atoms, name: str) -> list[str]:
    """Return the commands that stop a run whose cell evaporates or collapses."""
    volume = atoms.get_volume()
    limits = f"{SMALLEST_VOLUME * volume:.10g}", f"{LARGEST_VOLUME * volume:.10g}"
    outside = f"(vol <= {limits[0]}) || (vol >= {limits[1]})"
    grade = pair_style.grade.per_atom if pair_style.grade else None
    return [
        *_halt_lines("break_volume", guard.distances_every, outside),
        *dump_lines(f"{name}_{_BURST}", guard.distances_every, grade, skip="!v_break_volume"),
    ]


def _halt_lines(name: str, every: int, condition: str) -> list[str]:
    """Return the commands that end a run softly where a condition holds; the script goes on behind the run."""
    return [
        f'variable {name} equal "{condition}"',
        f"fix {name} all halt {every} v_{name} > 0.5 error soft message no",
    ]


def _break_dumps(folder: Path, name: str) -> list[Path]:
    return [folder / f"{name}_{what}.dump" for what in (_FAR, _CLOSE, _BURST)]


def _pair_of(pair: str) -> tuple[str, str]:
    """Split ``"Cl-Li"`` into its elements, in alphabetical order."""
    elements = sorted(pair.split("-"))
    if len(elements) != 2:
        raise UserInputError(f"smallest distances are given by pair, as 'Cl-Li', not {pair!r}")
    return elements[0], elements[1]
