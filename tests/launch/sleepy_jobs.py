"""Small real jobs for tests of the launch layer: they sleep a little and count their runs in files."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

from jobflow import CURRENT_JOB, Flow, Response, job

from interfaceflow.core.files import project_root


def leave_trace(name: str) -> None:
    with (project_root() / "runs.log").open("a") as stream:
        stream.write(f"{name} {CURRENT_JOB.job.uuid} {CURRENT_JOB.job.index}\n")


@job
def nap(number: int, seconds: float = 0.0) -> int:
    leave_trace(f"nap{number}")
    time.sleep(seconds)
    return number


@job
def add(*numbers: int) -> int:
    leave_trace("add")
    return sum(numbers)


@job
def loop(round_index: int, n_rounds: int, total: int, seconds: float) -> Response:
    """A loop as active learning has it: each round is replaced by work and the next round."""
    leave_trace(f"loop{round_index}")
    if round_index == n_rounds:
        return Response(output=total)
    work = nap(round_index, seconds)
    total_now = add(total, work.output)
    following = loop(round_index + 1, n_rounds, total_now.output, seconds)
    return Response(replace=Flow([work, total_now, following], output=following.output))


@job
def fail_until(flag: str) -> int:
    leave_trace("fail_until")
    if not (project_root() / flag).exists():
        raise RuntimeError(f"no file {flag}")
    return 7


@job
def replaced_by_failure(flag: str) -> Response:
    leave_trace("replaced_by_failure")
    inner = fail_until(flag)
    return Response(replace=Flow([inner], output=inner.output))


@job
def interrupt_owner(seconds: float) -> int:
    """Start a child process, then wait for a signal."""
    leave_trace("interrupt_owner")
    child = subprocess.Popen(["sleep", "600"])
    (project_root() / "child.pid").write_text(str(child.pid))
    (project_root() / "owner.pid").write_text(str(os.getpid()))
    time.sleep(seconds)
    child.kill()
    child.wait()
    return 1


@job
def interrupt_itself(number: int, flag: str) -> int:
    leave_trace("interrupt_itself")
    if not (project_root() / flag).exists():
        (project_root() / flag).touch()
        os.kill(os.getpid(), number)
        time.sleep(60)
    return 1


@job
def full_disk(flag: str) -> int:
    leave_trace("full_disk")
    if not (project_root() / flag).exists():
        raise OSError(28, "No space left on device")
    return 3


def loop_flow(n_rounds: int, seconds: float) -> Flow:
    start = nap(100, seconds)
    looping = loop(0, n_rounds, start.output, seconds)
    end = add(looping.output, 1)
    return Flow([start, looping, end], output=end.output, name="loop")


def traces(root: Path) -> list[str]:
    path = root / "runs.log"
    return path.read_text().splitlines() if path.exists() else []
