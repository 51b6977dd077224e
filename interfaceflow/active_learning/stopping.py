"""When the learning loop has learned enough, and when it gives up."""

from __future__ import annotations

from collections.abc import Sequence

from interfaceflow.schemas.learning import LearningStatus
from interfaceflow.schemas.settings import StopRule


def is_finished(*, broke: bool, n_candidates: int, rule: StopRule) -> bool:
    """Tell whether an MD run leaves nothing to learn from.

    Parameters
    ----------
    broke
        Whether it was stopped before its time.
    n_candidates
        Number of its frames above the select threshold.
    rule
        ``"no_break"``: it lasted its time. ``"no_candidate"``: and it met no such frame.
    """
    return not broke and (rule == "no_break" or n_candidates == 0)


def decide_status(
    broke: Sequence[bool], *, round_index: int, max_rounds: int, has_grade: bool = True
) -> LearningStatus:
    """Tell how a learning round ended.

    It has converged when every run of the round lasted the asked-for time without a break,
    under one and the same potential.

    Parameters
    ----------
    broke
        For every MD run of the round, whether it was stopped before its time, or is not finished by a stricter rule.
    round_index
        Number of the round, from 0.
    max_rounds
        Largest number of rounds.
    has_grade
        Whether the potential has an extrapolation grade. Without one there is nothing to select by, and the first
        round is the last, whether a run broke or not.

    Returns
    -------
    status
        ``"converged"``, ``"max_rounds"`` if the loop has to give up after this round, ``"no_grade"``, or
        ``"learning"``.
    """
    if not has_grade:
        return "no_grade"
    if not any(broke):
        return "converged"
    return "max_rounds" if round_index + 1 >= max_rounds else "learning"
