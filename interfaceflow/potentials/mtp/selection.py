"""Active learning: the active set of a potential, and which configurations it lacks.

A row is the derivative of an energy with respect to all coefficients of the potential: of one atom's site energy
(selection by neighbourhoods) or of a whole configuration's energy (selection by configurations). The active set holds
the rows of largest volume; see `maxvol`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from interfaceflow.core.errors import UserInputError
from interfaceflow.potentials.maxvol import NO_ROW, THRESHOLD, FloatArray, SelectedRows
from interfaceflow.potentials.mtp._native import Configuration, Potential, SelectionState
from interfaceflow.potentials.mtp.loss import MEMORY_LIMIT_MB
from interfaceflow.potentials.mtp.row_pool import WEIGHT_SCALING, RowPool, SelectionMode


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


def _state(
    selection: SelectedRows, pool: RowPool, configurations: Sequence[Configuration], mode: SelectionMode
) -> SelectionState:
    """Return the active set as the file holds it: only the configurations that own a row, in their order."""
    owned = selection.owners != NO_ROW
    of_pool, equations = pool.locate(selection.owners[owned])
    kept = np.unique(of_pool)
    links = np.full((len(selection.owners), 2), NO_ROW, dtype=np.int32)
    links[owned, 0] = np.searchsorted(kept, of_pool)
    links[owned, 1] = equations
    by_configuration = mode is SelectionMode.CONFIGURATIONS
    return SelectionState(
        energy_weight=float(by_configuration),
        force_weight=0.0,
        stress_weight=0.0,
        site_energy_weight=float(not by_configuration),
        weight_scaling=WEIGHT_SCALING,
        matrix=selection.matrix,
        inverse=selection.inverse,
        rows=links,
        configurations=[configurations[index] for index in kept],
    )


def _resume(potential: Potential, pool: RowPool) -> SelectedRows:
    """Return the selection stored in the potential, its rows computed anew; an empty one if it has none.

    The configurations of ``pool`` start with those of the stored selection.
    """
    selection = SelectedRows.empty(potential.n_coefficients)
    stored = potential.selection
    if stored is None:
        return selection
    owned = stored.rows[:, 0] != NO_ROW
    owners = [pool.find(index, equation) for index, equation in stored.rows[owned].tolist()]
    selection.matrix = np.array(stored.matrix)
    selection.owners[owned] = owners
    selection.matrix[owned] = pool.rows(np.array(owners, dtype=np.int64))
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
    memory_limit_MB: float = MEMORY_LIMIT_MB,
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
    memory_limit_MB
        Memory for rows, in MB; more rows than it holds are computed anew at each pass.
    n_threads
        Threads to use for the rows.

    Returns
    -------
    SelectionState
        No row of the training set has a grade above `maxvol.THRESHOLD` against it.
    """
    pool = RowPool(potential, [configurations], mode, memory_limit_MB=memory_limit_MB, n_threads=n_threads)
    selection = SelectedRows.empty(potential.n_coefficients)
    selection.maximise(pool.blocks())
    return _state(selection, pool, configurations, mode)


def select_additions(
    potential: Potential,
    training_set: Sequence[Configuration],
    candidates: Sequence[Configuration],
    *,
    mode: SelectionMode | None = None,
    threshold: float = THRESHOLD,
    swap_limit: int | None = None,
    memory_limit_MB: float = MEMORY_LIMIT_MB,
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
    memory_limit_MB
        Memory for rows, in MB; more rows than it holds are computed anew at each pass.
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
    pool = RowPool(potential, [known, candidates], mode, memory_limit_MB=memory_limit_MB, n_threads=n_threads)
    n_known = pool.n_rows(len(known))

    selection = _resume(potential, pool)
    selection.maximise(pool.blocks(group=0))
    survey = selection.survey(pool.blocks())
    candidate_rows, _ = pool.locate(np.arange(n_known, pool.n_rows(), dtype=np.int64))
    candidate_grades = np.zeros(len(candidates))
    np.maximum.at(candidate_grades, candidate_rows - len(known), survey.grades[n_known:])

    selection.maximise(pool.blocks(), threshold=threshold, swap_limit=swap_limit, survey=survey)
    selection.maximise(pool.blocks(group=0))
    owners = selection.owners[selection.owners >= n_known]
    new = np.unique(pool.locate(owners)[0]) - len(known)
    return Additions(
        selected=tuple(int(index) for index in new),
        candidate_grades=candidate_grades,
        state=_state(selection, pool, everything, mode),
    )
