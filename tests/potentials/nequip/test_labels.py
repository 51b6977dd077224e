"""What a network is trained on: splits, shifts, and labels that are refused."""

from dataclasses import replace
from io import StringIO

import ase.io
import numpy as np
import pytest
from ase import Atoms

from interfaceflow.core.errors import UserInputError
from interfaceflow.core.labelled import LabelledConfiguration
from interfaceflow.potentials.nequip.labels import labels_as_text, measure_labels, split_by_trajectory


def label(formula, trajectory="a", energy=0.0, stress=None, force=0.5):
    atoms = Atoms(formula, cell=[8.0] * 3, pbc=True)
    atoms.positions = np.random.default_rng(len(atoms)).random((len(atoms), 3)) * 8.0
    return LabelledConfiguration(
        atoms=atoms,
        free_energy_eV=energy,
        energy_eV=energy + 0.1,
        forces_eV_A=np.full((len(atoms), 3), force),
        stress_eV_A3=stress,
        physics_hash="x",
        source="made up",
        trajectory=trajectory,
    )


def test_whole_trajectories_go_to_validation():
    labels = [label("Li2S", name) for name in "aaaabbbbccccdddd"]
    training, validation = split_by_trajectory(labels, 0.2, seed=3)
    assert len(training) == 12 and len(validation) == 4
    assert not {c.trajectory for c in training} & {c.trajectory for c in validation}
    assert split_by_trajectory(labels, 0.2, seed=3)[1] == validation


def test_the_only_trajectory_with_an_element_stays_in_training():
    labels = [label("Li2S", "a"), label("LiCl", "b"), label("Li2S", "c")]
    for seed in range(6):
        training, _ = split_by_trajectory(labels, 0.9, seed)
        assert {"Li", "S", "Cl"} == {symbol for c in training for symbol in c.atoms.symbols}


def test_one_trajectory_cannot_be_split():
    with pytest.raises(UserInputError, match="all 3 training configurations are of one trajectory"):
        split_by_trajectory([label("Li2S")] * 3, 0.2, seed=1)


def test_elements_that_cannot_be_spared():
    with pytest.raises(UserInputError, match="none can be spared"):
        split_by_trajectory([label("Na", "a"), label("Li", "b")], 0.2, seed=1)


def test_shifts_are_recovered_from_sums_of_them():
    labels = [
        label(formula, energy=-1.9 * n + -4.1 * m) for formula, n, m in (("Li2S", 2, 1), ("Li", 1, 0), ("Li3S2", 3, 2))
    ]
    found = measure_labels(labels, ("Li", "S"), 4.0)
    assert found.energy_shifts_eV == pytest.approx([-1.9, -4.1])
    assert found.force_scale_eV_A == pytest.approx(0.5)
    assert not found.has_stress


def test_one_composition_gives_the_shifts_of_least_norm():
    found = measure_labels([label("Li2S", energy=-10.0)], ("Li", "S"), 4.0)
    assert found.energy_shifts_eV == pytest.approx([-4.0, -2.0])


def test_mean_neighbours_of_a_crystal():
    atoms = Atoms("Li", cell=[3.0] * 3, pbc=True)
    crystal = replace(label("Li"), atoms=atoms)
    assert measure_labels([crystal], ("Li",), 3.5).mean_neighbours == pytest.approx(6.0)


def test_text_holds_the_free_energy_and_no_stress_as_nan():
    stress = np.array([1.0, 2.0, 3.0, 0.4, 0.5, 0.6])
    text = labels_as_text([label("Li2S", energy=-3.0), label("Li2S", energy=-2.0, stress=stress)])
    without, with_stress = ase.io.read(StringIO(text), index=":", format="extxyz")
    assert without.get_potential_energy() == -3.0
    assert np.isnan(without.calc.results["stress"]).all()
    assert with_stress.get_stress() == pytest.approx(stress)
    assert with_stress.get_forces() == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([], "no training configuration"),
        ([label("Li2S"), label("NaCl")], "configuration 1 .made up. has Cl, Na"),
        ([label("Li2S", energy=float("nan"))], "not a finite number"),
        ([label("Li2S", force=float("inf"))], "not a finite number"),
    ],
)
def test_labels_that_cannot_be_fitted_are_refused(labels, message):
    with pytest.raises(UserInputError, match=message):
        measure_labels(labels, ("Li", "S"), 4.0)
