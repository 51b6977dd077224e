"""Labelling of many configurations by the worker pool."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ase import Atoms

from interfaceflow.core.labelled import LabelledConfiguration
from interfaceflow.core.progress import Progress
from interfaceflow.reference.engines import check_calculation
from interfaceflow.reference.labels import reason_to_quarantine, take_label
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
    requests: Sequence[LabelRequest], level: LevelOfTheory, n_workers: int, progress: Progress
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
    progress.start(len(requests), "label", f"Labelling with {level.name}")
    outcomes = map_in_workers(
        _label_in_worker,
        [_LabelTask(request, level) for request in requests],
        n_workers=n_workers,
        size=lambda task: len(task.request.atoms),
        progress=progress,
    )
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


def _label_in_worker(task: _LabelTask, advance: Advance) -> LabelledConfiguration:
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
