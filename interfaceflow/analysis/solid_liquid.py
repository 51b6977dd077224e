"""Solid or liquid, atom by atom: the averaged bond order of a simple metal.

An atom's bond order is the sixth-degree Steinhardt parameter averaged once more over the atom and its
neighbours (W. Lechner and C. Dellago, doi:10.1063/1.2977970). The average makes the distributions of
solid and liquid part even for a bcc crystal just below melting, where thermal motion blurs the
parameter of a single atom. Neighbours are counted, not cut off at a distance: the fourteen nearest are
the first two shells of bcc, and are the same whatever the density.
"""

from __future__ import annotations

import numpy as np
from ase import Atoms
from numpy.polynomial.legendre import Legendre
from numpy.typing import NDArray
from scipy.special import factorial

from interfaceflow.core.errors import CalculationError
from interfaceflow.core.labels import PHASE

N_NEIGHBOURS = 14
SOLID_THRESHOLD = 0.21
_DEGREE = 6


def solid_like(atoms: Atoms, *, threshold: float = SOLID_THRESHOLD) -> NDArray[np.bool_]:
    """Tell which atoms have a crystal's surroundings.

    Parameters
    ----------
    atoms
        Atoms of a metal, any cell, periodic or not. Where they carry phase labels, each phase is looked
        at by itself: an atom's neighbours are sought among the atoms of its own crystal.
    threshold
        Averaged bond order above which an atom is solid-like [1]. The default lies half-way between bcc
        lithium at the edge of melting (0.31 on average) and its undercooled melt (0.12 on average).

    Returns
    -------
    ndarray of bool, shape (n_atoms,)

    Raises
    ------
    CalculationError
        If there are too few atoms to have fourteen neighbours.
    """
    return averaged_bond_order(atoms) > threshold


def solid_fraction(atoms: Atoms, mask: NDArray[np.bool_] | None = None, *, threshold: float = SOLID_THRESHOLD) -> float:
    """Return the share of solid-like atoms.

    Parameters
    ----------
    atoms
        As in :func:`solid_like`: every atom takes part as a neighbour.
    mask
        Atoms that are counted, shape (n_atoms,); all where it is not given.
    threshold
        As in :func:`solid_like` [1].

    Raises
    ------
    CalculationError
        If the mask selects no atom, or as in :func:`solid_like`.
    """
    counted = np.ones(len(atoms), dtype=bool) if mask is None else np.asarray(mask, dtype=bool)
    if not counted.any():
        raise CalculationError("solid fraction: the mask selects no atom, so there is nothing to count")
    return float(np.mean(solid_like(atoms, threshold=threshold)[counted]))


def averaged_bond_order(atoms: Atoms) -> NDArray[np.float64]:
    """Compute the averaged sixth-degree Steinhardt parameter of every atom, doi:10.1063/1.2977970, eqs. 5 and 6.

    Parameters
    ----------
    atoms
        As in :func:`solid_like`.

    Returns
    -------
    ndarray, shape (n_atoms,)
        Between 0 and 1; 0.51 for perfect bcc, and 0.1 to 0.2 for a melt.
    """
    if PHASE not in atoms.arrays:
        return _averaged_bond_order_of_one_phase(atoms)
    order = np.empty(len(atoms))
    for phase in np.unique(atoms.arrays[PHASE]):
        members = np.flatnonzero(atoms.arrays[PHASE] == phase)
        order[members] = _averaged_bond_order_of_one_phase(atoms[members])
    return order


def _averaged_bond_order_of_one_phase(atoms: Atoms) -> NDArray[np.float64]:
    neighbours, bonds = _nearest_neighbours(atoms)
    per_atom = _spherical_harmonics(bonds / np.linalg.norm(bonds, axis=-1, keepdims=True)).mean(axis=1)
    averaged = (per_atom + per_atom[neighbours].sum(axis=1)) / (N_NEIGHBOURS + 1)
    weights = np.where(np.arange(_DEGREE + 1) == 0, 1.0, 2.0)  # m and -m have the same modulus
    squared: NDArray[np.float64] = (weights * np.abs(averaged) ** 2).sum(axis=1)
    return np.sqrt(4 * np.pi / (2 * _DEGREE + 1) * squared)


