import warnings

import numpy as np
import pytest
from ase import Atoms

from interfaceflow.core.errors import UserInputError
from interfaceflow.structures.slabs import build_slab
from interfaceflow.structures.surfaces import add_vacuum, choose_cut, cut_layer, deform_surface, orient_crystal
from interfaceflow.structures.symmetry import find_flips

# Of a cubic lattice with one lattice point per v: spacing d of (hkl) planes, and v = area * d.
SURFACES = [
    ("Li", (1, 1, 0), 3.510 / np.sqrt(2), 1),
    ("Li", (1, 0, 0), 3.510 / 2, 1),
    ("Li", (1, 1, 1), 3.510 / np.sqrt(3) / 2, 1),
    ("LiCl", (1, 0, 0), 5.1396 / 2, 2),
    ("LiCl", (1, 1, 0), 5.1396 / np.sqrt(2) / 2, 2),
    ("Li2S", (1, 1, 0), 5.7158 / np.sqrt(2) / 2, 3),
    ("Li2S", (1, 1, 1), 5.7158 / np.sqrt(3), 3),
    ("Li3P", (0, 0, 1), 7.579 / 2, 4),
]


@pytest.mark.parametrize(("name", "miller", "thickness", "n_atoms"), SURFACES)
def test_layers_are_stoichiometric_and_as_thick_as_planes_are_apart(crystals, name, miller, thickness, n_atoms):
    surface = orient_crystal(crystals[name], miller)
    for n_layers in (1, 2, 5):
        slab = build_slab(surface, n_layers, vacuum_A=12.0)
        assert len(slab) == n_layers * n_atoms
        assert choose_cut(surface, n_layers).layer_thickness_A == pytest.approx(thickness, abs=1e-4)
        assert find_flips(slab)


@pytest.mark.parametrize(("name", "miller", "thickness", "n_atoms"), SURFACES)
def test_the_surface_cell_is_the_smallest_one(crystals, name, miller, thickness, n_atoms):
    surface = orient_crystal(crystals[name], miller)
    crystal = crystals[name]
    volume_of_layer = crystal.get_volume() * n_atoms / len(crystal)
    assert np.linalg.det(surface.in_plane) * thickness == pytest.approx(volume_of_layer, rel=1e-5)
    assert surface.atoms.cell.array[0, 1] == surface.atoms.cell.array[0, 2] == surface.atoms.cell.array[1, 2] == 0
    assert surface.repeat_A > 0


@pytest.mark.parametrize(
    ("name", "miller", "reason"),
    [
        ("LiCl", (1, 1, 1), "a plane of Li below to a plane of Cl above: polar"),
        ("Li2S", (1, 0, 0), "a plane of S below to a plane of Li2 above: polar"),
    ],
)
def test_polar_surfaces_are_refused_with_every_termination(crystals, name, miller, reason):
    with pytest.raises(UserInputError, match=reason) as refusal:
        build_slab(orient_crystal(crystals[name], miller), 4, 15.0)
    assert str(refusal.value).count("\n  - ") == 2


def test_a_surface_without_equal_sides_is_refused():
    # No operation turns a crystal of symmetry P1 upside down; all atoms are one element, so it is not polar.
    crystal = Atoms("Ar3", cell=[[5, 0, 0], [0.7, 6, 0], [0.4, 0.9, 7]], pbc=True)
    crystal.set_scaled_positions([[0, 0, 0], [0.31, 0.17, 0.42], [0.65, 0.58, 0.79]])
    with pytest.raises(UserInputError, match="non-polar, but no symmetry"):
        build_slab(orient_crystal(crystal, (0, 0, 1)), 2, 15.0)


@pytest.mark.parametrize("miller", [(1, 0, 0), (1, 1, 0), (1, 1, 1), (2, 1, 0), (-1, 2, 3)])
def test_a_slab_does_not_depend_on_the_cell_the_crystal_came_in(copper, miller):
    from ase.calculators.emt import EMT

    slab = build_slab(orient_crystal(copper, miller), 6, 12.0)
    area = np.linalg.norm(np.cross(*slab.cell.array[:2]))
    spacing = 3.6 / np.linalg.norm(miller) / (1 if all(index % 2 for index in miller) else 2)
    assert area * spacing == pytest.approx(3.6**3 / 4)
    slab.calc = EMT()
    energy = slab.get_potential_energy()
    turned = slab.copy()
    turned.rotate(180, "x", rotate_cell=True)
    turned.calc = EMT()
    assert turned.get_potential_energy() == pytest.approx(energy, abs=1e-9)


@pytest.mark.parametrize(("name", "miller"), [("Li2S", (1, 1, 1)), ("Li3P", (0, 0, 1)), ("LiCl", (1, 0, 0))])
def test_pymatgen_finds_the_same_composition_and_area(crystals, name, miller):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pymatgen.core.surface import SlabGenerator
        from pymatgen.io.ase import AseAtomsAdaptor

        generator = SlabGenerator(AseAtomsAdaptor.get_structure(crystals[name]), miller, 9, 12, in_unit_planes=False)
        symmetric = [
            slab
            for slab in generator.get_slabs(filter_out_sym_slabs=False)
            if slab.is_symmetric() and not slab.is_polar()
        ]
    ours = build_slab(orient_crystal(crystals[name], miller), 3, 12.0)
    area = np.linalg.norm(np.cross(*ours.cell.array[:2]))
    assert any(
        slab.composition.reduced_formula == name and slab.surface_area == pytest.approx(area) for slab in symmetric
    )


def test_deforming_by_a_reflection_turns_the_crystal_over_instead_of_mirroring_it():
    crystal = Atoms("LiNaFCl", cell=[[5, 0, 0], [0.7, 6, 0], [0.4, 0.9, 7]], pbc=True)
    crystal.set_scaled_positions([[0, 0, 0], [0.3, 0.1, 0.05], [0.1, 0.35, 0.1], [0.15, 0.1, 0.3]])

    def handedness(atoms: Atoms) -> float:
        first, *others = (atoms.get_chemical_symbols().index(symbol) for symbol in ("Li", "Na", "F", "Cl"))
        return np.linalg.det([atoms.get_distance(first, other, mic=True, vector=True) for other in others])

    turned = deform_surface(orient_crystal(crystal, (0, 0, 1)), np.diag([1.0, -1.0]))
    assert np.linalg.det(turned.cell.array) > 0
    assert turned.cell.array[2, 2] > 0
    assert handedness(turned) == pytest.approx(handedness(crystal))


def test_layers_stack_as_in_the_crystal(crystals):
    surface = orient_crystal(crystals["LiCl"], (1, 0, 0))
    slab = add_vacuum(cut_layer(surface, choose_cut(surface, 3), 3), 10.0)
    middle = slab[np.abs(slab.positions[:, 2] - slab.positions[:, 2].mean()) < 0.1]
    for element in ("Li", "Cl"):
        index = int(
            np.flatnonzero((slab.symbols == element) & np.isin(slab.positions[:, 2], middle.positions[:, 2]))[0]
        )
        distances = slab.get_distances(index, [i for i in range(len(slab)) if slab.symbols[i] != element], mic=True)
        assert distances.min() == pytest.approx(5.1396 / 2)
