import pytest

from interfaceflow.active_learning.stopping import decide_status, is_finished


@pytest.mark.parametrize(
    ("broke", "round_index", "expected"),
    [
        ([False, False], 0, "converged"),
        ([False, True], 0, "learning"),
        ([True], 3, "max_rounds"),
        ([False], 3, "converged"),
    ],
)
def test_a_round_ends_the_loop_only_when_no_run_broke_or_rounds_are_used_up(broke, round_index, expected):
    assert decide_status(broke, round_index=round_index, max_rounds=4) == expected


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
