"""How a run shows what it does: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from interfaceflow.core.durations import format_duration
from interfaceflow.core.progress import LogProgress, progress_reporter, set_progress_reporter

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import ProgressColumn

    from interfaceflow.launch.jobs_of_flow import JobState

_LINE_INTERVAL_S = 20.0


class TextObserver:
    """Prints a line for each job and each remark.

    Parameters
    ----------
    stream
        Where to.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def job_started(self, job: JobState, n_done: int, n_total: int) -> None:
        """Say which job begins."""
        self.note(f"[{n_done + 1}/{n_total}] {job.name}")

    def job_ended(self, job: JobState, wall_time_s: float, error: str | None) -> None:
        """Say how it ended."""
        if error is None:
            self.note(f"      {job.name}: done in {format_duration(wall_time_s)}")
        else:
            self.note(f"      {job.name}: FAILED after {format_duration(wall_time_s)}: {error}")

    def note(self, text: str) -> None:
        """Print a line."""
        self._stream.write(f"{text}\n")
        self._stream.flush()


class BarObserver:
    """Draws the running job's step as a bar with rate and time left; also takes the progress of steps.

    Parameters
    ----------
    bars
        rich's progress display.
    """

    def __init__(self, bars: RichProgress) -> None:
        self._bars = bars
        self._task = bars.add_task("starting", total=None, counted="")
        self._done = 0
        self._total: int | None = None
        self._unit = self._status = ""
        self._started = time.monotonic()

    def job_started(self, job: JobState, n_done: int, n_total: int) -> None:
        """Say which job begins."""
        self._bars.reset(self._task, total=None, description=f"[{n_done + 1}/{n_total}] {job.name}", counted="")

    def job_ended(self, job: JobState, wall_time_s: float, error: str | None) -> None:
        """Leave a line about it above the bar."""
        mark = "[green]✓[/green]" if error is None else "[red]✗[/red]"
        self._bars.console.print(f"{mark} {job.name}  [dim]{format_duration(wall_time_s)}[/dim]", highlight=False)
        if error is not None:
            self._bars.console.print(f"  {error}", markup=False, highlight=False, style="red")

    def start(self, total: int | None, unit: str, description: str) -> None:
        """Begin a step."""
        self._done, self._total, self._unit, self._started = 0, total, unit, time.monotonic()
        self._status = ""
        self._bars.reset(self._task, total=total, description=f"  {description}", counted=self._counted())

    def advance(self, n: int = 1) -> None:
        """Move the bar."""
        self._done += n
        self._bars.update(self._task, advance=n, counted=self._counted())

    def status(self, text: str) -> None:
        """Show a few words behind the bar, from the next advance on."""
        self._status = text

    def note(self, text: str) -> None:
        """Leave a line above the bar."""
        self._bars.console.print(text, markup=False, highlight=False)

    def _counted(self) -> str:
        """Say how many of how many, and how fast."""
        elapsed_s = time.monotonic() - self._started
        total = "" if self._total is None else f"/{self._total}"
        rate = f", {self._done / elapsed_s:.3g}/s" if self._done and elapsed_s > 0 else ""
        status = f", {self._status}" if self._status else ""
        return f"{self._done}{total} {self._unit}s{rate}{status}"


@contextmanager
def shown_progress() -> Iterator[TextObserver | BarObserver]:
    """Show progress on stderr for as long as the block lasts: bars on a terminal, lines elsewhere."""
    before = progress_reporter()
    try:
        if sys.stderr.isatty():
            with _bars() as bars:
                observer = BarObserver(bars)
                set_progress_reporter(observer)
                yield observer
        else:
            handler = logging.StreamHandler(sys.stderr)
            handler.setFormatter(logging.Formatter("      %(message)s"))
            logger = logging.getLogger("interfaceflow")
            logger.addHandler(handler)
            logger.setLevel(logging.INFO)
            set_progress_reporter(LogProgress(_LINE_INTERVAL_S))
            try:
                yield TextObserver(sys.stderr)
            finally:
                logger.removeHandler(handler)
    finally:
        set_progress_reporter(before)


def _bars() -> RichProgress:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    columns: tuple[ProgressColumn, ...] = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=30),
        TextColumn("{task.fields[counted]}", markup=False),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=Console(file=sys.stderr), transient=True, redirect_stdout=False)
