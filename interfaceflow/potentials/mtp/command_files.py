"""Files and streams of the commands of ``interfaceflow-mlp``."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from interfaceflow.core.errors import DataFileError, UserInputError
from interfaceflow.core.files import write_atomically
from interfaceflow.potentials.mtp._native import Configuration, read_configurations


def say(line: str) -> None:
    """Write a line to standard output at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def write_output(path: Path, content: str | bytes) -> None:
    """Write a file atomically; a place that cannot be written to is the user's to change."""
    try:
        write_atomically(path, content)
    except OSError as problem:
        raise UserInputError(f"{path}: cannot be written: {problem.strerror}; choose another place") from problem


def refuse_unwritable(path: Path) -> None:
    """Refuse a place that cannot be written to before anything is computed."""
    if path.is_dir() or not path.parent.is_dir():
        raise UserInputError(f"{path}: cannot be written: {'a folder' if path.is_dir() else 'no such folder'}")


def read_set(path: str) -> list[Configuration]:
    """Read a ``.cfg`` file and refuse it if it holds nothing."""
    configurations = read_configurations(path)
    if not any(len(configuration) for configuration in configurations):
        raise DataFileError(f"{path}: there is no configuration in this file")
    return configurations


@contextmanager
def opened_log(name: str) -> Iterator[TextIO | None]:
    """Yield the stream that ``--log`` names: a file, stdout, stderr, or None for none."""
    match name:
        case "stdout":
            yield sys.stdout
        case "stderr":
            yield sys.stderr
        case "none":
            yield None
        case _:
            try:
                stream = Path(name).open("w", encoding="utf-8")  # noqa: SIM115 - closed below, after its own error
            except OSError as problem:
                raise UserInputError(f"--log={name}: cannot be written: {problem.strerror}") from problem
            with stream:
                yield stream
