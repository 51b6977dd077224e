"""Fresh processes to measure in: their threads, their instruction set and their memory are known."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import ParamSpec, TypeVar

Given = ParamSpec("Given")
Found = TypeVar("Found")

SIMD_VARIABLE = "INTERFACEFLOW_SIMD"
_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def one_threaded_environment(simd: str | None = None) -> dict[str, str]:
    """Return this process's environment with one thread in every numerical library.

    Parameters
    ----------
    simd
        Instruction set of the kernel; None leaves the choice as it is.
    """
    chosen = {} if simd is None else {SIMD_VARIABLE: simd}
    return {**os.environ, **dict.fromkeys(_ONE_THREAD, "1"), **chosen}


def in_fresh_process(
    simd: str | None, function: Callable[Given, Found], *args: Given.args, **kwargs: Given.kwargs
) -> Found:
    """Return what a function returns in a process of its own, one-threaded and on the named instruction set."""
    with (
        _environment(one_threaded_environment(simd)),
        ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool,
    ):
        return pool.submit(function, *args, **kwargs).result()


def peak_resident_bytes(pid: int | None = None) -> int:
    """Return the largest resident memory that a process has had; None for this one.

    ``getrusage`` will not do: there a child begins with its parent's peak.
    """
    status = Path("/proc") / ("self" if pid is None else str(pid)) / "status"
    for line in status.read_text().splitlines():
        if line.startswith("VmHWM:"):
            return 1024 * int(line.split()[1])
    raise RuntimeError(f"{status} has no VmHWM: memory can be measured on Linux only")


@contextmanager
def _environment(wanted: dict[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(wanted)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
