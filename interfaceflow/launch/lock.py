"""One owner per project folder."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from interfaceflow.core.errors import ProjectLockedError, UserInputError
from interfaceflow.core.provenance import host_name

_NETWORK_FILESYSTEMS = ("nfs", "nfs4", "lustre", "gpfs", "beegfs", "cifs", "smb3", "fuse.sshfs", "ceph", "afs")


@contextmanager
def project_lock(folder: Path) -> Iterator[None]:
    """Hold a project folder for this process alone, until the block ends or the process dies.

    The kernel drops the lock with the process, however it ends. Forked children do not inherit it.

    Parameters
    ----------
    folder
        The project's ``.interfaceflow`` folder; it must exist.

    Raises
    ------
    ProjectLockedError
        If another process holds it; the message says which.
    UserInputError
        If the folder cannot be written.
    """
    path = folder / "lock"
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise UserInputError(
            f"{folder}: cannot be written to ({error.strerror}), so nothing in this project can be changed; "
            "make it writable, or copy the project to a folder that is"
        ) from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ProjectLockedError(_held_message(folder, path)) from None
        _held.add(descriptor)
        holder = {"pid": os.getpid(), "host": host_name(), "since": datetime.now(UTC).isoformat(timespec="seconds")}
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(holder).encode(), 0)
        yield
        os.ftruncate(descriptor, 0)
    finally:
        _held.discard(descriptor)
        os.close(descriptor)


def is_in_use(folder: Path) -> bool:
    """Tell whether the process that took the project last still lives; where it is another machine's, it may.

    Parameters
    ----------
    folder
        The project's ``.interfaceflow`` folder.
    """
    import psutil

    try:
        holder = json.loads((folder / "lock").read_text())
        return bool(holder["host"] != host_name() or psutil.pid_exists(holder["pid"]))
    except (OSError, ValueError, KeyError, TypeError):
        return False


def network_filesystem(folder: Path) -> str | None:
    """Return the type of the filesystem a folder is on where it is a network one, on which locks may not hold."""
    try:
        mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    except OSError:
        return None
    resolved = folder.resolve()
    holding = [fields for fields in mounts if resolved.is_relative_to(fields[1])]
    kind = max(holding, key=lambda fields: len(fields[1]))[2] if holding else ""
    return kind if kind in _NETWORK_FILESYSTEMS else None


def _held_message(folder: Path, path: Path) -> str:
    try:
        holder = json.loads(path.read_text())
        who = f"process {holder['pid']} on {holder['host']} (since {holder['since']})"
        stop = f"stop it with Ctrl-C in its terminal or `kill {holder['pid']}`"
    except (OSError, ValueError, KeyError, TypeError):
        who, stop = "another process that has just started", "stop it"
    return (
        f"the project in {folder.parent} is in use by {who}. Wait for it to end, or {stop}; "
        "meanwhile `interfaceflow status`, `query` and `report` work"
    )


def _drop_in_child() -> None:
    """Close the inherited descriptors: a child that outlives a killed owner must not keep the lock."""
    while _held:
        os.close(_held.pop())


_held: set[int] = set()
os.register_at_fork(after_in_child=_drop_in_child)
