"""What a flow writes on a job before it is launched."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from jobflow.core.job import Job

Category = Literal["light", "cpu", "gpu", "dft"]
PARENTS = "parent_uuids"


def wire(job: Job, name: str, category: Category, inherited: Sequence[str] = ()) -> Job:
    """Name a job, and write on it what it needs and what goes into it.

    Parameters
    ----------
    job
        The job.
    name
        What the user sees in status and report.
    category
        Kind of resources. It is the job's own: jobs that it creates while it runs carry marks of their own.
    inherited
        For a job that another one creates while it runs: the uuids of the jobs whose results went into that one.

    Returns
    -------
    Job
        The same job. The uuids of the jobs whose results go in are in its metadata, where they outlive the moment at
        which jobflow puts the results in their place.
    """
    job.name = name
    job.metadata[PARENTS] = sorted({*job.input_uuids, *inherited})
    job.update_config({"manager_config": {"_category": category}, "pass_manager_config": False})
    return job
