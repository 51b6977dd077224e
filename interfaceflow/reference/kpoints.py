"""Meshes of k-points from a spacing, so that cells of every size are sampled alike.

The mesh follows from the cell alone, and so does a label. A cell that relaxes from one mesh to the next therefore feels
a small step in its energy; with a finer spacing it is smaller.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from ase.cell import Cell

# Equal lengths stay equal in spite of rounding, or the mesh would break the symmetry of the crystal.
_TOLERANCE: Final = 1e-6


def mesh_of(cell: Cell, k_spacing_per_A: float) -> tuple[int, int, int]:
    """Return the smallest mesh whose points are no further apart than a spacing along each reciprocal vector.

    Parameters
    ----------
    cell
        Cell vectors, shape (3, 3), Å.
    k_spacing_per_A
        Largest distance of neighbouring k-points, with 2 pi included, 1/Å.

    Examples
    --------
    >>> mesh_of(Cell.new([5.7, 5.7, 20.0]), 0.4)
    (3, 3, 1)
    """
    lengths = 2 * np.pi * np.linalg.norm(cell.reciprocal().array, axis=1)
    first, second, third = (max(1, int(n)) for n in np.ceil(lengths / k_spacing_per_A - _TOLERANCE))
    return first, second, third
