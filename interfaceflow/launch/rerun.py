"""Putting jobs back to be run, without ever repeating a finished dynamic job."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from interfaceflow.core.errors import UserInputError
from interfaceflow.launch.backend import Backend, look_at_project, own_project
from interfaceflow.launch.jobs_of_flow import FlowState, JobState, read_flow
from interfaceflow.launch.outputs import finish_clearing, mark_for_clearing
from interfaceflow.store.records import FlowRecord


@dataclass(frozen=True)
class RerunPlan:
    """What a rerun does.

    Attributes
    ----------
    flow_uuid
        The flow.
    chosen
        Jobs that are put back.
    cleared
        Those and everything after them that has run: their documents and files are removed.
    """

    flow_uuid: str
    chosen: tuple[JobState, ...]
    cleared: tuple[JobState, ...]


@dataclass(frozen=True)
class Rerun:
    """A rerun that was carried out, or only planned."""

    record: FlowRecord
    plan: RerunPlan


def rerun_jobs(root: Path, flow: str | None, job: str | None, *, dry_run: bool = False) -> Rerun:
    """Put failed jobs of a flow, or one job, back to be run.

    Parameters
    ----------
    root
        The project's root.
    flow
        Beginning of the flow's uuid; the newest flow where it is not given.
    job
        Beginning of the uuid of the job to run again; all failed jobs where it is not given.
    dry_run
        Only plan.

    Raises
    ------
    UserInputError
        If there is no such flow or job, nothing failed, or a finished dynamic job would be repeated.
    ProjectLockedError
        If another process holds the project.
    """
    backend = look_at_project(root)
    record = backend.store.find_flow(flow)
    if dry_run:
        return Rerun(record, _plan_for(backend, record, job))
    with own_project(root) as owned:
        plan = _plan_for(owned, record, job)
        rerun(owned, plan)
    return Rerun(record, plan)


def _plan_for(backend: Backend, record: FlowRecord, job: str | None) -> RerunPlan:
    return plan_failed(backend, record.flow_uuid) if job is None else plan_job(backend, record.flow_uuid, job)


def plan_failed(backend: Backend, flow_uuid: str) -> RerunPlan:
    """Plan to rerun what failed in a flow.

    Of failed jobs that depend on one another, the first is chosen: what follows failed only for want of its output,
    and is reset with it.

    Raises
    ------
    UserInputError
        If nothing failed, or a finished dynamic job would be repeated.
    """
    state = read_flow(backend, flow_uuid)
    failed = state.in_state("FIZZLED")
    if not failed:
        raise UserInputError(
            f"flow {flow_uuid[:8]} has no failed job; to repeat a finished one, name it: interfaceflow rerun --job UUID"
        )
    later = {fw_id for job in failed for fw_id in state.after([job.fw_id]) - {job.fw_id}}
    return _plan(state, [job for job in failed if job.fw_id not in later])


def plan_job(backend: Backend, flow_uuid: str, uuid: str) -> RerunPlan:
    """Plan to rerun one job and what depends on it.

    Parameters
    ----------
    backend
        The project.
    flow_uuid
        The flow.
    uuid
        Beginning of the job's uuid.

    Raises
    ------
    UserInputError
        If there is no such job or more than one, it has not run, or a finished dynamic job would be repeated.
    """
    state = read_flow(backend, flow_uuid)
    found = [job for job in state.jobs.values() if job.uuid.startswith(uuid)]
    if len({job.uuid for job in found}) != 1:
        problem = "more than one job has" if found else "no job has"
        listed = "\n".join(f"    {job.uuid}  {job.state:9}  {job.name}" for job in found or state.jobs.values())
        raise UserInputError(f"{problem} a uuid that begins with {uuid!r} in flow {flow_uuid[:8]}:\n{listed}")
    # A job that was replaced shares its uuid with what stores its output; its first run is the job itself.
    job = min(found, key=lambda entry: entry.index)
    if job.state not in ("COMPLETED", "FIZZLED"):
        raise UserInputError(f"job {job.name} ({job.uuid[:8]}) is {job.state}: it has not ended, so there is no rerun")
    return _plan(state, [job])


def rerun(backend: Backend, plan: RerunPlan) -> None:
    """Carry out a plan: clear outputs, put the jobs back. `run_jobs` then runs them."""
    with backend.launchpad.change():
        for job in plan.chosen:
            backend.launchpad.rerun_fw(job.fw_id)
        mark_for_clearing(backend, [job.fw_id for job in plan.cleared])
    finish_clearing(backend, plan.flow_uuid)


def _plan(state: FlowState, chosen: list[JobState]) -> RerunPlan:
    affected = [state.jobs[fw_id] for fw_id in sorted(state.after(job.fw_id for job in chosen))]
    dynamic = [job for job in affected if job.is_dynamic and job.state == "COMPLETED"]
    if dynamic:
        names = ", ".join(f"{job.name} ({job.uuid[:8]})" for job in dynamic)
        raise UserInputError(
            f"this would repeat finished jobs that added jobs to the flow, and so add those once more: {names}. "
            "Rerun a job that comes after them, or start the whole flow afresh with: interfaceflow run CONFIG --new"
        )
    return RerunPlan(state.flow_uuid, tuple(chosen), tuple(job for job in affected if job.launches))
