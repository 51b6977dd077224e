"""Time spans in words."""

import pytest

from interfaceflow.core.durations import format_duration


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.42, "0.4 s"),
        (9.96, "10 s"),
        (42, "42 s"),
        (59.7, "1 min 0 s"),
        (200, "3 min 20 s"),
        (7500, "2 h 5 min"),
    ],
)
def test_a_time_span_is_written_as_people_say_it(seconds, words):
    assert format_duration(seconds) == words
