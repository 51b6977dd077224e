"""Two-interface cells: two crystals in turn, periodic in all directions, without vacuum.

One crystal keeps its bulk in-plane vectors and the other takes all of the strain. The strained one is shifted in
the plane so that a symmetry of the whole cell maps one interface on the other: energies per interface are
then energies of one interface, not the mean of two.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from ase import Atoms
from ase.build import make_supercell
from numpy.typing import NDArray

from interfaceflow.core.errors import UserInputError
from interfaceflow.core.labels import ORIGIN_INDEX, PHASE, REGION, PhasePair
from interfaceflow.schemas.settings import LatticeMatchSettings
from interfaceflow.structures.crystals import count_formula_units
from interfaceflow.structures.interface_checks import InterfaceChecks, check_interface
from interfaceflow.structures.matching import LatticeMatch, choose_match
from interfaceflow.structures.surfaces import (
    PROBE_VACUUM_A,
    Surface,
    add_vacuum,
    choose_cut_for_thickness,
    cut_layer,
    turn_over_if_reflected,
)
from interfaceflow.structures.symmetry import Flip, find_flips

FREE_SHIFT_STEPS = 4
"""Where symmetry leaves a direction of the in-plane shift free, it is tried at this many places."""
SHIFT_TOLERANCE = 1e-4
CONTACT_DEPTH_A = 6.0
"""Atoms deeper in their slab than this do not decide how the two slabs meet."""


@dataclass(frozen=True)
class InterfaceCell:
    """A two-interface cell and what was measured on it.

    Attributes
    ----------
    atoms
        The cell, with phase, region and origin_index labels; a and b in the plane, c along the normal.
    match
        The lattice match it was built on.
    strained_layers, kept_layers
        Numbers of layers.
    strained_formula_units, kept_formula_units
        Numbers of formula units.
    gap_A
        Distance between the outermost planes of the two phases [Å].
    checks
        What was measured on the built cell.
    """

    atoms: Atoms
    match: LatticeMatch
    strained_layers: int
    kept_layers: int
    strained_formula_units: int
    kept_formula_units: int
    gap_A: float
    checks: InterfaceChecks


def build_interface_cell(
    strained: Surface, kept: Surface, settings: LatticeMatchSettings, interface_region_width_A: float
) -> InterfaceCell:
    """Build a cell of two crystals with two equivalent interfaces, and check what was built.

    1. choose the numbers of layers from the thicknesses, and the terminations;
    2. choose the lattice match (`choose_match`);
    3. shift the strained crystal in the plane so that the two interfaces are equivalent;
    4. close the gaps: the mean of the two crystals' own spacings at their cuts, or more where atoms of the
       two phases would come nearer than ``min_distance_A``;
    5. measure strain, planes, distances, composition, charge and equivalence on the result.

    Parameters
    ----------
    strained, kept
        The two surfaces that meet; the first takes all of the strain.
    settings
        Names of the two phases, limits of the match, thicknesses and shortest distance.
    interface_region_width_A
        Atoms this near to an interface plane get the region "interface" [Å].

    Raises
    ------
    UserInputError
        If a surface has no usable termination, the two have no match within the limits, or no shift makes
        the two interfaces equivalent.
    CalculationError
        If the built cell is not what was asked for.
    """
    strained_cut, strained_layers = choose_cut_for_thickness(strained, settings.thicknesses_A[0])
    kept_cut, kept_layers = choose_cut_for_thickness(kept, settings.thicknesses_A[1])
    repeats = (
        strained_layers * strained_cut.layer_thickness_A / strained.repeat_A,
        kept_layers * kept_cut.layer_thickness_A / kept.repeat_A,
    )
    match = choose_match(strained, kept, repeats, settings)
    turn = _turn_to_x(match.kept_matrix @ kept.in_plane)
    strained_slab = cut_layer(strained, strained_cut, strained_layers)
    strained_slab = _repeat_and_deform(strained_slab, match.strained_matrix, match.deformation @ turn)
    kept_slab = cut_layer(kept, kept_cut, kept_layers)
    kept_slab = _repeat_and_deform(kept_slab, match.kept_matrix, turn)
    shifts = _symmetric_shifts(strained_slab, kept_slab)
    if len(shifts) == 0:
        raise UserInputError(
            f"{strained.name} and {kept.name}: {strained_layers} {settings.phases[0]} and {kept_layers} "
            f"{settings.phases[1]} layers share no symmetry that exchanges their sides, so the two interfaces would "
            f"differ. Ask for one layer more or fewer ({settings.phases[0]}_thickness_A, "
            f"{settings.phases[1]}_thickness_A), or for other Miller indices"
        )
    spacing = (strained_cut.cut_width_A + kept_cut.cut_width_A) / 2
    gap, shift = _choose_shift(strained_slab, kept_slab, shifts, spacing, settings.min_distance_A)
    strained_slab.positions[:, :2] += shift
    atoms = _stack(strained_slab, kept_slab, gap, settings.phases)
    _label_regions(atoms, (0.0, float(np.ptp(kept_slab.positions[:, 2])) + gap), interface_region_width_A)
    return InterfaceCell(
        atoms=atoms,
        match=match,
        strained_layers=strained_layers,
        kept_layers=kept_layers,
        strained_formula_units=count_formula_units(strained_slab),
        kept_formula_units=count_formula_units(kept_slab),
        gap_A=gap,
        checks=check_interface(atoms, strained, kept, match, settings),
    )


def _turn_to_x(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the rotation, shape (2, 2), that puts the first of two row vectors along x."""
    cosine, sine = vectors[0] / np.linalg.norm(vectors[0])
    return np.array([[cosine, -sine], [sine, cosine]])


