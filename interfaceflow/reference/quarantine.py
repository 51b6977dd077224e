"""How many labels of a batch may be refused before the flow stops."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

from interfaceflow.core.errors import CalculationError
from interfaceflow.schemas.datasets import QuarantinedLabel

# Of fewer labels than these, one that is refused says nothing about the others.
SMALLEST_BATCH: Final = 4
_MOST_EXAMPLES: Final = 3


def check_quarantined_share(
    n_trusted: int, quarantined: Sequence[QuarantinedLabel], max_share: float, batch: str
) -> None:
    """Stop where too many labels of a batch cannot be trusted.

    Parameters
    ----------
    n_trusted
        Labels of the batch that are trusted.
    quarantined
        Those that are not.
    max_share
        Largest share of the batch that may be refused.
    batch
        What the batch is, in words.

    Raises
    ------
    CalculationError
        If a batch of at least `SMALLEST_BATCH` labels has a larger share of refused ones; it names the reasons.
    """
    n_labels = n_trusted + len(quarantined)
    if n_labels < SMALLEST_BATCH or len(quarantined) <= max_share * n_labels:
        return
    raise CalculationError(
        f"{batch}: {len(quarantined)} of {n_labels} labels cannot be trusted "
        f"({len(quarantined) / n_labels:.0%}, allowed {max_share:.0%}): {summarise_reasons(quarantined)}. Look at the "
        "first of them; correct the structures or the level of theory, or raise reference.max_quarantined_share. "
        "Labels that are done are kept"
    )


def summarise_reasons(quarantined: Sequence[QuarantinedLabel]) -> str:
    """Say why labels were refused: the first few by name, the others by number.

    Examples
    --------
    >>> label = QuarantinedLabel(source="frame 3", reason="the calculation did not converge")
    >>> summarise_reasons([label])
    'frame 3: the calculation did not converge'
    """
    by_reason = Counter(label.reason for label in quarantined)
    first = {label.reason: label.source for label in reversed(quarantined)}
    shown = [
        f"{first[reason]}{f' and {number - 1} more' if number > 1 else ''}: {reason}"
        for reason, number in by_reason.most_common(_MOST_EXAMPLES)
    ]
    n_left = sum(number for _, number in by_reason.most_common()[_MOST_EXAMPLES:])
    return "; ".join(shown) + (f"; and {n_left} for other reasons" if n_left else "")
