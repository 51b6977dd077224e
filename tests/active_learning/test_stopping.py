import pytest

from interfaceflow.active_learning.stopping import decide_status, is_finished


@pytest.mark.parametrize(
    ("finished", "round_index", "expected"),
    [
        ([True, True], 0, "converged"),
        ([True, False], 0, "learning"),
        ([False], 3, "max_rounds"),
        ([True], 3, "converged"),
    ],
)
def test_a_round_ends_the_loop_only_when_all_runs_are_finished_or_rounds_are_used_up(finished, round_index, expected):
    assert decide_status(finished, round_index=round_index, max_rounds=4) == expected


@pytest.mark.parametrize(
    ("broke", "n_candidates", "rule", "expected"),
    [
        (False, 3, "no_break", True),
        (True, 3, "no_break", False),
        (False, 3, "no_candidate", False),
        (True, 0, "no_candidate", False),
        (False, 0, "no_candidate", True),
    ],
)
def test_a_run_is_finished_by_the_rule(broke, n_candidates, rule, expected):
    assert is_finished(broke=broke, n_candidates=n_candidates, rule=rule) is expected
