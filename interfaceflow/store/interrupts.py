"""Signals that end a run: let through while a job computes, held back while state is written.

A signal that raised in the middle of a change to the launchpad or the store would leave half a change in memory,
which the next write would make permanent. So signals raise ``KeyboardInterrupt`` only inside `interruptible`;
anywhere else they are remembered in `received`.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class InterruptGate:
    """Decides whether Ctrl-C, SIGTERM and SIGHUP raise at once or wait.

    Attributes
    ----------
    received
        The signal that came, or ``None``.
    """

    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        self._open = False

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Take over the signals; one that the caller ignores (``nohup``) stays ignored.

        Outside the main thread, where Python allows no handlers, nothing is taken over.
        """
        self.received, self._open = None, False
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        previous = {number: signal.getsignal(number) for number in _SIGNALS}
        for number, handler in previous.items():
            if handler is not signal.SIG_IGN:
                signal.signal(number, self._handle)
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """Let signals raise ``KeyboardInterrupt`` inside, also one that came before."""
        self._open = True
        try:
            self._raise_if_received()
            yield
        finally:
            self._open = False

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep signals waiting inside; one that came raises afterwards, if it may."""
        before, self._open = self._open, False
        try:
            yield
        finally:
            self._open = before
        if before:
            self._raise_if_received()

    def close(self) -> None:
        """Keep all later signals waiting."""
        self._open = False

    def _raise_if_received(self) -> None:
        if self.received is not None:
            raise KeyboardInterrupt

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        self.received = signal.Signals(number)
        if self._open:
            raise KeyboardInterrupt


GATE = InterruptGate()
