"""A file that holds the whole of something and is replaced as a whole, so that no kill can tear it."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

from interfaceflow.core.errors import DataFileError
from interfaceflow.core.files import write_atomically

_FORMAT = "interfaceflow snapshot"
_VERSION = 1


class Snapshot:
    """A JSON document on disk with a check sum, replaced atomically, its last state kept beside it.

    The first line is a header with the SHA-256 of the rest. Before each write the present file becomes
    ``<name>.bak``, so there is always one good copy, one change old at most.

    Parameters
    ----------
    path
        The file; its folder must exist when `write` is called.
    contents
        What it holds, in words, for messages.

    Examples
    --------
    >>> snapshot = Snapshot(Path("launchpad.json"), "the launchpad")   # doctest: +SKIP
    >>> snapshot.write({"fireworks": []})                              # doctest: +SKIP
    >>> snapshot.read()                                                # doctest: +SKIP
    {'fireworks': []}
    """

    def __init__(self, path: Path, contents: str) -> None:
        self.path = path
        self._contents = contents

    @property
    def backup(self) -> Path:
        """Where the state before the last change is kept."""
        return self.path.with_name(f"{self.path.name}.bak")

    def read(self) -> Any:
        """Return what was written last, or ``None`` where nothing was ever written.

        Raises
        ------
        DataFileError
            If the file is truncated, damaged, or gone while its backup is there. Nothing is changed.
        """
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            if self.backup.exists():
                raise DataFileError(
                    f"{self.path}: {self._contents} is gone, but its previous state is there. {self._way_back()}"
                ) from None
            return None
        return self._parse(data, self.path)

    def write(self, payload: Any) -> None:
        """Replace the content; a reader, or a kill in between, finds the old one or the new.

        Raises
        ------
        OSError
            If the file cannot be written; the old content is still in place.
        """
        from bson import json_util

        body = json.dumps(payload, default=json_util.default, separators=(",", ":")) + "\n"
        header = {"format": _FORMAT, "version": _VERSION, "sha256": hashlib.sha256(body.encode()).hexdigest()}
        self._keep_previous()
        write_atomically(self.path, f"{json.dumps(header)}\n{body}")
        _sync_folder(self.path.parent)

    def _keep_previous(self) -> None:
        if not self.path.exists():
            return
        spare = self.path.with_name(f".{self.path.name}.bak")
        spare.unlink(missing_ok=True)
        try:
            spare.hardlink_to(self.path)
        except OSError:
            shutil.copyfile(self.path, spare)
        spare.replace(self.backup)

    def _parse(self, data: bytes, path: Path) -> Any:
        from bson import json_util

        first, _, body = data.partition(b"\n")
        try:
            header = json.loads(first)
            if header["format"] != _FORMAT or header["version"] != _VERSION:
                raise ValueError(f"unknown format {header['format']!r}, version {header['version']!r}")
            if hashlib.sha256(body).hexdigest() != header["sha256"]:
                raise ValueError("its check sum does not fit its content")
            return json.loads(body, object_hook=json_util.object_hook)
        except (ValueError, KeyError, TypeError) as error:
            raise DataFileError(
                f"{path}: {self._contents} is truncated or damaged ({len(data)} bytes; {error}). "
                f"Nothing was changed. {self._way_back()}"
            ) from None

    def _way_back(self) -> str:
        if not self._backup_is_good():
            return (
                f"There is no good copy beside it: restore {self.path.name} from a backup of yours, or move the "
                f"folder {self.path.parent} away and start afresh"
            )
        return (
            f"The state before its last change is intact; to go back to it:\n"
            f"    cp {self.backup} {self.path}\nand run the same command again"
        )

    def _backup_is_good(self) -> bool:
        try:
            data = self.backup.read_bytes()
            first, _, body = data.partition(b"\n")
            return bool(hashlib.sha256(body).hexdigest() == json.loads(first)["sha256"])
        except (OSError, ValueError, KeyError, TypeError):
            return False


def _sync_folder(folder: Path) -> None:
    """Make a rename survive a power failure."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
