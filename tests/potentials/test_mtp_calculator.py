"""The ASE calculator: the same numbers as the core, ASE's signs, and clear refusals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.stress import full_3x3_to_voigt_6_stress

from interfaceflow.core.errors import UserInputError
from interfaceflow.potentials.mtp import _native as native
from interfaceflow.potentials.mtp.calculator import MTPCalculator
from interfaceflow.potentials.zbl import compute_zbl
from interfaceflow.schemas.settings import ZBLSettings

DATA = Path(__file__).parent.parent / "data" / "mtp" / "li2s"


@pytest.fixture
def atoms():
    configuration = native.read_configurations(DATA / "test.cfg")[0]
    symbols = [("Li", "S")[kind] for kind in configuration.types]
    return Atoms(symbols, configuration.positions, cell=configuration.cell, pbc=True)


def test_results_are_those_of_mlp(atoms):
    expected = native.read_configurations(DATA / "level08.efs.cfg")[0]
    grades = native.read_configurations(DATA / "level08.grade.cfg")[0].grades
    atoms.calc = MTPCalculator(DATA / "level08.almtp", species=["Li", "S"])
    assert atoms.get_potential_energy() == pytest.approx(expected.energy, abs=1e-11)
    assert atoms.get_forces() == pytest.approx(expected.forces, abs=5.01e-7)
    assert -atoms.get_stress() * atoms.get_volume() == pytest.approx(expected.plus_stress, abs=5.01e-6)
    assert atoms.get_potential_energies().sum() == pytest.approx(expected.energy)
    assert "extrapolation_grades" not in atoms.calc.results
    assert atoms.calc.get_property("extrapolation_grades", atoms) == pytest.approx(grades, abs=1e-5)


def test_stress_is_the_numerical_one(atoms):
    atoms.calc = MTPCalculator(DATA / "level08.almtp", species=["Li", "S"])
    numerical = np.zeros((3, 3))
    step = 1e-5
    for a in range(3):
        for b in range(a, 3):
            energies = []
            for sign in (1, -1):
                strain = np.eye(3)
                strain[a, b] += sign * step / 2
                strain[b, a] += sign * step / 2
                strained = atoms.copy()
                strained.set_cell(atoms.cell @ strain, scale_atoms=True)
                strained.calc = atoms.calc
                energies.append(strained.get_potential_energy())
            numerical[a, b] = numerical[b, a] = (energies[0] - energies[1]) / (2 * step) / atoms.get_volume()
    assert atoms.get_stress() == pytest.approx(full_3x3_to_voigt_6_stress(numerical), abs=1e-7)


def test_the_repulsion_that_the_fit_did_not_see_is_added(atoms):
    zbl = ZBLSettings(inner_cutoff_A=1.0, outer_cutoff_A=3.0)
    alone, whole = (MTPCalculator(DATA / "level08.almtp", species=["Li", "S"], zbl=given) for given in (None, zbl))
    repulsion = compute_zbl(atoms, zbl)
    assert repulsion.energy_eV > 0.1
    for name, extra in {
        "energy": repulsion.energy_eV,
        "free_energy": repulsion.energy_eV,
        "energies": repulsion.site_energies_eV,
        "forces": repulsion.forces_eV_A,
        "stress": -repulsion.plus_stress_eV / atoms.get_volume(),
    }.items():
        assert whole.get_property(name, atoms) == pytest.approx(alone.get_property(name, atoms) + extra, abs=1e-12)


def test_a_molecule_has_no_stress_and_an_order_of_species_is_kept():
    calculator = MTPCalculator(DATA / "level08.almtp", species=["Li", "S"])
    pair = Atoms("LiS", [[0, 0, 0], [0, 0, 2.4]])
    pair.calc = calculator
    assert "stress" not in calculator.results
    forces = pair.get_forces()
    assert forces.sum(axis=0) == pytest.approx(np.zeros(3), abs=1e-12)
    swapped = Atoms("SLi", [[0, 0, 2.4], [0, 0, 0]], calculator=calculator)
    assert swapped.get_forces() == pytest.approx(forces[::-1])


def test_unknown_and_miscounted_species_are_refused():
    lithium = bulk("Na")
    lithium.calc = MTPCalculator(DATA / "level08.almtp", species=["Li", "S"])
    with pytest.raises(UserInputError, match="does not know Na; it was trained for Li, S"):
        lithium.get_potential_energy()
    with pytest.raises(UserInputError, match="has 2 species, and 1 are named: Li"):
        MTPCalculator(DATA / "level08.almtp", species=["Li"])
