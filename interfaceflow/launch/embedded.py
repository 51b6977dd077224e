"""A FireWorks launchpad in one file, for one process, that survives a kill at any point."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import mongomock
from fireworks import FWAction, LaunchPad, Workflow
from fireworks.core.firework import Firework
from fireworks.core.fworker import FWorker

from interfaceflow.core.errors import InterfaceflowError
from interfaceflow.store.interrupts import GATE
from interfaceflow.store.snapshot import Snapshot

_COLLECTIONS = ("fireworks", "launches", "workflows", "fw_id_assigner", "offline_runs")


class CheckpointError(InterfaceflowError):
    """The launchpad's file could not be written; on disk is the state before the change."""


class EmbeddedLaunchPad(LaunchPad):  # type: ignore[misc]
    """FireWorks' LaunchPad on a database in memory, which is written to a file after every change of state.

    The file is replaced atomically, so that on disk there is always the state before a change or the one after it.
    The caller holds the project's lock when it changes anything; reading needs none, the file is never half.

    Parameters
    ----------
    path
        File to load, and to write; a new launchpad where it does not exist.

    Raises
    ------
    DataFileError
        If the file is truncated or damaged.
    """

    def __init__(self, path: Path) -> None:
        # LaunchPad.__init__ connects to a MongoDB server; these are the attributes it would set.
        self.m_logger = logging.getLogger("fireworks.launchpad")
        self.logdir = None
        self.strm_lvl = "CRITICAL"
        self.user_indices: list[str] = []
        self.wf_user_indices: list[str] = []
        self.gridfs_fallback = None
        self.backup_launch_data: dict[int, Any] = {}
        self.backup_fw_data: dict[int, Any] = {}

        self._snapshot = Snapshot(path, "the launchpad")
        self._depth = 0
        stored = self._snapshot.read()
        self.db: Any = mongomock.MongoClient()["launchpad"]
        for name in _COLLECTIONS:
            setattr(self, name, self.db[name])
            if stored and stored[name]:
                self.db[name].insert_many(stored[name])
        if stored is None:
            self._restart_ids(1, 1)

    @contextmanager
    def change(self) -> Iterator[None]:
        """Make everything inside one change: on disk it has happened as a whole or not at all.

        Raises
        ------
        CheckpointError
            If it cannot be written. The launchpad in memory is then ahead of the file: end the process.
        """
        with GATE.held():
            self._depth += 1
            try:
                yield
            finally:
                self._depth -= 1
            if self._depth == 0:
                self._checkpoint()

    def _checkpoint(self) -> None:
        try:
            self._snapshot.write({name: list(self.db[name].find({})) for name in _COLLECTIONS})
        except OSError as error:
            raise CheckpointError(
                f"{self._snapshot.path}: cannot write the launchpad ({error.strerror or error}). "
                "No finished job is lost; make room or make the folder writable, then run the same command again"
            ) from error

    def add_wf(self, wf: Workflow | Firework, reassign_all: bool = True) -> dict[int, int]:  # noqa: FBT001, FBT002
        """Add a workflow."""
        with self.change():
            return dict(super().add_wf(wf, reassign_all))

    def checkout_fw(
        self,
        fworker: FWorker,
        launch_dir: str,
        fw_id: int | None = None,
        host: str | None = None,
        ip: str | None = None,
        state: str = "RUNNING",
    ) -> tuple[Firework, int]:
        """Take a firework to run; FireWorks gives ``None`` for both where there is none."""
        with self.change():
            firework, launch_id = super().checkout_fw(fworker, launch_dir, fw_id, host, ip, state)
            return firework, launch_id

    def complete_launch(self, launch_id: int, action: FWAction | None = None, state: str = "COMPLETED") -> Any:
        """Mark a launch as over and apply what it asks for: new fireworks, ready children."""
        with self.change():
            return super().complete_launch(launch_id, action, state)

    def rerun_fw(
        self,
        fw_id: int,
        rerun_duplicates: bool = True,  # noqa: FBT001, FBT002
        recover_launch: str | int | None = None,
        recover_mode: str | None = None,
    ) -> list[int]:
        """Put a firework and everything after it back to be run."""
        with self.change():
            return list(super().rerun_fw(fw_id, rerun_duplicates, recover_launch, recover_mode))

    def update_spec(self, fw_ids: Sequence[int], spec_document: dict[str, Any], mongo: bool = False) -> None:  # noqa: FBT001, FBT002
        """Change the spec of fireworks that are not running."""
        with self.change():
            super().update_spec(list(fw_ids), spec_document, mongo)

    def ping_launch(self, launch_id: int, ptime: Any = None, checkpoint: Any = None) -> None:
        """Do nothing: the project's lock tells whether the owner is alive."""
