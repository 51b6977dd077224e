from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.neighborlist import neighbor_list

from interfaceflow.core.errors import DataFileError, UserInputError
from interfaceflow.core.labelled import LabelledConfiguration
from interfaceflow.datasets.dataset import (
    deduplicate,
    extend_training,
    make_dataset,
    minimum_distances,
    read_dataset,
    write_dataset,
)


def configuration(seed, trajectory="run", physics_hash="a1b2"):
    generator = np.random.default_rng(seed)
    atoms = bulk("LiCl", "rocksalt", a=5.1, cubic=True)
    atoms.positions += generator.normal(0, 0.05, (8, 3))
    return LabelledConfiguration(
        atoms=atoms,
        free_energy_eV=-31.0 - seed,
        energy_eV=-31.1 - seed,
        forces_eV_A=generator.normal(size=(8, 3)),
        stress_eV_A3=generator.normal(size=6),
        physics_hash=physics_hash,
        source=f"{trajectory}, step {seed}",
        trajectory=trajectory,
        temperature_K=300.0,
    )


def test_the_split_is_by_trajectory():
    labelled = [configuration(seed, "ab"[seed % 2]) for seed in range(6)]
    dataset = make_dataset(labelled, frozenset({"b"}))
    assert {c.trajectory for c in dataset.training} == {"a"}
    assert {c.trajectory for c in dataset.held_out} == {"b"}
    assert dataset.species == ("Li", "Cl")


def test_labels_of_different_physics_are_never_mixed():
    with pytest.raises(UserInputError, match=r"2 different levels of theory.*a1b2.*c3d4"):
        make_dataset([configuration(1), configuration(2, physics_hash="c3d4")], frozenset())
    dataset = make_dataset([configuration(1)], frozenset())
    with pytest.raises(UserInputError, match="2 different levels of theory"):
        extend_training(dataset, [configuration(2, physics_hash="c3d4")])


def test_charged_and_neutral_cells_are_never_mixed():
    with pytest.raises(UserInputError, match="charged and neutral"):
        make_dataset([configuration(1), replace(configuration(2), charge_e=1.0)], frozenset())


def test_nothing_to_train_on_is_refused():
    with pytest.raises(UserInputError, match="no training configuration"):
        make_dataset([configuration(1)], frozenset({"run"}))


def test_a_configuration_is_kept_once_however_it_is_wrapped():
    first, second = configuration(1), configuration(2)
    wrapped = replace(first, atoms=first.atoms.copy())
    wrapped.atoms.positions += wrapped.atoms.cell.array[0] - 3 * wrapped.atoms.cell.array[2] + 1e-6
    assert deduplicate([first, second, wrapped, first]) == [first, second]


def test_extending_leaves_the_held_out_part_alone():
    dataset = make_dataset([configuration(1, "a"), configuration(2, "b")], frozenset({"b"}))
    larger = extend_training(dataset, [configuration(1, "a"), configuration(3, "c")])
    assert [c.source for c in larger.training] == ["a, step 1", "c, step 3"]
    assert larger.held_out == dataset.held_out


def test_minimum_distances_are_those_of_the_nearest_images():
    # Rock salt with a = 5.1 Å: unlike neighbours at a / 2, like ones at a / sqrt(2); one Li moved 0.1 Å along x.
    ideal = replace(configuration(1), atoms=bulk("LiCl", "rocksalt", a=5.1, cubic=True))
    assert minimum_distances([ideal]) == pytest.approx({"Cl-Cl": 3.6062, "Cl-Li": 2.55, "Li-Li": 3.6062}, abs=1e-4)
    moved = replace(ideal, atoms=ideal.atoms.copy())
    moved.atoms.positions[0, 0] += 0.1
    assert minimum_distances([ideal, moved])["Cl-Li"] == pytest.approx(2.45)


@pytest.mark.parametrize("seed", range(6))
def test_minimum_distances_agree_with_a_neighbour_list_in_small_skewed_cells(seed):
    generator = np.random.default_rng(seed)
    cell = np.diag(generator.uniform(2.5, 9.0, 3)) + np.tril(generator.uniform(-2.0, 2.0, (3, 3)), -1)
    atoms = Atoms("LiClLi", scaled_positions=generator.uniform(-3.0, 3.0, (3, 3)), cell=cell, pbc=True)
    symbols = np.array(atoms.get_chemical_symbols())
    centre, neighbour, distance = neighbor_list("ijd", atoms, 6.0)
    expected = {}
    for first, second in (("Cl", "Cl"), ("Cl", "Li"), ("Li", "Li")):
        chosen = distance[(symbols[centre] == first) & (symbols[neighbour] == second)]
        if len(chosen):
            expected[f"{first}-{second}"] = chosen.min()
    assert minimum_distances([replace(configuration(1), atoms=atoms)]) == pytest.approx(expected)


def test_files_keep_everything(tmp_path):
    dataset = make_dataset([configuration(seed, "ab"[seed % 2]) for seed in range(4)], frozenset({"b"}))
    again = read_dataset(*write_dataset(dataset, tmp_path))
    assert (len(again.training), len(again.held_out)) == (2, 2)
    for before, after in zip(dataset.training + dataset.held_out, again.training + again.held_out, strict=True):
        assert (after.source, after.trajectory, after.temperature_K) == (before.source, before.trajectory, 300.0)
        assert after.free_energy_eV == before.free_energy_eV != after.energy_eV == before.energy_eV
        np.testing.assert_allclose(after.forces_eV_A, before.forces_eV_A, atol=1e-8)
        np.testing.assert_allclose(after.stress_eV_A3, before.stress_eV_A3, atol=1e-12)
        np.testing.assert_allclose(after.atoms.positions, before.atoms.positions, atol=1e-8)


def test_a_dataset_without_held_out_part_can_be_read(tmp_path):
    dataset = make_dataset([configuration(1)], frozenset())
    assert read_dataset(*write_dataset(dataset, tmp_path)).held_out == ()


def test_a_truncated_file_is_refused(tmp_path):
    training, held_out = write_dataset(make_dataset([configuration(1), configuration(2)], frozenset()), tmp_path)
    training.write_text(training.read_text()[:-200])
    with pytest.raises(DataFileError, match=r"training\.xyz: not a readable extended XYZ file"):
        read_dataset(training, held_out)


def test_files_of_different_physics_are_refused(tmp_path):
    training, _ = write_dataset(make_dataset([configuration(1)], frozenset()), tmp_path)
    (tmp_path / "other").mkdir()
    other, _ = write_dataset(make_dataset([configuration(2, physics_hash="c3d4")], frozenset()), tmp_path / "other")
    with pytest.raises(DataFileError, match="2 different levels of theory"):
        read_dataset(training, other)
