"""Jobs that label one dataset at other levels of theory, and compare those."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from jobflow.core.job import job

from interfaceflow.core.errors import CalculationError, DataFileError, UserInputError
from interfaceflow.core.formats.labelled_file import read_labelled, write_labelled
from interfaceflow.core.labelled import LabelledConfiguration
from interfaceflow.core.progress import Progress, ProgressInParts, progress_reporter
from interfaceflow.datasets.dataset import make_dataset
from interfaceflow.datasets.level_comparison import compare_levels, match_levels
from interfaceflow.jobs.datasets import describe_dataset, load_dataset
from interfaceflow.jobs.workspace import Workspace
from interfaceflow.reference.labelling import LabelRequest, label_configurations
from interfaceflow.reference.levels_of_theory import packages_of
from interfaceflow.schemas.datasets import DatasetDoc, QuarantinedLabel
from interfaceflow.schemas.level_comparison import LevelComparisonDoc
from interfaceflow.schemas.level_of_theory import LevelOfTheory
from interfaceflow.schemas.settings import ReferenceSettings

# So many labels are lost at most when the job is killed.
_LABELS_PER_FILE: Final = 32


@job
def check_dataset(dataset: DatasetDoc) -> DatasetDoc:
    """Read a dataset that was made earlier, so that a flow that starts from it fails at once if it is gone.

    Raises
    ------
    DataFileError
        If a file is gone, or is not what was stored.
    UserInputError
        If it cannot be labelled again, because a cell is charged.
    """
    given = load_dataset(dataset)
    _check_neutral([*given.training, *given.held_out])
    return dataset


@job
def relabel_dataset(dataset: DatasetDoc, level: LevelOfTheory, reference: ReferenceSettings) -> DatasetDoc:
    """Label a dataset's configurations at another level of theory; the split and all names stay.

    Labels that are done are kept in files, so that a job that was killed goes on.

    Parameters
    ----------
    dataset
        Configurations to label.
    level
        The other level of theory.
    reference
        Number of workers.

    Returns
    -------
    DatasetDoc
        Of that level's physics, with the labels that were refused.

    Raises
    ------
    UserInputError
        If a configuration cannot be computed at that level, or a cell is charged.
    CalculationError
        If no label of the training part can be trusted.
    """
    workspace = Workspace()
    given = load_dataset(dataset)
    configurations = [*given.training, *given.held_out]
    _check_neutral(configurations)
    progress = progress_reporter()
    progress.start(len(configurations), "label", f"Labelling again with {level.name}")
    trusted: list[LabelledConfiguration] = []
    quarantined: list[QuarantinedLabel] = []
    for batch, path in _batches(configurations, level, workspace.folder):
        labels, refused = _relabel(batch, path, level, reference, progress)
        trusted += labels
        quarantined += refused
    held_out = frozenset(configuration.trajectory for configuration in given.held_out)
    if all(label.trajectory in held_out for label in trusted):
        reasons = "; ".join(f"{label.source}: {label.reason}" for label in quarantined[:3])
        raise CalculationError(f"no training configuration has a label by {level.name} that one can trust: {reasons}")
    relabelled = make_dataset(trusted, held_out)
    provenance = workspace.provenance(*packages_of(level), seed=dataset.provenance.seed)
    return describe_dataset(workspace, relabelled, level.name, provenance).model_copy(
        update={
            "quarantined": tuple(quarantined),
            "trajectories": dataset.trajectories,
            "systems": dataset.systems,
        }
    )


@job
def compare_datasets(datasets: Sequence[DatasetDoc]) -> LevelComparisonDoc:
    """Compare levels of theory by the labels they gave the same configurations.

    Parameters
    ----------
    datasets
        One for each level of theory, the one that the others are measured against first.

    Raises
    ------
    UserInputError
        If two are of one level of theory, or their configurations are not the same.
    """
    workspace = Workspace()
    names = [dataset.level_of_theory for dataset in datasets]
    hashes = [dataset.physics_hash for dataset in datasets]
    if len(set(names)) < len(names) or len(set(hashes)) < len(hashes):
        raise UserInputError(
            f"levels of theory to compare must differ in name and in physics; given: {', '.join(names)}"
        )
    by_level = {}
    for dataset in datasets:
        loaded = load_dataset(dataset)
        by_level[dataset.level_of_theory] = [*loaded.training, *loaded.held_out]
    matched = match_levels(by_level)
    n_matched = len(matched[names[0]])
    return LevelComparisonDoc(
        levels=tuple(names),
        physics_hashes=tuple(hashes),
        n_configurations=n_matched,
        n_left_out=len({label.source for labels in by_level.values() for label in labels}) - n_matched,
        differences=compare_levels(matched),
        provenance=workspace.provenance("numpy"),
    )


def _batches(
    configurations: Sequence[LabelledConfiguration], level: LevelOfTheory, folder: Path
) -> Iterator[tuple[Sequence[LabelledConfiguration], Path]]:
    for start in range(0, len(configurations), _LABELS_PER_FILE):
        path = folder / f"labels-{level.physics_hash[:12]}-{start:06d}.xyz"
        yield configurations[start : start + _LABELS_PER_FILE], path


def _relabel(
    batch: Sequence[LabelledConfiguration],
    path: Path,
    level: LevelOfTheory,
    reference: ReferenceSettings,
    progress: Progress,
) -> tuple[list[LabelledConfiguration], list[QuarantinedLabel]]:
    """Label what an earlier start of the job has not labelled yet; a label that was refused is tried again."""
    done = {label.source: label for label in _labels_in(path)}
    progress.advance(len(done))
    requests = [
        LabelRequest(one.atoms, one.source, one.trajectory, one.temperature_K)
        for one in batch
        if one.source not in done
    ]
    if not requests:
        return list(done.values()), []
    labels, quarantined = label_configurations(requests, level, reference.n_workers, ProgressInParts(progress))
    systems = {one.source: one.system for one in batch}
    done |= {label.source: replace(label, system=systems[label.source]) for label in labels}
    in_order = [done[one.source] for one in batch if one.source in done]
    if in_order:
        write_labelled(in_order, path)
    return in_order, quarantined


def _labels_in(path: Path) -> list[LabelledConfiguration]:
    """Return the labels of a batch that are there already."""
    try:
        return read_labelled(path)
    except DataFileError:
        return []


def _check_neutral(configurations: Sequence[LabelledConfiguration]) -> None:
    charged = [configuration.source for configuration in configurations if configuration.charge_e != 0]
    if charged:
        raise UserInputError(
            f"{charged[0]}: the cell is charged, and the energy of its electrons is another one at every level of "
            "theory; leave charged cells out of the dataset that is to be labelled again"
        )
