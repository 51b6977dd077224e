import pytest

from interfaceflow.active_learning.stopping import decide_status


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
