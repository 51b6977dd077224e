"""Run, or go on with, a small flow in a folder: the process that tests kill.

Usage: python run_small_flow.py FOLDER loop|interrupt
"""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import sleepy_jobs
from small_project import QuietObserver, add_test_flow

from interfaceflow.core.errors import InterfaceflowError
from interfaceflow.core.files import PROJECT_ROOT_VARIABLE
from interfaceflow.launch.backend import own_project
from interfaceflow.launch.runner import run_jobs


def main() -> int:
    root = Path(sys.argv[1]).resolve()
    os.environ[PROJECT_ROOT_VARIABLE] = str(root)
    try:
        with own_project(root) as backend:
            flows = backend.store.list_flows()
            if not flows:
                job = {
                    "loop": lambda: sleepy_jobs.loop_flow(3, 0.05),
                    "interrupt": lambda: sleepy_jobs.interrupt_owner(60),
                }[sys.argv[2]]()
                flows = [add_test_flow(backend, job)]
            outcome = run_jobs(backend, flows[-1].flow_uuid, QuietObserver())
    except InterfaceflowError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return {"completed": 0, "failed": 1, "interrupted": 130}[outcome.status]


if __name__ == "__main__":
    sys.exit(main())
