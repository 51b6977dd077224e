"""What jobs have left in the store and in the project's folder, and how it is cleared.

Clearing takes several steps, and a kill may come between them. So the fireworks to clear are marked in the same
change that puts them back to be run; the marks go when everything is cleared. `finish_clearing` does what is left.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable

from interfaceflow.jobs.workspace import workspace_folder
from interfaceflow.launch.backend import Backend
from interfaceflow.launch.jobs_of_flow import read_flow

_MARK = "_interfaceflow_clear"


def mark_for_clearing(backend: Backend, fw_ids: Iterable[int]) -> None:
    """Mark fireworks, none of them running, whose outputs have to go."""
    backend.launchpad.update_spec(list(fw_ids), {_MARK: True})


def finish_clearing(backend: Backend, flow_uuid: str) -> None:
    """Remove the stored documents and the files of all marked jobs of a flow, and then the marks."""
    marked = {document["fw_id"] for document in backend.launchpad.fireworks.find({f"spec.{_MARK}": True}, {"fw_id": 1})}
    jobs = [job for job in read_flow(backend, flow_uuid).jobs.values() if job.fw_id in marked]
    for job in jobs:
        backend.store.outputs.remove_docs({"uuid": job.uuid, "index": job.index})
        shutil.rmtree(workspace_folder(backend.root, job.name, job.uuid, job.index), ignore_errors=True)
    if jobs:
        backend.launchpad.update_spec([job.fw_id for job in jobs], {"$unset": {f"spec.{_MARK}": ""}}, mongo=True)
