"""Processes that a killed run left behind: they would write into the folders of jobs that are run again."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

RUN_VARIABLE = "INTERFACEFLOW_RUN"
_GRACE_S = 5.0


@contextmanager
def marked_children(root: Path) -> Iterator[None]:
    """Let every process started inside carry the project's path and this process's number in its environment."""
    os.environ[RUN_VARIABLE] = f"{os.getpid()}:{root}"
    try:
        yield
    finally:
        os.environ.pop(RUN_VARIABLE, None)


def stop_orphans(root: Path) -> int:
    """Stop what earlier runs of this project left behind; to be called by the holder of the project's lock.

    Returns
    -------
    int
        Number of processes stopped.
    """
    import psutil

    orphans = []
    for process in psutil.process_iter():
        try:
            owner, _, project = process.environ().get(RUN_VARIABLE, "").partition(":")
        except psutil.Error:
            continue
        if project == str(root) and owner.isdigit() and int(owner) != os.getpid() and process.pid != os.getpid():
            orphans.append(process)
    return _stop(orphans)


def stop_children() -> int:
    """Stop every process that this one started, and what those started.

    Returns
    -------
    int
        Number of processes stopped.
    """
    import psutil

    return _stop(psutil.Process().children(recursive=True))


def _stop(processes: list) -> int:  # type: ignore[type-arg]
    """Ask processes to end, and kill those that do not within a few seconds."""
    import psutil

    for process in processes:
        try:
            process.terminate()
        except psutil.Error:
            continue
    _, alive = psutil.wait_procs(processes, timeout=_GRACE_S)
    for process in alive:
        try:
            process.kill()
        except psutil.Error:
            continue
    psutil.wait_procs(alive, timeout=_GRACE_S)
    return len(processes)
