import numpy as np
import pytest
from ase import Atoms

from interfaceflow.core.errors import DataFileError, UserInputError
from interfaceflow.structures.crystals import (
    count_formula_units,
    formal_charges,
    read_crystal,
    reduced_formula,
    shortest_distance,
)
from interfaceflow.structures.symmetry import conventional_cell, primitive_cell

ROCK_SALT = """data_LiCl
_cell_length_a 5.14
_cell_length_b 5.14
_cell_length_c 5.14
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
_space_group_name_H-M_alt 'F m -3 m'
loop_
_atom_site_label
_atom_site_type_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
_atom_site_occupancy
Li1 Li 0 0 0 {occupancy}
Cl1 Cl {x} {x} {x} 1.0
"""


@pytest.mark.parametrize(
    ("name", "n_atoms", "shortest"),
    [
        ("Li", 2, 3.510 * np.sqrt(3) / 2),
        ("LiCl", 8, 5.1396 / 2),
        ("Li2S", 12, 5.7158 * np.sqrt(3) / 4),
        ("Li3P", 8, 4.264 / np.sqrt(3)),  # Li 2b and P 2c share a plane of the honeycomb
    ],
)
def test_the_recipe_s_crystals_are_what_they_should_be(crystals, name, n_atoms, shortest):
    crystal = crystals[name]
    assert len(crystal) == n_atoms
    assert reduced_formula(crystal) == name
    assert shortest_distance(crystal) == pytest.approx(shortest, abs=1e-4)


def test_a_symmetric_cif_is_expanded(tmp_path):
    path = tmp_path / "LiCl.cif"
    path.write_text(ROCK_SALT.format(occupancy=1.0, x=0.5))
    crystal = read_crystal(path)
    assert crystal.get_chemical_formula() == "Cl4Li4"
    assert count_formula_units(crystal) == 4


def test_partial_occupancy_is_refused_with_site_and_occupancy(tmp_path):
    path = tmp_path / "LiCl.cif"
    path.write_text(ROCK_SALT.format(occupancy=0.8, x=0.5))
    with pytest.raises(UserInputError, match=r"\(0\.0000, 0\.0000, 0\.0000\) is occupied by Li\S*0\.8.*ordered cell"):
        read_crystal(path)


def test_overlapping_atoms_are_refused(tmp_path):
    path = tmp_path / "LiCl.cif"
    path.write_text(ROCK_SALT.format(occupancy=1.0, x=0.05))
    with pytest.raises(UserInputError, match=r"two atoms are 0\.\d+ Å apart"):
        read_crystal(path)


@pytest.mark.parametrize(
    "text", ["", "not a cif", "data_x\n_cell_length_a 5\n", ROCK_SALT.split("Li1")[0], ROCK_SALT[:200]]
)
def test_a_damaged_cif_is_refused(tmp_path, text):
    path = tmp_path / "bad.cif"
    path.write_text(text)
    with pytest.raises(DataFileError, match=r"bad\.cif"):
        read_crystal(path)


def test_what_is_no_element_is_refused(tmp_path):
    path = tmp_path / "dummy.cif"
    path.write_text(ROCK_SALT.format(occupancy=1.0, x=0.5).replace("Li", "Xx"))
    with pytest.raises(DataFileError, match=r"dummy\.cif: Xx\S* is no chemical element"):
        read_crystal(path)


def test_an_absent_cif_is_refused(tmp_path):
    with pytest.raises(DataFileError, match="no such file"):
        read_crystal(tmp_path / "absent.cif")


def test_standard_cells_do_not_depend_on_the_cell_given(copper):
    assert conventional_cell(copper).cell.cellpar() == pytest.approx([3.6, 3.6, 3.6, 90, 90, 90])
    assert len(conventional_cell(copper)) == 4
    assert len(primitive_cell(copper)) == 1


def test_formal_charges_make_the_crystal_neutral(crystals):
    assert formal_charges(crystals["Li"]) == {"Li": 0.0}
    assert formal_charges(crystals["Li2S"]) == {"Li": 1.0, "S": -2.0}
    assert formal_charges(crystals["Li3P"]) == {"Li": 1.0, "P": -3.0}


def test_shortest_distance_sees_an_atom_s_own_images():
    assert shortest_distance(Atoms("Li", cell=(3.0, 4.0, 5.0), pbc=True)) == pytest.approx(3.0)
