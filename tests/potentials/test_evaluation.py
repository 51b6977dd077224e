import numpy as np
import pytest

from interfaceflow.core.errors import UserInputError
from interfaceflow.core.formats.cfg import Configuration
from interfaceflow.potentials.evaluation import compare_labels


def two_atoms(energy, force, stress=0.0):
    return Configuration(
        cell=5.0 * np.eye(3),
        types=np.array([0, 1], dtype=np.int32),
        positions=np.array([[0.0, 0.0, 0.0], [2.5, 2.5, 2.5]]),
        energy=energy,
        forces=np.array([[force, 0.0, 0.0], [-force, 0.0, 0.0]]),
        plus_stress=np.full(6, stress),
    )


def test_errors_are_those_one_gets_by_hand():
    reference = [two_atoms(-4.0, 0.0), two_atoms(-4.0, 0.0)]
    computed = [two_atoms(-3.998, 0.3, stress=1.25), two_atoms(-4.0, 0.0, stress=1.25)]
    errors = compare_labels(reference, computed, ["Li", "Cl"]).errors
    assert errors.energy_rmse_meV_atom == pytest.approx(1.0 / np.sqrt(2))  # 2 meV on 2 atoms, and 0
    assert errors.energy_mae_meV_atom == pytest.approx(0.5)
    assert errors.force_rmse_eV_A == pytest.approx(np.sqrt(2 * 0.09 / 12))
    assert errors.force_mae_eV_A == pytest.approx(0.6 / 12)
    assert errors.force_rmse_by_species_eV_A["Li"] == pytest.approx(np.sqrt(0.09 / 6))
    assert errors.stress_rmse_GPa == pytest.approx(1.25 / 125 * 160.2176634)


def test_a_part_has_the_errors_of_its_configurations():
    reference = [two_atoms(-4.0, 0.0), two_atoms(-4.0, 0.0), two_atoms(-4.0, 0.0)]
    computed = [two_atoms(-4.0, 1.0), two_atoms(-4.0, 0.5), two_atoms(-4.0, 0.0)]
    part = compare_labels(reference, computed, ["Li", "Cl"]).part(np.array([False, True, True]))
    assert part.errors.n_configurations == 2
    assert part.errors.force_rmse_eV_A == pytest.approx(np.sqrt(2 * 0.25 / 12))
    assert part.part(np.array([True, False])).errors.force_rmse_eV_A == pytest.approx(np.sqrt(2 * 0.25 / 6))


def test_other_configurations_are_refused():
    with pytest.raises(UserInputError, match="the same, in the same order"):
        compare_labels([two_atoms(0.0, 0.0)], [], ["Li", "Cl"])
