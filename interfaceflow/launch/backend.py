"""Where flows are kept: the project's own folder, or a MongoDB."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from fireworks import LaunchPad

from interfaceflow.core.errors import UserInputError
from interfaceflow.core.files import PROJECT_FOLDER
from interfaceflow.launch.embedded import EmbeddedLaunchPad
from interfaceflow.launch.lock import project_lock
from interfaceflow.store.interrupts import GATE
from interfaceflow.store.project import (
    MONGODB_VARIABLE,
    ProjectStore,
    database_of,
    file_store,
    find_project_folder,
    mongodb_store,
)

MAX_EMBEDDED_FIREWORKS = 500


class ServerLaunchPad(LaunchPad):  # type: ignore[misc]
    """A launchpad on a MongoDB server, which keeps every change by itself."""

    def __init__(self, uri: str) -> None:
        super().__init__(host=uri, name=database_of(uri), uri_mode=True, strm_lvl="CRITICAL")
        if self.fw_id_assigner.count_documents({}) == 0:
            self._restart_ids(1, 1)

    def change(self) -> AbstractContextManager[None]:
        """Group changes; the server keeps each one as it comes."""
        return nullcontext()


@dataclass(frozen=True)
class Backend:
    """A project's launchpad and stores.

    Attributes
    ----------
    root
        The project's root.
    launchpad
        FireWorks launchpad.
    store
        Outputs and flow records.
    """

    root: Path
    launchpad: EmbeddedLaunchPad | ServerLaunchPad
    store: ProjectStore

    @property
    def folder(self) -> Path:
        """The project's ``.interfaceflow`` folder."""
        return self.root / PROJECT_FOLDER


@contextmanager
def own_project(root: Path) -> Iterator[Backend]:
    """Open a project to change it, alone: creates its folder, takes its lock, holds back signals.

    Raises
    ------
    ProjectLockedError
        If another process holds the project.
    DataFileError
        If a file of the project is truncated or damaged.
    UserInputError
        If the folder cannot be written.
    """
    folder = root / PROJECT_FOLDER
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise UserInputError(f"{folder}: cannot be created ({error.strerror}); use a folder you may write to") from None
    with project_lock(folder), GATE.installed():
        yield _open(root)


def look_at_project(root: Path) -> Backend:
    """Open a project to read it; works while a run is going on, and shows its last written state.

    Raises
    ------
    UserInputError
        If there is no project in that folder.
    DataFileError
        If a file of the project is truncated or damaged.
    """
    if not os.environ.get(MONGODB_VARIABLE):
        find_project_folder(root)
    return _open(root)


def _open(root: Path) -> Backend:
    uri = os.environ.get(MONGODB_VARIABLE)
    if uri:
        store = mongodb_store(uri)
        launchpad: EmbeddedLaunchPad | ServerLaunchPad = ServerLaunchPad(uri)
    else:
        folder = root / PROJECT_FOLDER
        store = file_store(folder)
        launchpad = EmbeddedLaunchPad(folder / "launchpad.json")
    store.outputs.connect()
    store.flows.connect()
    return Backend(root, launchpad, store)