def _spherical_harmonics(directions: NDArray[np.float64]) -> NDArray[np.complex128]:
    """Compute Y_6m for m = 0 to 6 of unit vectors, shape (..., 3), without the alternating sign; shape (..., 7)."""
    in_plane = directions[..., 0] + 1j * directions[..., 1]
    polynomial = Legendre.basis(_DEGREE)
    values = np.empty((*directions.shape[:-1], _DEGREE + 1), dtype=complex)
    for m in range(_DEGREE + 1):
        norm = np.sqrt((2 * _DEGREE + 1) / (4 * np.pi) * factorial(_DEGREE - m) / factorial(_DEGREE + m))
        values[..., m] = norm * in_plane**m * polynomial.deriv(m)(directions[..., 2])
    return values


def _nearest_neighbours(atoms: Atoms) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Find the nearest neighbours of every atom, images included.

    Returns
    -------
    indices : ndarray, shape (n_atoms, 14)
    bonds : ndarray, shape (n_atoms, 14, 3)
        Vectors to the neighbours [Å].
    """
    from scipy.spatial import cKDTree

    periodic = np.asarray(atoms.pbc, dtype=bool)
    if len(atoms) == 0 or (not periodic.any() and len(atoms) <= N_NEIGHBOURS):
        raise CalculationError(
            f"solid or liquid: {len(atoms)} atom(s) are too few to have {N_NEIGHBOURS} neighbours; "
            "give the whole metal, with its periodic cell"
        )
    cell = np.asarray(atoms.cell.complete())
    fractional = atoms.cell.scaled_positions(atoms.positions) if periodic.any() else np.zeros((len(atoms), 3))
    positions = atoms.positions - np.where(periodic, np.floor(fractional), 0.0) @ cell
    heights = abs(np.linalg.det(cell)) / np.linalg.norm(
        np.cross(np.roll(cell, -1, axis=0), np.roll(cell, -2, axis=0)), axis=1
    )
    # Twice the radius of the sphere that holds the neighbours at the cell's mean density is a first guess.
    reach = 2.0 * (3 * N_NEIGHBOURS * abs(np.linalg.det(cell)) / (4 * np.pi * len(atoms))) ** (1 / 3)
    while True:
        origin, images = _with_images(positions, cell, np.where(periodic, reach / heights, 0.0))
        distances, found = cKDTree(images).query(positions, k=N_NEIGHBOURS + 1)
        if not periodic.any() or distances[:, -1].max() <= reach:
            break
        reach = 1.2 * float(distances[:, -1].max()) if np.isfinite(distances).all() else 2 * reach
    found = found[:, 1:]  # the nearest image is the atom itself
    return origin[found], images[found] - positions[:, None, :]


def _with_images(
    positions: NDArray[np.float64], cell: NDArray[np.float64], margins: NDArray[np.float64]
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Repeat wrapped atoms by those images that lie within ``margins`` (fractions of the cell) of the cell.

    Returns
    -------
    origin : ndarray, shape (n_images,)
        Index of the atom each image repeats; the atoms themselves come first.
    images : ndarray, shape (n_images, 3)
        Positions [Å].
    """
    fractional = positions @ np.linalg.inv(cell)
    spans = [np.arange(-n, n + 1) for n in np.ceil(margins).astype(int)]
    shifts = np.stack(np.meshgrid(*spans, indexing="ij"), axis=-1).reshape(-1, 3)
    shifts = shifts[np.any(shifts != 0, axis=1)]
    shifted = fractional[None, :, :] + shifts[:, None, :]
    near = np.all((shifted >= -margins) & (shifted < 1 + margins), axis=-1)
    image, atom = np.nonzero(near)
    origin = np.concatenate([np.arange(len(positions)), atom])
    return origin, np.concatenate([positions, positions[atom] + shifts[image] @ cell])
