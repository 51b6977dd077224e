import pytest
from frames import configuration
from hypothesis import assume, given
from hypothesis import strategies as st

from interfaceflow.core.errors import UserInputError
from interfaceflow.datasets.splits import choose_trajectories, split_by_trajectory

NAMES = st.lists(st.sampled_from([f"run {i}" for i in range(12)]), min_size=2)


@given(NAMES, st.floats(0.01, 0.9), st.integers(0, 100))
def test_whole_trajectories_are_set_aside(names, fraction, seed):
    n_trajectories = len(set(names))
    assume(round(fraction * n_trajectories) < n_trajectories > 1)
    labelled = [configuration(index, name) for index, name in enumerate(names)]
    rest, chosen = split_by_trajectory(labelled, fraction, seed)
    assert {c.trajectory for c in rest}.isdisjoint(c.trajectory for c in chosen)
    assert len({c.trajectory for c in chosen}) == max(1, round(fraction * n_trajectories))
    assert sorted([*rest, *chosen], key=lambda c: -c.energy_eV) == labelled


@given(NAMES, st.integers(0, 100))
def test_the_choice_hangs_on_the_seed_and_not_on_the_order(names, seed):
    assume(len(set(names)) > 1)
    assert choose_trajectories(names, 0.4, seed) == choose_trajectories(names[::-1], 0.4, seed)


def test_another_seed_chooses_others():
    names = [f"run {i}" for i in range(20)]
    assert len({choose_trajectories(names, 0.3, seed) for seed in range(5)}) > 1


def test_no_share_sets_nothing_aside():
    assert choose_trajectories(["a"], 0.0, seed=1) == frozenset()


def test_one_trajectory_cannot_be_parted():
    with pytest.raises(UserInputError, match="of 1 trajectories leaves none to train on: whole trajectories"):
        choose_trajectories(["a", "a"], 0.1, seed=1)


def test_a_share_beyond_all_is_refused():
    with pytest.raises(UserInputError, match=r"a share of 1\.2 .*give 0 to less than 1"):
        choose_trajectories(["a", "b"], 1.2, seed=1)
