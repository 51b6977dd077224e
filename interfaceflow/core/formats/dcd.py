"""DCD trajectories as LAMMPS writes them (``dump dcd`` with ``dump_modify unwrap yes``), read as a stream.

A DCD file is a header and frames of equal size: the cell as three lengths and three cosines (float64), then all x,
all y and all z coordinates (float32), each in a record between two byte counts. The frames are memory-mapped, so a
file larger than the memory is read in bounded pieces.

LAMMPS writes atoms in order of their ids and the cell in its own frame: the first vector along x, the second in the
xy-plane. The file knows neither species nor labels; they are in the sidecar beside it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from interfaceflow.core.errors import DataFileError

DEFAULT_CHUNK_BYTES: Final = 64 * 1024 * 1024

_HEADER_RECORD = 84
_CELL_RECORD = 48
_MARKERS = ("cell_begin", "cell_end", "x_begin", "x_end", "y_begin", "y_end", "z_begin", "z_end")


@dataclass(frozen=True)
class Frames:
    """A piece of a trajectory.

    Attributes
    ----------
    positions
        Unwrapped positions [Å], shape (n_frames, n_atoms, 3), float32.
    cells
        Cell vectors as rows [Å], shape (n_frames, 3, 3).
    """

    positions: NDArray[np.float32]
    cells: NDArray[np.float64]


@dataclass(frozen=True)
class DcdFile:
    """One DCD file whose header and size were checked.

    Attributes
    ----------
    path
        The file.
    n_atoms, n_frames
        Atoms, and whole frames.
    first_step, step_interval
        MD step of the first frame, and steps between frames.
    offset
        Bytes before the first frame.
    """

    path: Path
    n_atoms: int
    n_frames: int
    first_step: int
    step_interval: int
    offset: int

    @property
    def last_step(self) -> int:
        """MD step of the last frame."""
        return self.first_step + (self.n_frames - 1) * self.step_interval

    def read(self, start: int = 0, stop: int | None = None) -> Frames:
        """Read frames ``start`` to ``stop`` (excluded) into memory.

        Raises
        ------
        DataFileError
            If a frame in this range is damaged.
        """
        stop = self.n_frames if stop is None else min(stop, self.n_frames)
        if stop <= start:
            return Frames(np.empty((0, self.n_atoms, 3), np.float32), np.empty((0, 3, 3)))
        kind = _frame_type(self.n_atoms)
        raw = np.memmap(self.path, kind, "r", self.offset + start * kind.itemsize, shape=(stop - start,))
        self._check_markers(raw, start)
        positions = np.stack([raw["x"], raw["y"], raw["z"]], axis=-1)
        return Frames(positions, _cells_from_lengths_and_cosines(np.array(raw["cell"])))

    def _check_markers(self, raw: NDArray[Any], start: int) -> None:
        for marker in _MARKERS:
            expected = _CELL_RECORD if marker.startswith("cell") else 4 * self.n_atoms
            wrong = np.flatnonzero(raw[marker] != expected)
            if len(wrong):
                raise DataFileError(
                    f"{self.path}: frame {start + int(wrong[0])} of {self.n_frames} is damaged; "
                    "rerun the segment that wrote this file"
                )


@dataclass(frozen=True)
class DcdTrajectory:
    """Several DCD files read as one: each frame once, also where one file ends on the frame the next begins with.

    Examples
    --------
    >>> trajectory = open_trajectory([Path("segment-000.dcd"), Path("segment-001.dcd")])   # doctest: +SKIP
    >>> for frames in trajectory.chunks():                                                 # doctest: +SKIP
    ...     frames.positions.shape
    """

    files: tuple[DcdFile, ...]
    skipped: tuple[int, ...]

    @property
    def n_atoms(self) -> int:
        """Number of atoms."""
        return self.files[0].n_atoms

    @property
    def n_frames(self) -> int:
        """Number of frames, each counted once."""
        return sum(file.n_frames - skip for file, skip in zip(self.files, self.skipped, strict=True))

    def chunks(self, max_bytes: int = DEFAULT_CHUNK_BYTES) -> Iterator[Frames]:
        """Yield all frames in order, in pieces whose positions take at most about ``max_bytes``."""
        n_at_once = max(1, max_bytes // (12 * self.n_atoms))
        for file, skip in zip(self.files, self.skipped, strict=True):
            for start in range(skip, file.n_frames, n_at_once):
                yield file.read(start, start + n_at_once)


def open_dcd(path: Path) -> DcdFile:
    """Open a DCD file and check that it is whole.

    Parameters
    ----------
    path
        A DCD file with a unit cell in each frame and no fixed atoms.

    Raises
    ------
    DataFileError
        If the file is absent, not such a DCD file, or ends within a frame.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as stream:
            first_step, step_interval, n_promised, n_atoms, offset = _read_header(stream.read(4096), path)
    except OSError as error:
        raise DataFileError(f"{path}: cannot be read ({error.strerror})") from error
    frame_bytes = _frame_type(n_atoms).itemsize
    n_frames, remainder = divmod(size - offset, frame_bytes)
    if remainder or n_frames < n_promised:
        raise DataFileError(
            f"{path}: truncated; it holds {n_frames} whole frames of {n_atoms} atoms"
            + (f" where its header promises {n_promised}" if n_frames < n_promised else "")
            + (f", then {remainder} of the {frame_bytes} bytes of another" if remainder else "")
            + "; rerun the segment that wrote it"
        )
    return DcdFile(path, n_atoms, n_frames, first_step, step_interval, offset)


