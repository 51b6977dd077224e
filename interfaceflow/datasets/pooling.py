"""One training set from those of several systems."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import chain

import numpy as np

from interfaceflow.core.errors import UserInputError
from interfaceflow.core.labelled import LabelledConfiguration
from interfaceflow.datasets.dataset import Dataset
from interfaceflow.datasets.duplicates import KnownConfigurations

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.+-]*[A-Za-z0-9]")


def pool_datasets(parts: Mapping[str, Dataset], limits: Mapping[str, int], seed: int) -> Dataset:
    """Merge the datasets of several systems.

    Every configuration gets the name of its system; trajectories and sources are called ``"system/trajectory"``, so
    that runs of two systems are never taken for one. What is held out stays held out.

    Parameters
    ----------
    parts
        Datasets by name of the system: a letter, then letters, digits and ``_ . + -``.
    limits
        Largest number of training configurations of a system, drawn at random; a system that is not named gives all.
        Every configuration counts the same in a fit, so this is how a large set is kept from drowning a small one.
    seed
        Seed of those draws.

    Raises
    ------
    UserInputError
        If names or limits make no sense, labels are of different physics, or a frame that one system is tested on is
        one that another is trained on.

    Examples
    --------
    >>> pool_datasets({"Li3PS4": first, "Li3B11O18": second}, limits={}, seed=1)  # doctest: +SKIP
    """
    _check_names(parts, limits)
    training = {name: _named(part.training, name) for name, part in parts.items()}
    held_out = [c for name, part in parts.items() for c in _named(part.held_out, name)]
    _check_none_is_trained_on(held_out, chain.from_iterable(training.values()))
    drawn = [c for name, offered in training.items() for c in _drawn(offered, limits.get(name), seed)]
    known = KnownConfigurations()
    trained_on = tuple(c for c in drawn if known.add(c))
    tested_on = tuple(c for c in held_out if known.add(c))
    n_duplicates = len(drawn) + len(held_out) - len(trained_on) - len(tested_on)
    return Dataset(trained_on, tested_on, n_duplicates)


def _check_names(parts: Mapping[str, Dataset], limits: Mapping[str, int]) -> None:
    if not parts:
        raise UserInputError("there is no training set to pool; give at least one, by the name of its system")
    for name in parts:
        if not _NAME.fullmatch(name):
            raise UserInputError(
                f"{name!r} cannot be the name of a system; give a letter, then letters, digits and _ . + -, at least "
                "two characters, for example Li3PS4"
            )
    for name, limit in limits.items():
        if name not in parts:
            raise UserInputError(f"there is a limit for {name!r}, which is none of the systems {', '.join(parts)}")
        if limit < 1:
            raise UserInputError(f"the limit for {name!r} is {limit}; give at least 1 configuration, or leave it out")


def _drawn(
    configurations: Sequence[LabelledConfiguration], limit: int | None, seed: int
) -> Sequence[LabelledConfiguration]:
    """Draw configurations at random, and keep their order."""
    if limit is None or limit >= len(configurations):
        return configurations
    chosen = np.random.default_rng(seed).choice(len(configurations), size=limit, replace=False)
    return [configurations[index] for index in np.sort(chosen)]


def _named(configurations: Sequence[LabelledConfiguration], name: str) -> list[LabelledConfiguration]:
    return [
        replace(
            configuration,
            system=name if configuration.system is None else f"{name}/{configuration.system}",
            source=f"{name}/{configuration.source}",
            trajectory=f"{name}/{configuration.trajectory}",
        )
        for configuration in configurations
    ]


def _check_none_is_trained_on(
    held_out: Iterable[LabelledConfiguration], training: Iterable[LabelledConfiguration]
) -> None:
    """Refuse a trajectory that two systems share, held out in one and trained on in the other."""
    known = KnownConfigurations(training)
    for configuration in held_out:
        if known.contains(configuration):
            raise UserInputError(
                f"{configuration.source} is held out in its system, and another system is trained on the same frame, "
                "so errors on it would mean nothing; split the trajectories the two share alike in both"
            )
