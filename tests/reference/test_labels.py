from dataclasses import replace

import numpy as np
import pytest

from interfaceflow.reference.labels import reason_to_quarantine, take_label
from interfaceflow.reference.levels_of_theory import calculator_of


@pytest.fixture
def label(argon, argon_level):
    argon.calc = calculator_of(argon_level)
    return take_label(argon, physics_hash=argon_level.physics_hash, source="argon", trajectory="run")


def test_a_sound_label_is_trusted(label):
    assert reason_to_quarantine(label) is None


def test_a_label_carries_its_configuration_without_the_run(argon, argon_level):
    argon.calc = calculator_of(argon_level)
    argon.set_momenta(np.ones((32, 3)))
    argon.set_array("phase", np.array(["metal"] * 32))
    label = take_label(argon, physics_hash="0", source="argon", trajectory="run")
    assert "momenta" not in label.atoms.arrays
    assert set(label.atoms.arrays["phase"]) == {"metal"}
    assert label.atoms.calc is None


@pytest.mark.parametrize("field", ["forces_eV_A", "stress_eV_A3"])
def test_numbers_that_are_none_are_quarantined(label, field):
    broken = getattr(label, field).copy()
    broken.flat[0] = np.nan
    assert "not finite" in reason_to_quarantine(replace(label, **{field: broken}))
    assert "not finite" in reason_to_quarantine(replace(label, free_energy_eV=np.inf))


def test_a_calculation_that_did_not_converge_is_quarantined(label):
    assert "did not converge" in reason_to_quarantine(replace(label, converged=False))


def test_atoms_that_nearly_coincide_are_quarantined(label):
    label.atoms.positions[1] = label.atoms.positions[0] + (0.4, 0.0, 0.0)
    assert "too close" in reason_to_quarantine(label)


def test_a_force_that_its_surroundings_cannot_explain_is_quarantined(label):
    forces = label.forces_eV_A.copy()
    forces[7] = (0.0, 0.0, 40.0)
    reason = reason_to_quarantine(replace(label, forces_eV_A=forces))
    assert "force on atom 7 (Ar) is 40.0" in reason


def test_a_large_force_between_near_atoms_is_believed(label):
    # Two argon atoms at 0.7 of the sum of their covalent radii (2.12 Å): 15 eV/Å x 0.7^-6 = 127 eV/Å is allowed.
    label.atoms.positions[1] = label.atoms.positions[0] + (0.7 * 2.12, 0.0, 0.0)
    forces = label.forces_eV_A.copy()
    forces[1] = (100.0, 0.0, 0.0)
    assert reason_to_quarantine(replace(label, forces_eV_A=forces)) is None
