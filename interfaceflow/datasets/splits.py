"""Which trajectories are for training and which for testing: whole ones, never single frames."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from interfaceflow.core.errors import UserInputError
from interfaceflow.core.labelled import LabelledConfiguration


def choose_trajectories(names: Iterable[str], fraction: float, seed: int) -> frozenset[str]:
    """Choose a share of trajectories at random.

    Parameters
    ----------
    names
        Names of the trajectories, in any order, repeated or not.
    fraction
        Share to choose, 0 to 1; at least one trajectory is chosen where it is above zero.
    seed
        Seed of the choice; the same names and seed give the same choice.

    Raises
    ------
    UserInputError
        If the share is not between 0 and 1, or nothing would be left.

    Examples
    --------
    >>> sorted(choose_trajectories(["a", "b", "c", "d"], 0.5, seed=1))
    ['b', 'c']
    """
    if not 0 <= fraction < 1:
        raise UserInputError(f"a share of {fraction:g} of the trajectories cannot be set aside; give 0 to less than 1")
    if fraction == 0:
        return frozenset()
    unique = sorted(set(names))
    n_chosen = max(1, round(fraction * len(unique)))
    if n_chosen >= len(unique):
        raise UserInputError(
            f"setting aside {fraction:g} of {len(unique)} trajectories leaves none to train on: whole trajectories are "
            "set aside, never single frames; add trajectories (temperatures, strains) or give a smaller share"
        )
    chosen = np.random.default_rng(seed).choice(len(unique), size=n_chosen, replace=False)
    return frozenset(unique[index] for index in chosen)


def split_by_trajectory(
    configurations: Sequence[LabelledConfiguration], fraction: float, seed: int
) -> tuple[list[LabelledConfiguration], list[LabelledConfiguration]]:
    """Part configurations in two, with no trajectory in both: for a validation set, say.

    Parameters
    ----------
    configurations
        Labelled configurations.
    fraction
        Share of the trajectories that goes into the second part.
    seed
        Seed of the choice.

    Returns
    -------
    tuple
        The larger part and the chosen part, both in order.

    Raises
    ------
    UserInputError
        If one part would be empty.
    """
    chosen = choose_trajectories((c.trajectory for c in configurations), fraction, seed)
    return (
        [c for c in configurations if c.trajectory not in chosen],
        [c for c in configurations if c.trajectory in chosen],
    )
