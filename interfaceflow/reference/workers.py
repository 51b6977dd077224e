"""A pool of worker processes that use all cores for reference calculations, one thread each.

The workers live as long as the process that owns them, across jobs, because loading a reference potential takes
seconds. One that dies (out of memory, say) costs the item it had, never the batch.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from pathlib import Path
from threading import Lock
from typing import Any, Final, Protocol, TypeVar

from interfaceflow.core.progress import Progress, SilentProgress
from interfaceflow.reference.worker_process import IDLE_EXIT_STATUS

Item = TypeVar("Item")
Result = TypeVar("Result")
Item_contra = TypeVar("Item_contra", contravariant=True)
Result_co = TypeVar("Result_co", covariant=True)

_GRACE_S: Final = 2.0
_ONE_THREAD: Final = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


class Advance(Protocol):
    """What a worker's function calls to report progress."""

    def __call__(self, n: int = 1) -> None:
        """Count ``n`` more units as done."""


class WorkerFunction(Protocol[Item_contra, Result_co]):
    """A function of a module, so that a worker can import it, that turns one item into one result."""

    def __call__(self, item: Item_contra, advance: Advance, /) -> Result_co:
        """Compute the result, reporting progress on the way."""


@dataclass(frozen=True)
class WorkerFailure:
    """Why an item has no result.

    Attributes
    ----------
    reason
        In one sentence, for the user.
    details
        Traceback or last output of the worker, for the developer.
    """

    reason: str
    details: str = ""


def map_in_workers(
    function: WorkerFunction[Item, Result],
    items: Sequence[Item],
    *,
    n_workers: int,
    size: Callable[[Item], float],
    progress: Progress | None = None,
    on_result: Callable[[int, Result], None] | None = None,
) -> list[Result | WorkerFailure]:
    """Apply a function to items in worker processes, the largest items first, and return the results in order.

    Parameters
    ----------
    function
        Module-level function of an item and a progress callback.
    items
        What to compute; each must be picklable.
    n_workers
        Number of processes that work at the same time.
    size
        Cost of an item, in any unit: large ones are started first, so that no core is idle at the end.
    progress
        Where the function's progress is reported.
    on_result
        Called in this process with an item's index and result as soon as it is there, in the order of completion.

    Returns
    -------
    list
        For each item its result, or a `WorkerFailure` where the function raised or its process died.
    """
    return _pool.map(function, items, n_workers, size, progress or SilentProgress(), on_result)


def stop_workers() -> None:
    """End all workers now, and free their memory; the next `map_in_workers` starts new ones."""
    _pool.stop()


class _Worker:
    """A worker process, seen from its owner."""

    def __init__(self) -> None:
        self.connection, theirs = Pipe()
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - closed in end()
        environment = os.environ | _ONE_THREAD
        environment["PYTHONPATH"] = os.pathsep.join(path or str(Path.cwd()) for path in sys.path)
        words = [sys.executable, "-m", "interfaceflow.reference.worker_process", str(theirs.fileno()), str(os.getpid())]
        self._process = subprocess.Popen(
            words,
            env=environment,
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._stderr,
            process_group=0,
        )
        theirs.close()

    def is_alive(self) -> bool:
        return self._process.poll() is None

    def left_by_itself(self) -> bool:
        """Tell whether the process, which has hung up, ended in order: it had been idle for long."""
        return self._process.wait() == IDLE_EXIT_STATUS

    def failure(self) -> WorkerFailure:
        """Say how the process, which has hung up, ended."""
        status = self._process.wait()
        how = f"was killed by {signal.Signals(-status).name}" if status < 0 else f"ended with exit status {status}"
        hint = "; the usual cause is too little memory: use fewer workers" if status == -signal.SIGKILL else ""
        self._stderr.seek(0)
        last_words = self._stderr.read()[-2000:].decode(errors="replace")
        return WorkerFailure(f"the worker process {how}{hint}", last_words)

    def end(self) -> None:
        self.connection.close()
        self._process.terminate()
        try:
            self._process.wait(_GRACE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._stderr.close()


class _Pool:
    """The workers of this process."""

    def __init__(self) -> None:
        self._workers: list[_Worker] = []
        self._lock = Lock()
        atexit.register(self.stop)

    def map(
        self,
        function: WorkerFunction[Item, Result],
        items: Sequence[Item],
        n_workers: int,
        size: Callable[[Item], float],
        progress: Progress,
        on_result: Callable[[int, Result], None] | None,
    ) -> list[Result | WorkerFailure]:
        outcomes: dict[int, Result | WorkerFailure] = {}
        waiting = deque(sorted(range(len(items)), key=lambda index: -size(items[index])))
        busy: dict[Connection[Any, Any], tuple[_Worker, int]] = {}
        with self._lock:
            try:
                while waiting or busy:
                    while waiting and len(busy) < n_workers:
                        worker, index = self._free_worker(busy), waiting.popleft()
                        busy[worker.connection] = (worker, index)
                        _send(worker, function, items[index])
                    for connection in wait(list(busy)):
                        assert isinstance(connection, Connection)
                        worker, index = busy[connection]
                        message = self._receive(worker)
                        if message[0] == "advance":
                            progress.advance(message[1])
                            continue
                        del busy[connection]
                        if message[0] == "lost":
                            waiting.appendleft(index)
                        elif message[0] == "failure":
                            outcomes[index] = WorkerFailure(*message[1:])
                        else:
                            outcomes[index] = message[1]
                            if on_result is not None:
                                on_result(index, message[1])
            except BaseException:
                self.stop()
                raise
        return [outcomes[index] for index in range(len(items))]

    def stop(self) -> None:
        while self._workers:
            self._workers.pop().end()

    def _free_worker(self, busy: dict[Connection[Any, Any], tuple[_Worker, int]]) -> _Worker:
        """Return an idle worker, a new one if need be."""
        for worker in [worker for worker in self._workers if worker.connection not in busy]:
            if worker.is_alive():
                return worker
            self._discard(worker)
        self._workers.append(_Worker())
        return self._workers[-1]

    def _receive(self, worker: _Worker) -> tuple[Any, ...]:
        """Return the worker's next message, or what its silence means."""
        try:
            message: tuple[Any, ...] = worker.connection.recv()
        except (EOFError, OSError):
            if worker.left_by_itself():
                message = ("lost",)
            else:
                failure = worker.failure()
                message = ("failure", failure.reason, failure.details)
            self._discard(worker)
        return message

    def _discard(self, worker: _Worker) -> None:
        self._workers.remove(worker)
        worker.end()


def _send(worker: _Worker, function: WorkerFunction[Item, Result], item: Item) -> None:
    """Send an item; a worker that is already gone is noticed when its answer is awaited."""
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        worker.connection.send((function, item))


_pool = _Pool()
