"""The extrapolation grade of a network: D-optimality of the features its layers make.

The row of an atom holds the invariant features that each layer makes of it, and a 1. The readout is linear in the last
layer's, E = a (w . x) + b, so these and the 1 are the derivatives of the atom's energy with respect to the weights w
and the species' shift b, but for constant factors: what a row is for a moment tensor potential
(doi:10.1016/j.commatsci.2017.08.031). The earlier layers see what the last one no longer shows. For each species the
active set holds those training atoms whose rows span the largest volume. The grade of an atom is the largest modulus
of its coefficients in them: at most 1 for atoms of the training set. Without the 1, which ties the coefficients to a
sum of one, an atom without neighbours, whose features are all zero, would have grade 0.

A network's features may not span all directions. Each is divided by its root mean square in the training set (or by
``FLOOR`` of that of all, if that is more), and the active set starts from ``FLOOR`` times the unit vectors; of those,
the ones that no training atom replaces stay.
So a component in a direction the training set does not show counts in units of ``FLOOR``: it raises the grade, and
rounding errors of single precision, some 1e-6, do not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from interfaceflow.core.errors import DataFileError, UserInputError
from interfaceflow.potentials.maxvol import NO_ROW, THRESHOLD, SelectedRows
from interfaceflow.potentials.nequip.array_file import read_arrays, write_arrays
from interfaceflow.potentials.nequip.model import NequIPModel, NequIPResult

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

FLOOR: Final = 1e-3
"""Of the features' root mean square: a component this large in a direction never seen has grade 1."""
_ARRAYS: Final = ("species", "model_sha256", "scales", "matrices", "owners")


@dataclass(frozen=True)
class SpeciesActiveSet:
    """The active set of one species.

    Attributes
    ----------
    scales
        What each feature is divided by, shape (n_features,).
    matrix
        Selected rows: features over the scales, and a 1; shape (n, n) with n = n_features + 1.
    owners
        Configuration and atom of each row, shape (n, 2); ``NO_ROW`` for a row that stayed from the start.
    """

    scales: FloatArray
    matrix: FloatArray
    owners: IntArray

    @classmethod
    def of(cls, features: FloatArray, owners: IntArray) -> SpeciesActiveSet:
        """Select the active set of the atoms of a training set.

        Parameters
        ----------
        features
            Of the atoms, shape (n_atoms, n_features).
        owners
            Configuration and atom of each, shape (n_atoms, 2).
        """
        squares = np.mean(features**2, axis=0)
        scales = np.sqrt(np.maximum(squares, FLOOR**2 * squares.mean())) if squares.any() else np.ones(len(squares))
        n = len(scales) + 1
        empty = cls(scales, FLOOR * np.eye(n), np.full((n, 2), NO_ROW, dtype=np.int64))
        return empty.extended(features, owners)

    def grades(self, features: FloatArray) -> FloatArray:
        """Return the grade of each atom, shape (n_atoms,)."""
        return self._selected().grades(self._rows(features))

    def extended(self, features: FloatArray, owners: IntArray) -> SpeciesActiveSet:
        """Return the active set after exchanging rows for those of more atoms.

        Parameters
        ----------
        features
            Of the atoms, shape (n_atoms, n_features).
        owners
            Configuration and atom of each, shape (n_atoms, 2).
        """
        selected = self._selected()
        selected.maximise([self._rows(features)])
        entered = selected.owners != NO_ROW
        new_owners = self.owners.copy()
        new_owners[entered] = owners[selected.owners[entered]]
        return SpeciesActiveSet(self.scales, selected.matrix, new_owners)

    @property
    def n_seen(self) -> int:
        """Number of directions that the training set shows."""
        return int((self.owners[:, 0] != NO_ROW).sum())

    def _rows(self, features: FloatArray) -> FloatArray:
        return np.concatenate([features / self.scales, np.ones((len(features), 1))], axis=1)

    def _selected(self) -> SelectedRows:
        matrix = self.matrix.copy()
        return SelectedRows(
            matrix, np.asarray(np.linalg.inv(matrix), dtype=float), np.full(len(matrix), NO_ROW, dtype=np.int64)
        )


