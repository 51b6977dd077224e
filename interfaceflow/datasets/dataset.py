"""A dataset: labelled configurations of one physics, split into training and held-out trajectories."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ase.data import chemical_symbols

from interfaceflow.core.errors import DataFileError, UserInputError
from interfaceflow.core.formats.labelled_file import read_labelled, write_labelled
from interfaceflow.core.labelled import LabelledConfiguration
from interfaceflow.datasets.charges import align_charged, check_charges
from interfaceflow.datasets.duplicates import KnownConfigurations

TRAINING_FILE: Final = "training.xyz"
HELD_OUT_FILE: Final = "held_out.xyz"


@dataclass(frozen=True)
class Dataset:
    """Labelled configurations.

    Attributes
    ----------
    training
        Configurations to train on.
    held_out
        Configurations to test on; none of their trajectories is in the training part.
    n_duplicates
        How many were left out when it was made, because another one was the same.

    Raises
    ------
    UserInputError
        If both parts have frames of one trajectory, labels are of different physics, or charged cells are among
        neutral ones without an alignment of their energies: no dataset of that kind can exist.
    """

    training: tuple[LabelledConfiguration, ...]
    held_out: tuple[LabelledConfiguration, ...]
    n_duplicates: int = 0

    def __post_init__(self) -> None:
        check_no_shared_trajectory(self.training, self.held_out)
        check_same_physics([*self.training, *self.held_out])

    @property
    def physics_hash(self) -> str:
        """The physics that all labels share."""
        return self.training[0].physics_hash

    @property
    def species(self) -> tuple[str, ...]:
        """Elements in order of atomic number: the order of the potential's types."""
        numbers = {int(number) for part in (self.training, self.held_out) for c in part for number in c.atoms.numbers}
        return tuple(chemical_symbols[number] for number in sorted(numbers))


def make_dataset(
    configurations: Iterable[LabelledConfiguration],
    held_out_trajectories: frozenset[str],
    *,
    electron_energy_eV: float | None = None,
) -> Dataset:
    """Split configurations by trajectory, without duplicates.

    A configuration that is in both parts stays in the training part alone.

    Parameters
    ----------
    configurations
        Labelled configurations of one physics.
    held_out_trajectories
        Names of the trajectories that are for testing only.
    electron_energy_eV
        Energy of one electron in its reservoir, eV, by which the energies of charged cells are aligned; None where
        there are none, or none but them.

    Raises
    ------
    UserInputError
        If labels of different physics are mixed, or nothing is left to train on.
    """
    aligned = [align_charged(configuration, electron_energy_eV) for configuration in configurations]
    known = KnownConfigurations()
    training = tuple(c for c in aligned if c.trajectory not in held_out_trajectories and known.add(c))
    if not training:
        raise UserInputError("the dataset has no training configuration: give training_set more trajectories or steps")
    held_out = tuple(c for c in aligned if c.trajectory in held_out_trajectories and known.add(c))
    return Dataset(training, held_out, len(aligned) - len(training) - len(held_out))


def extend_training(
    dataset: Dataset, configurations: Iterable[LabelledConfiguration], *, electron_energy_eV: float | None = None
) -> Dataset:
    """Return the dataset with more training configurations; what is in one of its parts already is left out.

    Parameters
    ----------
    dataset
        The dataset so far.
    configurations
        New labels.
    electron_energy_eV
        As for `make_dataset`.

    Raises
    ------
    UserInputError
        If the new labels are of another physics, or of a trajectory that is held out.
    """
    new = [align_charged(configuration, electron_energy_eV) for configuration in configurations]
    known = KnownConfigurations([*dataset.held_out, *dataset.training])
    added = tuple(c for c in new if known.add(c))
    return Dataset((*dataset.training, *added), dataset.held_out, dataset.n_duplicates + len(new) - len(added))


def check_no_shared_trajectory(
    training: Iterable[LabelledConfiguration], held_out: Iterable[LabelledConfiguration]
) -> None:
    """Refuse a split whose test would be on frames correlated with those it was trained on.

    Raises
    ------
    UserInputError
        If both parts have frames of one trajectory.
    """
    shared = {c.trajectory for c in training} & {c.trajectory for c in held_out}
    if shared:
        raise UserInputError(
            f"frames of the same trajectory are in the training and in the held-out part: {', '.join(sorted(shared))}; "
            "a trajectory goes into one of them as a whole, or errors on the held-out part mean nothing"
        )


def check_same_physics(configurations: Sequence[LabelledConfiguration]) -> None:
    """Refuse a set of labels of more than one physics, charge without an alignment included.

    Raises
    ------
    UserInputError
        If the physics hashes differ, or charged cells are among others without an alignment of their energies.
    """
    by_hash = {c.physics_hash: c.source for c in configurations}
    if len(by_hash) > 1:
        examples = "; ".join(f"{physics[:12]}... ({source})" for physics, source in by_hash.items())
        raise UserInputError(
            f"labels of {len(by_hash)} different levels of theory cannot share a dataset: {examples}; "
            "label all configurations at one level of theory"
        )
    check_charges(configurations)


def write_dataset(dataset: Dataset, folder: Path) -> tuple[Path, Path]:
    """Write ``training.xyz`` and ``held_out.xyz``, atomically, and return their paths."""
    training, held_out = folder / TRAINING_FILE, folder / HELD_OUT_FILE
    write_labelled(dataset.training, training)
    write_labelled(dataset.held_out, held_out)
    return training, held_out


def read_dataset(training: Path, held_out: Path) -> Dataset:
    """Read a dataset from its two files.

    Raises
    ------
    DataFileError
        If a file is damaged, or the two make no dataset: different physics, a trajectory in both.
    """
    trained_on = tuple(read_labelled(training))
    tested_on = tuple(read_labelled(held_out)) if held_out.stat().st_size else ()
    try:
        return Dataset(trained_on, tested_on)
    except UserInputError as error:
        raise DataFileError(f"{training}, {held_out}: {error}") from None