def _repeat_and_deform(slab: Atoms, matrix: NDArray[np.int64], deformation: NDArray[np.float64]) -> Atoms:
    """Repeat a slab in the plane to the matched cell, then deform it; its third vector stays zero."""
    rows = matrix if np.linalg.det(matrix) > 0 else matrix[::-1]
    repeats = np.eye(3, dtype=np.int64)
    repeats[:2, :2] = rows
    repeated = make_supercell(add_vacuum(slab, PROBE_VACUUM_A), repeats)
    cell = np.zeros((3, 3))
    cell[:2, :2] = matrix @ slab.cell.array[:2, :2] @ deformation
    cell[0, 1] = 0.0  # up to rounding already: the deformation ends by turning the first vector to x
    positions = repeated.positions @ turn_over_if_reflected(deformation)
    positions[:, 2] -= positions[:, 2].min()
    return Atoms(repeated.numbers, positions=positions, cell=cell, pbc=(True, True, False))


def _symmetric_shifts(strained: Atoms, kept: Atoms) -> NDArray[np.float64]:
    """Find the in-plane shifts of the strained slab, shape (n, 2) [Å], that make the two interfaces equivalent.

    A flip x -> R x + t of that slab alone becomes x -> R x + t + (1 - R) s once it is shifted by s. It is one of the
    other slab too, and so of the whole cell, where (1 - R) s = t_kept - t_strained up to a lattice vector.
    """
    flips = [find_flips(add_vacuum(slab, PROBE_VACUUM_A)) for slab in (strained, kept)]
    shifts = [
        shift
        for strained_flip, kept_flip in product(*flips)
        if np.array_equal(strained_flip.in_plane, kept_flip.in_plane)
        for shift in _solve_for_shift(strained_flip, kept_flip)
    ]
    if not shifts:
        return np.empty((0, 2))
    fractions = np.array(shifts) % 1.0
    fractions[fractions > 1 - SHIFT_TOLERANCE] = 0.0
    _, first = np.unique(np.rint(fractions / SHIFT_TOLERANCE), axis=0, return_index=True)
    return np.array(fractions[first] @ strained.cell.array[:2, :2])