@dataclass(frozen=True)
class LatentGrade:
    """The active sets of a network, by species.

    Attributes
    ----------
    species
        Chemical symbols in the order of the network's types.
    active_sets
        One for each species.
    model_sha256
        Of the checkpoint whose features they are.
    """

    species: tuple[str, ...]
    active_sets: tuple[SpeciesActiveSet, ...]
    model_sha256: str

    def grades(self, features: FloatArray, types: IntArray) -> FloatArray:
        """Return the grade of each atom, infinite where the network gives no number: a threshold has to see that.

        Parameters
        ----------
        features
            From the network, shape (n_atoms, n_features).
        types
            The network's types, shape (n_atoms,).
        """
        grades = np.zeros(len(types))
        for kind, active_set in enumerate(self.active_sets):
            of_kind = types == kind
            grades[of_kind] = active_set.grades(features[of_kind])
        return np.where(np.isnan(grades), np.inf, grades)

    def extended(self, features: FloatArray, types: IntArray, owners: IntArray) -> LatentGrade:
        """Return the grade after exchanging rows of the active sets for those of more atoms.

        Parameters
        ----------
        features
            Of the atoms, shape (n_atoms, n_features).
        types
            The network's types, shape (n_atoms,).
        owners
            Configuration and atom of each, shape (n_atoms, 2).
        """
        active_sets = tuple(
            active_set.extended(features[types == kind], owners[types == kind])
            for kind, active_set in enumerate(self.active_sets)
        )
        return LatentGrade(self.species, active_sets, self.model_sha256)

    def grades_of(self, model: NequIPModel, atoms: Atoms, result: NequIPResult) -> FloatArray:
        """Return the grade of each atom of a configuration that was computed, shape (n_atoms,)."""
        return self.grades(result.features, model.types_of(atoms))

    def save(self, path: Path) -> None:
        """Write to a ``.npz`` file, atomically."""
        write_arrays(
            path,
            {
                "species": np.array(self.species),
                "model_sha256": np.array(self.model_sha256),
                "scales": np.array([one.scales for one in self.active_sets]),
                "matrices": np.array([one.matrix for one in self.active_sets]),
                "owners": np.array([one.owners for one in self.active_sets]),
            },
        )

    @classmethod
    def load(cls, path: Path, *, model_sha256: str | None = None) -> LatentGrade:
        """Read from a ``.npz`` file.

        Parameters
        ----------
        path
            The file.
        model_sha256
            Of the checkpoint it has to belong to; None for any.

        Raises
        ------
        DataFileError
            If the file is absent, damaged, or of another network.
        """
        stored = read_arrays(path, _ARRAYS, "active set of a network")
        rows = zip(stored["scales"], stored["matrices"], stored["owners"], strict=True)
        active_sets = tuple(SpeciesActiveSet(scales, matrix, owners) for scales, matrix, owners in rows)
        grade = cls(tuple(map(str, stored["species"])), active_sets, str(stored["model_sha256"]))
        if model_sha256 is not None and grade.model_sha256 != model_sha256:
            raise DataFileError(
                f"{path}: an active set of another network (checkpoint {grade.model_sha256[:12]}..., not "
                f"{model_sha256[:12]}...); features of two networks cannot be compared. Build it again from the "
                "training set"
            )
        return grade


@dataclass(frozen=True)
class LatentAdditions:
    """Which candidates a training set needs.

    Attributes
    ----------
    selected
        Indices of the candidates to add, the one of the largest grade first.
    candidate_grades
        Largest grade of each candidate's atoms against the active set of the training set alone, shape
        (n_candidates,).
    grade
        The active set that training set and selected candidates form together; the owners of its new rows count the
        candidates from ``n_known`` on.
    """

    selected: tuple[int, ...]
    candidate_grades: FloatArray
    grade: LatentGrade


