"""What surrounds a point of a periodic cell."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Surroundings:
    """Atoms and periodic images around a point, nearest first.

    Attributes
    ----------
    indices
        Which atom of the cell each is or is an image of, shape (n,).
    vectors
        From the point to each, shape (n, 3), Å.
    """

    indices: NDArray[np.intp]
    vectors: FloatArray

    @property
    def distances(self) -> FloatArray:
        """Distances from the point, shape (n,), Å."""
        return np.asarray(np.linalg.norm(self.vectors, axis=1))


def find_surroundings(atoms: Atoms, centre: FloatArray, radius_A: float) -> Surroundings:
    """Find all atoms, images included, within a radius of a point.

    Parameters
    ----------
    atoms
        Cell; each direction may be periodic or not, positions need not be wrapped.
    centre
        The point, shape (3,), Å.
    radius_A
        Å.
    """
    cell = atoms.cell.array
    fractions = (atoms.positions - centre) @ np.linalg.inv(cell)
    periodic = np.asarray(atoms.pbc, bool)
    fractions[:, periodic] -= np.rint(fractions[:, periodic])
    reaches = np.where(periodic, np.floor(radius_A / heights(cell) + 0.5), 0).astype(int)
    indices, vectors = [], []
    for shift in product(*(range(-reach, reach + 1) for reach in reaches)):
        moved = (fractions + shift) @ cell
        near = np.flatnonzero((moved**2).sum(axis=1) <= radius_A**2)
        indices.append(near)
        vectors.append(moved[near])
    found, where = np.concatenate(indices), np.concatenate(vectors)
    order = np.lexsort((found, (where**2).sum(axis=1)))
    return Surroundings(found[order], where[order])


def heights(cell: FloatArray) -> FloatArray:
    """Return the distances between opposite faces of a cell, shape (3,), Å; the cell's vectors are rows."""
    return np.asarray(1.0 / np.linalg.norm(np.linalg.inv(cell), axis=0))
