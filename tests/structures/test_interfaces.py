import numpy as np
import pytest

from interfaceflow.core.errors import CalculationError, UserInputError
from interfaceflow.core.labels import ORIGIN_INDEX, PHASE, REGION
from interfaceflow.schemas.settings import InterfaceSettings
from interfaceflow.structures.crystals import count_formula_units
from interfaceflow.structures.interface_checks import (
    check_interface,
    has_equivalent_interfaces,
    shortest_distance_between_phases,
)
from interfaceflow.structures.interfaces import build_interface_cell
from interfaceflow.structures.surfaces import orient_crystal

WIDE = InterfaceSettings(max_strain=0.15, max_atoms=200)
PAIRS = [
    ((1, 1, 0), "LiCl", (1, 0, 0)),
    ((1, 1, 0), "Li2S", (1, 1, 0)),
    ((1, 0, 0), "Li2S", (1, 1, 1)),
    ((1, 0, 0), "Li3P", (0, 0, 1)),
    ((2, 1, 0), "LiCl", (1, 1, 0)),
]


@pytest.fixture(scope="module", params=PAIRS, ids=lambda pair: f"Li{pair[0]}-{pair[1]}{pair[2]}")
def built(request, crystals):
    metal_miller, binary, binary_miller = request.param
    metal, binary = orient_crystal(crystals["Li"], metal_miller), orient_crystal(crystals[binary], binary_miller)
    return metal, binary, build_interface_cell(metal, binary, WIDE, interface_region_width_A=3.0)


def test_thicknesses_are_reached_with_whole_layers(built):
    metal, binary, cell = built
    atoms = cell.atoms
    for phase, surface, layers, units, thickness in (
        ("metal", metal, cell.strained_layers, cell.strained_formula_units, WIDE.metal_thickness_A),
        ("binary", binary, cell.kept_layers, cell.kept_formula_units, WIDE.binary_thickness_A),
    ):
        slab = atoms[atoms.arrays[PHASE] == phase]
        # Bulk has this much volume per formula unit, and in-plane strain changes it by the ratio of areas.
        area = np.linalg.det(atoms.cell.array[:2, :2])
        stretch = np.prod(np.add(cell.match.principal_strains, 1)) if phase == "metal" else 1.0
        volume = units * surface.atoms.get_volume() / count_formula_units(surface.atoms) * stretch
        assert count_formula_units(slab) == units
        assert volume / area >= thickness - 1e-6
        assert volume / area * (layers - 1) / layers < thickness


def test_the_cell_is_closed_without_vacuum(built):
    _, _, cell = built
    atoms = cell.atoms
    assert np.allclose(atoms.cell.array[2, :2], 0)
    assert atoms.cell.array[0, 1] == atoms.cell.array[0, 2] == 0
    assert np.linalg.det(atoms.cell.array) > 0
    heights = {phase: atoms.positions[atoms.arrays[PHASE] == phase, 2] for phase in ("metal", "binary")}
    assert heights["metal"].min() - heights["binary"].max() == pytest.approx(cell.gap_A)
    assert atoms.cell.array[2, 2] - heights["metal"].max() + heights["binary"].min() == pytest.approx(cell.gap_A)
    assert cell.checks.min_distance_A >= WIDE.min_distance_A
    assert cell.checks.min_distance_A == shortest_distance_between_phases(atoms)


def test_the_two_interfaces_are_equivalent(built):
    _, _, cell = built
    assert cell.checks.interfaces_equivalent
    assert has_equivalent_interfaces(cell.atoms)
    one_sided = cell.atoms.copy()
    one_sided.positions[int(np.argmax(one_sided.positions[:, 2])), :2] += (0.1, 0.07)
    assert not has_equivalent_interfaces(one_sided)


def test_the_strain_measured_is_the_strain_of_the_match(built):
    _, _, cell = built
    assert cell.checks.principal_strains == pytest.approx(cell.match.principal_strains, abs=1e-9)


def test_every_atom_is_labelled(built):
    _, _, cell = built
    atoms = cell.atoms
    heights, repeat = atoms.positions[:, 2], atoms.cell.array[2, 2]
    binary_top = heights[atoms.arrays[PHASE] == "binary"].max()
    planes = np.array([0.0, binary_top + cell.gap_A / 2, repeat])
    nearest = np.abs(heights[:, None] - planes).min(axis=1)
    assert ((atoms.arrays[REGION] == "interface") == (nearest < 3.0)).all()
    assert (atoms.arrays[ORIGIN_INDEX] == np.arange(len(atoms))).all()
    counts = [
        int((atoms.arrays[REGION] == "interface")[np.abs(heights - plane) < repeat / 4].sum()) for plane in planes
    ]
    assert counts[1] == counts[0] + counts[2]


def test_a_larger_distance_widens_the_gap(crystals):
    metal, binary = orient_crystal(crystals["Li"], (1, 1, 0)), orient_crystal(crystals["LiCl"], (1, 0, 0))
    cells = [
        build_interface_cell(metal, binary, InterfaceSettings(min_distance_A=distance), 4.0) for distance in (2.0, 3.5)
    ]
    assert cells[0].gap_A == pytest.approx((3.510 / np.sqrt(2) + 5.1396 / 2) / 2)
    assert cells[1].gap_A > cells[0].gap_A
    assert cells[1].checks.min_distance_A == pytest.approx(3.5, abs=1e-6)


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        ("shift", "not equivalent"),
        ("compress", "atoms of the two phases are"),
        ("tilt", "torn or tilted"),
        ("remove", "has become"),
        ("stretch", "the binary is strained"),
    ],
)
def test_a_damaged_cell_is_refused(crystals, damage, complaint):
    metal, binary = orient_crystal(crystals["Li"], (1, 1, 0)), orient_crystal(crystals["LiCl"], (1, 0, 0))
    settings = InterfaceSettings()
    cell = build_interface_cell(metal, binary, settings, 4.0)
    atoms = cell.atoms
    is_metal = atoms.arrays[PHASE] == "metal"
    if damage == "shift":
        atoms.positions[is_metal, :2] += (0.37, 0.21)  # neither slab has a mirror plane
    elif damage == "compress":
        atoms.positions[is_metal, 2] -= 1.5
    elif damage == "tilt":
        atoms.positions[is_metal, 2] += 0.02 * atoms.positions[is_metal, 1]
    elif damage == "remove":
        del atoms[int(np.flatnonzero(atoms.symbols == "Cl")[0])]
    else:
        atoms.set_cell(atoms.cell.array * [[1.01], [1], [1]], scale_atoms=True)
    with pytest.raises(CalculationError, match=complaint):
        check_interface(atoms, metal, binary, cell.match, settings)


def test_slabs_without_a_common_flip_are_refused(crystals):
    # One layer of Li3P(001) has a mirror but no inversion; the metal, sheared, keeps only those of its own.
    metal, binary = orient_crystal(crystals["Li"], (2, 1, 0)), orient_crystal(crystals["Li3P"], (0, 0, 1))
    settings = InterfaceSettings(
        max_strain=0.15, max_atoms=400, max_area_A2=150, binary_thickness_A=4.0, metal_thickness_A=4.0
    )
    with pytest.raises(UserInputError, match="Ask for one layer more or fewer"):
        build_interface_cell(metal, binary, settings.model_copy(update={"binary_thickness_A": 3.7}), 4.0)
