"""Mean squared displacement by atom and axis, in one pass over a trajectory and with bounded memory.

The lags are 1 to 16 frames, then 9 to 16 times 2, 4, 8, ... frames: eight an octave. For lags that are
multiples of 2^l only every 2^l-th frame is a time origin, so the last 16 of those frames are all that has to be
remembered: 16 x log2(n_frames) frames instead of the trajectory. 8,320 atoms over 100,000 frames take 150 MB, whatever
the length of the file.

Displacements are added up from frame to frame as minimum images ("toroidal-view-preserving" unwrapping,
S. von Bülow, J. T. Bullerjahn and G. Hummer, doi:10.1063/5.0008316), so wrapped and unwrapped positions give the
same result, and so does a cell whose vectors fluctuate: an old displacement is never rescaled.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from interfaceflow.core.errors import CalculationError

_RING = 16
_LARGEST_STEP = 0.4  # of the cell, between frames; beyond, the nearest image may be the wrong one


@dataclass(frozen=True)
class DriftGroup:
    """Atoms that move as one body, and those of them that tell how it moves.

    Attributes
    ----------
    members
        Indices of all its atoms, shape (n_members,).
    references
        Indices of the atoms whose mean displacement is the body's drift, shape (n_references,): the framework
        (the atoms that are not mobile) where there is one, and all atoms of an elemental metal.
    """

    members: NDArray[np.intp]
    references: NDArray[np.intp]


@dataclass(frozen=True)
class AtomicMsd:
    """Time-averaged squared displacements of single atoms.

    Attributes
    ----------
    lags
        Lags, in frames, increasing, shape (n_lags,).
    n_origins
        Time origins averaged over, shape (n_lags,).
    squared
        Mean squared displacement of each atom along two orthogonal directions in the interface plane and along
        the normal [Å2], shape (n_lags, n_atoms, 3).
    n_frames
        Frames seen.
    """

    lags: NDArray[np.intp]
    n_origins: NDArray[np.intp]
    squared: NDArray[np.float64]
    n_frames: int

    def in_plane(self) -> NDArray[np.float64]:
        """Return the two-dimensional MSD of each atom in the interface plane [Å2], shape (n_lags, n_atoms)."""
        return self.squared[:, :, 0] + self.squared[:, :, 1]

    def out_of_plane(self) -> NDArray[np.float64]:
        """Return the MSD of each atom along the normal [Å2], shape (n_lags, n_atoms)."""
        return self.squared[:, :, 2]


def stream_msd(
    frames: Iterable[tuple[NDArray[np.floating], NDArray[np.floating]]],
    *,
    selected: NDArray[np.intp],
    drift_groups: Sequence[DriftGroup],
    normal_axis: int,
) -> AtomicMsd:
    """Compute the MSD of selected atoms in one pass.

    Parameters
    ----------
    frames
        Positions, shape (n_atoms, 3) [Å], wrapped or not, and cell vectors as rows, shape (3, 3) [Å], equally spaced
        in time.
    selected
        Indices of the atoms whose MSD is wanted, shape (n_selected,).
    drift_groups
        Bodies whose drift is taken out, each by its own references, so that the slide of one slab along another is
        not mistaken for diffusion. An atom in no group keeps its displacement.
    normal_axis
        Cell vector along the interface normal: the normal is the cross product of the other two.

    Raises
    ------
    CalculationError
        If an atom moves by more than 0.4 of the cell between two frames, so that its path is ambiguous.
    """
    path = _UnwrappedPath(normal_axis)
    levels: list[_Level] = []
    n_frames = 0
    for positions, cell in frames:
        displacements = path.follow(np.asarray(positions, dtype=float), np.asarray(cell, dtype=float))
        for group in drift_groups:
            displacements[group.members] -= path.total[group.references].mean(axis=0)
        current = displacements[selected]
        for depth in range(_trailing_zeros(n_frames) + 1):
            if depth == len(levels):
                levels.append(_Level(depth, len(selected), levels))
            levels[depth].add(current)
        n_frames += 1
    return _collect(levels, len(selected), n_frames)


def _trailing_zeros(number: int) -> int:
    """Count how often a frame's number can be halved; the first frame starts no level but the lowest."""
    return (number & -number).bit_length() - 1 if number else 0


