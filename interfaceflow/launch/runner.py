"""Runs the jobs of a flow, one after the other, in this process."""

from __future__ import annotations

import errno
import logging
import os
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from fireworks import FWAction
from fireworks.core.firework import Firework
from fireworks.core.fworker import FWorker

from interfaceflow.core.errors import InterfaceflowError
from interfaceflow.core.progress import progress_reporter, set_progress_reporter
from interfaceflow.launch.backend import MAX_EMBEDDED_FIREWORKS, Backend
from interfaceflow.launch.jobs_of_flow import FlowState, JobState, read_flow
from interfaceflow.launch.orphans import marked_children, stop_children, stop_orphans
from interfaceflow.launch.outputs import finish_clearing
from interfaceflow.launch.progress_file import RecordedProgress
from interfaceflow.store.interrupts import GATE
from interfaceflow.store.project import MONGODB_VARIABLE

LOG = logging.getLogger("interfaceflow")
_NO_STORAGE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})


class RunObserver(Protocol):
    """Who is told how a run goes."""

    def job_started(self, job: JobState, n_done: int, n_total: int) -> None:
        """Hear that a job begins; ``n_done`` of the ``n_total`` jobs known so far are done."""

    def job_ended(self, job: JobState, wall_time_s: float, error: str | None) -> None:
        """Hear that a job is over, with an error where it failed."""

    def note(self, text: str) -> None:
        """Hear something the user should know."""


@dataclass(frozen=True)
class RunOutcome:
    """How a run ended.

    Attributes
    ----------
    status
        ``"failed"`` where jobs failed and nothing else can be run, ``"interrupted"`` after a signal.
    state
        The flow's jobs at the end.
    """

    status: Literal["completed", "failed", "interrupted"]
    state: FlowState


class StorageError(InterfaceflowError):
    """A job could not write its files; it is put back to be run again."""


def run_jobs(backend: Backend, flow_uuid: str, observer: RunObserver) -> RunOutcome:
    """Run what is ready in a flow until nothing is, or a signal comes.

    Jobs that a killed process left running are put back first. A job that fails is marked so and the others go on.
    What a job prints goes into its launch folder.

    Parameters
    ----------
    backend
        The project, opened with `own_project`.
    flow_uuid
        The flow.
    observer
        Who is told.

    Returns
    -------
    RunOutcome

    Raises
    ------
    CheckpointError
        If the launchpad cannot be written.
    StorageError
        If a job met a full disk or a read-only folder; it is put back.
    """
    stop_orphans(backend.root)
    state = read_flow(backend, flow_uuid)
    _put_back(backend, state.in_state("RUNNING", "RESERVED"))
    finish_clearing(backend, flow_uuid)
    with _jobflow_stores_in(backend), marked_children(backend.root), _recorded_progress(backend) as progress:
        while True:
            state = read_flow(backend, flow_uuid)
            ready = state.runnable
            if GATE.received is not None:
                return RunOutcome("interrupted", state)
            if not ready:
                return RunOutcome("failed" if state.in_state("FIZZLED") else "completed", state)
            _warn_if_large(state, observer)
            if not ready[0].is_bookkeeping:
                observer.job_started(ready[0], state.n_shown_done, len(state.shown_jobs))
            progress.start_job(ready[0].fw_id)
            _run_one(backend, ready[0], observer)


def _run_one(backend: Backend, job: JobState, observer: RunObserver) -> None:
    folder = backend.folder / "launches" / f"{job.fw_id:04d}-{job.uuid[:8]}-{job.index}-{job.launches + 1}"
    folder.mkdir(parents=True, exist_ok=True)
    firework, launch_id = backend.launchpad.checkout_fw(
        FWorker(name="embedded"), folder.relative_to(backend.root).as_posix(), fw_id=job.fw_id
    )
    started = time.monotonic()
    error: BaseException | None = None
    action = FWAction()
    with _job_environment(folder):
        try:
            with GATE.interruptible():
                action = _run_task(firework)
        except (Exception, KeyboardInterrupt, SystemExit) as raised:
            GATE.close()
            error = raised
            traceback.print_exc()
    if error is None:
        backend.launchpad.complete_launch(launch_id, action, "COMPLETED")
        if not job.is_bookkeeping:
            observer.job_ended(job, time.monotonic() - started, None)
        return
    stop_children()
    if GATE.received is not None or isinstance(error, KeyboardInterrupt):
        _put_back(backend, [job])
        return
    if _is_lack_of_storage(error):
        _put_back(backend, [job])
        raise StorageError(
            f"job {job.name} ({job.uuid[:8]}) could not write its files: {error}. "
            "It is put back to be run again: make room or make the folder writable, then run the same command again"
        ) from error
    text = str(error) if isinstance(error, InterfaceflowError) else f"{type(error).__name__}: {error}"
    failure = FWAction(stored_data={"error": text, "log": str(folder.relative_to(backend.root) / "log")}, exit=True)
    backend.launchpad.complete_launch(launch_id, failure, "FIZZLED")
    observer.job_ended(job, time.monotonic() - started, text)


def _run_task(firework: Firework) -> FWAction:
    (task,) = firework.tasks
    task.fw_id = firework.fw_id
    return task.run_task(firework.spec)


def _put_back(backend: Backend, jobs: list[JobState]) -> None:
    if not jobs:
        return
    with backend.launchpad.change():
        for job in jobs:
            backend.launchpad.rerun_fw(job.fw_id)


@contextmanager
def _job_environment(folder: Path) -> Iterator[None]:
    """Run inside a folder, with everything Python code prints going to its ``log``."""
    before = Path.cwd()
    with (folder / "log").open("a", encoding="utf-8") as log, redirect_stdout(log), redirect_stderr(log):
        os.chdir(folder)
        try:
            yield
        finally:
            os.chdir(before)
            logging.getLogger("jobflow").handlers.clear()


@contextmanager
def _recorded_progress(backend: Backend) -> Iterator[RecordedProgress]:
    before = progress_reporter()
    progress = RecordedProgress(before, backend.folder)
    set_progress_reporter(progress)
    try:
        yield progress
    finally:
        set_progress_reporter(before)


@contextmanager
def _jobflow_stores_in(backend: Backend) -> Iterator[None]:
    """Let jobflow use this project's store, whose path is not written into the launchpad: a project can be moved."""
    from jobflow import SETTINGS
    from jobflow.core.store import JobStore

    before = SETTINGS.JOB_STORE
    SETTINGS.JOB_STORE = JobStore(backend.store.outputs)
    try:
        yield
    finally:
        SETTINGS.JOB_STORE = before


def _is_lack_of_storage(error: BaseException | None) -> bool:
    seen = 0
    while error is not None and seen < 20:
        if isinstance(error, OSError) and error.errno in _NO_STORAGE:
            return True
        error, seen = error.__cause__ or error.__context__, seen + 1
    return False


def _warn_if_large(state: FlowState, observer: RunObserver) -> None:
    if len(state.jobs) == MAX_EMBEDDED_FIREWORKS + 1 and MONGODB_VARIABLE not in os.environ:
        observer.note(
            f"this flow has more than {MAX_EMBEDDED_FIREWORKS} jobs; the launchpad in a file gets slow. "
            f"Name a MongoDB in ${MONGODB_VARIABLE} for flows of this size"
        )
