"""Labelled configurations as extended XYZ files."""

from __future__ import annotations

import os
from collections.abc import Iterable
from io import StringIO
from pathlib import Path

from ase.io import write

from interfaceflow.core.files import open_atomically
from interfaceflow.core.formats.structure_file import read_structures
from interfaceflow.core.labelled import LabelledConfiguration


def write_labelled(configurations: Iterable[LabelledConfiguration], path: Path) -> None:
    """Write labelled configurations to an extended XYZ file, one by one and atomically.

    Energies in eV, forces in eV/Å, stress in eV/Å3 with ASE's sign; ``ase.io.read`` finds them on each frame's
    calculator.
    """
    with open_atomically(path) as stream:
        for configuration in configurations:
            text = StringIO()
            write(text, configuration.to_atoms(), format="extxyz")
            stream.write(text.getvalue().encode())


def append_labelled(configuration: LabelledConfiguration, path: Path) -> None:
    """Add a labelled configuration to the end of an extended XYZ file, and wait until it is on disk."""
    buffer = StringIO()
    write(buffer, configuration.to_atoms(), format="extxyz")
    with path.open("a") as stream:
        stream.write(buffer.getvalue())
        stream.flush()
        os.fsync(stream.fileno())


def read_labelled(path: Path) -> list[LabelledConfiguration]:
    """Read all labelled configurations of an extended XYZ file.

    Raises
    ------
    DataFileError
        If the file is absent, empty, truncated, not extended XYZ, or a frame has no label.
    """
    return [
        LabelledConfiguration.from_atoms(atoms, f"{path}, frame {i}") for i, atoms in enumerate(read_structures(path))
    ]
