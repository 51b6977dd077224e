"""What a worker process runs: ``python -m interfaceflow.reference.worker_process FD OWNER_PID``.

It takes pairs of a function and an item from its owner, one at a time, and sends back the result or why there is none.
It dies with its owner, however that ends, ignores Ctrl-C (its owner ends it), and leaves after a while without work, so
that an idle reference potential does not hold memory through a long production run.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import traceback
from multiprocessing.connection import Connection
from typing import Any, Final

from interfaceflow.core.errors import InterfaceflowError

IDLE_LIMIT_S: Final = 600.0
IDLE_EXIT_STATUS: Final = 75
_PR_SET_PDEATHSIG: Final = 1


def main() -> None:
    """Work until the owner hangs up or there has been nothing to do for `IDLE_LIMIT_S`."""
    descriptor, owner = int(sys.argv[1]), int(sys.argv[2])
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _die_with(owner)
    connection: Connection[Any, Any] = Connection(descriptor)

    def advance(n: int = 1) -> None:
        connection.send(("advance", n))

    while connection.poll(IDLE_LIMIT_S):
        try:
            function, item = connection.recv()
            message: tuple[Any, ...] = ("result", function(item, advance))
        except EOFError:
            return
        except Exception as error:
            message = ("failure", _explain(error), traceback.format_exc())
        connection.send(message)
    sys.exit(IDLE_EXIT_STATUS)


def _die_with(owner: int) -> None:
    """Ask the kernel to kill this process when its owner ends in any way; leave at once if it already has."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != owner:
        sys.exit(0)


def _explain(error: Exception) -> str:
    return str(error) if isinstance(error, InterfaceflowError) else f"{type(error).__name__}: {error}"


if __name__ == "__main__":
    main()
