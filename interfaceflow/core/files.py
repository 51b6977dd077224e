"""Files of a project: where they are, how they are written, and how a document points to them."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from pydantic import BaseModel, ConfigDict, Field

from interfaceflow.core.errors import DataFileError

PROJECT_ROOT_VARIABLE = "INTERFACEFLOW_PROJECT"
PROJECT_FOLDER = ".interfaceflow"


def project_root() -> Path:
    """Return the project's root: ``$INTERFACEFLOW_PROJECT``, or the current folder."""
    return Path(os.environ.get(PROJECT_ROOT_VARIABLE) or Path.cwd()).resolve()


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's content, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write a file so that a reader, or a kill in between, finds the old content or the new, never half.

    Parameters
    ----------
    path
        File to replace; its folder must exist.
    content
        Text (written as UTF-8) or bytes.
    """
    with open_atomically(path) as stream:
        stream.write(content.encode() if isinstance(content, str) else content)


@contextmanager
def open_atomically(path: Path) -> Iterator[BinaryIO]:
    """Open a file to write it piece by piece; it takes the place of the old one when the block ends without an error.

    Parameters
    ----------
    path
        File to replace; its folder must exist. A device or a pipe is written to as it is: replacing ``/dev/null`` by
        a file, which root may do, would break every other program of the machine.
    """
    if path.exists() and not path.is_file():
        with path.open("wb") as stream:
            yield stream
        return
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


class FileRef(BaseModel):
    """A file of the project: where it is and what it holds. Documents store this, never the content."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    uri: str = Field(description="Path relative to the project's root, with forward slashes")
    sha256: str = Field(description="SHA-256 of the content, hexadecimal")
    n_bytes: int = Field(ge=0, description="Size in bytes")

    @classmethod
    def of(cls, path: Path) -> FileRef:
        """Describe an existing file inside the project.

        Raises
        ------
        DataFileError
            If the file is absent or lies outside the project's root.
        """
        path = path.resolve()
        if not path.is_file():
            raise DataFileError(f"{path}: no such file")
        try:
            uri = path.relative_to(project_root()).as_posix()
        except ValueError:
            raise DataFileError(
                f"{path}: outside the project folder {project_root()}; copy it into the project first"
            ) from None
        return cls(uri=uri, sha256=sha256_of(path), n_bytes=path.stat().st_size)

    def path(self) -> Path:
        """Return the absolute path, after checking that the file is there and unchanged.

        Raises
        ------
        DataFileError
            If the file is gone, or its content is not what was stored.
        """
        path = project_root() / self.uri
        if not path.is_file():
            raise DataFileError(
                f"{path}: this file of the project is gone; rerun the job that wrote it, or change to the project's "
                f"folder (or name it in ${PROJECT_ROOT_VARIABLE}) if this is not it"
            )
        if path.stat().st_size != self.n_bytes or sha256_of(path) != self.sha256:
            raise DataFileError(
                f"{path}: the content has changed since it was stored "
                f"(expected SHA-256 {self.sha256[:12]}..., {self.n_bytes} bytes, found {path.stat().st_size}); "
                "restore the file or rerun the job that wrote it"
            )
        return path
