"""Effective masses by finite differences of a band around its extremum."""

from __future__ import annotations

from itertools import combinations
from typing import Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# hbar^2 / m_e, eV Å2 (CODATA 2018, doi:10.1103/RevModPhys.93.025010).
HBAR2_OVER_ELECTRON_MASS_EV_A2: Final = 7.619964231
# Central differences in three dimensions: the point itself, two along each axis, four in each plane of two axes.
N_POINTS: Final = 19


def stencil_points(cell: Array, k_point: Array, step_per_A: float) -> Array:
    """Return the k-points whose energies give the second derivatives of a band.

    Parameters
    ----------
    cell
        Cell vectors as rows, shape (3, 3), Å.
    k_point
        The extremum in units of the reciprocal vectors, shape (3,).
    step_per_A
        Step along the Cartesian axes, 1/Å, with the factor 2π.

    Returns
    -------
    ndarray
        Points in units of the reciprocal vectors, shape (19, 3), in the order that `inverse_mass_tensor` takes.
    """
    # k = 2π B^T f with B the inverse cell, so f = A k / 2π.
    steps = step_per_A * _cartesian_steps() @ cell.T / (2 * np.pi)
    return np.asarray(k_point + steps, dtype=float)


def inverse_mass_tensor(energies_eV: Array, step_per_A: float) -> Array:
    """Return the inverse effective-mass tensor of a band.

    Element ij is the second derivative of the energy by k_i and k_j over hbar^2, by central differences whose error
    falls with the square of the step.

    Parameters
    ----------
    energies_eV
        Energies of the band at `stencil_points`, shape (19,), eV.
    step_per_A
        Step of the stencil, 1/Å, with the factor 2π.

    Returns
    -------
    ndarray
        In units of one over the electron's mass, shape (3, 3), Cartesian; positive at the bottom of a band.
    """
    centre, along, across = energies_eV[0], energies_eV[1:7].reshape(3, 2), energies_eV[7:].reshape(3, 4)
    second = np.diag((along.sum(axis=1) - 2 * centre) / step_per_A**2)
    for (i, j), (both_up, up_down, down_up, both_down) in zip(combinations(range(3), 2), across, strict=True):
        second[i, j] = second[j, i] = (both_up - up_down - down_up + both_down) / (4 * step_per_A**2)
    return np.asarray(second / HBAR2_OVER_ELECTRON_MASS_EV_A2, dtype=float)


def effective_masses(inverse_mass: Array) -> tuple[Array, Array]:
    """Return the principal effective masses and their directions.

    Parameters
    ----------
    inverse_mass
        Inverse effective-mass tensor, shape (3, 3), one over the electron's mass.

    Returns
    -------
    tuple
        Masses in electron masses, shape (3,), lightest first for a conduction band; negative for holes, infinite where
        the band is flat; and unit vectors as rows, shape (3, 3).
    """
    curvatures, directions = np.linalg.eigh(inverse_mass)
    with np.errstate(divide="ignore"):
        masses = 1.0 / curvatures
    return masses[::-1], directions.T[::-1]


def conductivity_mass(inverse_mass: Array) -> float:
    """Return the mass whose inverse is the mean over directions, electron masses: what a mobility average sees."""
    return float(3.0 / np.trace(inverse_mass))


def _cartesian_steps() -> Array:
    """Return the steps of the stencil, shape (19, 3), in units of the step."""
    unit = np.eye(3)
    steps = [np.zeros(3)]
    steps += [sign * unit[i] for i in range(3) for sign in (1, -1)]
    signs = ((1, 1), (1, -1), (-1, 1), (-1, -1))
    steps += [s * unit[i] + t * unit[j] for i, j in combinations(range(3), 2) for s, t in signs]
    return np.array(steps, dtype=float)
