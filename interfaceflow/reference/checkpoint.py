"""What long calculations leave behind, so that they go on where they were stopped."""

from __future__ import annotations

import hashlib
import io
import json
import os
import time
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from interfaceflow.core.errors import DataFileError
from interfaceflow.core.files import write_atomically
from interfaceflow.core.formats.labelled_file import append_labelled, read_labelled
from interfaceflow.core.labelled import LabelledConfiguration

Array = NDArray[np.float64]

CHECKPOINT_INTERVAL_S: Final = 30.0


def calculation_identity(atoms: Atoms, *conditions: object) -> str:
    """Return a short hash of a configuration and of what is to be done with it: the name of its checkpoint.

    Parameters
    ----------
    atoms
        The configuration; positions and cell count to 1e-6 Å.
    conditions
        Everything else that decides what comes out; their text counts.
    """
    arrays = [atoms.numbers, atoms.cell.array.round(6), atoms.positions.round(6)]
    text = " ".join(map(str, (atoms.info.get("charge_e", 0.0), *conditions)))
    return hashlib.sha256(text.encode() + b"".join(array.tobytes() for array in arrays)).hexdigest()[:12]


def save_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write named arrays, atomically."""
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    write_atomically(path, buffer.getvalue())


def load_arrays(path: Path) -> dict[str, NDArray[Any]] | None:
    """Read named arrays, or return None where there are none, or none that can be read."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            return dict(stored)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile):
        return None


@dataclass(frozen=True)
class SamplingState:
    """A run of molecular dynamics after some step.

    Attributes
    ----------
    step
        Number of steps done.
    positions
        Shape (n_atoms, 3), Å.
    momenta
        Shape (n_atoms, 3), ASE's units.
    generator_state
        State of the random numbers that the thermostat draws.
    frames
        The frames kept so far.
    """

    step: int
    positions: Array
    momenta: Array
    generator_state: dict[str, Any]
    frames: list[LabelledConfiguration]


class SamplingCheckpoint:
    """Two files: the state at some step, and the frames kept so far, of which only as many count as the state knows.

    Parameters
    ----------
    path
        File of the state; that of the frames is beside it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._frames_path = path.with_suffix(".frames.xyz")
        self._written = time.monotonic()

    def is_due(self) -> bool:
        """Tell whether much has been computed since the state was stored: steps can be dear, and frames far apart."""
        return time.monotonic() - self._written >= CHECKPOINT_INTERVAL_S

    def read(self) -> SamplingState | None:
        """Return where the run was stopped, or None where it has to begin anew."""
        stored = load_arrays(self._path)
        if stored is None:
            self.remove()
            return None
        try:
            n_bytes = int(stored["n_bytes"])
            if n_bytes:
                os.truncate(self._frames_path, n_bytes)
            frames = read_labelled(self._frames_path) if n_bytes else []
        except (OSError, DataFileError):
            self.remove()
            return None
        return SamplingState(
            int(stored["step"]), stored["positions"], stored["momenta"], json.loads(str(stored["generator"])), frames
        )

    def write(
        self, step: int, atoms: Atoms, generator: np.random.Generator, frame: LabelledConfiguration | None = None
    ) -> None:
        """Store the state, and the frame that was taken in it, if there is one.

        Parameters
        ----------
        step
            Number of steps done.
        atoms
            Positions and momenta after them.
        generator
            Random numbers of the thermostat.
        frame
            The frame to add.
        """
        if frame is not None:
            append_labelled(frame, self._frames_path)
        save_arrays(
            self._path,
            {
                "step": np.array(step),
                "positions": atoms.positions,
                "momenta": atoms.get_momenta(),
                "generator": np.array(json.dumps(generator.bit_generator.state)),
                "n_bytes": np.array(self._frames_path.stat().st_size if self._frames_path.exists() else 0),
            },
        )
        self._written = time.monotonic()

    def remove(self) -> None:
        """Remove both files."""
        self._path.unlink(missing_ok=True)
        self._frames_path.unlink(missing_ok=True)
