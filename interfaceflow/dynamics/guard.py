"""What watches over a run: the extrapolation grade, and distances no training configuration ever had."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Final

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from interfaceflow.core.errors import UserInputError
from interfaceflow.dynamics.pair_style import PairStyle

CLOSEST_SHARE: Final = 0.9
DISTANCES_EVERY: Final = 5

_RECORD = "grade"


@dataclass(frozen=True)
class Guard:
    """When a run has to stop.

    Attributes
    ----------
    break_threshold
        Extrapolation grade at which it stops, dimensionless.
    every
        Steps between two looks at the grade; distances are looked at every fifth time.
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

    They define the variables ``largest_grade``, where the potential has a grade, and ``n_close``, the number of
    pairs that are too close.

    Parameters
    ----------
    guard
        Thresholds.
    pair_style
        The potential.
    atoms
        The structure of the run.
    name
        The record is written to ``<name>.grade``.
    """
    lines: list[str] = []
    if pair_style.grade is not None:
        lines += [
            *pair_style.grade.lines(guard.every),
            f"compute largest_grade all reduce max {pair_style.grade.per_atom}",
            'variable largest_grade equal "c_largest_grade"',
            f"fix record all ave/time {guard.every} 1 {guard.every} v_largest_grade file {name}.{_RECORD}",
            _halt("break_grade", guard.every, f"v_largest_grade >= {guard.break_threshold:.10g}"),
        ]
    return lines + _distance_lines(guard, pair_style, atoms)


def read_guard_record(folder: Path, name: str) -> GuardRecord:
    """Read what a guard wrote down; empty where the potential has no grade."""
    path = folder / f"{name}.{_RECORD}"
    rows = [line.split() for line in path.read_text().splitlines()] if path.is_file() else []
    numbers = [row for row in rows if row and row[0] != "#"]
    return GuardRecord(np.array([int(row[0]) for row in numbers], int), np.array([float(row[1]) for row in numbers]))


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


def _distance_lines(guard: Guard, pair_style: PairStyle, atoms: Atoms) -> list[str]:
    present = set(atoms.get_chemical_symbols())
    pairs = {_pair_of(pair): distance for pair, distance in guard.min_distances_A.items()}
    pairs = {pair: distance for pair, distance in pairs.items() if present.issuperset(pair)}
    lines = [f"group {symbol} type {pair_style.type_of(symbol)}" for symbol in sorted(set(chain(*pairs)))]
    for (a, b), distance in pairs.items():
        cutoff = f"cutoff {CLOSEST_SHARE * distance:.10g} {pair_style.type_of(b)}"
        lines += [
            f"compute close_{a}_{b} {a} coord/atom {cutoff}",
            f"compute n_close_{a}_{b} {a} reduce sum c_close_{a}_{b}",
        ]
    if pairs:
        total = "+".join(f"c_n_close_{a}_{b}" for a, b in pairs)
        lines += [f'variable n_close equal "{total}"', _halt("break_distance", guard.distances_every, "v_n_close > 0")]
    return lines


def _halt(name: str, every: int, condition: str) -> str:
    """Return the commands that end a run softly where a condition holds; the script goes on behind the run."""
    return f'variable {name} equal "{condition}"\nfix {name} all halt {every} v_{name} > 0.5 error soft message no'


def _pair_of(pair: str) -> tuple[str, str]:
    """Split ``"Cl-Li"`` into its elements, in alphabetical order."""
    elements = sorted(pair.split("-"))
    if len(elements) != 2:
        raise UserInputError(f"smallest distances are given by pair, as 'Cl-Li', not {pair!r}")
    return elements[0], elements[1]
