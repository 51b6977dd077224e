"""A site's own MLIP-3 program, ``mlp``, as a child process whose CPU time is counted."""

from __future__ import annotations

import re
import resource
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
from processes import one_threaded_environment, peak_resident_bytes

MLIP = "MLIP-3, mlp"
_ITERATION = re.compile(r"BFGS iter \d+: f=([0-9.e+-]+)")


@dataclass(frozen=True)
class MlpTraining:
    """What ``mlp train`` took.

    Attributes
    ----------
    cpu_s
        Until its last iteration: the selection behind it does not count.
    n_iterations
        Lines of iterations that it printed, those of its pre-training among them.
    peak_bytes
        Its largest resident memory until then.
    """

    cpu_s: float
    n_iterations: int
    peak_bytes: int


def mlp_train(mlp: Path, template: Path, training_set: Path, trained: Path, *, iteration_limit: int) -> MlpTraining:
    """Train a potential from scratch with ``mlp train``.

    Parameters
    ----------
    mlp
        The program.
    template
        Untrained potential.
    training_set
        Labelled ``.cfg`` file.
    trained
        File that takes the potential.
    iteration_limit
        Iterations behind the 75 of its pre-training.
    """
    command = [
        str(mlp),
        "train",
        str(template),
        str(training_set),
        f"--save_to={trained}",
        f"--iteration_limit={iteration_limit}",
        "--tolerance=1e-12",
        "--al_mode=nbh",
    ]
    last = MlpTraining(0.0, 0, 0)
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=one_threaded_environment()
    ) as child:
        assert child.stdout is not None
        process = psutil.Process(child.pid)
        for line in child.stdout:
            if _ITERATION.search(line):
                times = process.cpu_times()
                last = MlpTraining(times.user + times.system, last.n_iterations + 1, peak_resident_bytes(child.pid))
    if child.returncode != 0 or last.n_iterations == 0 or not trained.is_file():
        raise SystemExit(f"{' '.join(command)} ended with exit status {child.returncode} and no trained potential")
    return last


def run_counting_cpu(command: Sequence[str | Path], expected: str) -> tuple[float, str]:
    """Run a program to its end; return its CPU time in seconds and what it printed.

    Parameters
    ----------
    command
        Program and arguments.
    expected
        Words that it prints when it did what it was asked for; MLIP-3 says 0 to everything.
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [str(word) for word in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=one_threaded_environment(),
        check=False,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != 0 or expected not in done.stdout:
        raise SystemExit(f"{' '.join(map(str, command))} ended with exit status {done.returncode}:\n{done.stdout}")
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, done.stdout
