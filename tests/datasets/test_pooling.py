from collections import Counter

import pytest
from frames import configuration
from hypothesis import given
from hypothesis import strategies as st

from interfaceflow.core.errors import UserInputError
from interfaceflow.datasets.dataset import Dataset, make_dataset
from interfaceflow.datasets.pooling import pool_datasets


def dataset(seeds, held_out_seeds=(), physics_hash="a1b2"):
    labelled = [configuration(seed, "run", physics_hash) for seed in seeds]
    labelled += [configuration(seed, "test", physics_hash) for seed in held_out_seeds]
    return make_dataset(labelled, frozenset({"test"}))


def sodium(part):
    """Return the same dataset with sodium in place of lithium."""
    for label in [*part.training, *part.held_out]:
        label.atoms.symbols[label.atoms.symbols == "Li"] = "Na"
    return part


def test_species_are_the_union_and_every_configuration_knows_its_system():
    pooled = pool_datasets({"LiCl": dataset([1, 2], [3]), "NaCl": sodium(dataset([1], [4, 5]))}, {}, seed=1)
    assert pooled.species == ("Li", "Na", "Cl")
    assert Counter(c.system for c in pooled.training) == {"LiCl": 2, "NaCl": 1}
    assert [c.trajectory for c in pooled.held_out] == ["LiCl/test", "NaCl/test", "NaCl/test"]
    assert pooled.training[0].source == "LiCl/run, step 1"
    # Same positions, other elements: nothing is a duplicate.
    assert pooled.n_duplicates == 0


def test_runs_of_the_same_name_in_two_systems_are_two_runs():
    first = make_dataset([configuration(1, "a"), configuration(2, "b")], frozenset({"b"}))
    second = make_dataset([configuration(3, "b"), configuration(4, "a")], frozenset({"a"}))
    pooled = pool_datasets({"one": first, "two": second}, {}, seed=1)
    assert {c.trajectory for c in pooled.training} == {"one/a", "two/b"}
    assert {c.trajectory for c in pooled.held_out} == {"one/b", "two/a"}


def test_what_two_systems_share_is_kept_once():
    pooled = pool_datasets({"one": dataset([1, 2], [7]), "two": dataset([2, 3], [7, 8])}, {}, seed=1)
    assert len(pooled.training) == 3
    assert len(pooled.held_out) == 2
    assert pooled.n_duplicates == 2


def test_a_frame_tested_on_here_and_trained_on_there_is_refused_even_where_it_was_not_drawn():
    parts = {"one": dataset([1, 2, 3, 4], [7]), "two": dataset([5], [2])}
    for limits in ({}, {"one": 1}):
        with pytest.raises(UserInputError, match=r"two/test, step 2 is held out .* errors on it would mean nothing"):
            pool_datasets(parts, limits, seed=1)


def test_levels_of_theory_are_never_pooled():
    with pytest.raises(UserInputError, match=r"2 different levels of theory.*one/run, step 1.*two/run, step 2"):
        pool_datasets({"one": dataset([1]), "two": dataset([2], physics_hash="c3d4")}, {}, seed=1)


@given(st.integers(1, 12), st.integers(1, 15), st.integers(0, 50))
def test_a_limit_draws_that_many(n_given, limit, seed):
    parts = {"one": dataset(range(n_given)), "two": dataset([20, 21])}
    pooled = pool_datasets(parts, {"one": limit}, seed)
    counts = Counter(c.system for c in pooled.training)
    assert counts == {"one": min(n_given, limit), "two": 2}
    again = pool_datasets(parts, {"one": limit}, seed)
    assert [c.source for c in again.training] == [c.source for c in pooled.training]


def test_pools_can_be_pooled():
    inner = pool_datasets({"glass": dataset([1], [2])}, {}, seed=1)
    outer = pool_datasets({"Li3PS4": inner, "other": dataset([3])}, {}, seed=1)
    assert [c.system for c in outer.training] == ["Li3PS4/glass", "other"]
    assert isinstance(outer, Dataset)


@pytest.mark.parametrize(
    ("names", "limits", "message"),
    [
        ([], {}, "no training set to pool"),
        (["a/b"], {}, r"'a/b' cannot be the name of a system"),
        (["T"], {}, r"'T' cannot be the name of a system.*at least two characters"),
        (["one"], {"two": 3}, "a limit for 'two', which is none of the systems one"),
        (["one"], {"one": 0}, "give at least 1 configuration"),
    ],
)
def test_names_and_limits_that_make_no_sense_are_refused(names, limits, message):
    with pytest.raises(UserInputError, match=message):
        pool_datasets({name: dataset([1]) for name in names}, limits, seed=1)
