"""The spread of a committee: networks of the same data and other seeds disagree where the data say little.

The spread of an atom is the root mean square distance of the networks' forces from their mean,
``sqrt(mean over networks |F - mean F|^2)`` in eV/Å (H. S. Seung et al., doi:10.1145/130385.130417, for the idea). Its
grade is the spread in units of the largest spread among the training atoms of its species: at most 1 on the training
set, so that the thresholds 1.5 and 10 can be used as for a D-optimality grade.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from interfaceflow.core.errors import DataFileError, UserInputError
from interfaceflow.core.labelled import LabelledConfiguration
from interfaceflow.core.progress import Progress
from interfaceflow.potentials.nequip.array_file import read_arrays, write_arrays
from interfaceflow.potentials.nequip.model import NequIPModel, NequIPResult
from interfaceflow.potentials.nequip.model_files import ModelFile
from interfaceflow.potentials.nequip.training import NequIPRun, train_nequip
from interfaceflow.schemas.nequip import NequIPSettings

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class CommitteeGrade:
    """A committee and the spread it has on its training set.

    Attributes
    ----------
    models
        The networks, two or more; the first is the potential.
    scales_eV_A
        Largest spread among the training atoms, by species, shape (n_species,), eV/Å.
    """

    models: tuple[NequIPModel, ...]
    scales_eV_A: FloatArray

    def force_std(self, atoms: Atoms) -> FloatArray:
        """Return the spread of each atom, shape (n_atoms,), eV/Å."""
        return force_spread(self.models, atoms)

    def grades_of(self, model: NequIPModel, atoms: Atoms, result: NequIPResult) -> FloatArray:
        """Return the grade of each atom of a configuration that was computed with the first network.

        It is infinite where a network gives no number: a threshold has to see that.
        """
        others = self.models[1:] if model is self.models[0] else self.models
        forces = [one.compute(atoms).forces_eV_A for one in others]
        if model is self.models[0]:
            forces = [result.forces_eV_A, *forces]
        grades = _spread(forces) / self.scales_eV_A[model.types_of(atoms)]
        return np.where(np.isnan(grades), np.inf, grades)

    def save(self, path: Path) -> None:
        """Write the scales, and the hashes of the networks, to a ``.npz`` file, atomically."""
        members = np.array([model.file.sha256 for model in self.models])
        write_arrays(path, {"members": members, "scales_eV_A": self.scales_eV_A})

    @classmethod
    def load(cls, path: Path, models: Sequence[NequIPModel]) -> CommitteeGrade:
        """Read from a ``.npz`` file.

        Parameters
        ----------
        path
            The file.
        models
            The networks, in the order of the committee that was saved.

        Raises
        ------
        DataFileError
            If the file is absent, damaged, or of another committee.
        """
        stored = read_arrays(path, ("members", "scales_eV_A"), "scales of a committee")
        members, scales = [str(one) for one in stored["members"]], stored["scales_eV_A"]
        if members != [model.file.sha256 for model in models]:
            raise DataFileError(
                f"{path}: of another committee than the {len(models)} networks given; give its {len(members)} networks "
                "in their order, or compute the scales again from the training set"
            )
        return cls(tuple(models), scales)


def train_committee(
    training: Sequence[LabelledConfiguration],
    species: Sequence[str],
    settings: NequIPSettings,
    seed: int,
    folder: Path,
    *,
    start_from: Sequence[ModelFile] | None = None,
    progress: Progress | None = None,
) -> list[NequIPRun]:
    """Train ``settings.committee_size`` networks of consecutive seeds; each has a validation set of its own.

    Parameters
    ----------
    training, species, settings, folder, progress
        As for `train_nequip`.
    seed
        Of the first network.
    start_from
        Checkpoints of a committee to go on from, one for each network.

    Raises
    ------
    UserInputError
        If the committee to go on from has another size.
    """
    size = settings.committee_size
    if start_from is not None and len(start_from) != size:
        raise UserInputError(
            f"a committee of {size} cannot go on from {len(start_from)} networks; set committee_size to "
            f"{len(start_from)}, or train from scratch"
        )
    starts = [None] * size if start_from is None else list(start_from)
    return [
        train_nequip(training, species, settings, seed + index, folder, start_from=start, progress=progress)
        for index, start in enumerate(starts)
    ]


def force_spread(models: Sequence[NequIPModel], atoms: Atoms) -> FloatArray:
    """Return the spread of the networks' forces on each atom, shape (n_atoms,), eV/Å."""
    return _spread([model.compute(atoms).forces_eV_A for model in models])


def build_committee_grade(models: Sequence[NequIPModel], configurations: Sequence[Atoms]) -> CommitteeGrade:
    """Measure the spread of a committee on its training set.

    Parameters
    ----------
    models
        Two networks or more, of the same species in the same order.
    configurations
        The training set.

    Raises
    ------
    UserInputError
        If there are fewer than two networks, their species differ, or an element is not in the training set.
    """
    if len(models) < 2:
        raise UserInputError(f"a committee of {len(models)} has no spread; train two networks at least")
    species = models[0].info.species
    if any(model.info.species != species for model in models):
        raise UserInputError("the networks of a committee are for different species; train all of them on one set")
    spreads = np.concatenate([force_spread(models, atoms) for atoms in configurations])
    types = np.concatenate([models[0].types_of(atoms) for atoms in configurations])
    for kind, symbol in enumerate(species):
        if not (types == kind).any():
            raise UserInputError(f"no configuration of the training set has {symbol}; add one, or train without it")
    scales = np.array([spreads[types == kind].max() for kind in range(len(species))])
    return CommitteeGrade(tuple(models), np.maximum(scales, np.finfo(float).tiny))


def _spread(forces: Sequence[FloatArray]) -> FloatArray:
    stacked = np.array(forces)
    return np.asarray(np.sqrt(((stacked - stacked.mean(axis=0)) ** 2).sum(axis=2).mean(axis=0)), dtype=float)
