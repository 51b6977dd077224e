"""A dataset: labelled configurations of one physics, split into training and held-out trajectories."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement, product
from pathlib import Path
from typing import Final

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols
from numpy.typing import NDArray

from interfaceflow.core.errors import DataFileError, UserInputError
from interfaceflow.core.formats.labelled_file import read_labelled, write_labelled
from interfaceflow.core.labelled import LabelledConfiguration

TRAINING_FILE: Final = "training.xyz"
HELD_OUT_FILE: Final = "held_out.xyz"

_SAME_POSITION_A: Final = 1.0e-4
_LONGEST_PAIR_A: Final = 6.0


@dataclass(frozen=True)
class Dataset:
    """Labelled configurations.

    Attributes
    ----------
    training
        Configurations to train on.
    held_out
        Configurations to test on; none of their trajectories is in the training part.
    """

    training: tuple[LabelledConfiguration, ...]
    held_out: tuple[LabelledConfiguration, ...]

    @property
    def physics_hash(self) -> str:
        """The physics that all labels share."""
        return self.training[0].physics_hash

    @property
    def species(self) -> tuple[str, ...]:
        """Elements in order of atomic number: the order of the potential's types."""
        numbers = {int(number) for part in (self.training, self.held_out) for c in part for number in c.atoms.numbers}
        return tuple(chemical_symbols[number] for number in sorted(numbers))


def make_dataset(configurations: Iterable[LabelledConfiguration], held_out_trajectories: frozenset[str]) -> Dataset:
    """Split configurations by trajectory, without duplicates.

    Parameters
    ----------
    configurations
        Labelled configurations of one physics.
    held_out_trajectories
        Names of the trajectories that are for testing only.

    Raises
    ------
    UserInputError
        If labels of different physics are mixed, or nothing is left to train on.
    """
    unique = deduplicate(configurations)
    check_same_physics(unique)
    training = tuple(c for c in unique if c.trajectory not in held_out_trajectories)
    if not training:
        raise UserInputError("the dataset has no training configuration: give training_set more trajectories or steps")
    return Dataset(training, tuple(c for c in unique if c.trajectory in held_out_trajectories))


def extend_training(dataset: Dataset, configurations: Iterable[LabelledConfiguration]) -> Dataset:
    """Return the dataset with more training configurations, duplicates left out.

    Raises
    ------
    UserInputError
        If the new labels are of another physics.
    """
    training = deduplicate([*dataset.training, *configurations])
    check_same_physics([*training, *dataset.held_out])
    return Dataset(tuple(training), dataset.held_out)


def check_same_physics(configurations: Sequence[LabelledConfiguration]) -> None:
    """Refuse a set of labels of more than one physics, charge without an alignment included.

    Raises
    ------
    UserInputError
        If the physics hashes differ, or charged and neutral cells are mixed.
    """
    by_hash = {c.physics_hash: c.source for c in configurations}
    if len(by_hash) > 1:
        examples = "; ".join(f"{physics[:12]}... ({source})" for physics, source in by_hash.items())
        raise UserInputError(
            f"labels of {len(by_hash)} different levels of theory cannot share a dataset: {examples}; "
            "label all configurations at one level of theory"
        )
    if len({c.charge_e for c in configurations}) > 1:
        raise UserInputError(
            "charged and neutral cells cannot share a dataset without an alignment of their energies; "
            "leave the charged ones out"
        )


def deduplicate(configurations: Iterable[LabelledConfiguration]) -> list[LabelledConfiguration]:
    """Return configurations in order, each once: same elements, cell and positions to about 1e-4 Å.

    Atoms are compared in their order; positions that differ by a cell vector are the same.
    """
    unique: dict[bytes, LabelledConfiguration] = {}
    for configuration in configurations:
        unique.setdefault(_fingerprint(configuration.atoms), configuration)
    return list(unique.values())


def minimum_distances(configurations: Iterable[LabelledConfiguration]) -> dict[str, float]:
    """Return the smallest distance by pair of elements, as ``{"Cl-Li": 2.21}``, Å.

    The elements of a pair are in alphabetical order. A pair that never comes within 6 Å is left out.
    """
    smallest: dict[str, float] = {}
    for configuration in configurations:
        symbols = np.array(configuration.atoms.get_chemical_symbols())
        distances = _nearest_image_distances(configuration.atoms)
        for first, second in combinations_with_replacement(sorted(set(symbols)), 2):
            distance = float(distances[np.ix_(symbols == first, symbols == second)].min())
            if distance < smallest.get(f"{first}-{second}", _LONGEST_PAIR_A):
                smallest[f"{first}-{second}"] = distance
    return dict(sorted(smallest.items()))


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
        If a file is damaged, or its labels are of different physics.
    """
    dataset = Dataset(tuple(read_labelled(training)), tuple(read_labelled(held_out)) if held_out.stat().st_size else ())
    try:
        check_same_physics([*dataset.training, *dataset.held_out])
    except UserInputError as error:
        raise DataFileError(f"{training}, {held_out}: {error}") from None
    return dataset


def _nearest_image_distances(atoms: Atoms) -> NDArray[np.float64]:
    """Return the distance of each atom to the nearest image of each, itself too, Å; shape (n_atoms, n_atoms).

    Right for all distances up to 6 Å; a longer one may not be the shortest.
    """
    fractions = atoms.get_scaled_positions(wrap=False)
    differences = fractions[None, :, :] - fractions[:, None, :]
    vectors = (differences - np.rint(differences)) @ atoms.cell.array
    heights = 1.0 / np.linalg.norm(atoms.cell.reciprocal().array, axis=1)
    reaches = np.floor(_LONGEST_PAIR_A / heights + 0.5).astype(int)
    nearest = np.full((len(atoms), len(atoms)), np.inf)
    for shift in product(*(range(-reach, reach + 1) for reach in reaches)):
        squares = ((vectors + shift @ atoms.cell.array) ** 2).sum(axis=2)
        if shift == (0, 0, 0):
            np.fill_diagonal(squares, np.inf)
        np.minimum(nearest, squares, out=nearest)
    distances: NDArray[np.float64] = np.sqrt(nearest)
    return distances


def _fingerprint(atoms: Atoms) -> bytes:
    fractions = np.mod(atoms.get_scaled_positions(wrap=False), 1.0)
    scale = atoms.cell.lengths() / _SAME_POSITION_A
    steps = np.mod(np.rint(fractions * scale), np.rint(scale)).astype(np.int64)
    cell = np.rint(atoms.cell.array / _SAME_POSITION_A).astype(np.int64)
    parts: list[bytes] = [array.tobytes() for array in (atoms.numbers, cell, steps)]
    return b"".join(parts)
