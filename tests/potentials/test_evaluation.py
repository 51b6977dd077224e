import numpy as np
import pytest

from interfaceflow.core.errors import UserInputError
from interfaceflow.core.formats.cfg import Configuration
from interfaceflow.potentials.evaluation import compare_labels, errors_by_group, force_errors_by_group


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


def test_groups_of_configurations_have_the_errors_of_their_own():
    reference = [two_atoms(-4.0, 0.0)] * 3
    comparison = compare_labels(reference, [two_atoms(-4.0, force) for force in (1.0, 0.5, 0.1)], ["Li", "Cl"])
    errors = errors_by_group(comparison, ["600", None, "300"])
    assert list(errors) == ["600", "300"]
    assert errors["600"].force_rmse_eV_A == pytest.approx(np.sqrt(1.0 / 3))
    assert errors["300"].force_rmse_eV_A == pytest.approx(np.sqrt(0.01 / 3))
    assert errors_by_group(comparison, [None] * 3) == {}


def test_groups_of_atoms_have_the_force_errors_of_their_own():
    # Lithium, at the interface, is off by 0.3 eV/Å along x; chlorine, inside, by as much the other way.
    reference, computed = two_atoms(-4.0, 0.2), two_atoms(-4.0, 0.5)
    comparison = compare_labels([reference, reference], [computed, reference], ["Li", "Cl"])
    groups = np.array(["interface", "interior", "interface", "interface"])
    errors = force_errors_by_group(comparison, groups)
    assert {name: one.n_atoms for name, one in errors.items()} == {"interface": 3, "interior": 1}
    assert errors["interior"].rmse_eV_A == pytest.approx(0.3 / np.sqrt(3))
    assert errors["interface"].rmse_eV_A == pytest.approx(0.3 / np.sqrt(9))
    assert errors["interface"].mae_eV_A == pytest.approx(0.3 / 9)
    assert errors["interface"].rms_force_eV_A == pytest.approx(0.2 / np.sqrt(3))
    assert errors["interface"].rmse_by_species_eV_A == pytest.approx({"Li": 0.3 / np.sqrt(6), "Cl": 0.0})
    # All groups together make the whole: mean squares add up with the numbers of atoms.
    whole = sum(one.n_atoms * one.rmse_eV_A**2 for one in errors.values()) / 4
    assert whole == pytest.approx(comparison.errors.force_rmse_eV_A**2)


def test_a_group_for_some_of_the_atoms_is_refused():
    comparison = compare_labels([two_atoms(-4.0, 0.0)], [two_atoms(-4.0, 0.0)], ["Li", "Cl"])
    with pytest.raises(UserInputError, match="1 atoms are in groups, and 2 were compared"):
        force_errors_by_group(comparison, np.array(["interface"]))
