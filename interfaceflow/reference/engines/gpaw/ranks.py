"""What each MPI rank runs: ``mpiexec -n N python -m interfaceflow.reference.engines.gpaw.ranks SOCKET N``.

Rank 0 takes configurations from its owner, one at a time, all ranks compute them together, and rank 0 sends back what
came out. They end when the owner hangs up.
"""

from __future__ import annotations

import socket
import sys
import time
import traceback
from multiprocessing.connection import Connection
from typing import Any, Final

import numpy as np
from ase import Atoms

from interfaceflow.core.errors import CalculationError
from interfaceflow.reference.engines.gpaw.ground_state import GroundState
from interfaceflow.schemas.gpaw import GpawSettings

_WAKE_UP: Final = 2001
_NAP_S: Final = 2e-3


def main() -> None:
    """Compute until the owner hangs up."""
    from gpaw.mpi import broadcast, world

    address, n_ranks = sys.argv[1], int(sys.argv[2])
    owner = _connect(address) if world.rank == 0 else None
    settings: GpawSettings = broadcast(owner.recv() if owner is not None else None, 0, comm=world)
    ranks = _Ranks(settings)
    while True:
        request = _next(owner) if owner is not None else None
        _wait_together()
        request = broadcast(request, 0, comm=world)
        if request is None:
            return
        if world.size != n_ranks:
            answer: tuple[str, Any] = ("crash", _other_mpi(n_ranks))
        else:
            answer = _answer(ranks, request)
        if owner is not None:
            owner.send(answer)
        if answer[0] == "crash":
            world.abort(1)


class _Ranks:
    """The ground state, on as many of the ranks as it has use for.

    k-points are shared out. Without ScaLAPACK GPAW cannot share out the plane waves of one k-point, so ranks that are
    more than the irreducible k-points (times spins) stay idle; it is built without unless a site takes care of it.
    """

    def __init__(self, settings: GpawSettings) -> None:
        self._settings = settings
        self._n_used = 0
        self._ground_state: GroundState | None = None

    def compute(self, atoms: Atoms, charge_e: float) -> Any:
        from gpaw.mpi import world

        n_used = min(world.size, GroundState(self._settings).count_k_points(atoms))
        if n_used != self._n_used:
            communicator = world.new_communicator(np.arange(n_used))
            self._ground_state = None if communicator is None else GroundState(self._settings, communicator)
            self._n_used = n_used
        return None if self._ground_state is None else self._ground_state.compute(atoms, charge_e)


def _answer(ranks: _Ranks, request: tuple[Any, ...]) -> tuple[str, Any]:
    numbers, positions, cell, charge_e = request
    try:
        return "results", ranks.compute(Atoms(numbers, positions, cell=cell, pbc=True), charge_e)
    except CalculationError as error:
        return "failure", str(error)
    except Exception as error:
        traceback.print_exc()
        return "crash", f"GPAW: {type(error).__name__}: {error}"


def _connect(address: str) -> Connection[Any, Any]:
    door = socket.socket(socket.AF_UNIX)
    door.connect(address)
    return Connection(door.detach())


def _next(owner: Connection[Any, Any]) -> Any:
    """Return the owner's next request, or None once it has hung up."""
    try:
        return owner.recv()
    except EOFError:
        return None


def _wait_together() -> None:
    """Return on all ranks once rank 0 has come here; the others sleep, where MPI itself would keep their cores busy."""
    from gpaw.mpi import world

    if world.rank == 0:
        for rank in range(1, world.size):
            world.send(np.ones(1), rank, _WAKE_UP)
        return
    call = world.receive(np.zeros(1), 0, _WAKE_UP, block=False)
    while not world.test(call):
        time.sleep(_NAP_S)
    world.wait(call)


def _other_mpi(n_ranks: int) -> str:
    return (
        f"the {n_ranks} MPI ranks of GPAW do not know of each other: it was built without MPI, or with another one "
        "than that of the mpich wheel, whose launcher starts them; build it again (pip install --force-reinstall "
        "--no-binary gpaw gpaw) with this environment's mpicc first in PATH, or set n_ranks: 1"
    )


if __name__ == "__main__":
    main()
