"""Symmetries of cells, from spglib: standard cells, and operations that turn a layer upside down.

spglib: doi:10.1080/27660400.2024.2384822.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import spglib
from ase import Atoms
from numpy.typing import NDArray

from interfaceflow.core.errors import CalculationError

SYMMETRY_TOLERANCE_A = 1e-2


@dataclass(frozen=True)
class Flip:
    """A symmetry that reverses the normal (third) direction, in fractional coordinates of the cell.

    Attributes
    ----------
    in_plane
        Its rotation part in the plane, integers, shape (2, 2), for column vectors.
    translation
        Its translation in the plane, shape (2,).
    """

    in_plane: NDArray[np.int64]
    translation: NDArray[np.float64]


def find_flips(atoms: Atoms, kinds: NDArray[np.int64] | None = None) -> list[Flip]:
    """Find the symmetries of a layered cell that exchange its two sides.

    Parameters
    ----------
    atoms
        Cell whose first two vectors span the layers and whose third is along their normal.
    kinds
        Which atoms count as equal, shape (n,); atomic numbers by default.
    """
    with _quiet_spglib():
        operations = spglib.get_symmetry(_as_tuple(atoms, kinds), symprec=SYMMETRY_TOLERANCE_A)
    if operations is None:
        return []
    return [
        Flip(in_plane=rotation[:2, :2].astype(np.int64), translation=translation[:2])
        for rotation, translation in zip(operations["rotations"], operations["translations"], strict=True)
        if rotation[2, 2] == -1 and not rotation[2, :2].any() and not rotation[:2, 2].any()
    ]


def conventional_cell(crystal: Atoms) -> Atoms:
    """Return the conventional standard cell, to which Miller indices refer."""
    return _standard_cell(crystal, to_primitive=False)


def primitive_cell(crystal: Atoms) -> Atoms:
    """Return the primitive standard cell, in the orientation of `conventional_cell`."""
    return _standard_cell(crystal, to_primitive=True)


def _standard_cell(crystal: Atoms, *, to_primitive: bool) -> Atoms:
    with _quiet_spglib():
        standard = spglib.standardize_cell(
            _as_tuple(crystal), to_primitive=to_primitive, no_idealize=False, symprec=SYMMETRY_TOLERANCE_A
        )
    if standard is None:
        raise CalculationError(
            f"{crystal.get_chemical_formula()}: no symmetry could be assigned to this cell; "
            "look for overlapping atoms or a cell without volume"
        )
    lattice, positions, numbers = standard
    return Atoms(numbers=numbers, cell=lattice, scaled_positions=positions, pbc=True)


def _as_tuple(atoms: Atoms, kinds: NDArray[np.int64] | None = None) -> Any:
    """Return lattice, fractional positions and kinds as spglib takes them (arrays, though it declares sequences)."""
    return atoms.cell.array, atoms.get_scaled_positions(), atoms.numbers if kinds is None else kinds


@contextmanager
def _quiet_spglib() -> Iterator[None]:
    """Keep spglib's notice about its future error handling, which is a process-wide choice, from the user."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Set OLD_ERROR_HANDLING", category=DeprecationWarning)
        yield
