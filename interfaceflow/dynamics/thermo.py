"""The numbers that LAMMPS prints while it runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from interfaceflow.core.errors import ExternalProgramError


@dataclass(frozen=True)
class Thermo:
    """Columns of thermodynamic output.

    Attributes
    ----------
    names
        LAMMPS' column headings, in order.
    rows
        Values in LAMMPS' units ``metal``, shape (n_rows, n_columns).
    """

    names: tuple[str, ...]
    rows: NDArray[np.float64]

    def column(self, name: str) -> NDArray[np.float64]:
        """Return one column, shape (n_rows,)."""
        return self.rows[:, self.names.index(name)]


def read_thermo(log: Path) -> Thermo:
    """Read the output of the last run in a LAMMPS log file, also while it is being written.

    Raises
    ------
    ExternalProgramError
        If the log holds no output of a run.
    """
    names: tuple[str, ...] = ()
    rows: list[list[float]] = []
    for line in log.read_text(errors="replace").splitlines():
        words = line.split()
        if words[:1] == ["Step"]:
            names, rows = tuple(words), []
        elif names and len(words) == len(names) and _is_number(words[0]):
            rows.append([float(word) for word in words])
    if not rows:
        raise ExternalProgramError(f"{log}: LAMMPS printed no results; the end of this file says why")
    return Thermo(names, np.array(rows))


def last_step(text: str) -> int | None:
    """Return the step of the last whole line of output in a piece of a log file."""
    for line in reversed(text.splitlines()[:-1]):
        words = line.split()
        if len(words) > 2 and words[0].isdigit() and all(map(_is_number, words)):
            return int(words[0])
    return None


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True
