"""Jobs that run reference calculations."""

from __future__ import annotations

from jobflow.core.job import job

from interfaceflow.core.errors import CalculationError
from interfaceflow.core.progress import progress_reporter
from interfaceflow.jobs.workspace import Workspace, load_structure
from interfaceflow.reference.levels_of_theory import packages_of
from interfaceflow.reference.relaxation import Relaxation, RelaxationTask, check_relaxation, relax_in_worker
from interfaceflow.reference.workers import WorkerFailure, map_in_workers
from interfaceflow.schemas.level_of_theory import LevelOfTheory
from interfaceflow.schemas.settings import ReferenceSettings
from interfaceflow.schemas.structures import RelaxationDoc, RelaxationRequest


@job
def relax(requests: list[RelaxationRequest], level: LevelOfTheory, settings: ReferenceSettings) -> list[RelaxationDoc]:
    """Relax structures, as many at a time as there are workers.

    Parameters
    ----------
    requests
        What to relax.
    level
        Level of theory.
    settings
        Tolerances and number of workers.

    Returns
    -------
    list of RelaxationDoc
        In the order of the requests; ``converged`` is false where the steps were not enough.

    Raises
    ------
    UserInputError
        If a request cannot be computed at this level of theory; nothing is computed then.
    CalculationError
        If a calculation gave nothing usable.
    """
    workspace = Workspace()
    tasks = [_task(request, level, settings) for request in requests]
    for task in tasks:
        check_relaxation(task)
    progress = progress_reporter()
    progress.start(len(tasks), "structure", "Relaxing")
    outcomes = map_in_workers(
        relax_in_worker, tasks, n_workers=settings.n_workers, size=lambda task: len(task.atoms), progress=progress
    )
    failed = [
        f"{task.source}: {outcome.reason}"
        for task, outcome in zip(tasks, outcomes, strict=True)
        if isinstance(outcome, WorkerFailure)
    ]
    if failed:
        raise CalculationError(f"{len(failed)} of {len(tasks)} relaxations gave nothing: {'; '.join(failed)}")
    return [
        _document(index, request, outcome, level, workspace)
        for index, (request, outcome) in enumerate(zip(requests, outcomes, strict=True))
        if not isinstance(outcome, WorkerFailure)
    ]


def _task(request: RelaxationRequest, level: LevelOfTheory, settings: ReferenceSettings) -> RelaxationTask:
    layers = "" if request.n_layers is None else f", {request.n_layers} layers"
    return RelaxationTask(
        atoms=load_structure(request.structure),
        free_axes=request.free_axes,
        relax_ions=request.relax_ions,
        force_tolerance_eV_A=settings.force_tolerance_eV_A,
        max_steps=settings.max_steps,
        level=level,
        source=f"{request.kind.replace('_', ' ')} {request.name}{layers}",
    )


def _document(
    index: int, request: RelaxationRequest, relaxation: Relaxation, level: LevelOfTheory, workspace: Workspace
) -> RelaxationDoc:
    layers = "" if request.n_layers is None else f"-{request.n_layers}"
    return RelaxationDoc(
        kind=request.kind,
        name=request.name,
        structure=workspace.store_structure(
            relaxation.label.atoms, f"{index:02d}-{request.kind}-{request.name}{layers}"
        ),
        free_axes=request.free_axes,
        energy_eV=relaxation.label.energy_eV,
        max_force_eV_A=relaxation.max_force_eV_A,
        n_steps=relaxation.n_steps,
        converged=relaxation.converged,
        n_layers=request.n_layers,
        area_A2=request.area_A2,
        level_of_theory=level.name,
        physics_hash=level.physics_hash,
        provenance=workspace.provenance(*packages_of(level)),
    )
