"""Densities of states, by species, and the band gap from them or from eigenvalues."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from interfaceflow.core.errors import UserInputError

Array = NDArray[np.float64]


@dataclass(frozen=True)
class DensityOfStates:
    """A density of states and its projections.

    Attributes
    ----------
    energies_eV
        Energy axis, shape (n_energies,), eV, rising.
    total
        States per eV of each spin channel, shape (n_spins, n_energies).
    by_species
        Projections on the atoms of each element, of the shape of ``total``; they need not add up to it.
    fermi_energy_eV
        Fermi level, eV.
    """

    energies_eV: Array
    total: Array
    by_species: dict[str, Array]
    fermi_energy_eV: float


@dataclass(frozen=True)
class BandEdges:
    """The edges of the bands around the Fermi level.

    Attributes
    ----------
    valence_maximum_eV
        Highest occupied energy, eV.
    conduction_minimum_eV
        Lowest empty energy, eV.
    """

    valence_maximum_eV: float
    conduction_minimum_eV: float

    @property
    def gap_eV(self) -> float:
        """Gap, eV; zero in a metal."""
        return max(0.0, self.conduction_minimum_eV - self.valence_maximum_eV)


def sum_by_species(projections: Array, symbols: list[str]) -> dict[str, Array]:
    """Add the projections of atoms of one element.

    Parameters
    ----------
    projections
        Of each atom, shape (n_atoms, n_spins, n_energies).
    symbols
        Element of each atom.
    """
    names = np.array(symbols)
    return {symbol: projections[names == symbol].sum(axis=0) for symbol in sorted(set(symbols))}


def broaden_levels(levels_eV: Array, weights: Array, energies_eV: Array, width_eV: float) -> Array:
    """Return the density of states of discrete levels, each a Gaussian.

    Parameters
    ----------
    levels_eV
        Eigenvalues, shape (n_k_points, n_bands), eV.
    weights
        Weights of the k-points, shape (n_k_points,), adding up to one.
    energies_eV
        Energy axis, shape (n_energies,), eV.
    width_eV
        Standard deviation of the Gaussians, eV.

    Returns
    -------
    ndarray
        States per eV, shape (n_energies,); its integral is the number of bands.
    """
    density = np.zeros_like(energies_eV)
    for level, weight in zip(levels_eV.T, np.broadcast_to(weights, levels_eV.T.shape), strict=True):
        scaled = (energies_eV[:, None] - level) / width_eV
        density += np.exp(-0.5 * scaled**2) @ weight
    return np.asarray(density / (width_eV * np.sqrt(2 * np.pi)), dtype=float)


def band_edges(eigenvalues_eV: Array, n_electrons: float) -> BandEdges:
    """Return the band edges from eigenvalues, by counting electrons.

    Parameters
    ----------
    eigenvalues_eV
        Of each spin channel, k-point and band, shape (n_spins, n_k_points, n_bands), eV, in rising order.
    n_electrons
        Electrons in the cell.

    Returns
    -------
    BandEdges
        Both at the Fermi level in a metal, which is told by a band that is filled at some k-points only.

    Raises
    ------
    UserInputError
        If there are too few bands to hold the electrons and one empty state.
    """
    n_spins, n_k_points, n_bands = eigenvalues_eV.shape
    # One channel alone holds two electrons a state. States of all k-points are filled in order of energy.
    n_filled = round(n_electrons * n_k_points * n_spins / 2)
    order = np.argsort(eigenvalues_eV, axis=None, kind="stable")[:n_filled]
    if n_filled >= eigenvalues_eV.size:
        raise UserInputError(
            f"{n_bands} bands hold no more than the {n_electrons:g} electrons there are, so no band is empty; compute "
            "more bands (NBANDS in VASP)"
        )
    is_filled = np.zeros(eigenvalues_eV.size, dtype=bool)
    is_filled[order] = True
    filled_bands = is_filled.reshape(eigenvalues_eV.shape).sum(axis=2)
    highest_filled = float(eigenvalues_eV.ravel()[is_filled].max())
    if np.ptp(filled_bands, axis=1).any():
        return BandEdges(highest_filled, highest_filled)
    return BandEdges(highest_filled, float(eigenvalues_eV.ravel()[~is_filled].min()))


def k_point_of_edge(eigenvalues_eV: Array, k_points: Array, edge_eV: float) -> Array:
    """Return the first k-point that has a state at a band edge.

    Parameters
    ----------
    eigenvalues_eV
        As `band_edges` takes them.
    k_points
        Shape (n_k_points, 3).
    edge_eV
        An edge that `band_edges` found in these eigenvalues, eV.
    """
    _, k_index, _ = np.argwhere(eigenvalues_eV == edge_eV)[0]
    return np.asarray(k_points[k_index], dtype=float)


def gap_from_density(dos: DensityOfStates, threshold: float = 1e-2) -> BandEdges:
    """Return the band edges where a density of states around the Fermi level falls below a threshold.

    Parameters
    ----------
    dos
        The density of states.
    threshold
        States per eV, of both spins, that count as none.

    Returns
    -------
    BandEdges
        Good to the spacing of the energy axis and the broadening; both the Fermi level in a metal.

    Raises
    ------
    UserInputError
        If there are no states on one side of the Fermi level: the axis does not reach far enough.
    """
    occupied_axis = dos.energies_eV <= dos.fermi_energy_eV
    states = dos.total.sum(axis=0) > threshold
    below, above = np.nonzero(states & occupied_axis)[0], np.nonzero(states & ~occupied_axis)[0]
    if not len(below) or not len(above):
        raise UserInputError(
            f"no states on one side of the Fermi level, {dos.fermi_energy_eV:.2f} eV, on an axis from "
            f"{dos.energies_eV[0]:.2f} to {dos.energies_eV[-1]:.2f} eV; widen it"
        )
    if above[0] == below[-1] + 1:
        return BandEdges(dos.fermi_energy_eV, dos.fermi_energy_eV)
    return BandEdges(float(dos.energies_eV[below[-1]]), float(dos.energies_eV[above[0]]))
