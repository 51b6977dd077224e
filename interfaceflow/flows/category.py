"""What kind of machine a job wants."""

from __future__ import annotations

from typing import Literal

from jobflow.core.job import Job

Category = Literal["light", "cpu", "gpu", "dft"]


def with_category(job: Job, category: Category) -> Job:
    """Mark a job with the kind of resources it needs; ``configs/machines/`` maps kinds to workers.

    The mark is the job's own: jobs that it creates while it runs carry marks of their own.
    """
    job.update_config({"manager_config": {"_category": category}, "pass_manager_config": False})
    return job
