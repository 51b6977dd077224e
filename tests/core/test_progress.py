import logging

import pytest

from interfaceflow.core.progress import (
    LogProgress,
    Progress,
    ProgressInParts,
    SilentProgress,
    progress_reporter,
    set_progress_reporter,
)


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def test_lines_come_now_and_then_and_at_the_end(clock, caplog):
    caplog.set_level(logging.INFO, "interfaceflow")
    progress = LogProgress(interval_s=10.0, clock=clock)
    progress.start(5, "label", "Labelling")
    for _ in range(5):
        clock.now += 4.0
        progress.advance()
    assert [record.message for record in caplog.records] == [
        "Labelling: 3 of 5 labels in 12 s, about 8 s left",
        "Labelling: 5 of 5 labels in 20 s",
    ]


def test_a_step_of_unknown_length_has_no_time_left(clock, caplog):
    caplog.set_level(logging.INFO, "interfaceflow")
    progress = LogProgress(interval_s=1.0, clock=clock)
    progress.start(None, "frame", "Reading")
    clock.now += 2.0
    progress.advance(3)
    assert [record.message for record in caplog.records] == ["Reading: 3 frames in 2 s"]


def test_lines_say_how_the_step_stands(clock, caplog):
    caplog.set_level(logging.INFO, "interfaceflow")
    progress = LogProgress(interval_s=1.0, clock=clock)
    progress.start(4, "iteration", "Training")
    clock.now += 2.0
    progress.status("loss 0.5")
    progress.advance()
    progress.start(None, "frame", "Reading")
    clock.now += 2.0
    progress.advance()
    assert [record.message for record in caplog.records] == [
        "Training: 1 of 4 iterations in 2 s, about 6 s left, loss 0.5",
        "Reading: 1 frames in 2 s",
    ]


def test_a_note_is_written_at_once(clock, caplog):
    caplog.set_level(logging.INFO, "interfaceflow")
    progress = LogProgress(clock=clock)
    progress.start(2, "label", "Labelling")
    progress.note("one was refused")
    assert [record.message for record in caplog.records] == ["Labelling: one was refused"]


def test_another_reporter_can_be_installed():
    before = progress_reporter()
    mine = SilentProgress()
    assert isinstance(mine, Progress)
    try:
        set_progress_reporter(mine)
        assert progress_reporter() is mine
    finally:
        set_progress_reporter(before)


def test_parts_are_reported_as_the_step_they_make(clock, caplog):
    caplog.set_level(logging.INFO, "interfaceflow")
    whole = LogProgress(interval_s=1000.0, clock=clock)
    whole.start(4, "label", "Labelling again")
    parts = ProgressInParts(whole)
    assert isinstance(parts, Progress)
    for _ in range(2):
        parts.start(2, "label", "Labelling")
        parts.status("half")
        parts.advance(2)
    parts.note("done")
    assert [record.getMessage() for record in caplog.records] == [
        "Labelling again: 4 of 4 labels in 0 s, half",
        "Labelling again: done",
    ]
