"""Averages of atomic charges over atoms, frames and layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class AverageCharge:
    """Charge of a group of atoms.

    Attributes
    ----------
    mean_e
        Mean over atoms and frames, e.
    spread_e
        Standard deviation over atoms and frames, e.
    frame_spread_e
        Sample standard deviation, from frame to frame, of the mean over atoms, e; None with one frame.
    """

    mean_e: float
    spread_e: float
    frame_spread_e: float | None


@dataclass(frozen=True)
class LayerCharges:
    """Charges of one element by layer.

    Attributes
    ----------
    charges_e
        Mean over the atoms in each layer of each frame, shape (n_frames, n_layers), e; NaN where there is none.
    n_atoms
        Atoms in each layer of each frame, shape (n_frames, n_layers).
    """

    charges_e: Array
    n_atoms: NDArray[np.int64]

    @property
    def mean_e(self) -> Array:
        """Mean over the atoms of all frames, shape (n_layers,), e; NaN where a layer is empty in all frames."""
        totals = np.nansum(self.charges_e * self.n_atoms, axis=0)
        counts = self.n_atoms.sum(axis=0)
        return np.asarray(np.divide(totals, counts, out=np.full(len(totals), np.nan), where=counts > 0), dtype=float)


def average_charge(charges_e: Array) -> AverageCharge:
    """Average the charges of a group of atoms over frames.

    Parameters
    ----------
    charges_e
        Shape (n_frames, n_atoms), e; at least one of each.
    """
    by_frame = charges_e.mean(axis=1)
    return AverageCharge(
        mean_e=float(charges_e.mean()),
        spread_e=float(charges_e.std()),
        frame_spread_e=float(by_frame.std(ddof=1)) if len(by_frame) > 1 else None,
    )


def layer_edges(frames: Sequence[Atoms], normal_axis: int, width_A: float) -> Array:
    """Divide a cell into layers of equal width.

    Parameters
    ----------
    frames
        Snapshots, whose cells may differ.
    normal_axis
        Cell vector that crosses the layers; the normal is the cross product of the other two.
    width_A
        Width asked for, Å.

    Returns
    -------
    ndarray
        Edges in the mean cell along the normal, from zero to its height, shape (n_layers + 1,), Å.
    """
    height = float(np.mean([_height(atoms, normal_axis) for atoms in frames]))
    return np.linspace(0.0, height, max(1, round(height / width_A)) + 1)


def charges_by_layer(frames: Sequence[Atoms], charges_e: Array, normal_axis: int, n_layers: int) -> LayerCharges:
    """Average charges over layers of equal width, by where the atoms are in each frame, wrapped into the cell.

    Parameters
    ----------
    frames
        Snapshots with the atoms to average over, n_frames of them with n_atoms each.
    charges_e
        Shape (n_frames, n_atoms), e.
    normal_axis
        Cell vector that crosses the layers.
    n_layers
        Number of layers.
    """
    sums = np.zeros((len(frames), n_layers))
    n_atoms = np.zeros((len(frames), n_layers), dtype=np.int64)
    for index, (atoms, charges) in enumerate(zip(frames, charges_e, strict=True)):
        fractions = atoms.get_scaled_positions(wrap=False)[:, normal_axis] % 1.0
        # The remainder of a tiny negative number rounds to one.
        layers = np.minimum((fractions * n_layers).astype(np.int64), n_layers - 1)
        n_atoms[index] = np.bincount(layers, minlength=n_layers)
        sums[index] = np.bincount(layers, weights=charges, minlength=n_layers)
    means = np.divide(sums, n_atoms, out=np.full(sums.shape, np.nan), where=n_atoms > 0)
    return LayerCharges(charges_e=means, n_atoms=n_atoms)


def _height(atoms: Atoms, normal_axis: int) -> float:
    first, second = np.delete(atoms.cell.array, normal_axis, axis=0)
    return float(atoms.cell.volume / np.linalg.norm(np.cross(first, second)))
