"""How far the running job is, in a file that ``interfaceflow status`` reads from another process."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from interfaceflow.core.durations import format_duration
from interfaceflow.core.progress import Progress

_FILE = "progress.json"
_INTERVAL_S = 2.0


@dataclass(frozen=True)
class StepProgress:
    """The step that a running job is at.

    Attributes
    ----------
    fw_id
        Firework of the job.
    description, unit
        What it does, and what is counted.
    done, total
        How many of how many; ``total`` is ``None`` where it is not known.
    elapsed_s
        Time since the step began, s.
    status
        How it stands, in a few words.
    """

    fw_id: int
    description: str
    unit: str
    done: int
    total: int | None
    elapsed_s: float
    status: str = ""

    @property
    def left_s(self) -> float | None:
        """Time the step will still take at its rate so far, s; ``None`` where that is not known."""
        if not self.total or not self.done:
            return None
        return self.elapsed_s * max(self.total - self.done, 0) / self.done

    def __str__(self) -> str:
        total = f" of {self.total}" if self.total is not None else ""
        left = f", about {format_duration(self.left_s)} left" if self.left_s else ""
        status = f", {self.status}" if self.status else ""
        return f"{self.description}: {self.done}{total} {self.unit}s{left}{status}"


class RecordedProgress:
    """Passes progress on to a reporter, and writes it to the project's progress file now and then.

    Parameters
    ----------
    inner
        Who else is told.
    folder
        The project's ``.interfaceflow`` folder.
    """

    def __init__(self, inner: Progress, folder: Path) -> None:
        self._inner = inner
        self._path = folder / _FILE
        self._fw_id = 0
        self._step = StepProgress(0, "", "step", 0, None, 0.0)
        self._started = self._written = 0.0

    def start_job(self, fw_id: int) -> None:
        """Say which job the next steps belong to."""
        self._fw_id = fw_id
        self._path.unlink(missing_ok=True)

    def start(self, total: int | None, unit: str, description: str) -> None:
        """Begin a step."""
        self._step = StepProgress(self._fw_id, description, unit, 0, total, 0.0)
        self._started = time.monotonic()
        self._inner.start(total, unit, description)
        self._write()

    def advance(self, n: int = 1) -> None:
        """Count ``n`` more units as done."""
        now = time.monotonic()
        self._step = replace(self._step, done=self._step.done + n, elapsed_s=now - self._started)
        self._inner.advance(n)
        if now - self._written >= _INTERVAL_S:
            self._write()

    def status(self, text: str) -> None:
        """Pass on how the step stands."""
        self._step = replace(self._step, status=text)
        self._inner.status(text)

    def note(self, text: str) -> None:
        """Pass a remark on."""
        self._inner.note(text)

    def _write(self) -> None:
        self._written = time.monotonic()
        spare = self._path.with_suffix(".new")
        try:
            spare.write_text(json.dumps(asdict(self._step)))
            spare.replace(self._path)
        except OSError:
            return  # a full disk shows where results are written; nothing depends on this file


def read_progress(folder: Path) -> StepProgress | None:
    """Return the step of the running job, or ``None`` where none was recorded."""
    try:
        return StepProgress(**json.loads((folder / _FILE).read_text()))
    except (OSError, ValueError, TypeError):
        return None
