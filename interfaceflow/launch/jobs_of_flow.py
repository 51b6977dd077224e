"""A flow's jobs as they are on the launchpad, read from its documents."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from interfaceflow.core.errors import UserInputError
from interfaceflow.launch.backend import Backend

FINISHED_STATES = frozenset({"COMPLETED", "DEFUSED", "ARCHIVED"})


@dataclass(frozen=True)
class JobState:
    """One job of a flow.

    Attributes
    ----------
    fw_id
        Number of its firework.
    uuid, index, name
        jobflow's identifier, its index (2 and more for what replaced a job) and its name.
    state
        FireWorks' state: WAITING, READY, RUNNING, COMPLETED, FIZZLED, DEFUSED, ...
    launches
        How often it was started.
    is_dynamic
        Whether its last launch added jobs to the flow.
    started_on
        Start of its last launch, or ``None``.
    wall_time_s
        How long its last launch took, or has taken so far, s.
    error
        Why it failed.
    launch_folder
        Folder of its last launch, relative to the project's root.
    children
        Fireworks that wait for it.
    category
        Kind of resources it wants.
    """

    fw_id: int
    uuid: str
    index: int
    name: str
    state: str
    launches: int
    is_dynamic: bool
    started_on: datetime | None
    wall_time_s: float | None
    error: str | None
    launch_folder: str | None
    children: tuple[int, ...]
    category: str

    @property
    def is_bookkeeping(self) -> bool:
        """Whether it only passes on the output of what replaced a job; jobflow adds it, and nobody waits for it."""
        return self.name == "store_inputs"


@dataclass(frozen=True)
class FlowState:
    """A flow's jobs by firework number: those that were started in that order, then the others as they will come."""

    flow_uuid: str
    jobs: dict[int, JobState]

    @property
    def shown_jobs(self) -> list[JobState]:
        """The jobs that mean something to a user."""
        return [job for job in self.jobs.values() if not job.is_bookkeeping]

    @property
    def n_shown_done(self) -> int:
        """How many of them are done."""
        return sum(job.state == "COMPLETED" for job in self.shown_jobs)

    @property
    def is_finished(self) -> bool:
        """Whether nothing is left to run."""
        return all(job.state in FINISHED_STATES for job in self.jobs.values())

    def in_state(self, *states: str) -> list[JobState]:
        """Return the jobs in one of the states."""
        return [job for job in self.jobs.values() if job.state in states]

    @property
    def runnable(self) -> list[JobState]:
        """The jobs that are ready and do not stand behind a failed one.

        jobflow lets the job that passes on the output of a replaced job run even where what makes that output failed;
        everything behind it would then fail, too, for want of it.
        """
        behind_failed = self.after(job.fw_id for job in self.in_state("FIZZLED"))
        return [job for job in self.in_state("READY") if job.fw_id not in behind_failed]

    def after(self, fw_ids: Iterable[int]) -> set[int]:
        """Return these fireworks and everything that depends on them."""
        found: set[int] = set()
        open_ids = list(fw_ids)
        while open_ids:
            fw_id = open_ids.pop()
            if fw_id not in found:
                found.add(fw_id)
                open_ids.extend(self.jobs[fw_id].children)
        return found


def flow_uuids_on_launchpad(backend: Backend) -> set[str]:
    """Return the flows that the launchpad knows."""
    documents = backend.launchpad.workflows.find({}, {"metadata": 1})
    return {document["metadata"]["flow_uuid"] for document in documents if "flow_uuid" in document["metadata"]}


def read_flow(backend: Backend, flow_uuid: str) -> FlowState:
    """Read the state of a flow's jobs.

    Raises
    ------
    UserInputError
        If the launchpad does not know the flow.
    """
    launchpad = backend.launchpad
    workflow = launchpad.workflows.find_one({"metadata.flow_uuid": flow_uuid})
    if workflow is None:
        raise UserInputError(f"flow {flow_uuid} is not on the launchpad of {backend.root}")
    links = {int(parent): tuple(children) for parent, children in workflow["links"].items()}
    fireworks = list(launchpad.fireworks.find({"fw_id": {"$in": workflow["nodes"]}}))
    launch_ids = [launch_id for firework in fireworks for launch_id in firework["launches"]]
    launches = {launch["launch_id"]: launch for launch in launchpad.launches.find({"launch_id": {"$in": launch_ids}})}
    jobs = [_job_state(firework, launches, links.get(firework["fw_id"], ())) for firework in fireworks]
    return FlowState(flow_uuid, {job.fw_id: job for job in sorted(jobs, key=_order)})


def _order(job: JobState) -> tuple[bool, str, int]:
    # FireWorks numbers the jobs of one addition from the last to the first, and later additions higher.
    return (job.started_on is None, job.started_on.isoformat() if job.started_on else "", -job.fw_id)


def _job_state(firework: dict[str, Any], launches: dict[int, Any], children: tuple[int, ...]) -> JobState:
    job = firework["spec"]["_tasks"][0]["job"]
    last = launches[firework["launches"][-1]] if firework["launches"] else None
    action = (last or {}).get("action") or {}
    started = _time_of(last, "RUNNING")
    ended = _time_of(last, "COMPLETED", "FIZZLED")
    running = firework["state"] == "RUNNING"
    return JobState(
        fw_id=firework["fw_id"],
        uuid=job["uuid"],
        index=job["index"],
        name=firework["name"],
        state=firework["state"],
        launches=len(firework["launches"]) + len(firework["archived_launches"]),
        is_dynamic=bool(action.get("detours") or action.get("additions")),
        started_on=started,
        wall_time_s=((datetime.now(UTC) if running else ended or started) - started).total_seconds()
        if started
        else None,
        error=action.get("stored_data", {}).get("error") if firework["state"] == "FIZZLED" else None,
        launch_folder=last["launch_dir"] if last else None,
        children=children,
        category=firework["spec"].get("_category", "light"),
    )


def _time_of(launch: dict[str, Any] | None, *states: str) -> datetime | None:
    for entry in (launch or {}).get("state_history", []):
        if entry["state"] in states:
            time = entry["created_on"]
            parsed = time if isinstance(time, datetime) else datetime.fromisoformat(time)
            return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
    return None
