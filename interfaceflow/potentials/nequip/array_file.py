"""NumPy archives without pickles, written atomically: what grades keep beside a network."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interfaceflow.core.errors import DataFileError
from interfaceflow.core.files import write_atomically

Arrays = dict[str, NDArray[Any]]


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write arrays by name to a ``.npz`` file."""
    buffer = BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    write_atomically(path, buffer.getvalue())


def read_arrays(path: Path, names: tuple[str, ...], what: str) -> Arrays:
    """Read the named arrays of a ``.npz`` file.

    Parameters
    ----------
    path
        The file.
    names
        Arrays it has to hold.
    what
        What to call it in an error message: ``"active set of a network"``.

    Raises
    ------
    DataFileError
        If it is absent, damaged, or lacks one of them.
    """
    try:
        with np.load(BytesIO(path.read_bytes()), allow_pickle=False) as stored:
            return {name: stored[name] for name in names}
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as problem:
        raise DataFileError(
            f"{path}: no {what}, or damaged ({problem}); make it again from the training set"
        ) from problem
