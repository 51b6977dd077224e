"""Densities of states, eigenvalues and densities from VASP's files, for `interfaceflow.reference.electronic`."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interfaceflow.core.errors import CalculationError
from interfaceflow.reference.electronic.bader import bader_charges, bader_electrons
from interfaceflow.reference.electronic.density_of_states import DensityOfStates, band_edges, sum_by_species
from interfaceflow.reference.electronic.effective_mass import N_POINTS, inverse_mass_tensor
from interfaceflow.reference.vasp.files import existing_file, read_potentials, read_vasprun

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Eigenvalues:
    """Eigenvalues of a run.

    Attributes
    ----------
    energies_eV
        Shape (n_spins, n_k_points, n_bands), eV.
    k_points
        In units of the reciprocal vectors, shape (n_k_points, 3).
    weights
        Weights of the k-points, shape (n_k_points,).
    n_electrons
        Electrons in the cell.
    """

    energies_eV: Array
    k_points: Array
    weights: Array
    n_electrons: float


def read_density_of_states(folder: Path) -> DensityOfStates:
    """Read the density of states of a run, with its projections by species.

    Raises
    ------
    CalculationError
        If the files are absent or hold no projected density of states.
    """
    vasprun = read_vasprun(folder, electronic=True)
    if not vasprun.pdos:
        raise CalculationError(f"{folder}: vasprun.xml has no projected density of states; run it with LORBIT = 11")
    projections = np.array([_by_spin(orbitals) for orbitals in vasprun.pdos])
    return DensityOfStates(
        energies_eV=np.array(vasprun.tdos.energies, dtype=float),
        total=_channels(vasprun.tdos.densities),
        by_species=sum_by_species(projections, list(vasprun.atomic_symbols)),
        fermi_energy_eV=float(vasprun.efermi),
    )


def read_eigenvalues(folder: Path) -> Eigenvalues:
    """Read the eigenvalues of the last configuration of a run."""
    vasprun = read_vasprun(folder, electronic=True)
    return Eigenvalues(
        energies_eV=_channels(vasprun.eigenvalues)[..., 0],
        k_points=np.array(vasprun.actual_kpoints, dtype=float),
        weights=np.array(vasprun.actual_kpoints_weights, dtype=float),
        n_electrons=float(vasprun.parameters["NELECT"]),
    )


def read_inverse_mass_tensor(folder: Path, step_per_A: float, band: str) -> Array:
    """Return the inverse effective-mass tensor at the stencil of a band-curvature calculation.

    Parameters
    ----------
    folder
        Folder of the run.
    step_per_A
        Step of its stencil, 1/Å.
    band
        ``"conduction"`` for electrons, ``"valence"`` for holes; of two spin channels, the one that makes the edge.

    Returns
    -------
    ndarray
        One over the electron's mass, shape (3, 3).

    Raises
    ------
    CalculationError
        If the run has no stencil, or its bands do not leave a gap.
    """
    eigenvalues = read_eigenvalues(folder)
    if len(eigenvalues.weights) <= N_POINTS or eigenvalues.weights[-N_POINTS:].any():
        raise CalculationError(f"{folder}: the run has no stencil of k-points of weight zero at its end")
    mesh, stencil = eigenvalues.energies_eV[:, :-N_POINTS], eigenvalues.energies_eV[:, -N_POINTS:]
    edges = band_edges(mesh, eigenvalues.n_electrons)
    if edges.gap_eV == 0:
        raise CalculationError(f"{folder}: the bands leave no gap, and the edge of a metal's bands has no mass")
    middle = (edges.valence_maximum_eV + edges.conduction_minimum_eV) / 2
    empty = stencil[:, 0, :] > middle
    if band == "conduction":
        spin, index = min(zip(*np.nonzero(empty), strict=True), key=lambda place: stencil[place[0], 0, place[1]])
    else:
        spin, index = max(zip(*np.nonzero(~empty), strict=True), key=lambda place: stencil[place[0], 0, place[1]])
    return inverse_mass_tensor(stencil[spin, :, index], step_per_A)


def read_bader_charges(folder: Path) -> Array:
    """Return the Bader charge of each atom of a run with LAECHG, in the order of the POSCAR, e.

    Valence electrons (CHGCAR) are integrated over the basins of all electrons (AECCAR0 + AECCAR2).

    Raises
    ------
    CalculationError
        If a density is absent, cut short or not finite.
    """
    valence, core, all_valence = (_read_density(folder, name) for name in ("CHGCAR", "AECCAR0", "AECCAR2"))
    structure = valence.structure
    basins = bader_electrons(
        valence.data["total"] / structure.volume,
        core.data["total"] + all_valence.data["total"],
        structure.lattice.matrix,
        structure.cart_coords,
    )
    valences = {potential.element: potential.valence_electrons for potential in read_potentials(folder)}
    return bader_charges(basins.electrons, np.array([valences[site.specie.symbol] for site in structure]))


def _read_density(folder: Path, name: str) -> Any:
    from pymatgen.io.vasp.outputs import Chgcar

    path = existing_file(folder, name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            density = Chgcar.from_file(str(path))
        except (ValueError, EOFError) as error:
            raise CalculationError(f"{path}: cut short or not written by VASP ({error})") from error
    if not np.isfinite(density.data["total"]).all():
        raise CalculationError(f"{path}: holds densities that are not numbers; look at vasp.out beside it")
    return density


def _by_spin(orbitals: Any) -> Array:
    """Add the orbitals of an atom; shape (n_spins, n_energies)."""
    return np.asarray(np.sum([_channels(densities) for densities in orbitals.values()], axis=0), dtype=float)


def _channels(by_spin: Any) -> Array:
    """Return spin up, then spin down where there is one."""
    return np.array([by_spin[spin] for spin in sorted(by_spin, key=lambda spin: -spin.value)], dtype=float)
