"""Bader charges: electrons in the basins of the density, by the weight method of Yu and Trinkle.

Each grid cell passes its electrons on to its neighbours of higher density, in proportion to the flux through the faces
that they share, until they arrive at a maximum; doi:10.1063/1.3553716. Unlike steps from grid point to grid point
(doi:10.1016/j.commatsci.2005.04.010, doi:10.1088/0953-8984/21/8/084204) it has no bias along the grid's axes and
converges with the square of its spacing.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Final

import numpy as np
from numpy.typing import NDArray

from interfaceflow.core.errors import UserInputError

Array = NDArray[np.float64]
IntegerArray = NDArray[np.int64]

# Share of the cell's largest density below which a maximum is noise of the vacuum, not an atom or a lone electron.
_NOISE: Final = 1e-4
# A maximum further than this from every atom is reported by itself, Å.
_FURTHEST_FROM_AN_ATOM_A: Final = 1.0


@dataclass(frozen=True)
class BaderBasins:
    """Electrons in the basins of atoms.

    Attributes
    ----------
    electrons
        Electrons of each atom, shape (n_atoms,); those of maxima far from all atoms are with the nearest one.
    electrons_off_atoms
        How many of them belong to maxima further than 1 Å from every atom: electrides, or a density that lacks its
        core.
    """

    electrons: Array
    electrons_off_atoms: float


def bader_electrons(density: Array, reference: Array, cell: Array, positions: Array) -> BaderBasins:
    """Integrate a density over the basins of a reference density.

    Parameters
    ----------
    density
        What is integrated, on a periodic grid, shape (n_1, n_2, n_3), electrons per Å3; the valence density.
    reference
        Density whose basins are taken, on the same grid: all electrons, so that each atom has a maximum (VASP's
        AECCAR0 + AECCAR2). Its unit does not matter.
    cell
        Cell vectors as rows, shape (3, 3), Å.
    positions
        Positions of the atoms, shape (n_atoms, 3), Å.

    Raises
    ------
    UserInputError
        If the grids differ, or the reference is not finite or nowhere positive.
    """
    if density.shape != reference.shape or reference.ndim != 3:
        raise UserInputError(
            f"the density has a grid of {density.shape} and its reference one of {reference.shape}; take both from one "
            "run (in VASP, NGXF, NGYF and NGZF are the same for CHGCAR and AECCAR0, AECCAR2)"
        )
    if not np.isfinite(reference).all() or reference.max() <= 0:
        raise UserInputError("the reference density has values that are not finite, or none that is positive")
    voxel_A3 = abs(float(np.linalg.det(cell))) / reference.size
    arrived = _flow_to_maxima(reference, density.ravel() * voxel_A3, cell)
    maxima = np.nonzero(arrived)[0]
    points = np.stack(np.unravel_index(maxima, reference.shape), axis=1) / np.array(reference.shape)
    atoms, distances = _nearest_atoms(points, cell, positions)
    electrons = np.asarray(np.bincount(atoms, weights=arrived[maxima], minlength=len(positions)), dtype=float)
    far = (distances > _FURTHEST_FROM_AN_ATOM_A) & (reference.ravel()[maxima] > _NOISE * reference.max())
    return BaderBasins(electrons=electrons, electrons_off_atoms=float(arrived[maxima][far].sum()))


def bader_charges(electrons: Array, valence_electrons: Array) -> Array:
    """Return the charge of each atom, e: its potential's valence electrons less those in its basin.

    Parameters
    ----------
    electrons
        Valence electrons in each basin, shape (n_atoms,).
    valence_electrons
        Those of the neutral atom (ZVAL of the POTCAR), shape (n_atoms,).
    """
    return valence_electrons - electrons


def _flow_to_maxima(reference: Array, amounts: Array, cell: Array) -> Array:
    """Return what arrives at each grid point that is a maximum, zero elsewhere; shape (n_points,).

    What is at point i afterwards, y_i, is what it had and what lower points pass on: y = amounts + F^T y, with F_ij the
    share of i that goes to j. In order of falling density F^T is triangular, so y is found by one sweep from the lowest
    point to the highest.
    """
    from scipy.sparse import csr_array, identity
    from scipy.sparse.linalg import spsolve_triangular

    values = reference.ravel()
    n_points = values.size
    sender, receiver, flux = _fluxes(reference, cell / np.array(reference.shape)[:, None])
    total = np.bincount(sender, weights=flux, minlength=n_points)
    rank = np.empty(n_points, dtype=np.int64)
    rank[np.argsort(values, kind="stable")] = np.arange(n_points)
    shares = csr_array((flux / total[sender], (rank[receiver], rank[sender])), shape=(n_points, n_points))
    ordered = np.empty(n_points)
    ordered[rank] = amounts
    arrived = spsolve_triangular(csr_array(identity(n_points) - shares), ordered, lower=True, unit_diagonal=True)
    return np.where(total > 0, 0.0, np.asarray(arrived)[rank])


def _fluxes(reference: Array, voxel: Array) -> tuple[IntegerArray, IntegerArray, Array]:
    """Return the flow from each grid point to higher neighbours: senders, receivers, and fluxes of any scale.

    A point on a ridge that runs oblique to the grid has no higher neighbour across a face; it sends all to the steepest
    of the neighbours across edges and corners.
    """
    values = reference.ravel()
    indices = np.arange(values.size).reshape(reference.shape)
    senders, receivers, fluxes = [], [], []
    for step, conductance in zip(*_face_conductances(voxel), strict=True):
        neighbours = np.roll(indices, tuple(-step), axis=(0, 1, 2)).ravel()
        uphill = np.nonzero(values[neighbours] > values)[0]
        senders.append(uphill)
        receivers.append(neighbours[uphill])
        fluxes.append(conductance * (values[neighbours[uphill]] - values[uphill]))
    tops = np.setdiff1d(np.arange(values.size), np.concatenate(senders))
    steps = np.array([step for step in product((-1, 0, 1), repeat=3) if any(step)])
    places = np.stack(np.unravel_index(tops, reference.shape), axis=1)
    around = np.mod(places[:, None] + steps, reference.shape)
    neighbours = np.ravel_multi_index(tuple(np.moveaxis(around, -1, 0)), reference.shape)
    slopes = (values[neighbours] - values[tops][:, None]) / np.linalg.norm(steps @ voxel, axis=1)
    steepest = slopes.argmax(axis=1)
    on_ridge = slopes.max(axis=1) > 0
    senders.append(tops[on_ridge])
    receivers.append(neighbours[on_ridge, steepest[on_ridge]])
    fluxes.append(np.ones(int(on_ridge.sum())))
    return np.concatenate(senders), np.concatenate(receivers), np.concatenate(fluxes)


def _face_conductances(voxel: Array) -> tuple[IntegerArray, Array]:
    """Return the neighbours that share a face with a grid cell, and the face's area over their distance.

    Parameters
    ----------
    voxel
        Vectors between neighbouring grid points as rows, shape (3, 3), Å.

    Returns
    -------
    tuple
        Steps in units of the grid, shape (n_faces, 3), and areas over distances, shape (n_faces,), Å.
    """
    from scipy.spatial import Voronoi

    steps = np.array(list(product(range(-2, 3), repeat=3)))
    centre = len(steps) // 2
    points = steps @ voxel
    diagram = Voronoi(points)
    neighbours, conductances = [], []
    for pair, vertices in zip(diagram.ridge_points, diagram.ridge_vertices, strict=True):
        if centre not in pair:
            continue
        other = int(pair[0] if pair[1] == centre else pair[1])
        distance = float(np.linalg.norm(points[other]))
        area = _polygon_area(diagram.vertices[vertices])
        if area > 1e-8 * distance**2:
            neighbours.append(steps[other])
            conductances.append(area / distance)
    return np.array(neighbours), np.array(conductances)


def _polygon_area(corners: Array) -> float:
    """Return the area of a plane convex polygon whose corners, shape (n, 3), are in order around it."""
    rays = corners - corners[0]
    return 0.5 * float(np.linalg.norm(np.cross(rays[1:-1], rays[2:]).sum(axis=0)))


def _nearest_atoms(points: Array, cell: Array, positions: Array) -> tuple[IntegerArray, Array]:
    """Return for each point, in fractions of the cell, its nearest atom across the boundaries, and the distance, Å."""
    from ase.geometry import find_mic

    nearest = np.zeros(len(points), dtype=np.int64)
    distances = np.full(len(points), np.inf)
    for index, position in enumerate(positions):
        _, lengths = find_mic(points @ cell - position, cell)
        closer = lengths < distances
        nearest[closer], distances[closer] = index, lengths[closer]
    return nearest, distances
