"""What a network is trained on, and the numbers taken from it before training.

The energy of a network is a sum over atoms of ``scale * (network output) + shift of its species``. The shifts are the
least-squares solution of (energy of a configuration) = sum of the shifts of its atoms over the training set, of least
norm where the compositions do not tell the species apart; the scale is the root mean square force component.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from io import StringIO
from typing import Final

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from numpy.typing import NDArray

from interfaceflow.core.errors import UserInputError
from interfaceflow.core.labelled import LabelledConfiguration

FloatArray = NDArray[np.float64]

_MOST_FOR_NEIGHBOURS: Final = 64
_LEAST_FORCE_SCALE_EV_A: Final = 1e-3


@dataclass(frozen=True)
class LabelStatistics:
    """Numbers that a network starts from.

    Attributes
    ----------
    energy_shifts_eV
        By species, shape (n_species,), eV.
    force_scale_eV_A
        Root mean square force component, eV/Å.
    mean_neighbours
        Mean number of atoms within the cutoff radius.
    has_stress
        Whether any configuration has a stress.
    """

    energy_shifts_eV: FloatArray
    force_scale_eV_A: float
    mean_neighbours: float
    has_stress: bool


def split_by_trajectory(
    configurations: Sequence[LabelledConfiguration], fraction: float, seed: int
) -> tuple[list[LabelledConfiguration], list[LabelledConfiguration]]:
    """Part configurations into training and validation by whole trajectories, since frames of one are alike.

    Parameters
    ----------
    configurations
        Of two trajectories or more.
    fraction
        Share of the configurations that validation gets at least, up to the last trajectory that goes there.
    seed
        Seed of the choice.

    Raises
    ------
    UserInputError
        If they are all of one trajectory, or validation cannot be had without an element vanishing from training.
    """
    names = sorted({c.trajectory for c in configurations})
    if len(names) < 2:
        raise UserInputError(
            f"all {len(configurations)} training configurations are of one trajectory ({', '.join(names) or 'none'}), "
            "so none can validate the fit; give validation configurations, or training ones of two trajectories or more"
        )
    random.Random(seed).shuffle(names)
    elements = {c.trajectory: set(c.atoms.symbols) for c in configurations}
    wanted = fraction * len(configurations)
    chosen: set[str] = set()
    for name in names:
        if chosen and sum(c.trajectory in chosen for c in configurations) >= wanted:
            break
        kept = [other for other in names if other not in chosen and other != name]
        if kept and elements[name] <= set().union(*(elements[other] for other in kept)):
            chosen.add(name)
    if not chosen:
        raise UserInputError(
            "each element is in one trajectory alone, so none can be spared to validate the fit; give validation "
            "configurations, or two trajectories of each element"
        )
    training = [c for c in configurations if c.trajectory not in chosen]
    return training, [c for c in configurations if c.trajectory in chosen]


def measure_labels(
    configurations: Sequence[LabelledConfiguration], species: Sequence[str], cutoff_radius_A: float
) -> LabelStatistics:
    """Take from a training set the numbers that a network starts from.

    Parameters
    ----------
    configurations
        The training set.
    species
        Chemical symbols in the order of the types.
    cutoff_radius_A
        Of one layer, Å.

    Raises
    ------
    UserInputError
        If there is no configuration, an element is none of the species, or a label is not a finite number.
    """
    _check_labels(configurations, species)
    symbols = [np.array(c.atoms.get_chemical_symbols()) for c in configurations]
    counts = np.array([[float(np.sum(of_one == name)) for name in species] for of_one in symbols])
    energies = np.array([c.free_energy_eV for c in configurations])
    shifts = np.linalg.lstsq(counts, energies, rcond=None)[0]
    forces = np.concatenate([c.forces_eV_A.ravel() for c in configurations])
    step = -(-len(configurations) // _MOST_FOR_NEIGHBOURS)
    return LabelStatistics(
        energy_shifts_eV=shifts,
        force_scale_eV_A=max(float(np.sqrt(np.mean(forces**2))), _LEAST_FORCE_SCALE_EV_A),
        mean_neighbours=_mean_neighbours([c.atoms for c in configurations[::step]], cutoff_radius_A),
        has_stress=any(has_stress(c) for c in configurations),
    )


def labels_as_text(configurations: Sequence[LabelledConfiguration]) -> str:
    """Write configurations as extended XYZ for the network's own reader.

    The energy is the one whose gradient the forces are. A configuration without a stress gets one of NaN, which the
    loss leaves out.
    """
    from ase.io import write

    buffer = StringIO()
    for configuration in configurations:
        atoms = Atoms(
            configuration.atoms.get_chemical_symbols(),
            positions=configuration.atoms.positions,
            cell=configuration.atoms.cell,
            pbc=configuration.atoms.pbc,
        )
        stress = configuration.stress_eV_A3 if has_stress(configuration) else np.full(6, np.nan)
        atoms.calc = SinglePointCalculator(
            atoms, energy=configuration.free_energy_eV, forces=configuration.forces_eV_A, stress=stress
        )
        write(buffer, atoms, format="extxyz")
    return buffer.getvalue()


def has_stress(configuration: LabelledConfiguration) -> bool:
    """Tell whether a configuration has a stress that can be fitted."""
    stress = configuration.stress_eV_A3
    return stress is not None and bool(np.isfinite(stress).all())


def _check_labels(configurations: Sequence[LabelledConfiguration], species: Sequence[str]) -> None:
    if not configurations:
        raise UserInputError("there is no training configuration; label some first")
    for index, configuration in enumerate(configurations):
        unknown = sorted(set(configuration.atoms.symbols) - set(species))
        if unknown:
            raise UserInputError(
                f"training configuration {index} ({configuration.source}) has {', '.join(unknown)}, which is none of "
                f"the species {', '.join(species)}; name all species of the training set"
            )
        if not (np.isfinite(configuration.free_energy_eV) and np.isfinite(configuration.forces_eV_A).all()):
            raise UserInputError(
                f"training configuration {index} ({configuration.source}) has a label that is not a finite number; "
                "leave it out, or label it again"
            )


def _mean_neighbours(structures: Sequence[Atoms], cutoff_radius_A: float) -> float:
    from ase.neighborlist import neighbor_list

    n_pairs = sum(len(neighbor_list("i", atoms, cutoff_radius_A)) for atoms in structures)
    return max(n_pairs / sum(len(atoms) for atoms in structures), 1.0)
