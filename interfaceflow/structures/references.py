"""Cells that an interface cell is compared with: strained bulks, and its two slabs apart."""

from __future__ import annotations

from typing import Literal

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from interfaceflow.core.errors import CalculationError
from interfaceflow.core.labels import PHASE, PhaseLabel, check_labels
from interfaceflow.structures.surfaces import Surface, add_vacuum, deform_surface, turn_along_axes

NORMAL_AXIS: Literal[2] = 2
LARGEST_STRETCH = 0.3


def build_strained_bulk(surface: Surface, matrix: NDArray[np.int64], interface: Atoms) -> Atoms:
    """Build a crystal's bulk cell at the in-plane vectors that it has in an interface cell.

    Relaxed along the normal, it is the reference A(z) of the interfacial energy: bulk with the elastic
    strain of the interface cell, and nothing else.

    Parameters
    ----------
    surface
        The crystal, oriented by the surface it shows.
    matrix
        The interface cell's in-plane vectors in those of the surface, integers, shape (2, 2).
    interface
        The (relaxed) interface cell; its third vector leads across the layers.

    Returns
    -------
    Atoms
        The bulk cell, first two vectors in the xy plane.

    Raises
    ------
    CalculationError
        If the crystal would be stretched by more than 30 %: the cell was then built on another surface.
    """
    strained = np.linalg.solve(matrix, turn_along_axes(interface.cell.array)[:2, :2])
    deformation = np.linalg.solve(surface.in_plane, strained)
    stretches = np.linalg.svd(deformation, compute_uv=False)
    if np.abs(stretches - 1).max() > LARGEST_STRETCH:
        raise CalculationError(
            f"{surface.name}: the interface cell would stretch it by {stretches[0] - 1:+.1%} and "
            f"{stretches[1] - 1:+.1%}, so the cell is not one that was built on this surface"
        )
    return deform_surface(surface, deformation)


def separate_slabs(interface: Atoms, vacuum_A: float) -> dict[PhaseLabel, Atoms]:
    """Take the two slabs of an interface cell apart, atoms where they are.

    Parameters
    ----------
    interface
        The (relaxed) interface cell, labelled.
    vacuum_A
        Vacuum between each slab and its image [Å].

    Raises
    ------
    DataFileError
        If the atoms carry no labels.
    """
    check_labels(interface, interface.get_chemical_formula())
    turned = interface.copy()
    turned.set_cell(turn_along_axes(interface.cell.array), scale_atoms=True)
    cell = turned.cell.array.copy()
    cell[2] = 0.0
    slabs: dict[PhaseLabel, Atoms] = {}
    for phase in ("metal", "binary"):
        slab = turned[turned.arrays[PHASE] == phase]
        # The slab may lie across the cell's edge: cut the cell where this phase leaves its widest gap.
        heights = np.sort(slab.get_scaled_positions()[:, 2])
        gaps = np.diff(heights, append=heights[0] + 1.0)
        bottom = heights[(int(np.argmax(gaps)) + 1) % len(heights)]
        slab.positions -= (bottom - 1e-6) * slab.cell.array[2]
        slab.wrap()
        slab.set_cell(cell)
        slabs[phase] = add_vacuum(slab, vacuum_A)
    return slabs
