from dataclasses import replace

import numpy as np
import pytest
from frames import configuration
from hypothesis import given
from hypothesis import strategies as st

from interfaceflow.core.errors import UserInputError
from interfaceflow.datasets.level_comparison import compare_levels, match_levels


def labels(n=6):
    """Return frames of two compositions: half of them have a vacancy."""
    made = [configuration(seed) for seed in range(n)]
    return [
        label if seed % 2 else replace(label, atoms=label.atoms[1:], forces_eV_A=label.forces_eV_A[1:])
        for seed, label in enumerate(made)
    ]


def other_level(label, element_energies, scale=1.0, energy=0.0, stress=0.0):
    """Label a frame at another level, whose forces are ``scale`` times as large."""
    zeros = sum(element_energies[symbol] for symbol in label.atoms.get_chemical_symbols())
    return replace(
        label,
        free_energy_eV=label.free_energy_eV + zeros + energy * len(label.atoms),
        forces_eV_A=scale * label.forces_eV_A,
        stress_eV_A3=label.stress_eV_A3 + np.array([stress, stress, stress, 0, 0, 0]),
        physics_hash="c3d4",
    )


@given(st.floats(-50, 50), st.floats(-50, 50))
def test_energies_of_the_elements_are_no_difference(lithium, chlorine):
    first = labels()
    second = [other_level(label, {"Li": lithium, "Cl": chlorine}) for label in first]
    (difference,) = compare_levels({"pbe": first, "r2scan": second})
    assert difference.energy_rms_meV_atom == pytest.approx(0.0, abs=1e-6)
    assert difference.element_energies_eV == pytest.approx({"Li": lithium, "Cl": chlorine}, abs=1e-8)
    assert difference.force_rmse_eV_A == 0.0


def test_differences_are_those_put_in():
    first = labels()
    # +2 and -2 meV/atom in turn within each composition: nothing that counts atoms explains that.
    signs = [1, 1, -1, -1, 1, 1]
    second = [
        other_level(label, {"Li": 1.0, "Cl": -3.0}, 0.9, 0.002 * sign, stress=0.001)
        for label, sign in zip(first, signs, strict=True)
    ]
    (difference,) = compare_levels({"pbe": first, "soft": second})
    assert (difference.first, difference.second, difference.n_configurations) == ("pbe", "soft", 6)
    # Of +2, -2, +2 meV/atom the mean, 2/3, goes into the elements; left are 4/3, -8/3, 4/3.
    assert difference.energy_rms_meV_atom == pytest.approx(np.sqrt((2 * 16 + 64) / 27))
    assert difference.energy_largest_meV_atom == pytest.approx(8 / 3)
    assert difference.force_slope == pytest.approx(0.9)
    assert difference.force_rmse_eV_A == pytest.approx(0.1 * difference.rms_force_eV_A)
    assert set(difference.force_rmse_by_species_eV_A) == {"Li", "Cl"}
    # Stress is positive in tension, pressure in compression; 0.001 eV/Å3 are 0.160218 GPa.
    assert difference.pressure_difference_GPa == pytest.approx(-0.160218, abs=1e-6)
    assert difference.stress_rmse_GPa == pytest.approx(0.160218 / np.sqrt(2), abs=1e-6)


def test_one_composition_cannot_tell_the_elements_apart():
    first = [configuration(seed) for seed in range(4)]
    second = [other_level(label, {"Li": 1.0, "Cl": 2.0}) for label in first]
    (difference,) = compare_levels({"pbe": first, "r2scan": second})
    assert difference.element_energies_eV == {}
    assert difference.energy_rms_meV_atom == pytest.approx(0.0, abs=1e-9)


def test_without_stress_there_is_no_difference_of_stress():
    first = [replace(label, stress_eV_A3=None) for label in labels()]
    (difference,) = compare_levels({"pbe": first, "xtb": labels()})
    assert difference.stress_rmse_GPa is None
    assert difference.pressure_difference_GPa is None


def test_all_pairs_are_compared():
    differences = compare_levels({"pbe": labels(), "pbe-d3": labels(), "optb88": labels()})
    assert [(one.first, one.second) for one in differences] == [
        ("pbe", "pbe-d3"),
        ("pbe", "optb88"),
        ("pbe-d3", "optb88"),
    ]


def test_only_what_every_level_has_labelled_is_compared():
    first, second = labels(), labels()
    matched = match_levels({"pbe": first, "r2scan": [second[4], second[1], second[3]]})
    assert [c.source for c in matched["pbe"]] == ["run, step 1", "run, step 3", "run, step 4"]
    assert [c.source for c in matched["r2scan"]] == [c.source for c in matched["pbe"]]


def test_other_configurations_of_the_same_name_are_refused():
    moved = configuration(1)
    moved.atoms.positions[0, 0] += 0.01
    with pytest.raises(UserInputError, match="run, step 1: not the same configuration at r2scan as at pbe"):
        match_levels({"pbe": [configuration(1)], "r2scan": [moved]})


@pytest.mark.parametrize(
    ("by_level", "message"),
    [
        ({"pbe": [configuration(1)]}, "1 level of theory cannot be compared"),
        ({"pbe": [configuration(1)], "r2scan": [configuration(2)]}, "no configuration in common"),
        ({"pbe": [configuration(1)] * 2, "r2scan": [configuration(1)]}, "pbe: 1 configurations have the source"),
    ],
)
def test_what_cannot_be_matched_is_refused(by_level, message):
    with pytest.raises(UserInputError, match=message):
        match_levels(by_level)


def test_too_few_configurations_are_refused():
    two = [configuration(1), configuration(2)]
    with pytest.raises(UserInputError, match="2 configurations of 2 elements cannot be compared"):
        compare_levels({"pbe": two, "r2scan": two})