class _UnwrappedPath:
    """Displacements since the first frame, in axes (in-plane, in-plane, normal)."""

    def __init__(self, normal_axis: int) -> None:
        self._normal_axis = normal_axis
        self._previous: NDArray[np.float64] | None = None
        self._axes: NDArray[np.float64] = np.eye(3)
        self.total: NDArray[np.float64] = np.zeros((0, 3))

    def follow(self, positions: NDArray[np.float64], cell: NDArray[np.float64]) -> NDArray[np.float64]:
        """Add a frame; return a copy of the displacements since the first, shape (n_atoms, 3) [Å]."""
        if self._previous is None:
            self._axes = plane_axes(cell, self._normal_axis)
            self.total = np.zeros_like(positions)
        else:
            fractional = (positions - self._previous) @ np.linalg.inv(cell)
            fractional -= np.round(fractional)
            largest = float(np.abs(fractional).max(initial=0.0))
            if largest > _LARGEST_STEP:
                raise CalculationError(
                    f"an atom moves by {largest:.2f} of the cell between two frames, so its path cannot be followed; "
                    "store frames more often (production.frame_interval_ps)"
                )
            self.total += fractional @ cell @ self._axes.T
        self._previous = positions
        return self.total.copy()


def plane_axes(cell: NDArray[np.float64], normal_axis: int) -> NDArray[np.float64]:
    """Return orthonormal axes as rows: two in the plane of the other two cell vectors, then its normal; (3, 3)."""
    first, second = (cell[i] for i in range(3) if i != normal_axis)
    along = first / np.linalg.norm(first)
    normal = np.cross(first, second)
    normal /= np.linalg.norm(normal)
    return np.array([along, np.cross(normal, along), normal])


class _Level:
    """Lags that are multiples of 2^depth frames, with every 2^depth-th frame as time origin.

    Each frame is stored twice, 16 places apart, so that the last 16 always lie next to one another, oldest first.
    """

    def __init__(self, depth: int, n_atoms: int, below: Sequence[_Level]) -> None:
        self.stride = 2**depth
        self.first_lag = 1 if depth == 0 else _RING // 2 + 1
        self._stored = np.zeros((2 * _RING, n_atoms, 3))
        self._n_added = 0
        self._scratch = np.zeros((_RING + 1 - self.first_lag, n_atoms, 3))
        self.sums = np.zeros_like(self._scratch)  # longest lag first
        self.counts = np.zeros(len(self.sums), dtype=np.intp)
        if below:  # the frames so far that belong here, of which the level below still holds the first
            self.add(below[-1].oldest())

    def oldest(self) -> NDArray[np.float64]:
        """Return the first frame added, as long as it is remembered."""
        first: NDArray[np.float64] = self._stored[0]
        return first

    def add(self, current: NDArray[np.float64]) -> None:
        """Take the next frame of this level, shape (n_atoms, 3) [Å]."""
        place = self._n_added % _RING
        n_lags = min(_RING, self._n_added) + 1 - self.first_lag
        if n_lags > 0:
            newest = place + _RING + 1 - self.first_lag  # the end of the frames that are at least the first lag old
            difference = self._scratch[-n_lags:]
            np.subtract(current, self._stored[newest - n_lags : newest], out=difference)
            np.square(difference, out=difference)
            self.sums[-n_lags:] += difference
            self.counts[-n_lags:] += 1
        self._stored[place] = self._stored[place + _RING] = current
        self._n_added += 1


def _collect(levels: Sequence[_Level], n_atoms: int, n_frames: int) -> AtomicMsd:
    lags, counts, squared = [], [], []
    for level in levels:
        by_lag, times = level.sums[::-1], level.counts[::-1]
        filled = times > 0
        lags.append(np.arange(level.first_lag, _RING + 1)[filled] * level.stride)
        counts.append(times[filled])
        squared.append(by_lag[filled] / times[filled, None, None])
    if not lags:
        return AtomicMsd(np.zeros(0, np.intp), np.zeros(0, np.intp), np.zeros((0, n_atoms, 3)), n_frames)
    return AtomicMsd(np.concatenate(lags), np.concatenate(counts), np.concatenate(squared), n_frames)
