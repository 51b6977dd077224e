import os
import signal

import pytest

from interfaceflow.store.interrupts import InterruptGate


@pytest.fixture
def gate():
    opened = InterruptGate()
    with opened.installed():
        yield opened


def test_a_signal_waits_until_it_may_interrupt(gate):
    os.kill(os.getpid(), signal.SIGTERM)
    assert gate.received == signal.SIGTERM
    with pytest.raises(KeyboardInterrupt), gate.interruptible():
        pytest.fail("the block must not begin")


def test_a_signal_in_a_job_raises_at_once_but_not_while_state_is_written(gate):
    written = False
    with pytest.raises(KeyboardInterrupt), gate.interruptible():
        with gate.held():
            os.kill(os.getpid(), signal.SIGINT)
            written = True
        pytest.fail("the signal must come after the write")
    assert written


def test_an_error_while_writing_is_not_hidden_by_a_signal(gate):
    with pytest.raises(ValueError, match="torn"), gate.interruptible(), gate.held():
        os.kill(os.getpid(), signal.SIGINT)
        raise ValueError("torn")


def test_handlers_are_given_back():
    before = signal.getsignal(signal.SIGINT)
    with InterruptGate().installed():
        assert signal.getsignal(signal.SIGINT) != before
    assert signal.getsignal(signal.SIGINT) == before


def test_an_ignored_hangup_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with InterruptGate().installed() as _:
            assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
