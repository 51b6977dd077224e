"""What runs, what waits, what failed and why."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from interfaceflow.core.durations import format_duration
from interfaceflow.launch.backend import look_at_project
from interfaceflow.launch.jobs_of_flow import FlowState, JobState, read_flow
from interfaceflow.launch.lock import is_in_use
from interfaceflow.launch.progress_file import StepProgress, read_progress
from interfaceflow.reference.quarantine import summarise_reasons
from interfaceflow.schemas.datasets import QuarantinedLabel
from interfaceflow.store.records import FlowRecord


@dataclass(frozen=True)
class FlowStatus:
    """A flow, its jobs, and how far the running one is.

    Attributes
    ----------
    record
        What the flow was asked to do.
    state
        Its jobs.
    progress
        The step of the running job.
    seconds_before
        How long jobs of each name took in this project so far, s.
    is_abandoned
        Whether jobs could run, or are marked as running, though no process runs them.
    quarantined
        Labels that were refused.
    """

    record: FlowRecord
    state: FlowState
    progress: StepProgress | None
    seconds_before: dict[str, float]
    is_abandoned: bool
    quarantined: tuple[QuarantinedLabel, ...]

    def table(self) -> list[tuple[str, ...]]:
        """Return one row for each job: uuid, name, state, launches, time, progress."""
        return [self._row(job) for job in self.state.shown_jobs]

    def summary(self) -> str:
        """Say in one line how far the flow is, and how long the rest will take where that is known."""
        jobs = self.state.shown_jobs
        waiting = [job for job in jobs if job.state in ("WAITING", "READY")]
        text = f"{self.state.n_shown_done} of {len(jobs)} jobs known so far are done"
        if self.is_abandoned:
            return f"{text}; the run was stopped, go on with: interfaceflow run {self.record.config_path}"
        if not waiting and not self.state.in_state("RUNNING"):
            return text
        known = [self.seconds_before[job.name] for job in waiting if job.name in self.seconds_before]
        left = sum(known) + ((self.progress.left_s or 0.0) if self.progress else 0.0)
        n_unknown = len(waiting) - len(known)
        if not left:
            return text
        unknown = f", and {n_unknown} jobs that have not run here before" if n_unknown else ""
        return f"{text}; the rest takes about {format_duration(left)}{unknown}"

    def quarantine(self) -> str | None:
        """Say which labels were refused and why, or return None where there are none."""
        if not self.quarantined:
            return None
        labels = "1 label was" if len(self.quarantined) == 1 else f"{len(self.quarantined)} labels were"
        return f"{labels} refused: {summarise_reasons(self.quarantined)}"

    def failures(self) -> list[JobState]:
        """Return the failed jobs."""
        return self.state.in_state("FIZZLED")

    def _row(self, job: JobState) -> tuple[str, ...]:
        time = "" if job.wall_time_s is None or not job.launches else format_duration(job.wall_time_s)
        progress = str(self.progress) if job.state == "RUNNING" and self.progress else ""
        if job.state in ("WAITING", "READY") and job.name in self.seconds_before:
            progress = f"takes about {format_duration(self.seconds_before[job.name])}"
        return job.uuid[:8], job.name, job.state, str(job.launches), time, progress


def flow_status(root: Path, flow: str | None = None) -> FlowStatus:
    """Return the status of a flow; works while a run is going on.

    Parameters
    ----------
    root
        The project's root.
    flow
        Beginning of the flow's uuid; the newest flow where it is not given.

    Raises
    ------
    UserInputError
        If there is no such project or flow.
    DataFileError
        If a file of the project is truncated or damaged.
    """
    backend = look_at_project(root)
    record = backend.store.find_flow(flow)
    state = read_flow(backend, record.flow_uuid)
    progress = read_progress(backend.folder)
    if progress is not None and progress.fw_id not in {job.fw_id for job in state.in_state("RUNNING")}:
        progress = None
    before: dict[str, float] = {}
    for earlier in backend.store.list_flows():
        for job in read_flow(backend, earlier.flow_uuid).in_state("COMPLETED"):
            before[job.name] = job.wall_time_s or 0.0
    abandoned = bool(state.in_state("RUNNING", "READY")) and not is_in_use(backend.folder)
    quarantined = backend.store.load_results(record.flow_uuid).quarantined
    return FlowStatus(record, state, progress, before, abandoned, quarantined)
