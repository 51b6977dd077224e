"""Bringing the sum of formal charges to a wanted value by removing and adding ions of the rim."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from interfaceflow.core.errors import UserInputError

CHARGE_TOLERANCE_E: Final = 1e-6


@dataclass(frozen=True)
class Change:
    """One ion that may be removed or added.

    Attributes
    ----------
    atom
        Which one, as the caller counts.
    adds
        Whether it would be added; else it would be removed.
    charge_e
        By how much the sum of charges changes, e.
    cost
        Of the change, positive: how far it is from what was there.
    """

    atom: int
    adds: bool
    charge_e: float
    cost: float


def charges_of(
    phases: Sequence[str], symbols: Sequence[str], formal_charges: Mapping[tuple[str, str], float]
) -> NDArray[np.float64]:
    """Return the formal charge of each atom, shape (n_atoms,), e.

    Parameters
    ----------
    phases, symbols
        Phase label and element of each atom.
    formal_charges
        By phase and element, e.

    Raises
    ------
    UserInputError
        If an element of a phase has none.
    """
    pairs = list(zip(phases, symbols, strict=True))
    missing = sorted(set(pairs) - set(formal_charges))
    if missing:
        named = ", ".join(f"{symbol} in phase {phase!r}" for phase, symbol in missing)
        known = ", ".join(f"{symbol} in {phase!r}: {charge:+g}" for (phase, symbol), charge in formal_charges.items())
        raise UserInputError(
            f"no formal charge is given for {named}; known are {known or 'none'}. Add it to formal_charges of the "
            "cut-outs' settings (0 in a metal, the oxidation state elsewhere)"
        )
    return np.array([formal_charges[pair] for pair in pairs], dtype=float)


def choose_changes(excess_e: float, offered: Sequence[Change], max_changes: int) -> list[Change] | None:
    """Choose the changes of least total cost that take an excess of charge away.

    Parameters
    ----------
    excess_e
        Sum of charges minus the wanted one, e.
    offered
        What may be changed; each at most once.
    max_changes
        Largest number of changes.

    Returns
    -------
    changes
        Empty where there is no excess, None where no set of so few changes takes it away.
    """
    groups: dict[float, list[Change]] = {}
    for change in sorted(offered, key=lambda one: (one.cost, one.atom, one.adds)):
        if abs(change.charge_e) > CHARGE_TOLERANCE_E:
            groups.setdefault(round(change.charge_e, 6), []).append(change)
    steps = sorted(groups)
    best: list[Change] | None = None
    for counts in _counts([len(groups[step]) for step in steps], max_changes):
        total = excess_e + sum(count * step for count, step in zip(counts, steps, strict=True))
        if abs(total) > CHARGE_TOLERANCE_E * max(1, sum(counts)):
            continue
        chosen = [change for count, step in zip(counts, steps, strict=True) for change in groups[step][:count]]
        if best is None or sum(one.cost for one in chosen) < sum(one.cost for one in best):
            best = chosen
    return best


def _counts(most: Sequence[int], total: int) -> Iterator[tuple[int, ...]]:
    """Yield all numbers of changes of each kind that are together at most ``total``."""
    if not most:
        yield ()
        return
    for first in range(min(most[0], total) + 1):
        for rest in _counts(most[1:], total - first):
            yield (first, *rest)
