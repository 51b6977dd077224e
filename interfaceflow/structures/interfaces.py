"""Two-interface cells: binary and metal in turn, periodic in all directions, without vacuum.

The binary keeps its bulk in-plane vectors and the metal takes all of the strain. The metal is shifted in
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
from interfaceflow.core.labels import ORIGIN_INDEX, PHASE, REGION
from interfaceflow.schemas.settings import InterfaceSettings
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
    metal_layers, binary_layers
        Numbers of layers.
    metal_formula_units, binary_formula_units
        Numbers of formula units.
    gap_A
        Distance between the outermost planes of the two phases [Å].
    checks
        What was measured on the built cell.
    """

    atoms: Atoms
    match: LatticeMatch
    metal_layers: int
    binary_layers: int
    metal_formula_units: int
    binary_formula_units: int
    gap_A: float
    checks: InterfaceChecks


def build_interface_cell(
    metal: Surface, binary: Surface, settings: InterfaceSettings, interface_region_width_A: float
) -> InterfaceCell:
    """Build a metal-binary cell with two equivalent interfaces, and check what was built.

    1. choose the numbers of layers from the thicknesses, and the terminations;
    2. choose the lattice match (`choose_match`);
    3. shift the metal in the plane so that the two interfaces are equivalent;
    4. close the gaps: the mean of the two crystals' own spacings at their cuts, or more where atoms of the
       two phases would come nearer than ``min_distance_A``;
    5. measure strain, planes, distances, composition, charge and equivalence on the result.

    Parameters
    ----------
    metal, binary
        The two surfaces that meet.
    settings
        Limits of the match, thicknesses and shortest distance.
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
    metal_cut, metal_layers = choose_cut_for_thickness(metal, settings.metal_thickness_A)
    binary_cut, binary_layers = choose_cut_for_thickness(binary, settings.binary_thickness_A)
    repeats = (
        metal_layers * metal_cut.layer_thickness_A / metal.repeat_A,
        binary_layers * binary_cut.layer_thickness_A / binary.repeat_A,
    )
    match = choose_match(metal, binary, repeats, settings)
    turn = _turn_to_x(match.binary_matrix @ binary.in_plane)
    metal_slab = cut_layer(metal, metal_cut, metal_layers)
    metal_slab = _repeat_and_deform(metal_slab, match.metal_matrix, match.deformation @ turn)
    binary_slab = cut_layer(binary, binary_cut, binary_layers)
    binary_slab = _repeat_and_deform(binary_slab, match.binary_matrix, turn)
    shifts = _symmetric_shifts(metal_slab, binary_slab)
    if len(shifts) == 0:
        raise UserInputError(
            f"{metal.name} and {binary.name}: {metal_layers} metal and {binary_layers} binary layers share no symmetry "
            "that exchanges their sides, so the two interfaces would differ. Ask for one layer more or fewer "
            "(metal_thickness_A, binary_thickness_A), or for other Miller indices"
        )
    spacing = (metal_cut.cut_width_A + binary_cut.cut_width_A) / 2
    gap, shift = _choose_shift(metal_slab, binary_slab, shifts, spacing, settings.min_distance_A)
    metal_slab.positions[:, :2] += shift
    atoms = _stack(metal_slab, binary_slab, gap)
    _label_regions(atoms, (0.0, float(np.ptp(binary_slab.positions[:, 2])) + gap), interface_region_width_A)
    return InterfaceCell(
        atoms=atoms,
        match=match,
        metal_layers=metal_layers,
        binary_layers=binary_layers,
        metal_formula_units=count_formula_units(metal_slab),
        binary_formula_units=count_formula_units(binary_slab),
        gap_A=gap,
        checks=check_interface(atoms, metal, binary, match, settings),
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


def _symmetric_shifts(metal: Atoms, binary: Atoms) -> NDArray[np.float64]:
    """Find the in-plane shifts of the metal, shape (n, 2) [Å], that make the two interfaces equivalent.

    A flip x -> R x + t of the metal alone becomes x -> R x + t + (1 - R) s once it is shifted by s. It is
    one of the binary too, and so of the whole cell, where (1 - R) s = t_binary - t_metal up to a lattice vector.
    """
    flips = [find_flips(add_vacuum(slab, PROBE_VACUUM_A)) for slab in (metal, binary)]
    shifts = [
        shift
        for metal_flip, binary_flip in product(*flips)
        if np.array_equal(metal_flip.in_plane, binary_flip.in_plane)
        for shift in _solve_for_shift(metal_flip, binary_flip)
    ]
    if not shifts:
        return np.empty((0, 2))
    fractions = np.array(shifts) % 1.0
    fractions[fractions > 1 - SHIFT_TOLERANCE] = 0.0
    _, first = np.unique(np.rint(fractions / SHIFT_TOLERANCE), axis=0, return_index=True)
    return np.array(fractions[first] @ metal.cell.array[:2, :2])


def _solve_for_shift(metal_flip: Flip, binary_flip: Flip) -> list[NDArray[np.float64]]:
    """Solve (1 - R) s = t_binary - t_metal modulo the lattice; fractional shifts, sampled where s is free."""
    matrix = np.eye(2) - metal_flip.in_plane
    _, values, directions = np.linalg.svd(matrix)
    free = directions[values < 1e-6]
    free /= np.abs(free).max(axis=1, keepdims=True)
    steps = np.arange(FREE_SHIFT_STEPS) / FREE_SHIFT_STEPS
    samples = np.array(list(product(steps, repeat=len(free)))) @ free
    solutions: list[NDArray[np.float64]] = []
    for lattice_vector in product((-1, 0, 1), repeat=2):
        target = binary_flip.translation - metal_flip.translation + np.array(lattice_vector)
        particular = np.linalg.pinv(matrix) @ target
        if np.allclose(matrix @ particular, target, atol=SHIFT_TOLERANCE):
            solutions.extend(particular + sample for sample in samples)
    return solutions


def _choose_shift(
    metal: Atoms, binary: Atoms, shifts: NDArray[np.float64], spacing_A: float, min_distance_A: float
) -> tuple[float, NDArray[np.float64]]:
    """Choose gap [Å] and shift (2,) [Å]: the smallest gap allowed, then the least crowded contact.

    Crowding is the sum of (shortest distance / distance)^12 over atoms of different phases: it rises steeply
    where atoms sit on top of each other, and a crystal rejoined with itself is least crowded in perfect stacking.
    """
    lateral = binary.cell.array[:2, :2]
    images = np.array(list(product((-1, 0, 1), repeat=2))) @ lateral
    depth = np.ptp(binary.positions[:, 2]) - binary.positions[:, 2]
    upper = metal.positions[metal.positions[:, 2] < CONTACT_DEPTH_A]
    lower, depth = binary.positions[depth < CONTACT_DEPTH_A], depth[depth < CONTACT_DEPTH_A]
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


def _stack(metal: Atoms, binary: Atoms, gap_A: float) -> Atoms:
    """Put the metal on the binary and close the cell; one interface plane at height zero, the other between."""
    metal, binary = metal.copy(), binary.copy()
    binary_height, metal_height = (np.ptp(slab.positions[:, 2]) for slab in (binary, metal))
    binary.positions[:, 2] += gap_A / 2
    metal.positions[:, 2] += binary_height + 1.5 * gap_A
    atoms: Atoms = metal + binary
    cell = binary.cell.array.copy()
    cell[2, 2] = binary_height + metal_height + 2 * gap_A
    atoms.set_cell(cell)
    atoms.pbc = True
    atoms.wrap(eps=1e-9)
    atoms.set_array(PHASE, np.array(["metal"] * len(metal) + ["binary"] * len(binary)))
    return atoms


def _label_regions(atoms: Atoms, interface_heights_A: tuple[float, float], width_A: float) -> None:
    """Label the atoms by distance to the nearer interface plane, and number them."""
    repeat = atoms.cell.array[2, 2]
    distances = np.abs(atoms.positions[:, 2, None] - np.array(interface_heights_A))
    nearest = np.minimum(distances, repeat - distances).min(axis=1)
    atoms.set_array(REGION, np.where(nearest < width_A, "interface", "interior"))
    atoms.set_array(ORIGIN_INDEX, np.arange(len(atoms)))
