"""A crystal seen from one of its surfaces: oriented cell, atomic planes, and where it can be cut.

Every cell here has its first two vectors in the xy plane, the first along x, and is right-handed, so
that the surface normal is z.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, gcd

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from interfaceflow.core.errors import CalculationError, UserInputError
from interfaceflow.structures.crystals import formal_charges, reduced_formula
from interfaceflow.structures.symmetry import conventional_cell, find_flips, primitive_cell

PLANE_TOLERANCE_A = 0.1
"""Atoms whose heights differ by less are in one plane."""
SPACING_TOLERANCE_A = 0.02
DIPOLE_TOLERANCE_E_A = 1e-3
PROBE_VACUUM_A = 10.0


@dataclass(frozen=True)
class Surface:
    """A crystal in the smallest cell that has a given surface.

    Attributes
    ----------
    atoms
        Bulk cell; first two vectors in the surface, third leading out of it; positions sorted by height [Å].
    miller
        Miller indices of the surface, in the conventional standard cell.
    planes
        Indices of the atoms of each plane, from the lowest plane up.
    heights
        Height of each plane [Å], shape (n_planes,).
    charges
        Formal charge of each atom [e], shape (n_atoms,).
    """

    atoms: Atoms
    miller: tuple[int, int, int]
    planes: tuple[NDArray[np.int64], ...]
    heights: NDArray[np.float64]
    charges: NDArray[np.float64]

    @property
    def in_plane(self) -> NDArray[np.float64]:
        """The two in-plane vectors as rows, shape (2, 2) [Å]."""
        return np.array(self.atoms.cell.array[:2, :2])

    @property
    def repeat_A(self) -> float:
        """Height after which the planes repeat [Å]."""
        return float(self.atoms.cell.array[2, 2])

    @property
    def name(self) -> str:
        """The surface in words, for example ``"LiCl(100)"``."""
        return f"{reduced_formula(self.atoms)}({''.join(str(index) for index in self.miller)})"


@dataclass(frozen=True)
class Termination:
    """Where a crystal is cut, and the layer that is repeated from there.

    Attributes
    ----------
    first_plane
        Index of the plane that lies lowest.
    planes_per_layer
        Number of planes in the thinnest stoichiometric layer.
    layer_thickness_A
        Mean thickness of a layer [Å].
    cut_width_A
        Distance between the two planes that the cut separates [Å].
    """

    first_plane: int
    planes_per_layer: int
    layer_thickness_A: float
    cut_width_A: float


def orient_crystal(crystal: Atoms, miller: tuple[int, int, int]) -> Surface:
    """Find the smallest cell of a crystal that has a given surface.

    Parameters
    ----------
    crystal
        Any cell of the crystal.
    miller
        Miller indices in the conventional standard cell.

    Raises
    ------
    UserInputError
        If the indices are all zero.
    CalculationError
        If the crystal's conventional and primitive cells do not fit together.
    """
    if not any(miller):
        raise UserInputError("Miller indices 0 0 0 name no plane; give for example (1, 1, 0)")
    primitive = primitive_cell(crystal)
    reciprocal = np.asarray(miller) @ np.linalg.inv(conventional_cell(crystal).cell.array).T
    # A primitive vector crosses a whole number of lattice planes, up to the sixths of a centred cell.
    crossings = 6.0 * primitive.cell.array @ reciprocal
    indices = np.rint(crossings).astype(np.int64)
    if not np.allclose(crossings, indices, atol=1e-3):
        raise CalculationError(f"{reduced_formula(crystal)}: conventional and primitive cells do not fit together")
    indices //= gcd(*indices.tolist())
    cell = _basis_of_planes(indices) @ primitive.cell.array
    cell = _reduce(cell)
    atoms = Atoms(primitive.numbers, positions=primitive.positions, cell=cell, pbc=True)
    atoms.set_cell(turn_along_axes(cell), scale_atoms=True)
    return _find_planes(atoms, miller, formal_charges(crystal))


def deform_surface(surface: Surface, deformation: NDArray[np.float64]) -> Atoms:
    """Return the bulk cell of a surface after an in-plane deformation; heights are kept.

    Parameters
    ----------
    surface
        The undeformed surface.
    deformation
        Linear map of in-plane row vectors, shape (2, 2). One with a negative determinant turns the
        crystal over, since a reflection would make another crystal of it.
    """
    cell: Atoms = surface.atoms.copy()
    deformed = cell.cell.array @ turn_over_if_reflected(deformation)
    cell.set_cell(deformed, scale_atoms=True)
    if deformed[2, 2] < 0:
        cell.set_cell(deformed * np.array([[1.0], [-1.0], [-1.0]]), scale_atoms=False)
        cell.wrap()
    return cell


def turn_over_if_reflected(deformation: NDArray[np.float64]) -> NDArray[np.float64]:
    """Extend an in-plane map, shape (2, 2), to a map of space that keeps handedness, shape (3, 3)."""
    full = np.eye(3)
    full[:2, :2] = deformation
    full[2, 2] = np.sign(np.linalg.det(deformation))
    return full


def cut_layer(surface: Surface, termination: Termination, n_layers: int) -> Atoms:
    """Cut a slab of whole layers.

    Returns
    -------
    Atoms
        The slab from height zero up, periodic in the plane; its third vector is zero.
    """
    n_planes = len(surface.planes)
    out_of_plane = surface.atoms.cell.array[2]
    numbers: list[int] = []
    positions: list[NDArray[np.float64]] = []
    for index in range(termination.first_plane, termination.first_plane + n_layers * termination.planes_per_layer):
        repeat, plane = divmod(index, n_planes)
        members = surface.planes[plane]
        numbers.extend(surface.atoms.numbers[members].tolist())
        positions.extend(surface.atoms.positions[members] + repeat * out_of_plane)
    cell = surface.atoms.cell.array.copy()
    cell[2] = 0.0
    slab = Atoms(numbers, positions=np.array(positions), cell=cell, pbc=(True, True, False))
    slab.positions[:, 2] -= slab.positions[:, 2].min()
    return slab


def add_vacuum(slab: Atoms, vacuum_A: float) -> Atoms:
    """Return a slab centred in a periodic cell with this much vacuum along the normal [Å]."""
    padded: Atoms = slab.copy()
    low, high = padded.positions[:, 2].min(), padded.positions[:, 2].max()
    cell = padded.cell.array.copy()
    cell[2] = (0.0, 0.0, high - low + vacuum_A)
    padded.set_cell(cell)
    padded.pbc = True
    padded.positions[:, 2] += vacuum_A / 2 - low
    padded.wrap(pbc=(True, True, False))
    return padded


def choose_cut(surface: Surface, n_layers: int) -> Termination:
    """Choose where to cut, so that a slab of some layers is stoichiometric, non-polar and equal on both sides.

    Of several cuts, the one that separates the planes that are furthest apart.

    Raises
    ------
    UserInputError
        If there is none; the message lists every termination and why it was refused.
    """
    return _choose([(termination, n_layers) for termination in _terminations(surface)], surface)[0]


def choose_cut_for_thickness(surface: Surface, thickness_A: float) -> tuple[Termination, int]:
    """Choose where to cut, as `choose_cut` does, and the least number of layers of at least a thickness [Å].

    Raises
    ------
    UserInputError
        If no termination can be used.
    """
    return _choose(
        [
            (termination, ceil(thickness_A / termination.layer_thickness_A - 1e-6))
            for termination in _terminations(surface)
        ],
        surface,
    )


def _choose(candidates: list[tuple[Termination, int]], surface: Surface) -> tuple[Termination, int]:
    accepted: list[tuple[Termination, int]] = []
    refusals: list[str] = []
    for termination, n_layers in candidates:
        refusal = _why_refused(surface, termination, n_layers)
        if refusal is None:
            accepted.append((termination, n_layers))
        else:
            refusals.append(f"{n_layers} layers {_describe(surface, termination)}: {refusal}")
    if not accepted:
        listing = "\n".join(f"  - {line}" for line in dict.fromkeys(refusals))
        raise UserInputError(
            f"{surface.name}: no slab is stoichiometric, non-polar and equal on both sides. Found:\n{listing}\n"
            "Choose other Miller indices"
        )
    return max(accepted, key=lambda candidate: round(candidate[0].cut_width_A, 3))


def _terminations(surface: Surface) -> list[Termination]:
    return [_layer_from(surface, first_plane) for first_plane in range(len(surface.planes))]


def _basis_of_planes(indices: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return three integer vectors (rows) that span the lattice, the first two within the planes ``indices``."""
    basis = np.eye(3, dtype=np.int64)
    crossings = indices.copy()
    while np.count_nonzero(crossings) > 1:
        nonzero = np.flatnonzero(crossings)
        pivot = nonzero[np.argmin(np.abs(crossings[nonzero]))]
        for row in nonzero:
            if row != pivot:
                multiple = crossings[row] // crossings[pivot]
                crossings[row] -= multiple * crossings[pivot]
                basis[row] -= multiple * basis[pivot]
    out = int(np.flatnonzero(crossings)[0])
    return np.array([*np.delete(basis, out, axis=0), basis[out] * np.sign(crossings[out])])