def build_latent_grade(model: NequIPModel, configurations: Sequence[Atoms], model_sha256: str) -> LatentGrade:
    """Select the active set of each species from a training set.

    Parameters
    ----------
    model
        The network, compiled or not.
    configurations
        The training set.
    model_sha256
        Of the checkpoint, to be recorded.

    Raises
    ------
    UserInputError
        If the network gives no features, or an element of it is not in the training set.
    """
    features, types, owners = _features_of(model, configurations)
    active_sets = []
    for kind, symbol in enumerate(model.info.species):
        rows = features[types == kind]
        if not len(rows):
            raise UserInputError(
                f"no configuration of the training set has {symbol}, so a grade for it would mean nothing; add one, or "
                "train a network without it"
            )
        active_sets.append(SpeciesActiveSet.of(rows, owners[types == kind]))
    return LatentGrade(model.info.species, tuple(active_sets), model_sha256)


def select_latent_additions(
    grade: LatentGrade,
    model: NequIPModel,
    candidates: Sequence[Atoms],
    *,
    n_known: int = 0,
    threshold: float = THRESHOLD,
    limit: int | None = None,
) -> LatentAdditions:
    """Select the candidates that enter the active set: those a training set needs to interpolate on all of them.

    One is taken at a time, that of the largest grade; what it adds may make others superfluous.

    Parameters
    ----------
    grade
        Of the training set.
    model
        The network whose features it is of.
    candidates
        Configurations to choose from.
    n_known
        Number of configurations of the training set.
    threshold
        Grade from which on a candidate is taken in, above 1.
    limit
        Largest number of candidates to take in; None for no limit.

    Raises
    ------
    UserInputError
        If the threshold is not above 1.
    """
    if not threshold > 1:
        raise UserInputError(f"threshold = {threshold:g}: a threshold is above 1 (the usual one is {THRESHOLD:g})")
    if not candidates:
        return LatentAdditions((), np.zeros(0), grade)
    features, types, owners = _features_of(model, candidates)
    first = grades = _largest_grades(grade, features, types, owners)
    extended, chosen = grade, list[int]()
    while grades.max() > threshold and (limit is None or len(chosen) < limit):
        best = int(grades.argmax())
        own = owners[:, 0] == best
        extended = extended.extended(features[own], types[own], owners[own] + np.array([n_known, 0]))
        chosen.append(best)
        grades = _largest_grades(extended, features, types, owners)
        # What the training set knew it still knows, though its rows have made room.
        grades[first <= threshold] = grades[chosen] = 0.0
    kept = {int(owner) for one in extended.active_sets for owner in one.owners[:, 0]}
    return LatentAdditions(tuple(one for one in chosen if one + n_known in kept), first, extended)


def _largest_grades(grade: LatentGrade, features: FloatArray, types: IntArray, owners: IntArray) -> FloatArray:
    """Return the largest grade of each configuration's atoms, shape (n_configurations,)."""
    grades = np.zeros(int(owners[:, 0].max()) + 1)
    np.maximum.at(grades, owners[:, 0], grade.grades(features, types))
    return grades


def _features_of(model: NequIPModel, configurations: Sequence[Atoms]) -> tuple[FloatArray, IntArray, IntArray]:
    """Return features, types and owners (configuration, atom) of all atoms."""
    if not model.info.has_features:
        raise UserInputError(
            f"{model.file.path} does not give the features a grade is made from; compile the checkpoint again here"
        )
    features = [model.compute(atoms).features for atoms in configurations]
    types = [model.types_of(atoms) for atoms in configurations]
    owners = [
        np.stack([np.full(len(atoms), index), np.arange(len(atoms))], axis=1)
        for index, atoms in enumerate(configurations)
    ]
    return np.concatenate(features), np.concatenate(types), cast(IntArray, np.concatenate(owners))
