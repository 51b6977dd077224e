"""Jobs that make and extend training sets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from ase import Atoms
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
    read_dataset,
    write_dataset,
)
from interfaceflow.datasets.decorrelation import choose_decorrelated
from interfaceflow.datasets.distances import minimum_distances
from interfaceflow.datasets.ladder import TrajectoryPlan, plan_trajectories
from interfaceflow.jobs.reference.labels import label_jobs, sort_out
from interfaceflow.jobs.reference.makers import runs_as_jobs
from interfaceflow.jobs.reference.sampling import segment_jobs
from interfaceflow.jobs.wiring import wire
from interfaceflow.jobs.workspace import Workspace, load_structure
from interfaceflow.reference.checkpoint import SamplingCheckpoint, calculation_identity
from interfaceflow.reference.dynamics import SamplingTask, sample_trajectory
from interfaceflow.reference.labelling import LabelRequest, label_configurations
from interfaceflow.reference.labels import part_labels
from interfaceflow.reference.levels_of_theory import packages_of
from interfaceflow.reference.quarantine import check_quarantined_share
from interfaceflow.reference.workers import WorkerFailure, map_in_workers
from interfaceflow.schemas.base import Provenance
from interfaceflow.schemas.datasets import DatasetDoc, PlannedRun, QuarantinedLabel, TrajectoryDoc
from interfaceflow.schemas.level_of_theory import LevelOfTheory
from interfaceflow.schemas.reference import CalculationDoc
from interfaceflow.schemas.settings import ReferenceSettings, TrainingSetSettings
from interfaceflow.schemas.structures import RelaxationDoc

Outcome = list[LabelledConfiguration] | WorkerFailure


@dataclass(frozen=True)
class Ladder:
    """What is to be computed for a training set.

    Attributes
    ----------
    relaxed
        The relaxed cells by name: each is labelled and trained on.
    plans
        The trajectories.
    """

    relaxed: dict[str, Atoms]
    plans: list[TrajectoryPlan]

    @property
    def requests(self) -> list[LabelRequest]:
        """The labels of the relaxed cells."""
        return [LabelRequest(atoms, f"relaxed {name}", f"relaxed-{name}") for name, atoms in self.relaxed.items()]


@job
def sample_training_set(
    relaxed: dict[str, RelaxationDoc],
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
    relaxed
        Relaxed cells by the names that the ladder uses; they are labelled and trained on, too.
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
        If nothing is left to test on, or too many labels cannot be trusted.
    """
    workspace = Workspace()
    ladder = plan_ladder(relaxed, settings, seed)
    tasks = [sampling_task(plan, settings, level) for plan in ladder.plans]
    runs = [plan.run for plan in ladder.plans]
    if runs_as_jobs(level):
        jobs = [
            *label_jobs(ladder.requests, level, workspace),
            *segment_jobs(tasks, level, reference.steps_per_segment, workspace),
        ]
        assembled = wire(
            assemble_training_set([job.output for job in jobs], runs, settings, level, reference, seed),
            "assemble training set",
            "light",
            workspace.parents,
        )
        return Response(replace=Flow([*jobs, assembled], output=assembled.output))
    trusted, quarantined = label_configurations(
        ladder.requests, level, reference.n_workers, progress_reporter(), workspace.folder
    )
    for task, outcome in zip(tasks, _run_trajectories(tasks, workspace.folder, reference), strict=True):
        good, bad = _sort_out(task.name, outcome)
        trusted += good
        quarantined += bad
    check_quarantined_share(len(trusted), quarantined, reference.max_quarantined_share, "the training set")
    return build_dataset(workspace, (trusted, quarantined), runs, settings, level, seed)


@job
def assemble_training_set(
    calculations: list[CalculationDoc],
    runs: list[PlannedRun],
    settings: TrainingSetSettings,
    level: LevelOfTheory,
    reference: ReferenceSettings,
    seed: int,
) -> DatasetDoc:
    """Make a training set of what jobs have labelled, and quarantine what failed.

    Parameters
    ----------
    calculations
        Single points and segments.
    runs
        The runs they are part of.
    settings
        The ladder.
    level
        Level of theory of the labels.
    reference
        Share of bad labels at which the flow stops.
    seed
        The flow's seed.

    Raises
    ------
    UserInputError
        If nothing is left to train on.
    CalculationError
        If nothing is left to test on, or too many labels cannot be trusted.
    """
    trusted, quarantined = sort_out(calculations)
    check_quarantined_share(len(trusted), quarantined, reference.max_quarantined_share, "the training set")
    return build_dataset(Workspace(), (trusted, quarantined), runs, settings, level, seed)


