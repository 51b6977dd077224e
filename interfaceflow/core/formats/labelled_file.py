"""Labelled configurations as extended XYZ files."""

from __future__ import annotations

from collections.abc import Iterable
from io import StringIO
from pathlib import Path

from ase.io import read, write

from interfaceflow.core.errors import DataFileError
from interfaceflow.core.files import write_atomically
from interfaceflow.core.labelled import LabelledConfiguration


def write_labelled(configurations: Iterable[LabelledConfiguration], path: Path) -> None:
    """Write labelled configurations to an extended XYZ file, atomically.

    Energies in eV, forces in eV/Å, stress in eV/Å3 with ASE's sign; ``ase.io.read`` finds them on each frame's
    calculator.
    """
    buffer = StringIO()
    for configuration in configurations:
        write(buffer, configuration.to_atoms(), format="extxyz")
    write_atomically(path, buffer.getvalue())


def read_labelled(path: Path) -> list[LabelledConfiguration]:
    """Read all labelled configurations of an extended XYZ file.

    Raises
    ------
    DataFileError
        If the file is absent, empty, truncated, not extended XYZ, or a frame has no label.
    """
    try:
        frames = read(path, index=":", format="extxyz")
    except FileNotFoundError:
        raise DataFileError(f"{path}: no such file") from None
    except Exception as error:
        raise DataFileError(f"{path}: not a readable extended XYZ file ({error})") from error
    if not frames:
        raise DataFileError(f"{path}: holds no configuration")
    return [LabelledConfiguration.from_atoms(atoms, f"{path}, frame {i}") for i, atoms in enumerate(frames)]
