"""Meshes of k-points."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from interfaceflow.schemas.vasp import KPoints, MeshByDivisions, MeshByLength, MeshBySpacing

Array = NDArray[np.float64]
# So that a length that is a whole multiple of the spacing is not pushed over it by rounding.
_ROUNDING = 1e-8


def mesh_divisions(cell: Array, n_atoms: int, k_points: KPoints, vacuum_axis: int | None) -> tuple[int, int, int]:
    """Return the divisions of the mesh for a cell.

    Parameters
    ----------
    cell
        Cell vectors as rows, shape (3, 3), Å.
    n_atoms
        Number of atoms.
    k_points
        How the mesh is chosen.
    vacuum_axis
        Cell vector across a vacuum, along which bands are flat and one point does; None where there is no vacuum.
    """
    lengths = 2 * np.pi * np.linalg.norm(np.linalg.inv(cell).T, axis=1)
    if isinstance(k_points, MeshByDivisions):
        divisions = np.array(k_points.divisions)
    elif isinstance(k_points, MeshBySpacing):
        divisions = np.ceil(lengths / k_points.spacing_per_A - _ROUNDING)
    elif isinstance(k_points, MeshByLength):
        divisions = np.floor(k_points.length_A * lengths / (2 * np.pi) + 0.5)
    else:
        divisions = _isotropic_mesh(lengths, k_points.points_times_atoms / n_atoms)
    divisions = np.maximum(1, divisions).astype(int)
    if vacuum_axis is not None:
        divisions[vacuum_axis] = 1
    first, second, third = (int(n) for n in divisions)
    return first, second, third


def _isotropic_mesh(lengths: Array, n_points: float) -> Array:
    """Return the coarsest mesh of one spacing that has at least so many points."""
    # Divisions change only where the spacing is a whole fraction of a length; these are all that matter.
    most = int(np.ceil(n_points)) + 1
    spacings = np.sort(np.unique((lengths[:, None] / np.arange(1, most + 1)).ravel()))[::-1]
    meshes = np.ceil(lengths[None, :] / spacings[:, None] - _ROUNDING)
    enough = np.nonzero(meshes.prod(axis=1) >= n_points - _ROUNDING)[0]
    return np.asarray(meshes[enough[0]], dtype=float)
