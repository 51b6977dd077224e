import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, surface
from ase.units import Bohr, Hartree

from interfaceflow.reference.vasp.refusals import _POTENTIAL_STEP_V_A_PER_E
from interfaceflow.reference.vasp.slabs import dipole_per_area, formal_charges, is_metallic, slab_centre, vacuum_axes

ROCK_SALT = bulk("LiCl", "rocksalt", a=5.14, cubic=True)


def slab(indices, n_layers=4):
    atoms = surface(ROCK_SALT, indices, n_layers, vacuum=8)
    atoms.pbc = True
    return atoms


def shifted(atoms, fraction):
    moved = atoms.copy()
    moved.positions += fraction * moved.cell[2]
    moved.wrap()
    return moved


@pytest.mark.parametrize("fraction", [0.0, 0.3, 0.5, 0.9])
def test_vacuum_is_found_wherever_the_slab_is(fraction):
    atoms = shifted(slab((1, 0, 0)), fraction)
    assert vacuum_axes(atoms) == (2,)
    assert slab_centre(atoms, 2) == pytest.approx((0.5 + fraction) % 1.0, abs=1e-6)


def test_bulk_has_no_vacuum_and_a_wire_has_two():
    assert vacuum_axes(ROCK_SALT) == ()
    wire = ROCK_SALT.copy()
    wire.set_cell(wire.cell.array + np.diag([0, 12, 12]), scale_atoms=False)
    assert vacuum_axes(wire) == (1, 2)


def test_dipole_of_two_charged_planes():
    plates = Atoms("LiCl", positions=[[0, 0, 1], [0, 0, 3.5]], cell=[4, 5, 30], pbc=True)
    assert dipole_per_area(plates, np.array([1.0, -1.0]), 2) == pytest.approx(-2.5 / 20)


@pytest.mark.parametrize("fraction", [0.0, 0.4, 0.8])
def test_polar_termination_has_a_dipole_and_neutral_ones_none(fraction):
    polar, neutral = shifted(slab((1, 1, 1)), fraction), shifted(slab((1, 0, 0)), fraction)
    assert abs(dipole_per_area(polar, formal_charges(polar), 2)) > 0.4
    assert dipole_per_area(neutral, formal_charges(neutral), 2) == pytest.approx(0, abs=1e-9)


def test_the_step_of_the_potential_is_4_pi_dipole():
    # In atomic units the step is 4π times the dipole per area.
    assert pytest.approx(4 * np.pi * Hartree * Bohr, rel=1e-4) == _POTENTIAL_STEP_V_A_PER_E


@pytest.mark.parametrize(
    ("formula", "charges"),
    [
        ("Li6PS5Cl", {"Li": 1, "P": 5, "S": -2, "Cl": -1}),
        ("Li14Mn2S9", {"Li": 1, "Mn": 2, "S": -2}),
        ("Li10Si2S9", {"Li": 1, "Si": 4, "S": -2}),
        ("Li3B11O18", {"Li": 1, "B": 3, "O": -2}),
        ("Li3P", {"Li": 1, "P": -3}),
        ("Li215P72", {"Li": 1, "P": -3}),  # a vacancy in 216
        ("LiBF4", {"Li": 1, "B": 3, "F": -1}),
    ],
)
def test_formal_charges(formula, charges):
    atoms = Atoms(formula, cell=[10] * 3, pbc=True)
    found = formal_charges(atoms)
    assert dict(zip(atoms.get_chemical_symbols(), found, strict=True)) == charges


def test_charges_balance_within_each_phase():
    cell = bulk("Li", cubic=True) + ROCK_SALT
    assert formal_charges(cell) is None
    cell.set_array("phase", np.array(["metal"] * 2 + ["binary"] * 8))
    np.testing.assert_array_equal(formal_charges(cell)[:2], 0)
    assert set(formal_charges(cell)[2:]) == {1.0, -1.0}


def test_metals_are_told_from_salts():
    assert is_metallic(bulk("Li"))
    assert not is_metallic(ROCK_SALT)
    cell = bulk("Li", cubic=True) + ROCK_SALT
    assert is_metallic(cell)
    cell.set_array("phase", np.array(["metal"] * 2 + ["binary"] * 8))
    assert is_metallic(cell)
