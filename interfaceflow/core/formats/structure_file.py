"""Structures as extended XYZ files that keep every label."""

from __future__ import annotations

from collections.abc import Sequence
from io import StringIO
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.io import read, write

from interfaceflow.core.errors import DataFileError
from interfaceflow.core.files import write_atomically


def write_structure(atoms: Atoms, path: Path) -> None:
    """Write a structure, its labels and momenta to an extended XYZ file, atomically.

    Calculators and constraints are left out.
    """
    write_structures([atoms], path)


def write_structures(frames: Sequence[Atoms], path: Path) -> None:
    """Write structures, one after another, as `write_structure` writes one."""
    buffer = StringIO()
    for atoms in frames:
        bare = atoms.copy()
        bare.calc = None
        bare.set_constraint()
        write(buffer, bare, format="extxyz")
    write_atomically(path, buffer.getvalue())


def read_structure(path: Path) -> Atoms:
    """Read the first structure of an extended XYZ file.

    Raises
    ------
    DataFileError
        If the file is absent, truncated or not extended XYZ.
    """
    return read_structures(path)[0]


def read_structures(path: Path) -> list[Atoms]:
    """Read all structures of an extended XYZ file.

    Raises
    ------
    DataFileError
        If the file is absent, empty, truncated or not extended XYZ.
    """
    try:
        frames = read(path, index=":", format="extxyz")
    except FileNotFoundError:
        raise DataFileError(f"{path}: no such file") from None
    except Exception as error:
        raise DataFileError(f"{path}: not a readable extended XYZ file ({error})") from error
    if not frames:
        raise DataFileError(f"{path}: holds no structure")
    for atoms in frames:
        if not np.isfinite(atoms.positions).all() or not np.isfinite(np.asarray(atoms.cell)).all():
            raise DataFileError(f"{path}: holds positions or cell vectors that are not numbers")
    return list(frames)
