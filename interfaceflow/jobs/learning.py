"""Jobs of the learning loop: explore, select, label, retrain."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

import numpy as np
from ase import Atoms
from jobflow.core.flow import Flow
from jobflow.core.job import Response, job

from interfaceflow.active_learning.candidates import choose_largest_grades
from interfaceflow.active_learning.stopping import decide_status, is_finished
from interfaceflow.core.child_process import run_side_by_side
from interfaceflow.core.files import FileRef
from interfaceflow.core.formats.labelled_file import read_labelled
from interfaceflow.core.formats.structure_file import read_structures, write_structures
from interfaceflow.core.progress import progress_reporter
from interfaceflow.datasets.ladder import near_cubic_repeats
from interfaceflow.dynamics.guard import Guard
from interfaceflow.dynamics.guarded import GuardedRun, GuardedSettings, run_guarded_md
from interfaceflow.jobs.datasets import extend_dataset
from interfaceflow.jobs.potentials import category_of, fit_potential, pair_style_of, select_for_training
from interfaceflow.jobs.reference.labels import label_batch
from interfaceflow.jobs.wiring import wire
from interfaceflow.jobs.workspace import Workspace, load_structure
from interfaceflow.reference.labelling import LabelRequest
from interfaceflow.schemas.datasets import DatasetDoc, PotentialDoc
from interfaceflow.schemas.learning import (
    ExplorationDoc,
    LabelsDoc,
    LearningRoundDoc,
    LearningRunDoc,
    LearningStart,
    SelectionDoc,
)
from interfaceflow.schemas.learning_plan import LearningPlan
from interfaceflow.schemas.structures import RelaxationDoc, StructureFile
from interfaceflow.structures.production import remove_vacancies

# Seeds of a round's runs are this far apart, so that no two rounds share one.
_SEEDS_PER_ROUND = 1000
_LOOKS_AT_GRADE_EVERY = 5
# Volumes, as shares of the cell at rest, that thermal expansion and melting explain.
_SAFE_VOLUMES = (0.9, 1.15)
_INTERFACE, _INTERFACE_WITH_VACANCIES = "interface", "interface_with_vacancies"


@job
def build_learning_starts(
    bulk: dict[str, RelaxationDoc], relaxed: RelaxationDoc, plan: LearningPlan, bulk_cell_atoms: int
) -> list[LearningStart]:
    """Make the cells that every learning round runs.

    Parameters
    ----------
    bulk
        The relaxed crystals that may be run, by name.
    relaxed
        The relaxed interface.
    plan
        Settings of the loop.
    bulk_cell_atoms
        Crystals are repeated to about this many atoms.
    """
    workspace = Workspace()
    interface = load_structure(relaxed.structure)
    crystals = {name: load_structure(document.structure) for name, document in bulk.items()}
    cells = {
        _INTERFACE: interface,
        _INTERFACE_WITH_VACANCIES: remove_vacancies(interface, plan.vacancies, plan.seed)[0],
        **{name: crystal.repeat(near_cubic_repeats(crystal, bulk_cell_atoms)) for name, crystal in crystals.items()},
    }
    return [
        LearningStart(
            cell=wanted.cell,
            temperature_K=wanted.temperature_K,
            structure=workspace.store_structure(cells[wanted.cell], f"{number:02d}-{wanted.cell}"),
        )
        for number, wanted in enumerate(plan.learning.cells)
    ]


@job
def explore(
    dataset: DatasetDoc, potential: PotentialDoc, starts: list[LearningStart], plan: LearningPlan, round_index: int
) -> Response[LearningRoundDoc | ExplorationDoc]:
    """Run guarded MD in every learning cell; where one breaks, learn from it and explore again.

    The job replaces itself by ``select``, ``label``, ``retrain`` and the next ``explore`` until the stop rule is met
    (a round without a break, say) or the rounds are used up, so that what comes after it sees the last
    `LearningRoundDoc`. A potential without an extrapolation grade is run once, to see whether it holds, since there is
    nothing to select frames by.

    Parameters
    ----------
    dataset
        Training set of the potential.
    potential
        The potential on trial.
    starts
        Cells, temperatures and configurations to start from.
    plan
        Settings of the loop.
    round_index
        From 0.
    """
    workspace = Workspace()
    runs = _run_all(starts, potential, plan, round_index, workspace.folder)
    candidates = [snapshot.atoms for run in runs for snapshot in run.candidates]
    documents = tuple(
        LearningRunDoc(
            cell=start.cell,
            temperature_K=start.temperature_K,
            reached_ps=run.reached_ps,
            broke=run.broke,
            reason=run.reason,
            largest_grade=run.largest_grade,
            n_candidates=len(run.candidates),
            last_safe=workspace.store_structure(run.last_safe.atoms, f"{number:02d}-last-safe"),
        )
        for number, (start, run) in enumerate(zip(starts, runs, strict=True))
    )
    largest_grade = max(run.largest_grade for run in runs)
    rule = plan.learning.stop_rule
    unfinished = [not is_finished(broke=run.broke, n_candidates=len(run.candidates), rule=rule) for run in runs]
    status = decide_status(
        unfinished, round_index=round_index, max_rounds=plan.learning.max_rounds, has_grade=potential.has_grade
    )
    if status in ("converged", "no_grade"):
        return Response(
            output=LearningRoundDoc(
                round_index=round_index,
                status=status,
                runs=documents,
                largest_grade=largest_grade,
                n_candidates=len(candidates),
                n_selected=0,
                n_labels=0,
                dataset=dataset,
                potential=potential,
                provenance=workspace.provenance("lammps", seed=plan.seed),
            )
        )
    exploration = ExplorationDoc(
        round_index=round_index,
        runs=documents,
        candidates=_store_frames(candidates, workspace.path("candidates.xyz")),
        n_candidates=len(candidates),
        largest_grade=largest_grade,
        provenance=workspace.provenance("lammps", seed=plan.seed),
    )
    return Response(output=exploration, replace=_learn(exploration, dataset, potential, plan, starts))


def _learn(
    exploration: ExplorationDoc,
    dataset: DatasetDoc,
    potential: PotentialDoc,
    plan: LearningPlan,
    starts: list[LearningStart],
) -> Flow:
    """Wire the rest of a round, and the next one."""
    number = exploration.round_index
    category = category_of(plan.potential)
    selected = wire(select_frames(exploration, dataset, potential, plan), f"select round {number}", category)
    labels = wire(label_frames(selected.output, plan, number), f"label round {number}", "dft")
    retrained = wire(
        retrain(exploration, selected.output, labels.output, dataset, potential, plan),
        f"retrain round {number}",
        category,
    )
    jobs, output = [selected, labels, retrained], retrained.output
    if number + 1 < plan.learning.max_rounds:
        next_starts = [
            start.model_copy(
                update={"going_on_from": run.last_safe if is_near(run.last_safe, start.structure) else None}
            )
            for start, run in zip(starts, exploration.runs, strict=True)
        ]
        following = wire(
            explore(output.dataset, output.potential, next_starts, plan, number + 1),
            f"explore round {number + 1}",
            category,
        )
        jobs, output = [*jobs, following], following.output
    return Flow(jobs, output=output, name=f"learning round {number}")


@job
def select_frames(
    exploration: ExplorationDoc, dataset: DatasetDoc, potential: PotentialDoc, plan: LearningPlan
) -> SelectionDoc:
    """Choose the candidate frames that the training set gains most from.

    Parameters
    ----------
    exploration
        The round's MD.
    dataset
        Training set of the potential.
    potential
        The potential whose grade marked the candidates.
    plan
        Settings of the loop.
    """
    workspace = Workspace()
    if exploration.candidates is None:
        return SelectionDoc(frames=None, n_selected=0, provenance=workspace.provenance())
    candidates = read_structures(exploration.candidates.path())
    chosen = select_for_training(workspace, candidates, dataset, potential, plan.potential)
    if len(chosen) > plan.learning.max_labels_per_round:
        grades = np.array([grade for _, grade in chosen])
        chosen = [chosen[i] for i in choose_largest_grades(grades, plan.learning.max_labels_per_round)]
    return SelectionDoc(
        frames=_store_frames([atoms for atoms, _ in chosen], workspace.path("selected.xyz")),
        n_selected=len(chosen),
        provenance=workspace.provenance(),
    )


@job
def label_frames(selection: SelectionDoc, plan: LearningPlan, round_index: int) -> LabelsDoc | Response[LabelsDoc]:
    """Label the chosen frames with the reference calculation.

    Where the engine runs as jobs, this one replaces itself by one ``label_configuration`` for each frame and a
    ``collect_labels``.

    Parameters
    ----------
    selection
        The frames.
    plan
        Level of theory and number of workers.
    round_index
        Number of the round, for the labels' source.

    Raises
    ------
    CalculationError
        If too many labels cannot be trusted.
    """
    workspace = Workspace()
    if selection.frames is None:
        return LabelsDoc(configurations=None, n_labels=0, provenance=workspace.provenance())
    trajectory = f"learning round {round_index}"
    requests = [
        LabelRequest(atoms, f"{trajectory}, frame {number}", trajectory)
        for number, atoms in enumerate(read_structures(selection.frames.path()))
    ]
    return label_batch(requests, plan.level, plan.reference, trajectory, workspace)


@job
def retrain(
    exploration: ExplorationDoc,
    selection: SelectionDoc,
    labels: LabelsDoc,
    dataset: DatasetDoc,
    potential: PotentialDoc,
    plan: LearningPlan,
) -> LearningRoundDoc:
    """Add the new labels to the training set and go on fitting.

    Parameters
    ----------
    exploration, selection, labels
        What the round did so far.
    dataset, potential
        Training set and potential before the round.
    plan
        Settings of the loop.
    """
    workspace = Workspace()
    if labels.configurations is not None:
        new = read_labelled(labels.configurations.path())
        dataset = extend_dataset(dataset, new, labels.quarantined, workspace)
        potential = fit_potential(workspace, dataset, plan.potential, plan.seed, previous=potential)
    number = exploration.round_index
    return LearningRoundDoc(
        round_index=number,
        status=decide_status([True], round_index=number, max_rounds=plan.learning.max_rounds),
        runs=exploration.runs,
        largest_grade=exploration.largest_grade,
        n_candidates=exploration.n_candidates,
        n_selected=selection.n_selected,
        n_labels=labels.n_labels,
        quarantined=labels.quarantined,
        dataset=dataset,
        potential=potential,
        provenance=workspace.provenance("lammps", seed=plan.seed),
    )


def _run_all(
    starts: list[LearningStart], potential: PotentialDoc, plan: LearningPlan, round_index: int, folder: Path
) -> list[GuardedRun]:
    """Run all learning cells, as many side by side as there are workers."""
    learning = plan.learning
    pair_style = pair_style_of(potential, folder)
    guard = Guard(
        break_threshold=learning.break_threshold,
        every=_LOOKS_AT_GRADE_EVERY,
        min_distances_A=potential.min_distances_A,
    )

    def settings_of(start: LearningStart) -> GuardedSettings:
        return GuardedSettings(
            temperature_K=start.temperature_K,
            duration_ps=learning.duration_ps,
            timestep_fs=learning.timestep_fs,
            select_threshold=learning.select_threshold,
            guard=guard,
            barostat="normal" if start.cell in (_INTERFACE, _INTERFACE_WITH_VACANCIES) else "isotropic",
        )

    progress = progress_reporter()
    progress.start(sum(settings_of(start).n_steps for start in starts), "step", f"Exploring, round {round_index}")

    def run(number: int, start: LearningStart) -> GuardedRun:
        own_folder = folder / f"{number:02d}-{re.sub('[^A-Za-z0-9]+', '-', start.cell)}"
        own_folder.mkdir(exist_ok=True)
        seed = plan.seed + _SEEDS_PER_ROUND * (round_index + 1) + number
        atoms = load_structure(start.going_on_from or start.structure)
        return run_guarded_md(atoms, pair_style, settings_of(start), own_folder, seed=seed, progress=progress)

    return run_side_by_side(
        [partial(run, number, start) for number, start in enumerate(starts)], plan.reference.n_workers
    )


def is_near(frame: StructureFile, start: StructureFile) -> bool:
    """Tell whether a frame's volume is still that of the cell it came from.

    A run goes on from its last safe frame. Round after round that would let a cell swell without end, a little each
    time, so a frame that has left `_SAFE_VOLUMES` sends its run back to the beginning.
    """
    volume, origin = (abs(float(np.linalg.det(np.array(structure.cell_A)))) for structure in (frame, start))
    return _SAFE_VOLUMES[0] < volume / origin < _SAFE_VOLUMES[1]


def _store_frames(frames: list[Atoms], path: Path) -> FileRef | None:
    """Write frames into one file; nothing is written where there are none."""
    if not frames:
        return None
    write_structures(frames, path)
    return FileRef.of(path)
