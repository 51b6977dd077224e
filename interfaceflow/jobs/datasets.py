"""Jobs that make and extend training sets."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from jobflow.core.flow import Flow
from jobflow.core.job import Response, job

from interfaceflow.core.errors import CalculationError, DataFileError
from interfaceflow.core.files import FileRef
from interfaceflow.core.formats.labelled_file import read_labelled, write_labelled
from interfaceflow.core.labelled import LabelledConfiguration
from interfaceflow.core.progress import progress_reporter
from interfaceflow.datasets.dataset import (
    TRAINING_FILE,
    Dataset,
    extend_training,
    make_dataset,
    minimum_distances,
    read_dataset,
    write_dataset,
)
from interfaceflow.datasets.ladder import CellName, plan_trajectories
from interfaceflow.jobs.reference.labels import label_jobs, sort_out
from interfaceflow.jobs.reference.makers import runs_as_jobs
from interfaceflow.jobs.reference.sampling import segment_jobs
from interfaceflow.jobs.wiring import wire
from interfaceflow.jobs.workspace import Workspace, load_structure
from interfaceflow.reference.dynamics import SamplingTask, sample_trajectory
from interfaceflow.reference.labelling import LabelRequest, label_configurations
from interfaceflow.reference.labels import reason_to_quarantine
from interfaceflow.reference.levels_of_theory import packages_of
from interfaceflow.reference.workers import WorkerFailure, map_in_workers
from interfaceflow.schemas.datasets import DatasetDoc, QuarantinedLabel
from interfaceflow.schemas.level_of_theory import LevelOfTheory
from interfaceflow.schemas.reference import CalculationDoc
from interfaceflow.schemas.settings import ReferenceSettings, TrainingSetSettings
from interfaceflow.schemas.structures import RelaxationDoc

Outcome = list[LabelledConfiguration] | WorkerFailure


@job
def sample_training_set(
    metal: RelaxationDoc,
    binary: RelaxationDoc,
    interface: RelaxationDoc,
    settings: TrainingSetSettings,
    level: LevelOfTheory,
    reference: ReferenceSettings,
    seed: int,
) -> DatasetDoc | Response[DatasetDoc]:
    """Sample a training set by short reference MD over a ladder of temperatures and strains.

    Where the engine runs as jobs, this one replaces itself by one ``label_configuration`` for each relaxed cell, a
    chain of ``run_segment`` for each run, and an ``assemble_training_set``.

    Parameters
    ----------
    metal, binary, interface
        Relaxed cells; they are labelled and trained on, too.
    settings
        The ladder.
    level
        Level of theory of the labels.
    reference
        Number of workers.
    seed
        The flow's seed.

    Returns
    -------
    DatasetDoc
        With the labels that were refused, each with its reason.

    Raises
    ------
    UserInputError
        If a cell cannot be computed at this level of theory, or nothing is left to train on.
    CalculationError
        If nothing is left to test on.
    """
    workspace = Workspace()
    relaxed: dict[CellName, RelaxationDoc] = {"metal": metal, "binary": binary, "interface": interface}
    cells = {name: load_structure(document.structure) for name, document in relaxed.items()}
    plans = plan_trajectories(cells, settings, seed)
    tasks = [
        SamplingTask(
            plan.atoms,
            plan.temperature_K,
            settings.timestep_fs,
            plan.n_steps,
            plan.sample_every,
            plan.seed,
            level,
            plan.name,
        )
        for plan in plans
    ]
    starts = [LabelRequest(atoms, f"relaxed {name}", f"relaxed-{name}") for name, atoms in cells.items()]
    held_out = [plan.name for plan in plans if plan.held_out]
    if runs_as_jobs(level):
        jobs = [
            *label_jobs(starts, level, workspace),
            *segment_jobs(tasks, level, reference.steps_per_segment, workspace),
        ]
        assembled = wire(
            assemble_training_set([job.output for job in jobs], held_out, level, seed),
            "assemble training set",
            "light",
            workspace.parents,
        )
        return Response(replace=Flow([*jobs, assembled], output=assembled.output))
    trusted, quarantined = label_configurations(starts, level, reference.n_workers, progress_reporter())
    for task, outcome in zip(tasks, _run_trajectories(tasks, workspace.folder, reference), strict=True):
        good, bad = _sort_out(task.name, outcome)
        trusted += good
        quarantined += bad
    return _document(trusted, quarantined, held_out, level, seed, workspace)


@job
def assemble_training_set(
    calculations: list[CalculationDoc], held_out: list[str], level: LevelOfTheory, seed: int
) -> DatasetDoc:
    """Make a training set of what jobs have labelled, and quarantine what failed.

    Parameters
    ----------
    calculations
        Single points and segments.
    held_out
        Names of the runs that are only for testing.
    level
        Level of theory of the labels.
    seed
        The flow's seed.

    Raises
    ------
    UserInputError
        If nothing is left to train on.
    CalculationError
        If nothing is left to test on.
    """
    trusted, quarantined = sort_out(calculations)
    return _document(trusted, quarantined, held_out, level, seed, Workspace())


def _document(
    trusted: list[LabelledConfiguration],
    quarantined: list[QuarantinedLabel],
    held_out_runs: list[str],
    level: LevelOfTheory,
    seed: int,
    workspace: Workspace,
) -> DatasetDoc:
    dataset = make_dataset(trusted, frozenset(held_out_runs))
    if not dataset.held_out:
        raise CalculationError(f"no held-out configuration has a label one can trust: {_first_reasons(quarantined)}")
    training, held_out = write_dataset(dataset, workspace.folder)
    return DatasetDoc(
        training=FileRef.of(training),
        held_out=FileRef.of(held_out),
        n_training=len(dataset.training),
        n_held_out=len(dataset.held_out),
        species=dataset.species,
        min_distances_A=minimum_distances(dataset.training),
        quarantined=tuple(quarantined),
        level_of_theory=level.name,
        physics_hash=level.physics_hash,
        provenance=workspace.provenance(*packages_of(level), seed=seed),
    )


def extend_dataset(
    dataset: DatasetDoc,
    labelled: Sequence[LabelledConfiguration],
    quarantined: Sequence[QuarantinedLabel],
    workspace: Workspace,
) -> DatasetDoc:
    """Add labelled configurations to a dataset's training part; the held-out part stays as it is.

    Parameters
    ----------
    dataset
        The dataset so far; its files are not touched.
    labelled
        New labels.
    quarantined
        Labels that were refused on the way.
    workspace
        Of the job that adds them; the new training file goes there.

    Raises
    ------
    UserInputError
        If the new labels are of another level of theory.
    """
    old = load_dataset(dataset)
    new = extend_training(old, labelled)
    path = workspace.path(TRAINING_FILE)
    write_labelled(new.training, path)
    added = new.training[len(old.training) :]
    changes = {
        "training": FileRef.of(path),
        "n_training": len(new.training),
        "species": new.species,
        "min_distances_A": _merge_minima(dataset.min_distances_A, minimum_distances(added)),
        "quarantined": (*dataset.quarantined, *quarantined),
        "provenance": workspace.provenance(*dataset.provenance.package_versions, seed=dataset.provenance.seed),
    }
    return dataset.model_copy(update=changes)


def load_dataset(dataset: DatasetDoc) -> Dataset:
    """Read a stored dataset, after checking that its files are unchanged."""
    return read_dataset(dataset.training.path(), dataset.held_out.path())


def _run_trajectories(tasks: Sequence[SamplingTask], folder: Path, reference: ReferenceSettings) -> list[Outcome]:
    """Run trajectories in the worker pool; each that is done is a file, and is not run again."""
    files = [folder / f"trajectory-{task.name}-{_identity(task)}.xyz" for task in tasks]
    outcomes: list[Outcome | None] = [_finished(path, task.n_samples) for path, task in zip(files, tasks, strict=True)]
    missing = [index for index, outcome in enumerate(outcomes) if outcome is None]
    progress = progress_reporter()
    progress.start(sum(tasks[index].n_steps for index in missing), "MD step", "Sampling the training set")

    def keep(position: int, frames: list[LabelledConfiguration]) -> None:
        write_labelled(frames, files[missing[position]])

    computed = map_in_workers(
        sample_trajectory,
        [tasks[index] for index in missing],
        n_workers=reference.n_workers,
        size=lambda task: len(task.atoms) * task.n_steps,
        progress=progress,
        on_result=keep,
    )
    by_index = dict(zip(missing, computed, strict=True))
    return [by_index[index] if outcome is None else outcome for index, outcome in enumerate(outcomes)]


def _finished(path: Path, n_samples: int) -> list[LabelledConfiguration] | None:
    """Return what an earlier start of the job left, if it is whole."""
    try:
        frames = read_labelled(path)
    except DataFileError:
        return None
    return frames if len(frames) == n_samples else None


def _identity(task: SamplingTask) -> str:
    """Return a short hash of everything that decides what a trajectory gives."""
    arrays = [task.atoms.numbers, task.atoms.cell.array.round(6), task.atoms.positions.round(6)]
    numbers = f"{task.temperature_K} {task.timestep_fs} {task.n_steps} {task.sample_every} {task.seed}"
    text = f"{numbers} {task.level.physics_hash}".encode()
    return hashlib.sha256(text + b"".join(array.tobytes() for array in arrays)).hexdigest()[:12]


def _sort_out(name: str, outcome: Outcome) -> tuple[list[LabelledConfiguration], list[QuarantinedLabel]]:
    """Part the labels one can trust from those one cannot."""
    if isinstance(outcome, WorkerFailure):
        return [], [QuarantinedLabel(source=name, reason=outcome.reason)]
    reasons = [(frame, reason_to_quarantine(frame)) for frame in outcome]
    trusted = [frame for frame, reason in reasons if reason is None]
    refused = [QuarantinedLabel(source=frame.source, reason=reason) for frame, reason in reasons if reason is not None]
    return trusted, refused


def _first_reasons(quarantined: Sequence[QuarantinedLabel], n: int = 3) -> str:
    return "; ".join(f"{label.source}: {label.reason}" for label in quarantined[:n]) or "none was run"


def _merge_minima(first: dict[str, float], second: dict[str, float]) -> dict[str, float]:
    return {pair: min(first.get(pair, d), second.get(pair, d)) for pair, d in sorted({**second, **first}.items())}
