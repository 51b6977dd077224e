"""Labelling by jobs of their own: one for each configuration, and what has become of all of them."""

from __future__ import annotations

from collections.abc import Sequence

from jobflow.core.flow import Flow
from jobflow.core.job import Job, Response, job

from interfaceflow.core.errors import CalculationError
from interfaceflow.core.files import FileRef
from interfaceflow.core.formats.labelled_file import read_labelled, write_labelled
from interfaceflow.core.labelled import LabelledConfiguration
from interfaceflow.core.progress import progress_reporter
from interfaceflow.jobs.reference.calculation import CALCULATION_FOLDER, calculate, label_of
from interfaceflow.jobs.reference.makers import check_configuration, makers_of, runs_as_jobs
from interfaceflow.jobs.wiring import wire
from interfaceflow.jobs.workspace import Workspace, load_structure
from interfaceflow.reference.labelling import LabelRequest, label_configurations
from interfaceflow.reference.labels import part_labels
from interfaceflow.reference.levels_of_theory import packages_of
from interfaceflow.reference.quarantine import check_quarantined_share
from interfaceflow.schemas.datasets import QuarantinedLabel
from interfaceflow.schemas.learning import LabelsDoc
from interfaceflow.schemas.level_of_theory import LevelOfTheory
from interfaceflow.schemas.reference import CalculationDoc, LabelTask
from interfaceflow.schemas.settings import ReferenceSettings


@job
def label_configuration(task: LabelTask, level: LevelOfTheory) -> CalculationDoc:
    """Label one configuration. A calculation that fails gives a document with the reason, and never fails the job.

    Parameters
    ----------
    task
        The configuration.
    level
        Level of theory, of an engine that runs as jobs.
    """
    workspace = Workspace()
    atoms = load_structure(task.structure)
    makers = makers_of(level)
    try:
        frames = calculate(makers, makers.static(), atoms, workspace.path(CALCULATION_FOLDER))
    except CalculationError as error:
        return failed_calculation(task.source, str(error), level, workspace)
    label = label_of(frames[-1], atoms, level, source=task.source, trajectory=task.trajectory)
    path = workspace.path("labels.xyz")
    write_labelled([label], path)
    return CalculationDoc(
        source=task.source,
        folder=workspace.shown_path(CALCULATION_FOLDER),
        labels=FileRef.of(path),
        n_labels=1,
        provenance=workspace.provenance(*packages_of(level)),
    )


def label_batch(
    requests: Sequence[LabelRequest],
    level: LevelOfTheory,
    reference: ReferenceSettings,
    batch: str,
    workspace: Workspace,
) -> LabelsDoc | Response[LabelsDoc]:
    """Label configurations inside a job, in this process or by jobs that take the place of that job.

    Where the engine runs as jobs these are one ``label_configuration`` for each configuration and a
    ``collect_labels``.

    Parameters
    ----------
    requests
        Configurations and where they came from.
    level
        Level of theory.
    reference
        Number of workers, and the share of bad labels at which the flow stops.
    batch
        What the batch is, in words.
    workspace
        Of the job that asks.

    Raises
    ------
    UserInputError
        If a configuration cannot be computed.
    CalculationError
        If too many labels cannot be trusted.
    """
    if runs_as_jobs(level):
        jobs = label_jobs(requests, level, workspace)
        collected = collect_labels([job.output for job in jobs], reference, batch)
        wire(collected, f"collect {batch}", "light", workspace.parents)
        return Response(replace=Flow([*jobs, collected], output=collected.output))
    labelled, quarantined = label_configurations(
        requests, level, reference.n_workers, progress_reporter(), workspace.folder
    )
    return _labels_document(labelled, quarantined, reference, batch, workspace)


@job
def collect_labels(calculations: list[CalculationDoc], reference: ReferenceSettings, batch: str) -> LabelsDoc:
    """Bring the labels of jobs together, and quarantine what failed.

    Parameters
    ----------
    calculations
        One for each configuration.
    reference
        Share of bad labels at which the flow stops.
    batch
        What the batch is, in words.

    Raises
    ------
    CalculationError
        If too many labels cannot be trusted.
    """
    labelled, quarantined = sort_out(calculations)
    return _labels_document(labelled, quarantined, reference, batch, Workspace())


def label_jobs(requests: Sequence[LabelRequest], level: LevelOfTheory, workspace: Workspace) -> list[Job]:
    """Make one job for each configuration to label; the output of each is a CalculationDoc.

    Parameters
    ----------
    requests
        Configurations and where they came from.
    level
        Level of theory, of an engine that runs as jobs.
    workspace
        Of the job that asks; the configurations are stored there.

    Raises
    ------
    UserInputError
        If a configuration cannot be computed; no job is made then.
    """
    makers = makers_of(level)
    for request in requests:
        check_configuration(makers, level, request.atoms, request.source)
    return [
        wire(
            label_configuration(
                LabelTask(
                    structure=workspace.store_structure(request.atoms, f"to-label-{number:04d}"),
                    source=request.source,
                    trajectory=request.trajectory,
                ),
                level,
            ),
            f"label {request.source}",
            "dft",
            workspace.parents,
        )
        for number, request in enumerate(requests)
    ]


def sort_out(
    calculations: Sequence[CalculationDoc],
) -> tuple[list[LabelledConfiguration], list[QuarantinedLabel]]:
    """Part the labels one can trust from what failed and what one cannot trust, each with its reason."""
    trusted: list[LabelledConfiguration] = []
    quarantined: list[QuarantinedLabel] = []
    for calculation in calculations:
        if calculation.reason is not None:
            quarantined.append(QuarantinedLabel(source=calculation.source, reason=calculation.reason))
        if calculation.labels is not None:
            good, bad = part_labels(read_labelled(calculation.labels.path()))
            trusted += good
            quarantined += bad
    return trusted, quarantined


def failed_calculation(source: str, reason: str, level: LevelOfTheory, workspace: Workspace) -> CalculationDoc:
    """Describe a calculation that gave nothing."""
    return CalculationDoc(
        source=source,
        folder=workspace.shown_path(CALCULATION_FOLDER),
        reason=reason,
        provenance=workspace.provenance(*packages_of(level)),
    )


def _labels_document(
    labelled: Sequence[LabelledConfiguration],
    quarantined: Sequence[QuarantinedLabel],
    reference: ReferenceSettings,
    batch: str,
    workspace: Workspace,
) -> LabelsDoc:
    check_quarantined_share(len(labelled), quarantined, reference.max_quarantined_share, batch)
    path = workspace.path("labels.xyz")
    if labelled:
        write_labelled(labelled, path)
    return LabelsDoc(
        configurations=FileRef.of(path) if labelled else None,
        n_labels=len(labelled),
        quarantined=tuple(quarantined),
        provenance=workspace.provenance(),
    )
