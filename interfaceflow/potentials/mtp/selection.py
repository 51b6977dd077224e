"""Active learning: the active set of a potential, and which configurations it lacks.

A row is the derivative of an energy with respect to all coefficients of the potential: of one atom's site energy
(selection by neighbourhoods) or of a whole configuration's energy (selection by configurations). The active set holds
the rows of largest volume; see `maxvol`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from interfaceflow.core.errors import DataFileError, UserInputError
from interfaceflow.potentials.mtp._native import Configuration, ConfigurationSet, Potential, SelectionState
from interfaceflow.potentials.mtp.maxvol import NO_ROW, THRESHOLD, FloatArray, IntArray, SelectedRows

_WEIGHT_SCALING = 2


class SelectionMode(StrEnum):
    """What a row of the active set is; the values are those of ``--al_mode``."""

    NEIGHBOURHOODS = "nbh"
    CONFIGURATIONS = "cfg"

    @classmethod
    def of(cls, state: SelectionState) -> SelectionMode:
        """Return the mode of a stored active set.

        Raises
        ------
        UserInputError
            If the set was made from force or stress equations, which only MLIP writes and nobody uses.
        """
        weights = (state.energy_weight, state.force_weight, state.stress_weight, state.site_energy_weight)
        match tuple(weight != 0 for weight in weights):
            case (False, False, False, True):
                return cls.NEIGHBOURHOODS
            case (True, False, False, False):
                return cls.CONFIGURATIONS
        raise UserInputError(
            "the potential's active set mixes equations (weights of energy, force, stress and site energy: "
            f"{', '.join(f'{weight:g}' for weight in weights)}); supported are 1, 0, 0, 0 (--al_mode=cfg) and "
            "0, 0, 0, 1 (--al_mode=nbh): train the potential again"
        )


@dataclass(frozen=True)
class _Rows:
    """The rows of some configurations, and which configuration and equation each is.

    Attributes
    ----------
    values
        Shape (n_rows, n_coefficients).
    configurations
        Index of each row's configuration, shape (n_rows,).
    equations
        Number of each row's equation within its configuration, as the ``.almtp`` file counts, shape (n_rows,).
    """

    values: FloatArray
    configurations: IntArray
    equations: IntArray


@dataclass(frozen=True)
class Additions:
    """Which candidates a training set needs.

    Attributes
    ----------
    selected
        Indices of the candidates to add, ascending.
    candidate_grades
        Grade of each candidate against the active set of the training set alone, shape (n_candidates,).
    state
        The active set that the selected candidates and the training set form together.
    """

    selected: tuple[int, ...]
    candidate_grades: FloatArray
    state: SelectionState


def _rows(potential: Potential, configurations: Sequence[Configuration], mode: SelectionMode, n_threads: int) -> _Rows:
    """Return the rows of all configurations."""
    sizes = np.array([len(configuration) for configuration in configurations], dtype=np.int64)
    owners = np.arange(len(configurations), dtype=np.int64)
    if not configurations:
        return _Rows(np.zeros((0, potential.n_coefficients)), owners, owners)
    atoms = ConfigurationSet.of(configurations, potential.max_dist)
    if mode is SelectionMode.CONFIGURATIONS:
        gradients = atoms.energy_gradients(potential, n_threads=n_threads)
        per_atom = np.maximum(sizes, 1).astype(float) ** (_WEIGHT_SCALING / 2)
        return _Rows(gradients / per_atom[:, None], owners, np.zeros_like(owners))
    atom_of_configuration = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return _Rows(
        values=atoms.site_gradients(potential, n_threads=n_threads),
        configurations=np.repeat(owners, sizes),
        # Behind the energy, the forces and the stress.
        equations=1 + 3 * np.repeat(sizes, sizes) + 9 + atom_of_configuration,
    )


def _state(
    selection: SelectedRows, rows: _Rows, configurations: Sequence[Configuration], mode: SelectionMode
) -> SelectionState:
    """Return the active set as the file holds it: only the configurations that own a row, in their order."""
    owned = selection.owners != NO_ROW
    of_pool = np.where(owned, rows.configurations[selection.owners], NO_ROW) if len(rows.values) else selection.owners
    kept = np.unique(of_pool[owned])
    links = np.full((len(selection.owners), 2), NO_ROW, dtype=np.int32)
    links[owned, 0] = np.searchsorted(kept, of_pool[owned])
    links[owned, 1] = rows.equations[selection.owners[owned]]
    by_configuration = mode is SelectionMode.CONFIGURATIONS
    return SelectionState(
        energy_weight=float(by_configuration),
        force_weight=0.0,
        stress_weight=0.0,
        site_energy_weight=float(not by_configuration),
        weight_scaling=_WEIGHT_SCALING,
        matrix=selection.matrix,
        inverse=selection.inverse,
        rows=links,
        configurations=[configurations[index] for index in kept],
    )


def _resume(potential: Potential, rows: _Rows, configurations: Sequence[Configuration]) -> SelectedRows:
    """Return the selection stored in the potential, its rows computed anew; an empty one if it has none.

    ``configurations`` start with those of the stored selection, and ``rows`` are theirs.
    """
    selection = SelectedRows.empty(potential.n_coefficients)
    stored = potential.selection
    if stored is None:
        return selection
    first_row = np.searchsorted(rows.configurations, np.arange(len(configurations)))
    for place, (index, equation) in enumerate(stored.rows.tolist()):
        if index == NO_ROW:
            selection.matrix[place] = stored.matrix[place]
            continue
        owner = first_row[index] + equation - rows.equations[first_row[index]]
        if not (0 <= owner < len(rows.values) and rows.configurations[owner] == index):
            raise DataFileError(
                f"the potential's active set names equation {equation} of configuration {index}, which does not exist: "
                "the file is damaged; train the potential again"
            )
        selection.owners[place] = owner
        selection.matrix[place] = rows.values[owner]
    try:
        selection.inverse = np.asarray(np.linalg.inv(selection.matrix), dtype=float)
    except np.linalg.LinAlgError:
        return SelectedRows.empty(potential.n_coefficients)
    return selection


def build_active_set(
    potential: Potential,
    configurations: Sequence[Configuration],
    *,
    mode: SelectionMode = SelectionMode.NEIGHBOURHOODS,
    n_threads: int = 1,
) -> SelectionState:
    """Select the rows of largest volume from a training set.

    Parameters
    ----------
    potential
        Its coefficients define the rows.
    configurations
        The training set.
    mode
        What a row is.
    n_threads
        Threads to use for the rows.

    Returns
    -------
    SelectionState
        No row of the training set has a grade above `maxvol.THRESHOLD` against it.
    """
    rows = _rows(potential, configurations, mode, n_threads)
    selection = SelectedRows.empty(potential.n_coefficients)
    selection.maximise(rows.values)
    return _state(selection, rows, configurations, mode)


def select_additions(
    potential: Potential,
    training_set: Sequence[Configuration],
    candidates: Sequence[Configuration],
    *,
    mode: SelectionMode | None = None,
    threshold: float = THRESHOLD,
    swap_limit: int | None = None,
    n_threads: int = 1,
) -> Additions:
    """Select the candidates that a training set needs in order to interpolate on all of them.

    Parameters
    ----------
    potential
        Its active set is where the selection starts; where it has none, one is built from the training set.
    training_set
        Configurations that are in the training set already. They are preferred: a candidate is taken only for what
        they do not show.
    candidates
        Configurations to choose from.
    mode
        What a row is; None for that of the potential's active set, or neighbourhoods.
    threshold
        Grade from which on a candidate's row is taken in.
    swap_limit
        Largest number of rows exchanged for rows of candidates; None for no limit.
    n_threads
        Threads to use for the rows.

    Raises
    ------
    UserInputError
        If the threshold is not above 1.
    """
    if not threshold > 1:
        raise UserInputError(f"threshold = {threshold:g}: a threshold is above 1 (MLIP's is 1.001)")
    stored = potential.selection
    if mode is None:
        mode = SelectionMode.NEIGHBOURHOODS if stored is None else SelectionMode.of(stored)
    known = [*stored.configurations, *training_set] if stored is not None else list(training_set)
    everything = [*known, *candidates]
    rows = _rows(potential, everything, mode, n_threads)
    n_known_rows = int(np.searchsorted(rows.configurations, len(known)))

    selection = _resume(potential, rows, known)
    selection.maximise(rows.values, n_eligible=n_known_rows)
    row_grades = selection.grades(rows.values[n_known_rows:])
    candidate_grades = np.zeros(len(candidates))
    np.maximum.at(candidate_grades, rows.configurations[n_known_rows:] - len(known), row_grades)

    selection.maximise(rows.values, threshold=threshold, swap_limit=swap_limit)
    selection.maximise(rows.values, n_eligible=n_known_rows)
    owners = selection.owners[selection.owners != NO_ROW]
    new = np.unique(rows.configurations[owners[owners >= n_known_rows]]) - len(known)
    return Additions(
        selected=tuple(int(index) for index in new),
        candidate_grades=candidate_grades,
        state=_state(selection, rows, everything, mode),
    )
