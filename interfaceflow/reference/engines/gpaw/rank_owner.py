"""Ground states on several MPI ranks, seen from the process that asks for them."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
from multiprocessing.connection import Connection
from pathlib import Path
from typing import IO, Any, Final, NoReturn

from ase import Atoms

from interfaceflow.core.child_process import end_child, tethered
from interfaceflow.core.errors import CalculationError
from interfaceflow.core.lammps_environment import libmpi_path, mpiexec_path
from interfaceflow.reference.engines.gpaw.ground_state import GroundStateResults
from interfaceflow.schemas.gpaw import GpawSettings

_POLL_S: Final = 0.5
_START_LIMIT_S: Final = 300.0
_LAST_WORDS: Final = 2000


class RankOwner:
    """MPI ranks that keep one ground state among them, started when they are first needed.

    They live as long as this object, carry density and wave functions along as `GroundState` does, and are started
    again after a crash.

    Parameters
    ----------
    settings
        Everything that changes a label.
    n_ranks
        Number of ranks; the k-points are shared out among them.
    """

    def __init__(self, settings: GpawSettings, n_ranks: int) -> None:
        self._settings = settings
        self._n_ranks = n_ranks
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: Connection[Any, Any] | None = None
        self._errors: IO[bytes] | None = None

    def compute(self, atoms: Atoms, charge_e: float) -> GroundStateResults:
        """Compute a periodic configuration; see `GroundState.compute`.

        Raises
        ------
        CalculationError
            If the ranks cannot be started, crash, or refuse the configuration.
        """
        if self._connection is None:
            self._start()
        assert self._connection is not None
        try:
            self._connection.send((atoms.numbers, atoms.positions, atoms.cell.array, charge_e))
            kind, content = self._connection.recv()
        except (EOFError, OSError):
            self._fail("ended during the calculation")
        if kind == "results":
            results: GroundStateResults = content
            return results
        if kind == "crash":
            self.close()
        raise CalculationError(content)

    def close(self) -> None:
        """End the ranks."""
        if self._connection is not None:
            self._connection.close()
        if self._process is not None:
            end_child(self._process)
        if self._errors is not None:
            self._errors.close()
        self._process = self._connection = self._errors = None

    def __del__(self) -> None:
        self.close()

    def _start(self) -> None:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed in close()
        # A folder of its own, which nobody else may enter, guards the socket.
        with tempfile.TemporaryDirectory(prefix="interfaceflow-") as folder, socket.socket(socket.AF_UNIX) as door:
            address = Path(folder) / "ranks"
            door.bind(str(address))
            door.listen(1)
            door.settimeout(_POLL_S)
            words = [mpiexec_path(), "-n", str(self._n_ranks), sys.executable]
            words += ["-m", "interfaceflow.reference.engines.gpaw.ranks", str(address), str(self._n_ranks)]
            self._process = subprocess.Popen(
                tethered([str(word) for word in words]),
                env=_rank_environment(),
                # The launcher reads its input, and a pipe that is closed tells it that there is none.
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=self._errors,
                process_group=0,
            )
            assert self._process.stdin is not None
            self._process.stdin.close()
            self._connection = self._await(door)
        self._connection.send(self._settings)

    def _await(self, door: socket.socket) -> Connection[Any, Any]:
        """Return the connection to rank 0 once it has knocked."""
        assert self._process is not None
        waited_s = 0.0
        while self._process.poll() is None and waited_s < _START_LIMIT_S:
            try:
                visitor, _ = door.accept()
            except TimeoutError:
                waited_s += _POLL_S
                continue
            visitor.settimeout(None)
            return Connection(visitor.detach())
        self._fail("did not start")

    def _fail(self, what: str) -> NoReturn:
        """End the ranks and raise with their last words."""
        assert self._errors is not None
        self._errors.seek(0)
        last_words = self._errors.read()[-_LAST_WORDS:].decode(errors="replace").strip()
        self.close()
        raise CalculationError(f"GPAW: the {self._n_ranks} MPI ranks {what}: {last_words or 'they said nothing'}")


def _rank_environment() -> dict[str, str]:
    """Return the environment of a rank: this one's, with the MPI library that fits the launcher, one thread."""
    libraries = [str(libmpi_path().parent), os.environ.get("LD_LIBRARY_PATH", "")]
    return os.environ | {
        "LD_LIBRARY_PATH": os.pathsep.join(filter(None, libraries)),
        "GPAW_MPI_BACKEND": "cgpaw",
        "GPAW_MPI": str(libmpi_path()),
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join(path or str(Path.cwd()) for path in sys.path),
    }