def _solve_for_shift(strained_flip: Flip, kept_flip: Flip) -> list[NDArray[np.float64]]:
    """Solve (1 - R) s = t_kept - t_strained modulo the lattice; fractional shifts, sampled where s is free."""
    matrix = np.eye(2) - strained_flip.in_plane
    _, values, directions = np.linalg.svd(matrix)
    free = directions[values < 1e-6]
    free /= np.abs(free).max(axis=1, keepdims=True)
    steps = np.arange(FREE_SHIFT_STEPS) / FREE_SHIFT_STEPS
    samples = np.array(list(product(steps, repeat=len(free)))) @ free
    solutions: list[NDArray[np.float64]] = []
    for lattice_vector in product((-1, 0, 1), repeat=2):
        target = kept_flip.translation - strained_flip.translation + np.array(lattice_vector)
        particular = np.linalg.pinv(matrix) @ target
        if np.allclose(matrix @ particular, target, atol=SHIFT_TOLERANCE):
            solutions.extend(particular + sample for sample in samples)
    return solutions


def _choose_shift(
    strained: Atoms, kept: Atoms, shifts: NDArray[np.float64], spacing_A: float, min_distance_A: float
) -> tuple[float, NDArray[np.float64]]:
    """Choose gap [Å] and shift (2,) [Å]: the smallest gap allowed, then the least crowded contact.

    Crowding is the sum of (shortest distance / distance)^12 over atoms of different phases: it rises steeply
    where atoms sit on top of each other, and a crystal rejoined with itself is least crowded in perfect stacking.
    """
    lateral = kept.cell.array[:2, :2]
    images = np.array(list(product((-1, 0, 1), repeat=2))) @ lateral
    depth = np.ptp(kept.positions[:, 2]) - kept.positions[:, 2]
    upper = strained.positions[strained.positions[:, 2] < CONTACT_DEPTH_A]
    lower, depth = kept.positions[depth < CONTACT_DEPTH_A], depth[depth < CONTACT_DEPTH_A]
    heights = (upper[None, :, 2] + depth[:, None])[:, :, None]

    def measure(shift: NDArray[np.float64]) -> tuple[float, float]:
        offsets = upper[None, :, :2] + shift - lower[:, None, :2]
        fractions = offsets @ np.linalg.inv(lateral)
        offsets = (fractions - np.rint(fractions)) @ lateral
        squared = ((offsets[:, :, None, :] + images) ** 2).sum(axis=-1)
        needed = np.sqrt(np.clip(min_distance_A**2 - squared, 0.0, None)) - heights
        gap = max(spacing_A, float(needed[squared < min_distance_A**2].max(initial=0.0)))
        crowding = (min_distance_A**2 / (squared + (heights + gap) ** 2)) ** 6
        return gap, float(crowding.sum())

    measured = [measure(shift) for shift in shifts]
    best = min(range(len(shifts)), key=lambda index: (round(measured[index][0], 3), measured[index][1]))
    return measured[best][0], shifts[best]


def _stack(strained: Atoms, kept: Atoms, gap_A: float, phases: PhasePair) -> Atoms:
    """Put the strained slab on the other and close the cell; one interface plane at height zero, the other between."""
    strained, kept = strained.copy(), kept.copy()
    kept_height, strained_height = (np.ptp(slab.positions[:, 2]) for slab in (kept, strained))
    kept.positions[:, 2] += gap_A / 2
    strained.positions[:, 2] += kept_height + 1.5 * gap_A
    atoms: Atoms = strained + kept
    cell = kept.cell.array.copy()
    cell[2, 2] = kept_height + strained_height + 2 * gap_A
    atoms.set_cell(cell)
    atoms.pbc = True
    atoms.wrap(eps=1e-9)
    atoms.set_array(PHASE, np.repeat(phases, (len(strained), len(kept))))
    return atoms


def _label_regions(atoms: Atoms, interface_heights_A: tuple[float, float], width_A: float) -> None:
    """Label the atoms by distance to the nearer interface plane, and number them."""
    repeat = atoms.cell.array[2, 2]
    distances = np.abs(atoms.positions[:, 2, None] - np.array(interface_heights_A))
    nearest = np.minimum(distances, repeat - distances).min(axis=1)
    atoms.set_array(REGION, np.where(nearest < width_A, "interface", "interior"))
    atoms.set_array(ORIGIN_INDEX, np.arange(len(atoms)))
