"""Progress of long steps: a protocol, and a reporter that writes a log line now and then.

Science functions take a `Progress` and report to it; jobs pass `progress_reporter()`. The command line installs a
reporter that draws a bar with `set_progress_reporter`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Protocol, runtime_checkable

LOG = logging.getLogger("interfaceflow")


@runtime_checkable
class Progress(Protocol):
    """What a long step tells about itself."""

    def start(self, total: int | None, unit: str, description: str) -> None:
        """Begin a step of ``total`` units (``None``: not known) called, for example, ``"label"`` each."""

    def advance(self, n: int = 1) -> None:
        """Count ``n`` more units as done."""

    def status(self, text: str) -> None:
        """Say how the step stands, in a few words that take the place of the last ones: ``"loss 0.0123"``."""

    def note(self, text: str) -> None:
        """Say something about the step in words."""


class SilentProgress:
    """A reporter that says nothing."""

    def start(self, total: int | None, unit: str, description: str) -> None:
        """Begin a step."""

    def advance(self, n: int = 1) -> None:
        """Count ``n`` more units as done."""

    def status(self, text: str) -> None:
        """Say how the step stands."""

    def note(self, text: str) -> None:
        """Say something about the step in words."""


class ProgressInParts:
    """Reports the parts of a step, each of which starts one of its own, as the one step they make.

    Parameters
    ----------
    whole
        Where the step is reported; it was started there.
    """

    def __init__(self, whole: Progress) -> None:
        self._whole = whole

    def start(self, total: int | None, unit: str, description: str) -> None:
        """Go on with the step."""

    def advance(self, n: int = 1) -> None:
        """Count ``n`` more units as done."""
        self._whole.advance(n)

    def status(self, text: str) -> None:
        """Say how the step stands."""
        self._whole.status(text)

    def note(self, text: str) -> None:
        """Say something about the step in words."""
        self._whole.note(text)


class LogProgress:
    """A reporter that logs a line at most every ``interval_s`` seconds, and one at the end of a step.

    Parameters
    ----------
    interval_s
        Least time between two lines, s.
    clock
        Source of monotonic time, s.

    Examples
    --------
    >>> progress = LogProgress()
    >>> progress.start(2, "label", "Labelling")
    >>> progress.advance()
    >>> progress.advance()
    """

    def __init__(self, interval_s: float = 10.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._interval_s = interval_s
        self._clock = clock
        self.start(None, "step", "Working")

    def start(self, total: int | None, unit: str, description: str) -> None:
        """Begin a step of ``total`` units."""
        self._total, self._unit, self._description = total, unit, description
        self._done = 0
        self._status = ""
        self._started = self._last_line = self._clock()

    def advance(self, n: int = 1) -> None:
        """Count ``n`` more units as done."""
        self._done += n
        now = self._clock()
        if now - self._last_line >= self._interval_s or self._done == self._total:
            self._last_line = now
            LOG.info("%s", self._line(now - self._started))

    def status(self, text: str) -> None:
        """Add a few words to the lines to come."""
        self._status = text

    def note(self, text: str) -> None:
        """Log a line at once."""
        LOG.info("%s: %s", self._description, text)

    def _line(self, elapsed_s: float) -> str:
        status = f", {self._status}" if self._status else ""
        if self._total is None:
            return f"{self._description}: {self._done} {self._unit}s in {elapsed_s:.0f} s{status}"
        left = max(self._total - self._done, 0)
        left_s = f", about {elapsed_s * left / self._done:.0f} s left" if self._done and left else ""
        return f"{self._description}: {self._done} of {self._total} {self._unit}s in {elapsed_s:.0f} s{left_s}{status}"


_current: Progress = LogProgress()


def progress_reporter() -> Progress:
    """Return the reporter in use: `LogProgress`, unless another was installed."""
    return _current


def set_progress_reporter(progress: Progress) -> None:
    """Install the reporter that all later steps of this process report to."""
    global _current
    _current = progress
