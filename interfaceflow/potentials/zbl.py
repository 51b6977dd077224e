"""Screened nuclear repulsion of Ziegler, Biersack and Littmark (ZBL), laid over a trained potential.

The fit sees the labels without this repulsion, and everything that uses the potential adds it again. It is that of
LAMMPS' ``pair_style zbl INNER OUTER``, constants and switching polynomial included, so that labels and MD agree. Below
the shortest distance of its training set the fit stays as unbounded as it was: a wall is added, not put in its place.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from ase import Atoms
from ase.neighborlist import neighbor_list
from numpy.typing import NDArray

from interfaceflow.core.formats.configuration import Configuration
from interfaceflow.schemas.settings import ZBLSettings

FloatArray = NDArray[np.float64]

# As in LAMMPS' units metal: one digit more would part labels from MD by 3e-8 of the repulsion.
_COULOMB_EV_A: Final = 14.399645
_SCREENING_LENGTH_A: Final = 0.46850
_CHARGE_POWER: Final = 0.23
_WEIGHTS: Final = np.array([0.18175, 0.50986, 0.28022, 0.02817])
_DECAYS: Final = np.array([3.19980, 0.94229, 0.40290, 0.20162])

_VOIGT: Final = ((0, 1, 2, 1, 0, 0), (0, 1, 2, 2, 2, 1))


@dataclass(frozen=True)
class Repulsion:
    """Energy, forces and stress of the repulsion in one configuration.

    Attributes
    ----------
    site_energies_eV
        Half of each pair's energy, shape (n_atoms,), in eV.
    forces_eV_A
        Shape (n_atoms, 3), in eV/Å.
    plus_stress_eV
        Minus stress times volume: xx, yy, zz, yz, xz, xy, shape (6,), in eV.
    """

    site_energies_eV: FloatArray
    forces_eV_A: FloatArray
    plus_stress_eV: FloatArray

    @property
    def energy_eV(self) -> float:
        """Energy of the configuration, in eV."""
        return float(self.site_energies_eV.sum())

    def added_to(self, configuration: Configuration) -> Configuration:
        """Return the configuration with the repulsion in its energy, forces and stress, where it has them."""
        return self._combined_with(configuration, 1.0)

    def subtracted_from(self, configuration: Configuration) -> Configuration:
        """Return the configuration without the repulsion in its energy, forces and stress, where it has them."""
        return self._combined_with(configuration, -1.0)

    def _combined_with(self, configuration: Configuration, sign: float) -> Configuration:
        energy, forces, plus_stress = configuration.energy, configuration.forces, configuration.plus_stress
        return replace(
            configuration,
            energy=None if energy is None else energy + sign * self.energy_eV,
            forces=None if forces is None else forces + sign * self.forces_eV_A,
            plus_stress=None if plus_stress is None else plus_stress + sign * self.plus_stress_eV,
        )


def compute_zbl(atoms: Atoms, settings: ZBLSettings) -> Repulsion:
    """Compute the ZBL repulsion of a configuration.

    Parameters
    ----------
    atoms
        Periodic or not; a cell may be smaller than the cutoff.
    settings
        Cutoffs.

    References
    ----------
    J. F. Ziegler, J. P. Biersack, in Treatise on Heavy-Ion Science 6, 93 (1985), doi:10.1007/978-1-4615-8103-1_3.
    """
    first, second, vectors, distances = neighbor_list("ijDd", atoms, settings.outer_cutoff_A)
    numbers = atoms.numbers.astype(float)
    energies, slopes = _switched_energy(distances, _Pairs(numbers[first], numbers[second]), settings)
    pull = (slopes / distances)[:, None] * vectors  # on the first atom, towards the second
    site_energies, forces = np.zeros(len(atoms)), np.zeros((len(atoms), 3))
    # The list has each pair twice, once from each side.
    np.add.at(site_energies, first, 0.5 * energies)
    np.add.at(forces, first, pull)
    return Repulsion(site_energies, forces, -0.5 * (pull.T @ vectors)[_VOIGT])


class _Pairs:
    """Pairs of nuclei, and their screened Coulomb energy.

    Parameters
    ----------
    first_charges, second_charges
        Atomic numbers, shape (n_pairs,).
    """

    def __init__(self, first_charges: FloatArray, second_charges: FloatArray) -> None:
        self._strength = _COULOMB_EV_A * first_charges * second_charges
        self._length = _SCREENING_LENGTH_A / (first_charges**_CHARGE_POWER + second_charges**_CHARGE_POWER)

    def energy(self, distances: FloatArray | float) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return the energy, its slope and its curvature at distances [Å]: eV, eV/Å, eV/Å^2, each (n_pairs,)."""
        decays = _DECAYS / self._length[:, None]
        terms = _WEIGHTS * np.exp(-decays * np.broadcast_to(distances, self._length.shape)[:, None])
        screening, slope, curvature = (terms * (-decays) ** order for order in range(3))
        phi, d_phi, d2_phi = screening.sum(axis=1), slope.sum(axis=1), curvature.sum(axis=1)
        inverse = 1.0 / distances
        coulomb = self._strength * inverse
        return (
            coulomb * phi,
            coulomb * (d_phi - phi * inverse),
            coulomb * (d2_phi - 2.0 * d_phi * inverse + 2.0 * phi * inverse**2),
        )


def _switched_energy(distances: FloatArray, pairs: _Pairs, settings: ZBLSettings) -> tuple[FloatArray, FloatArray]:
    """Return the energies [eV] and slopes [eV/Å] of pairs.

    A polynomial is added that is constant up to the inner cutoff and from there takes energy, slope and curvature to
    zero at the outer one.
    """
    energy, slope, _ = pairs.energy(distances)
    end_energy, end_slope, end_curvature = pairs.energy(settings.outer_cutoff_A)
    width = settings.outer_cutoff_A - settings.inner_cutoff_A
    cubic = (width * end_curvature - 3.0 * end_slope) / width**2
    quartic = (2.0 * end_slope - width * end_curvature) / width**3
    constant = width * end_slope / 2.0 - width**2 * end_curvature / 12.0 - end_energy
    beyond = np.maximum(distances - settings.inner_cutoff_A, 0.0)
    return (
        energy + constant + cubic * beyond**3 / 3.0 + quartic * beyond**4 / 4.0,
        slope + cubic * beyond**2 + quartic * beyond**3,
    )
