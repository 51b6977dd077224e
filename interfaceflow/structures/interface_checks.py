"""What a two-interface cell has to be, measured on the cell itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ase import Atoms
from ase.geometry import get_distances
from numpy.typing import NDArray

from interfaceflow.core.errors import CalculationError
from interfaceflow.core.labels import PHASE
from interfaceflow.schemas.settings import LatticeMatchSettings
from interfaceflow.structures.crystals import formal_charges, reduced_formula, shortest_distance
from interfaceflow.structures.matching import LatticeMatch
from interfaceflow.structures.surfaces import Surface
from interfaceflow.structures.symmetry import find_flips

POSITION_TOLERANCE_A = 1e-4
STRAIN_TOLERANCE = 1e-6
BOND_SHORTENING = 0.98
"""Bonds of a strained crystal may be shorter than its bulk bonds by the strain and by this factor."""


@dataclass(frozen=True)
class InterfaceChecks:
    """Measurements on a built two-interface cell.

    Attributes
    ----------
    principal_strains
        Strains of the crystal that is strained, larger first [1].
    min_distance_A
        Shortest distance between atoms of different phases [Å].
    interfaces_equivalent
        Whether a symmetry of the cell maps one interface on the other.
    """

    principal_strains: tuple[float, float]
    min_distance_A: float
    interfaces_equivalent: bool


def check_interface(
    atoms: Atoms, strained: Surface, kept: Surface, match: LatticeMatch, settings: LatticeMatchSettings
) -> InterfaceChecks:
    """Measure strain, planes, distances, composition, charge and equivalence on a built cell.

    Raises
    ------
    CalculationError
        If the cell is not what was asked for; the message names every check that failed.
    """
    sides = [
        (atoms[atoms.arrays[PHASE] == phase], surface, matrix)
        for phase, surface, matrix in zip(
            settings.phases, (strained, kept), (match.strained_matrix, match.kept_matrix), strict=True
        )
    ]
    strains, kept_strains = (_measure_strains(slab, surface, matrix) for slab, surface, matrix in sides)
    min_distance = shortest_distance_between_phases(atoms)
    equivalent = has_equivalent_interfaces(atoms)
    failed = []
    for slab, surface, matrix in sides:
        if reduced_formula(slab) != reduced_formula(surface.atoms):
            failed.append(f"{surface.name} has become {reduced_formula(slab)}")
        charge_of = formal_charges(surface.atoms)
        charge = sum(charge_of[symbol] for symbol in slab.get_chemical_symbols())
        if abs(charge) > 1e-6:
            failed.append(f"{surface.name} has a formal charge of {charge:+.2f} e")
        deviation = _deviation_from_periodicity(slab, matrix)
        if deviation > POSITION_TOLERANCE_A:
            failed.append(f"planes of {surface.name} are torn or tilted by {deviation:.4f} Å")
        allowed = shortest_distance(surface.atoms) * (1 - match.largest_strain) * BOND_SHORTENING
        if shortest_distance(slab) < allowed:
            failed.append(f"atoms of {surface.name} are {shortest_distance(slab):.3f} Å apart")
    if not np.allclose(strains, match.principal_strains, atol=STRAIN_TOLERANCE):
        failed.append(f"the {settings.phases[0]} is strained by {strains[0]:+.3%} and {strains[1]:+.3%}")
    if not np.allclose(kept_strains, 0.0, atol=STRAIN_TOLERANCE):
        failed.append(f"the {settings.phases[1]} is strained by {kept_strains[0]:+.3%} and {kept_strains[1]:+.3%}")
    if min_distance < settings.min_distance_A - POSITION_TOLERANCE_A:
        failed.append(f"atoms of the two phases are {min_distance:.3f} Å apart")
    if not equivalent:
        failed.append("the two interfaces are not equivalent")
    if failed:
        raise CalculationError(
            f"{strained.name} and {kept.name}: the interface cell that was built fails its checks: {'; '.join(failed)}"
        )
    return InterfaceChecks(principal_strains=strains, min_distance_A=min_distance, interfaces_equivalent=equivalent)


def has_equivalent_interfaces(atoms: Atoms) -> bool:
    """Tell whether a symmetry of a labelled cell reverses the normal and keeps each phase: it swaps the interfaces."""
    _, kinds = np.unique(
        [f"{phase} {number}" for phase, number in zip(atoms.arrays[PHASE], atoms.numbers, strict=True)],
        return_inverse=True,
    )
    return bool(find_flips(atoms, kinds + 1))


def shortest_distance_between_phases(atoms: Atoms) -> float:
    """Return the shortest distance between atoms with different phase labels [Å]."""
    is_first = atoms.arrays[PHASE] == atoms.arrays[PHASE][0]
    _, distances = get_distances(atoms.positions[is_first], atoms.positions[~is_first], cell=atoms.cell, pbc=atoms.pbc)
    return float(distances.min())


def _measure_strains(slab: Atoms, surface: Surface, matrix: NDArray[np.int64]) -> tuple[float, float]:
    """Measure the in-plane principal strains of a slab against its crystal."""
    surface_cell = np.linalg.solve(matrix, slab.cell.array[:2, :2])
    high, low = np.linalg.svd(np.linalg.solve(surface.in_plane, surface_cell), compute_uv=False) - 1.0
    return float(high), float(low)


def _deviation_from_periodicity(slab: Atoms, matrix: NDArray[np.int64]) -> float:
    """Measure how far atoms are from where the surface cell's translations put their neighbours [Å]."""
    surface_cell = np.linalg.solve(matrix, slab.cell.array[:2, :2])
    deviations = []
    for vector in surface_cell:
        moved = slab.positions + np.array([*vector, 0.0])
        _, distances = get_distances(moved, slab.positions, cell=slab.cell, pbc=slab.pbc)
        same_kind = slab.numbers[:, None] == slab.numbers[None, :]
        deviations.append(float(np.where(same_kind, distances, np.inf).min(axis=1).max()))
    return max(deviations)
