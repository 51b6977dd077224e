"""Jobs that run reference calculations."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
from ase import Atoms
from jobflow.core.flow import Flow
from jobflow.core.job import Response, job

from interfaceflow.core.errors import CalculationError
from interfaceflow.core.progress import progress_reporter
from interfaceflow.jobs.reference.calculation import CALCULATION_FOLDER, calculate, label_of, turn
from interfaceflow.jobs.reference.makers import Frame, ReferenceMakers, makers_of, runs_as_jobs
from interfaceflow.jobs.wiring import wire
from interfaceflow.jobs.workspace import Workspace, load_structure
from interfaceflow.reference.checkpoint import calculation_identity
from interfaceflow.reference.levels_of_theory import packages_of
from interfaceflow.reference.relaxation import (
    Relaxation,
    RelaxationTask,
    check_relaxation,
    is_relaxed,
    relax_in_worker,
    residuals_of,
)
from interfaceflow.reference.workers import WorkerFailure, map_in_workers
from interfaceflow.schemas.level_of_theory import LevelOfTheory
from interfaceflow.schemas.settings import ReferenceSettings
from interfaceflow.schemas.structures import RelaxationDoc, RelaxationRequest

# Runs of a program that relax one structure, and by how much each asks for smaller forces than the one before.
_MOST_RUNS: Final = 4
_TIGHTER: Final = 0.4


@job
def relax(
    requests: list[RelaxationRequest], level: LevelOfTheory, settings: ReferenceSettings
) -> list[RelaxationDoc] | Response[list[RelaxationDoc]]:
    """Relax structures, as many at a time as there are workers.

    Where the engine runs as jobs, this one replaces itself by one ``relax_structure`` for each structure.

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
    tasks = [_task(request, level, settings, workspace) for request in requests]
    for task in tasks:
        check_relaxation(task)
    if runs_as_jobs(level):
        return Response(replace=_relax_in_jobs(requests, tasks, level, settings, workspace))
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


@job
def relax_structure(request: RelaxationRequest, level: LevelOfTheory, settings: ReferenceSettings) -> RelaxationDoc:
    """Relax one structure by a program that runs under custodian.

    Parameters
    ----------
    request
        What to relax.
    level
        Level of theory, of an engine that runs as jobs.
    settings
        Tolerances.

    Raises
    ------
    CalculationError
        If the calculation gave nothing usable.
    """
    workspace = Workspace()
    task = _task(request, level, settings, workspace)
    makers = makers_of(level)
    if not task.relax_ions:
        (*_, frame) = calculate(makers, makers.static(), task.atoms, workspace.path(CALCULATION_FOLDER))
        return _document(0, request, _relaxation(frame, frame, task), level, workspace)
    # First vector along x, the second in the xy plane, as programs that relax cells want them.
    cell, rotation = task.atoms.cell.standard_form()
    upright = task.atoms.copy()
    upright.positions = task.atoms.positions @ rotation.T
    upright.set_cell(cell)
    last = _relax_upright(makers, upright, task, workspace)
    turned_back = turn(last, rotation)
    if task.free_axes == "none":
        turned_back.atoms.set_cell(task.atoms.cell)
    elif task.free_axes == "normal":
        turned_back.atoms.cell[:2] = task.atoms.cell[:2]
    return _document(0, request, _relaxation(last, turned_back, task), level, workspace)


def _relax_upright(makers: ReferenceMakers, start: Atoms, task: RelaxationTask, workspace: Workspace) -> Frame:
    """Relax a configuration, and go on from where that ended until forces and free stress are within tolerance.

    A program stops by a criterion of its own, and its basis or grid is that of the cell it started with, so the first
    run of a free cell is seldom the last. The frame's ``step`` counts the steps of all runs.
    """
    atoms, tolerance, n_steps = start, task.force_tolerance_eV_A, 0
    for number in range(1, _MOST_RUNS + 1):
        folder = workspace.path(CALCULATION_FOLDER if number == 1 else f"{CALCULATION_FOLDER}-{number}")
        maker = makers.relax(task.free_axes, tolerance, task.max_steps - n_steps)
        (*_, last) = calculate(makers, maker, atoms, folder)
        n_steps += last.step
        if (
            task.free_axes == "none"
            or n_steps >= task.max_steps
            or is_relaxed(*_left(last, task), task.force_tolerance_eV_A)
        ):
            break
        atoms = start.copy()
        atoms.set_cell(last.atoms.cell)
        atoms.positions = last.atoms.positions
        tolerance *= _TIGHTER
    return replace(last, step=n_steps)


def _relax_in_jobs(
    requests: list[RelaxationRequest],
    tasks: list[RelaxationTask],
    level: LevelOfTheory,
    settings: ReferenceSettings,
    workspace: Workspace,
) -> Flow:
    """Wire one job for each structure; the output is the list of their documents."""
    makers = makers_of(level)
    for task in tasks:
        makers.check(task.atoms, task.source)
    jobs = [
        wire(relax_structure(request, level, settings), f"relax {task.source}", "dft", workspace.parents)
        for request, task in zip(requests, tasks, strict=True)
    ]
    return Flow(jobs, output=[job.output for job in jobs])


def _relaxation(upright: Frame, frame: Frame, task: RelaxationTask) -> Relaxation:
    """Judge the last frame of a relaxation; the first one is in axes whose third is the normal."""
    max_force, max_stress = _left(upright, task)
    label = label_of(frame, task.atoms, task.level, source=task.source, trajectory=f"relaxed {task.source}")
    within = not task.relax_ions or is_relaxed(max_force, max_stress, task.force_tolerance_eV_A)
    return Relaxation(label, max_force, max_stress, frame.step, converged=frame.converged and within)


def _left(upright: Frame, task: RelaxationTask) -> tuple[float, float]:
    """Return the largest force, eV/Å, and the largest free stress component, eV/Å3, of a frame."""
    if upright.stress_eV_A3 is None and task.free_axes != "none":
        raise CalculationError(f"{task.source}: the cell was relaxed, and the calculation gave no stress")
    stress = np.zeros(6) if upright.stress_eV_A3 is None else upright.stress_eV_A3
    return residuals_of(upright.forces_eV_A, stress, task.free_axes)


def _task(
    request: RelaxationRequest, level: LevelOfTheory, settings: ReferenceSettings, workspace: Workspace
) -> RelaxationTask:
    layers = "" if request.n_layers is None else f", {request.n_layers} layers"
    atoms = load_structure(request.structure)
    identity = calculation_identity(atoms, request.free_axes, level.physics_hash)
    return RelaxationTask(
        atoms=atoms,
        free_axes=request.free_axes,
        relax_ions=request.relax_ions,
        force_tolerance_eV_A=settings.force_tolerance_eV_A,
        max_steps=settings.max_steps,
        level=level,
        source=f"{request.kind.replace('_', ' ')} {request.name}{layers}",
        checkpoint=workspace.path(f"relaxation-{identity}.npz"),
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
