"""Labelling of many configurations by the worker pool."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ase import Atoms

from interfaceflow.core.errors import CalculationError, DataFileError
from interfaceflow.core.formats.labelled_file import read_labelled, write_labelled
from interfaceflow.core.labelled import LabelledConfiguration
from interfaceflow.core.progress import Progress
from interfaceflow.reference.checkpoint import calculation_identity
from interfaceflow.reference.engines import check_calculation
from interfaceflow.reference.labels import reason_not_to_compute, reason_to_quarantine, take_label
from interfaceflow.reference.levels_of_theory import calculator_of
from interfaceflow.reference.workers import Advance, WorkerFailure, map_in_workers
from interfaceflow.schemas.datasets import QuarantinedLabel
from interfaceflow.schemas.level_of_theory import LevelOfTheory


@dataclass(frozen=True)
class LabelRequest:
    """A configuration to label.

    Attributes
    ----------
    atoms
        Periodic configuration.
    source
        Where it came from, in words.
    trajectory
        Name of the run it is a frame of.
    temperature_K
        Temperature of that run, K.
    """

    atoms: Atoms
    source: str
    trajectory: str
    temperature_K: float | None = None


@dataclass(frozen=True)
class _LabelTask:
    request: LabelRequest
    level: LevelOfTheory


def label_configurations(
    requests: Sequence[LabelRequest],
    level: LevelOfTheory,
    n_workers: int,
    progress: Progress,
    kept_in: Path | None = None,
) -> tuple[list[LabelledConfiguration], list[QuarantinedLabel]]:
    """Label configurations with a reference calculation.

    Parameters
    ----------
    requests
        Configurations and where they came from.
    level
        Level of theory.
    n_workers
        Processes that label at the same time.
    progress
        Told of each label.
    kept_in
        Folder in which each label is stored as soon as it is there; what is there already is not computed again.

    Returns
    -------
    tuple
        The labels that are trusted, in the order of the requests, and those that are not, each with its reason: a
        failed label never fails its batch.

    Raises
    ------
    UserInputError
        If the engine cannot compute one of the configurations (a charged cell, an element it does not know); nothing
        is computed then.
    """
    for request in requests:
        check_calculation(level, request.atoms, request.source)
    outcomes = _label_all([_LabelTask(request, level) for request in requests], n_workers, progress, kept_in)
    trusted: list[LabelledConfiguration] = []
    quarantined: list[QuarantinedLabel] = []
    for request, outcome in zip(requests, outcomes, strict=True):
        reason = outcome.reason if isinstance(outcome, WorkerFailure) else reason_to_quarantine(outcome)
        if reason is not None:
            quarantined.append(QuarantinedLabel(source=request.source, reason=reason))
            progress.note(f"quarantined {request.source}: {reason}")
        elif not isinstance(outcome, WorkerFailure):
            trusted.append(outcome)
    return trusted, quarantined


def _label_all(
    tasks: Sequence[_LabelTask], n_workers: int, progress: Progress, kept_in: Path | None
) -> list[LabelledConfiguration | WorkerFailure]:
    """Return the label of each task: the one that is kept, or else a new one."""
    files = [None if kept_in is None else kept_in / f"label-{_identity(task)}.xyz" for task in tasks]
    outcomes: list[LabelledConfiguration | WorkerFailure | None] = [_kept(path) for path in files]
    missing = [index for index, outcome in enumerate(outcomes) if outcome is None]

    def keep(position: int, label: LabelledConfiguration) -> None:
        path = files[missing[position]]
        if path is not None:
            write_labelled([label], path)

    progress.start(len(missing), "label", f"Labelling with {tasks[0].level.name}" if tasks else "Labelling")
    computed = map_in_workers(
        _label_in_worker,
        [tasks[index] for index in missing],
        n_workers=n_workers,
        size=lambda task: len(task.request.atoms),
        progress=progress,
        on_result=keep,
    )
    by_index = dict(zip(missing, computed, strict=True))
    return [by_index[index] if outcome is None else outcome for index, outcome in enumerate(outcomes)]


def _kept(path: Path | None) -> LabelledConfiguration | None:
    if path is None:
        return None
    try:
        (label,) = read_labelled(path)
    except (DataFileError, ValueError):
        return None
    return label


def _identity(task: _LabelTask) -> str:
    request = task.request
    return calculation_identity(
        request.atoms, request.source, request.trajectory, request.temperature_K, task.level.physics_hash
    )


def _label_in_worker(task: _LabelTask, advance: Advance) -> LabelledConfiguration:
    hopeless = reason_not_to_compute(task.request.atoms)
    if hopeless is not None:
        raise CalculationError(hopeless)
    atoms = task.request.atoms.copy()
    atoms.calc = calculator_of(task.level)
    label = take_label(
        atoms,
        physics_hash=task.level.physics_hash,
        source=task.request.source,
        trajectory=task.request.trajectory,
        temperature_K=task.request.temperature_K,
    )
    advance()
    return label
