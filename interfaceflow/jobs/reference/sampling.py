"""Reference molecular dynamics by jobs of their own: a chain of segments for each run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from ase import Atoms, units
from jobflow.core.job import Job, job

from interfaceflow.core.errors import CalculationError
from interfaceflow.core.files import FileRef, project_root
from interfaceflow.core.formats.labelled_file import write_labelled
from interfaceflow.jobs.reference.calculation import CALCULATION_FOLDER, calculate, label_of
from interfaceflow.jobs.reference.labels import failed_calculation
from interfaceflow.jobs.reference.makers import Frame, Segment, check_configuration, makers_of
from interfaceflow.jobs.wiring import wire
from interfaceflow.jobs.workspace import Workspace, load_structure
from interfaceflow.reference.dynamics import FRICTION_PER_FS, SamplingTask, heat
from interfaceflow.reference.levels_of_theory import packages_of
from interfaceflow.schemas.level_of_theory import LevelOfTheory
from interfaceflow.schemas.reference import CalculationDoc, SegmentTask

# Segments of one run have seeds this far apart from those of the next run.
_SEEDS_PER_RUN: Final = 10_000
_SEGMENTS_OF_A_RAMP: Final = 8


@job
def run_segment(task: SegmentTask, level: LevelOfTheory, previous: CalculationDoc | None) -> CalculationDoc:
    """Run one segment of reference dynamics and keep its labelled frames.

    A segment that fails gives a document with the reason; the segments after it are not begun.

    Parameters
    ----------
    task
        The segment.
    level
        Level of theory, of an engine that runs as jobs.
    previous
        The segment before, from whose last configuration and velocities this one goes on; none for the first.
    """
    workspace = Workspace()
    last_step = task.first_step + task.n_steps
    source = f"{task.trajectory}, steps {task.first_step + 1} to {last_step}"
    folder = workspace.path(CALCULATION_FOLDER)
    if previous is not None and previous.last is None:
        return CalculationDoc(
            source=source, folder=workspace.shown_path(CALCULATION_FOLDER), provenance=workspace.provenance()
        )
    start = load_structure(task.structure if previous is None or previous.last is None else previous.last)
    makers = makers_of(level)
    maker = makers.molecular_dynamics(_segment_of(task))
    try:
        frames = calculate(makers, maker, start, folder, _folder_of(previous))
        end = _end_of(frames[-1], start, task)
    except CalculationError as error:
        return failed_calculation(source, str(error), level, workspace)
    labels = [
        label_of(
            frame,
            start,
            level,
            source=f"{task.trajectory}, step {task.first_step + frame.step}",
            trajectory=task.trajectory,
            temperature_K=task.run_temperature_K,
        )
        for frame in frames
        if frame.step > 0 and _is_kept(task.first_step + frame.step, task)
    ]
    path = workspace.path("labels.xyz")
    if labels:
        write_labelled(labels, path)
    return CalculationDoc(
        source=source,
        folder=workspace.shown_path(CALCULATION_FOLDER),
        labels=FileRef.of(path) if labels else None,
        n_labels=len(labels),
        last=workspace.store_structure(end, "last"),
        provenance=workspace.provenance(*packages_of(level), seed=task.seed),
    )


def segment_jobs(
    tasks: Sequence[SamplingTask], level: LevelOfTheory, steps_per_segment: int, workspace: Workspace
) -> list[Job]:
    """Make a chain of jobs for each run of reference dynamics; the output of each job is a CalculationDoc.

    Programs hold a temperature, so heating goes up in a few steps of a segment each.

    Parameters
    ----------
    tasks
        The runs.
    level
        Level of theory, of an engine that runs as jobs.
    steps_per_segment
        Steps that one job does at most.
    workspace
        Of the job that asks; the starting configurations are stored there.

    Raises
    ------
    UserInputError
        If a run cannot be computed; no job is made then.
    """
    makers = makers_of(level)
    for task in tasks:
        check_configuration(makers, level, task.atoms, task.name)
    jobs = []
    for task in tasks:
        start = task.atoms.copy()
        start.set_constraint()
        heat(start, task.thermostat_K(0), np.random.default_rng(task.seed))
        stored = workspace.store_structure(start, f"start-{task.name}")
        previous = None
        for number, (first_step, n_steps) in enumerate(_segments(task, steps_per_segment)):
            segment = SegmentTask(
                structure=stored,
                trajectory=task.name,
                first_step=first_step,
                n_steps=n_steps,
                sample_every=task.sample_every,
                skipped_steps=task.ramp_steps + task.equilibration_steps,
                temperature_K=task.thermostat_K(first_step + n_steps // 2),
                run_temperature_K=task.temperature_K,
                timestep_fs=task.timestep_fs,
                friction_per_fs=FRICTION_PER_FS,
                seed=(task.seed * _SEEDS_PER_RUN + number) % 2**31,
            )
            name = f"sample {task.name}, steps {first_step + 1} to {first_step + segment.n_steps}"
            made = wire(run_segment(segment, level, previous), name, "dft", workspace.parents)
            previous = made.output
            jobs.append(made)
    return jobs


def _segments(task: SamplingTask, steps_per_segment: int) -> Iterator[tuple[int, int]]:
    """Yield the first step and the number of steps of each segment of a run."""
    in_ramp = min(steps_per_segment, -(-task.ramp_steps // _SEGMENTS_OF_A_RAMP))
    first_step = 0
    while first_step < task.n_steps_in_all:
        heating = first_step < task.ramp_steps
        end = task.ramp_steps if heating else task.n_steps_in_all
        n_steps = min(in_ramp if heating else steps_per_segment, end - first_step)
        yield first_step, n_steps
        first_step += n_steps


def _is_kept(step: int, task: SegmentTask) -> bool:
    """Tell whether the frame after a step of the run, counted from 1, is kept."""
    return step > task.skipped_steps and (step - task.skipped_steps) % task.sample_every == 0


def _segment_of(task: SegmentTask) -> Segment:
    return Segment(
        temperature_K=task.temperature_K,
        timestep_fs=task.timestep_fs,
        n_steps=task.n_steps,
        sample_every=task.sample_every,
        friction_per_fs=task.friction_per_fs,
        seed=task.seed,
    )


def _folder_of(previous: CalculationDoc | None) -> Path | None:
    return None if previous is None else project_root() / previous.folder


def _end_of(frame: Frame, start: Atoms, task: SegmentTask) -> Atoms:
    """Return a segment's last configuration, with velocities and every label, from which the next one starts."""
    if frame.step != task.n_steps or frame.velocities_A_fs is None:
        raise CalculationError(f"the program stopped after {frame.step} of {task.n_steps} steps, or kept no velocities")
    atoms: Atoms = start.copy()
    atoms.set_cell(frame.atoms.cell)
    atoms.positions = frame.atoms.positions
    atoms.set_velocities(frame.velocities_A_fs / units.fs)
    return atoms
