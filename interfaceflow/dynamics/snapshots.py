"""Snapshots with velocities, written by LAMMPS as text and read back into a structure's own frame."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from interfaceflow.core.errors import DataFileError
from interfaceflow.dynamics.frame import ASE_VELOCITY_TO_A_PER_PS, FloatArray, LammpsFrame

GRADE: Final = "extrapolation_grade"

_COLUMNS = "id xu yu zu vx vy vz"


@dataclass(frozen=True)
class Snapshot:
    """A configuration on the way.

    Attributes
    ----------
    step
        MD step.
    atoms
        Structure with velocities and the labels of the start; positions are unwrapped.
    grades
        Extrapolation grade of each atom, shape (n_atoms,); absent where the potential has none.
    """

    step: int
    atoms: Atoms
    grades: NDArray[np.float64] | None

    @property
    def largest_grade(self) -> float:
        """Largest grade of its atoms, 0 where the potential has none."""
        return 0.0 if self.grades is None else float(self.grades.max())


def dump_lines(name: str, every: int, grade: str | None, skip: str | None = None) -> list[str]:
    """Return the commands that write snapshots to ``<name>.dump``.

    Parameters
    ----------
    name
        Name of the dump and its file.
    every
        Steps between snapshots.
    grade
        Reference to the per-atom grade, if there is one.
    skip
        LAMMPS formula; a snapshot is left out where it is not zero.
    """
    columns = f"{_COLUMNS} {grade}" if grade else _COLUMNS
    lines = [
        f"dump {name} all custom {every} {name}.dump {columns}",
        f"dump_modify {name} sort id first no format float %.12g",
    ]
    if skip is not None:
        lines += [f'variable {name}_skip equal "{skip}"', f"dump_modify {name} skip v_{name}_skip"]
    return lines


def read_snapshots(path: Path, start: Atoms, frame: LammpsFrame) -> Iterator[Snapshot]:
    """Read snapshots one after the other.

    Parameters
    ----------
    path
        Text dump written by `dump_lines`.
    start
        Structure the run began with: species, labels, order of atoms.
    frame
        LAMMPS' frame of the run.

    Raises
    ------
    DataFileError
        If the file ends within a snapshot, or is not such a dump.
    """
    with path.open() as stream:
        while header := [stream.readline() for _ in range(9)]:
            if not header[0]:
                return
            try:
                yield _read_one(header, [stream.readline().split() for _ in range(len(start))], start, frame)
            except (ValueError, IndexError) as error:
                raise DataFileError(f"{path}: ends within a snapshot or is not one of {len(start)} atoms") from error


def _read_one(header: list[str], rows: list[list[str]], start: Atoms, frame: LammpsFrame) -> Snapshot:
    if int(header[3]) != len(start):
        raise ValueError(header[3])
    values = np.array(rows, dtype=float)
    cell = _cell_of_bounds(np.array([line.split() for line in header[5:8]], dtype=float))
    atoms = start.copy()
    atoms.set_cell(frame.cell_from_lammps(cell))
    atoms.set_positions(frame.from_lammps(values[:, 1:4]))
    atoms.set_velocities(frame.from_lammps(values[:, 4:7]) / ASE_VELOCITY_TO_A_PER_PS)
    return Snapshot(int(header[1]), atoms, values[:, 7] if values.shape[1] > 7 else None)


def _cell_of_bounds(bounds: FloatArray) -> FloatArray:
    """Return the lower triangular cell of LAMMPS' ``BOX BOUNDS``, shape (3, 2), or (3, 3) with tilts xy, xz, yz."""
    xy, xz, yz = bounds[:, 2] if bounds.shape[1] == 3 else (0.0, 0.0, 0.0)
    lengths = bounds[:, 1] - bounds[:, 0]
    lengths[0] -= max(0.0, xy, xz, xy + xz) - min(0.0, xy, xz, xy + xz)
    lengths[1] -= max(0.0, yz) - min(0.0, yz)
    return np.array([[lengths[0], 0.0, 0.0], [xy, lengths[1], 0.0], [xz, yz, lengths[2]]])