def plan_ladder(relaxed: Mapping[str, RelaxationDoc], settings: TrainingSetSettings, seed: int) -> Ladder:
    """Lay out what is to be computed, from the relaxed cells.

    Parameters
    ----------
    relaxed
        Relaxed cells by the names that the ladder uses.
    settings
        The families of trajectories.
    seed
        The flow's seed.
    """
    cells = {name: load_structure(document.structure) for name, document in relaxed.items()}
    return Ladder(cells, plan_trajectories(cells, settings, seed))


def sampling_task(plan: TrajectoryPlan, settings: TrainingSetSettings, level: LevelOfTheory) -> SamplingTask:
    """Return the run of a planned trajectory."""
    family = plan.family
    return SamplingTask(
        atoms=plan.atoms,
        temperature_K=plan.run.temperature_K,
        timestep_fs=settings.timestep_fs,
        n_steps=family.n_steps,
        sample_every=family.sample_every,
        seed=plan.seed,
        level=level,
        name=plan.run.name,
        ramp_steps=family.ramp_steps,
        ramp_from_K=family.ramp_from_K,
        equilibration_steps=family.equilibration_steps,
    )


def build_dataset(
    workspace: Workspace,
    labels: tuple[Sequence[LabelledConfiguration], Sequence[QuarantinedLabel]],
    runs: Sequence[PlannedRun],
    settings: TrainingSetSettings,
    level: LevelOfTheory,
    seed: int,
) -> DatasetDoc:
    """Make a dataset of sampled labels: thin out the runs for which that was asked, split by run, write, describe.

    Parameters
    ----------
    workspace
        Of the job; the files go there.
    labels
        Labels that are trusted, those of a run in order of time, and those that are not.
    runs
        The runs they come from; labels of no run, those of the relaxed cells, are trained on.
    settings
        The ladder's settings.
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
    trusted, quarantined = labels
    kept, trajectories = _thin_out_runs(trusted, runs)
    held_out = frozenset(run.name for run in runs if run.held_out)
    dataset = make_dataset(kept, held_out, electron_energy_eV=settings.electron_energy_eV)
    if not dataset.held_out:
        raise CalculationError(f"no held-out configuration has a label one can trust: {_first_reasons(quarantined)}")
    provenance = workspace.provenance(*packages_of(level), seed=seed)
    return describe_dataset(workspace, dataset, level.name, provenance).model_copy(
        update={
            "quarantined": tuple(quarantined),
            "trajectories": tuple(trajectories),
            "electron_energy_eV": settings.electron_energy_eV,
        }
    )


def describe_dataset(
    workspace: Workspace, dataset: Dataset, level_of_theory: str, provenance: Provenance
) -> DatasetDoc:
    """Write a dataset into a job's folder and describe it."""
    training, held_out = write_dataset(dataset, workspace.folder)
    return DatasetDoc(
        training=FileRef.of(training),
        held_out=FileRef.of(held_out),
        n_training=len(dataset.training),
        n_held_out=len(dataset.held_out),
        species=dataset.species,
        min_distances_A=minimum_distances(dataset.training),
        n_duplicates=dataset.n_duplicates,
        level_of_theory=level_of_theory,
        physics_hash=dataset.physics_hash,
        provenance=provenance,
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
    new = extend_training(old, labelled, electron_energy_eV=dataset.electron_energy_eV)
    path = workspace.path(TRAINING_FILE)
    write_labelled(new.training, path)
    added = new.training[len(old.training) :]
    changes = {
        "training": FileRef.of(path),
        "n_training": len(new.training),
        "species": new.species,
        "n_duplicates": dataset.n_duplicates + new.n_duplicates,
        "min_distances_A": _merge_minima(dataset.min_distances_A, minimum_distances(added)),
        "quarantined": (*dataset.quarantined, *quarantined),
        "provenance": workspace.provenance(*dataset.provenance.package_versions, seed=dataset.provenance.seed),
    }
    return dataset.model_copy(update=changes)


def load_dataset(dataset: DatasetDoc) -> Dataset:
    """Read a stored dataset, after checking that its files are unchanged."""
    return read_dataset(dataset.training.path(), dataset.held_out.path())


def _run_trajectories(tasks: Sequence[SamplingTask], folder: Path, reference: ReferenceSettings) -> list[Outcome]:
    """Run trajectories in the worker pool; each that is done is a file, and one that was stopped goes on."""
    files = [folder / f"trajectory-{task.name}-{_identity(task)}.xyz" for task in tasks]
    outcomes: list[Outcome | None] = [_finished(path, task.n_samples) for path, task in zip(files, tasks, strict=True)]
    missing = [index for index, outcome in enumerate(outcomes) if outcome is None]
    progress = progress_reporter()
    progress.start(sum(tasks[index].n_steps_in_all for index in missing), "MD step", "Sampling the training set")

    def keep(position: int, frames: list[LabelledConfiguration]) -> None:
        write_labelled(frames, files[missing[position]])
        SamplingCheckpoint(_checkpoint(files[missing[position]])).remove()

    computed = map_in_workers(
        sample_trajectory,
        [replace(tasks[index], checkpoint=_checkpoint(files[index])) for index in missing],
        n_workers=reference.n_workers,
        size=lambda task: len(task.atoms) * task.n_steps_in_all,
        progress=progress,
        on_result=keep,
    )
    by_index = dict(zip(missing, computed, strict=True))
    return [by_index[index] if outcome is None else outcome for index, outcome in enumerate(outcomes)]


def _checkpoint(trajectory: Path) -> Path:
    return trajectory.with_suffix(".state.npz")


def _finished(path: Path, n_samples: int) -> list[LabelledConfiguration] | None:
    """Return what an earlier start of the job left, if it is whole."""
    try:
        frames = read_labelled(path)
    except DataFileError:
        return None
    return frames if len(frames) == n_samples else None


def _identity(task: SamplingTask) -> str:
    """Return a short hash of everything that decides what a trajectory gives."""
    return calculation_identity(
        task.atoms,
        task.ramp_steps,
        task.ramp_from_K,
        task.equilibration_steps,
        task.temperature_K,
        task.timestep_fs,
        task.n_steps,
        task.sample_every,
        task.seed,
        task.level.physics_hash,
    )


def _sort_out(name: str, outcome: Outcome) -> tuple[list[LabelledConfiguration], list[QuarantinedLabel]]:
    """Part the labels one can trust from those one cannot."""
    if isinstance(outcome, WorkerFailure):
        return [], [QuarantinedLabel(source=name, reason=outcome.reason)]
    return part_labels(outcome)


def _thin_out_runs(
    labels: Sequence[LabelledConfiguration], runs: Sequence[PlannedRun]
) -> tuple[list[LabelledConfiguration], list[TrajectoryDoc]]:
    """Keep the labels of each run that are asked for, and all that are of no run."""
    by_run: dict[str, list[LabelledConfiguration]] = {run.name: [] for run in runs}
    kept = [label for label in labels if label.trajectory not in by_run]
    for label in labels:
        if label.trajectory in by_run:
            by_run[label.trajectory].append(label)
    trajectories = []
    for run in runs:
        chosen, trajectory = _thin_out(run, by_run[run.name])
        kept += chosen
        trajectories.append(trajectory)
    return kept, trajectories


def _thin_out(
    run: PlannedRun, frames: list[LabelledConfiguration]
) -> tuple[list[LabelledConfiguration], TrajectoryDoc]:
    """Keep the frames of a run that are asked for, and say how many that were."""
    kept, time_fs, is_known = frames, None, False
    if run.sampling == "decorrelated" and frames:
        indices, correlation = choose_decorrelated(np.array([frame.free_energy_eV for frame in frames]))
        kept = [frames[index] for index in indices]
        time_fs = correlation.time * run.label_interval_fs
        is_known = correlation.is_known
    return kept, TrajectoryDoc(
        **dict(run),
        n_frames=len(frames),
        n_kept=len(kept),
        correlation_time_fs=time_fs,
        correlation_is_known=is_known,
    )


def _first_reasons(quarantined: Sequence[QuarantinedLabel], n: int = 3) -> str:
    return "; ".join(f"{label.source}: {label.reason}" for label in quarantined[:n]) or "none was run"


def _merge_minima(first: dict[str, float], second: dict[str, float]) -> dict[str, float]:
    return {pair: min(first.get(pair, d), second.get(pair, d)) for pair, d in sorted({**second, **first}.items())}
