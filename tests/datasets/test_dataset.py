import numpy as np
import pytest
from frames import configuration
from hypothesis import given
from hypothesis import strategies as st

from interfaceflow.core.errors import DataFileError, UserInputError
from interfaceflow.datasets.dataset import (
    Dataset,
    extend_training,
    make_dataset,
    read_dataset,
    write_dataset,
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


def test_nothing_to_train_on_is_refused():
    with pytest.raises(UserInputError, match="no training configuration"):
        make_dataset([configuration(1)], frozenset({"run"}))


def test_no_dataset_can_hold_a_trajectory_in_both_parts():
    with pytest.raises(UserInputError, match=r"same trajectory .*: run; a trajectory goes into one of them"):
        Dataset((configuration(1),), (configuration(2),))


@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from("abcd")), min_size=1), st.sets(st.sampled_from("abc")))
def test_no_split_leaks(drawn, held_out_trajectories):
    labelled = [configuration(seed, name) for seed, name in drawn]
    if all(name in held_out_trajectories for _, name in drawn):
        with pytest.raises(UserInputError, match="no training configuration"):
            make_dataset(labelled, frozenset(held_out_trajectories))
        return
    dataset = make_dataset(labelled, frozenset(held_out_trajectories))
    assert {c.trajectory for c in dataset.training}.isdisjoint(c.trajectory for c in dataset.held_out)
    # The seed makes the positions: the same frame is never in both parts, whatever it is called.
    energies = [c.free_energy_eV for part in (dataset.training, dataset.held_out) for c in part]
    assert len(set(energies)) == len(energies) == len(labelled) - dataset.n_duplicates


def test_what_is_in_both_parts_is_only_trained_on():
    dataset = make_dataset([configuration(1, "b"), configuration(1, "a"), configuration(2, "b")], frozenset({"b"}))
    assert [c.source for c in dataset.training] == ["a, step 1"]
    assert [c.source for c in dataset.held_out] == ["b, step 2"]
    assert dataset.n_duplicates == 1


def test_extending_leaves_the_held_out_part_alone():
    dataset = make_dataset([configuration(1, "a"), configuration(2, "b")], frozenset({"b"}))
    larger = extend_training(dataset, [configuration(1, "a"), configuration(3, "c")])
    assert [c.source for c in larger.training] == ["a, step 1", "c, step 3"]
    assert larger.held_out == dataset.held_out
    assert larger.n_duplicates == 1


def test_extending_never_takes_what_is_held_out():
    dataset = make_dataset([configuration(1, "a"), configuration(2, "b")], frozenset({"b"}))
    with pytest.raises(UserInputError, match="same trajectory"):
        extend_training(dataset, [configuration(3, "b")])
    assert extend_training(dataset, [configuration(2, "learning round 0")]).training == dataset.training


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


def test_files_that_share_a_trajectory_are_refused(tmp_path):
    training, _ = write_dataset(make_dataset([configuration(1)], frozenset()), tmp_path)
    with pytest.raises(DataFileError, match=r"training\.xyz.*same trajectory"):
        read_dataset(training, training)


def test_files_of_different_physics_are_refused(tmp_path):
    training, _ = write_dataset(make_dataset([configuration(1)], frozenset()), tmp_path)
    (tmp_path / "other").mkdir()
    other, _ = write_dataset(make_dataset([configuration(2, "b", "c3d4")], frozenset()), tmp_path / "other")
    with pytest.raises(DataFileError, match="2 different levels of theory"):
        read_dataset(training, other)