def _reduce(cell: NDArray[np.float64]) -> NDArray[np.float64]:
    """Make the in-plane vectors as short, and the third as upright, as the lattice allows; right-handed."""
    a, b, c = cell
    while True:
        if b @ b < a @ a - 1e-9:
            a, b = b, a
        multiple = np.rint(a @ b / (a @ a))
        if multiple == 0 or abs(abs(a @ b / (a @ a)) - 0.5) < 1e-9:
            break
        b = b - multiple * a
    if np.cross(a, b) @ c < 0:
        b = -b
    offset = np.linalg.lstsq(np.array([a, b]).T, c, rcond=None)[0]
    shift_a, shift_b = np.floor(offset + 0.5 - 1e-6)
    return np.array([a, b, c - shift_a * a - shift_b * b])


def turn_along_axes(cell: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn a cell, rows [Å], so that its first vector is along x and its second in the xy plane, with y > 0."""
    x = cell[0] / np.linalg.norm(cell[0])
    z = np.cross(cell[0], cell[1])
    z /= np.linalg.norm(z)
    turned: NDArray[np.float64] = cell @ np.array([x, np.cross(z, x), z]).T
    turned[np.abs(turned) < 1e-10] = 0.0
    return turned


def _find_planes(atoms: Atoms, miller: tuple[int, int, int], charge_of: dict[str, float]) -> Surface:
    """Sort the atoms into planes, starting above the widest gap so that no plane is split by the cell's edge."""
    repeat = atoms.cell.array[2, 2]
    heights = np.sort(atoms.get_scaled_positions()[:, 2] * repeat)
    gaps = np.diff(heights, append=heights[0] + repeat)
    widest = int(np.argmax(gaps))
    bottom = heights[(widest + 1) % len(heights)] - min(gaps[widest] / 2, PLANE_TOLERANCE_A)
    atoms.positions -= bottom / repeat * atoms.cell.array[2]
    atoms.wrap(eps=1e-6)
    order = np.argsort(atoms.positions[:, 2], kind="stable")
    atoms = atoms[order]
    breaks = np.flatnonzero(np.diff(atoms.positions[:, 2]) > PLANE_TOLERANCE_A) + 1
    planes = tuple(np.split(np.arange(len(atoms)), breaks))
    return Surface(
        atoms=atoms,
        miller=miller,
        planes=planes,
        heights=np.array([atoms.positions[members, 2].mean() for members in planes]),
        charges=np.array([charge_of[symbol] for symbol in atoms.get_chemical_symbols()]),
    )


def _layer_from(surface: Surface, first_plane: int) -> Termination:
    """Find the thinnest layer that, repeated from a plane upwards, has the same planes and spacings every time."""
    n_planes = len(surface.planes)
    order = np.roll(np.arange(n_planes), -first_plane)
    widths = np.diff(surface.heights, prepend=surface.heights[-1] - surface.repeat_A)[order]
    compositions = [sorted(surface.atoms.numbers[surface.planes[plane]].tolist()) for plane in order]
    for thickness in (size for size in range(1, n_planes + 1) if n_planes % size == 0):
        same_planes = compositions == compositions[:thickness] * (n_planes // thickness)
        same_widths = np.allclose(widths, np.resize(widths[:thickness], n_planes), atol=SPACING_TOLERANCE_A)
        if same_planes and same_widths:
            break
    return Termination(
        first_plane=first_plane,
        planes_per_layer=thickness,
        layer_thickness_A=surface.repeat_A * thickness / n_planes,
        cut_width_A=float(widths[0]),
    )


def _why_refused(surface: Surface, termination: Termination, n_layers: int) -> str | None:
    """Say why a termination cannot be used, or nothing."""
    slab = cut_layer(surface, termination, n_layers)
    if find_flips(add_vacuum(slab, PROBE_VACUUM_A)):
        return None
    charge_of = dict(zip(surface.atoms.get_chemical_symbols(), surface.charges, strict=True))
    charges = np.array([charge_of[symbol] for symbol in slab.get_chemical_symbols()])
    dipole = float(charges @ slab.positions[:, 2])
    if abs(dipole) > DIPOLE_TOLERANCE_E_A:
        return f"polar (Tasker type III), dipole {dipole:.1f} e Å per surface cell, and its two sides differ"
    return "non-polar, but no symmetry maps one side on the other"


def _describe(surface: Surface, termination: Termination) -> str:
    """Name a termination by its outermost planes."""
    planes = surface.planes
    top = (termination.first_plane + termination.planes_per_layer - 1) % len(planes)
    bottom_formula, top_formula = (
        surface.atoms[planes[index]].get_chemical_formula() for index in (termination.first_plane, top)
    )
    return f"from a plane of {bottom_formula} below to a plane of {top_formula} above"