def open_trajectory(paths: Sequence[Path]) -> DcdTrajectory:
    """Open the segments of one run as one trajectory.

    Parameters
    ----------
    paths
        DCD files in order of time.

    Raises
    ------
    DataFileError
        If no file is given, one cannot be read, or two do not follow each other: another number of atoms,
        another interval, or steps missing in between.
    """
    files = tuple(open_dcd(path) for path in paths)
    if not files:
        raise DataFileError("no DCD file was given; a trajectory needs at least one")
    skipped = [0]
    for before, after in pairwise(files):
        if (after.n_atoms, after.step_interval) != (before.n_atoms, before.step_interval):
            raise DataFileError(
                f"{after.path}: {after.n_atoms} atoms every {after.step_interval} steps does not go on from "
                f"{before.path} with {before.n_atoms} atoms every {before.step_interval}; give segments of one run"
            )
        overlap, rest = divmod(before.last_step - after.first_step + before.step_interval, before.step_interval)
        if rest or overlap not in (0, 1):
            raise DataFileError(
                f"{after.path}: begins at step {after.first_step}, but {before.path} ends at {before.last_step} "
                f"with frames every {before.step_interval} steps; a segment is missing or out of order"
            )
        skipped.append(overlap)
    return DcdTrajectory(files, tuple(skipped))


def _read_header(head: bytes, path: Path) -> tuple[int, int, int, int, int]:
    """Return first step, steps between frames, promised frames, atoms, and the bytes before the first frame."""
    foreign = DataFileError(
        f"{path}: not a DCD file as LAMMPS writes it (little-endian, a unit cell in each frame, no fixed atoms); "
        "use `dump dcd` with `dump_modify unwrap yes`"
    )
    try:
        marker, magic = struct.unpack_from("<i4s", head, 0)
        control = struct.unpack_from("<20i", head, 8)
        (title_bytes,) = struct.unpack_from("<i", head, 8 + _HEADER_RECORD)
        at = 8 + _HEADER_RECORD + 4 + title_bytes
        title_end, atoms_begin, n_atoms, atoms_end = struct.unpack_from("<4i", head, at)
    except struct.error:
        raise foreign from None
    n_frames, first_step, step_interval, n_fixed, has_cell, is_4d = (control[i] for i in (0, 1, 2, 8, 10, 11))
    well_formed = (marker, magic, title_end, atoms_begin, atoms_end) == (_HEADER_RECORD, b"CORD", title_bytes, 4, 4)
    if not well_formed or n_atoms < 1 or step_interval < 1 or n_fixed or not has_cell or is_4d:
        raise foreign
    return first_step, step_interval, n_frames, n_atoms, at + 16


def _frame_type(n_atoms: int) -> np.dtype[Any]:
    """Return the layout of one frame."""
    record = [("cell_begin", "<i4"), ("cell", "<f8", (6,)), ("cell_end", "<i4")]
    for axis in "xyz":
        record += [(f"{axis}_begin", "<i4"), (axis, "<f4", (n_atoms,)), (f"{axis}_end", "<i4")]
    return np.dtype(record)


def _cells_from_lengths_and_cosines(raw: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return cell vectors as rows, shape (n, 3, 3), from (a, cos gamma, b, cos beta, cos alpha, c), shape (n, 6).

    The first vector is along x, the second in the xy-plane with y > 0, the third has z > 0.
    """
    a, cos_gamma, b, cos_beta, cos_alpha, c = raw.T
    cells = np.zeros((len(raw), 3, 3))
    cells[:, 0, 0] = a
    cells[:, 1, 0] = b * cos_gamma
    cells[:, 1, 1] = np.sqrt(b**2 - cells[:, 1, 0] ** 2)
    cells[:, 2, 0] = c * cos_beta
    cells[:, 2, 1] = (b * c * cos_alpha - cells[:, 1, 0] * cells[:, 2, 0]) / cells[:, 1, 1]
    cells[:, 2, 2] = np.sqrt(c**2 - cells[:, 2, 0] ** 2 - cells[:, 2, 1] ** 2)
    return cells
