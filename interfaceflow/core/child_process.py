"""Programs run as child processes that never outlive their owner.

A child has its own process group, so Ctrl-C on the terminal reaches only the owner, which then ends the child in
order; and it is told by the kernel when the owner dies in any other way.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Final, TypeVar

from interfaceflow.core.errors import ExternalProgramError

T = TypeVar("T")

_POLL_S: Final = 0.2
_GRACE_S: Final = 5.0

# Run by a bare interpreter between fork and exec: ask for SIGTERM when the owner dies, unless it already has.
_TETHER: Final = (
    "import ctypes, os, sys\n"
    "ctypes.CDLL(None).prctl(1, 15, 0, 0, 0)\n"
    "if os.getppid() != int(sys.argv[1]): sys.exit(143)\n"
    "os.execv(sys.argv[2], sys.argv[2:])\n"
)

_this_thread = threading.local()


def run_child(
    command: Sequence[str | Path],
    *,
    folder: Path,
    environment: Mapping[str, str],
    output: Path,
    watch: Callable[[], None] | None = None,
) -> int:
    """Run a program to its end and return its exit status.

    Parameters
    ----------
    command
        Absolute path of the program, and its arguments.
    folder
        Its working directory.
    environment
        Its environment.
    output
        File that takes its standard output and error.
    watch
        Called several times a second while it runs.

    Raises
    ------
    ExternalProgramError
        If a neighbour in `run_side_by_side` failed, and this run was ended for it.
    """
    with output.open("wb") as stream:
        child = subprocess.Popen(
            tethered(command),
            cwd=folder,
            env=dict(environment),
            # A pipe without a writer: MPI launchers forward what they can read, and /dev/null is not empty where some
            # program of root's has put a file in its place.
            stdin=subprocess.PIPE,
            stdout=stream,
            stderr=subprocess.STDOUT,
            process_group=0,
        )
        assert child.stdin is not None
        child.stdin.close()
        try:
            return _await(child, watch)
        except BaseException:
            end_child(child)
            raise


def tethered(command: Sequence[str | Path]) -> list[str]:
    """Return a command that runs another, which is asked to end when this process dies in any way.

    Parameters
    ----------
    command
        Absolute path of the program, and its arguments.
    """
    return [sys.executable, "-I", "-S", "-c", _TETHER, str(os.getpid()), *map(str, command)]


def run_side_by_side(tasks: Sequence[Callable[[], T]], n_workers: int) -> list[T]:
    """Call functions that run children, ``n_workers`` at a time, and return their results in order.

    When one fails, or on Ctrl-C, the children of the others are ended before the error is passed on.
    """
    cancelled = threading.Event()
    with ThreadPoolExecutor(n_workers, initializer=_join_group, initargs=(cancelled,)) as pool:
        futures = [pool.submit(task) for task in tasks]
        try:
            wait(futures, return_when=FIRST_EXCEPTION)
            for future in futures:
                if future.done():
                    future.result()
            return [future.result() for future in futures]
        except BaseException:
            cancelled.set()
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def _join_group(cancelled: threading.Event) -> None:
    _this_thread.cancelled = cancelled


def _await(child: subprocess.Popen[bytes], watch: Callable[[], None] | None) -> int:
    cancelled: threading.Event | None = getattr(_this_thread, "cancelled", None)
    while True:
        try:
            return child.wait(timeout=_POLL_S)
        except subprocess.TimeoutExpired:
            if cancelled is not None and cancelled.is_set():
                raise ExternalProgramError(
                    f"process {child.pid} was ended because a run beside it failed or was interrupted"
                ) from None
            if watch is not None:
                watch()


def end_child(child: subprocess.Popen[bytes]) -> None:
    """End a child, which leads a process group, and its group: first a request, then by force."""
    for kind in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(child.pid, kind)
        except ProcessLookupError:
            return
        try:
            child.wait(timeout=_GRACE_S)
            return
        except subprocess.TimeoutExpired:
            continue
