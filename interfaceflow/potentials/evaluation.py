"""How far a potential is from the reference, number by number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from interfaceflow.core.errors import UserInputError
from interfaceflow.core.formats.cfg import Configuration
from interfaceflow.core.units import EV_PER_A3_TO_GPA
from interfaceflow.schemas.datasets import FitErrors, ForceErrors

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Comparison:
    """Reference and potential side by side, for errors and parity plots.

    Attributes
    ----------
    energy_reference_eV_atom, energy_potential_eV_atom
        Shape (n_configurations,), in eV/atom.
    force_reference_eV_A, force_potential_eV_A
        Shape (n_atoms of all configurations, 3), in eV/Å.
    force_species
        Shape (n_atoms of all configurations,): chemical symbols.
    force_configuration
        Shape (n_atoms of all configurations,): the configuration an atom is in.
    stress_difference_GPa
        Shape (n_configurations, 6), in GPa; not a number where there was no reference.
    """

    energy_reference_eV_atom: FloatArray
    energy_potential_eV_atom: FloatArray
    force_reference_eV_A: FloatArray
    force_potential_eV_A: FloatArray
    force_species: NDArray[np.str_]
    force_configuration: NDArray[np.intp]
    stress_difference_GPa: FloatArray

    def part(self, chosen: NDArray[np.bool_]) -> Comparison:
        """Return the comparison of the chosen configurations alone.

        Parameters
        ----------
        chosen
            Shape (n_configurations,).
        """
        atoms = chosen[self.force_configuration]
        return Comparison(
            self.energy_reference_eV_atom[chosen],
            self.energy_potential_eV_atom[chosen],
            self.force_reference_eV_A[atoms],
            self.force_potential_eV_A[atoms],
            self.force_species[atoms],
            (np.cumsum(chosen) - 1)[self.force_configuration[atoms]],
            self.stress_difference_GPa[chosen],
        )

    @property
    def errors(self) -> FitErrors:
        """Root mean square and mean absolute errors; forces by component."""
        energy = 1000.0 * (self.energy_potential_eV_atom - self.energy_reference_eV_atom)
        force = self.force_potential_eV_A - self.force_reference_eV_A
        stress = self.stress_difference_GPa[np.isfinite(self.stress_difference_GPa)]
        return FitErrors(
            n_configurations=len(energy),
            energy_rmse_meV_atom=_root_mean_square(energy),
            energy_mae_meV_atom=_mean_absolute(energy),
            force_rmse_eV_A=_root_mean_square(force),
            force_mae_eV_A=_mean_absolute(force),
            force_rmse_by_species_eV_A={
                str(symbol): _root_mean_square(force[self.force_species == symbol])
                for symbol in np.unique(self.force_species)
            },
            stress_rmse_GPa=_root_mean_square(stress),
        )


def errors_by_group(comparison: Comparison, groups: Sequence[str | None]) -> dict[str, FitErrors]:
    """Return the errors of each group of configurations: those at one temperature, say, or of one system.

    Parameters
    ----------
    comparison
        All configurations.
    groups
        The group of each configuration; None for one that is in no group.

    Returns
    -------
    dict
        By group, in the order in which the groups are met.
    """
    members = np.array([group if group is not None else "" for group in groups], dtype=np.str_)
    names = dict.fromkeys(group for group in groups if group is not None)
    return {name: comparison.part(members == name).errors for name in names}


def force_errors_by_group(comparison: Comparison, groups: NDArray[np.str_]) -> dict[str, ForceErrors]:
    """Return the errors of the forces on each group of atoms: those near the interface, say.

    Parameters
    ----------
    comparison
        All configurations.
    groups
        The group of each atom of all configurations, one after another, shape (n_atoms,).

    Returns
    -------
    dict
        By group, in alphabetical order.

    Raises
    ------
    UserInputError
        If there is not one group for each atom.
    """
    if len(groups) != len(comparison.force_species):
        raise UserInputError(
            f"{len(groups)} atoms are in groups, and {len(comparison.force_species)} were compared: give one group "
            "for each atom"
        )
    errors = {}
    for name in np.unique(groups):
        chosen = groups == name
        reference, species = comparison.force_reference_eV_A[chosen], comparison.force_species[chosen]
        difference = comparison.force_potential_eV_A[chosen] - reference
        errors[str(name)] = ForceErrors(
            n_atoms=len(reference),
            rms_force_eV_A=_root_mean_square(reference),
            rmse_eV_A=_root_mean_square(difference),
            mae_eV_A=_mean_absolute(difference),
            rmse_by_species_eV_A={
                str(symbol): _root_mean_square(difference[species == symbol]) for symbol in np.unique(species)
            },
        )
    return errors


def compare_labels(
    reference: Sequence[Configuration], computed: Sequence[Configuration], species: Sequence[str]
) -> Comparison:
    """Set a potential's results beside the labels of the same configurations.

    Parameters
    ----------
    reference
        Labelled configurations.
    computed
        The same with the potential's energies, forces and stresses, in the same order.
    species
        Chemical symbols in the order of the types.

    Raises
    ------
    UserInputError
        If the two are not the same configurations, or one lacks energy or forces.
    """
    if [len(c) for c in reference] != [len(c) for c in computed]:
        raise UserInputError(
            f"{len(reference)} labelled configurations cannot be compared with {len(computed)} computed ones: "
            "they have to be the same, in the same order"
        )
    symbols = np.array(species)
    sizes = np.array([len(c) for c in reference])
    return Comparison(
        np.array([_energy(c) for c in reference]) / sizes,
        np.array([_energy(c) for c in computed]) / sizes,
        np.concatenate([_forces(c) for c in reference]),
        np.concatenate([_forces(c) for c in computed]),
        np.concatenate([symbols[c.types] for c in reference]),
        np.repeat(np.arange(len(sizes)), sizes),
        np.array([_stress_difference(a, b) for a, b in zip(reference, computed, strict=True)]),
    )


def _energy(configuration: Configuration) -> float:
    if configuration.energy is None:
        raise UserInputError("a configuration without an energy cannot be compared; label it first")
    return configuration.energy


def _forces(configuration: Configuration) -> FloatArray:
    if configuration.forces is None:
        raise UserInputError("a configuration without forces cannot be compared; label it first")
    return configuration.forces


def _stress_difference(reference: Configuration, computed: Configuration) -> FloatArray:
    if reference.plus_stress is None or computed.plus_stress is None or len(reference.cell) < 3:
        return np.full(6, np.nan)
    volume = abs(float(np.linalg.det(reference.cell)))
    return (computed.plus_stress - reference.plus_stress) / volume * EV_PER_A3_TO_GPA


def _root_mean_square(values: FloatArray) -> float:
    return float(np.sqrt(np.mean(values**2))) if values.size else 0.0


def _mean_absolute(values: FloatArray) -> float:
    return float(np.mean(np.abs(values))) if values.size else 0.0
