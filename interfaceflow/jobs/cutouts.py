"""Jobs that learn from a frame too large to label: cut out, label, retrain."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator
from jobflow.core.flow import Flow
from jobflow.core.job import Response, job
from jobflow.core.reference import OutputReference

from interfaceflow.active_learning.cutouts.neighbourhoods import (
    CORE,
    FRAME_INDEX,
    Cutout,
    Cutouts,
    PotentialOnTrial,
    cut_out_neighbourhoods,
)
from interfaceflow.core.errors import UserInputError
from interfaceflow.core.files import FileRef
from interfaceflow.core.formats.labelled_file import read_labelled
from interfaceflow.core.formats.structure_file import read_structure, read_structures, write_structures
from interfaceflow.core.labels import PHASE, check_labels
from interfaceflow.core.progress import Progress, progress_reporter
from interfaceflow.jobs.datasets import extend_dataset
from interfaceflow.jobs.potentials import fit_potential
from interfaceflow.jobs.reference.labels import label_batch
from interfaceflow.jobs.wiring import wire
from interfaceflow.jobs.workspace import Workspace, load_structure
from interfaceflow.potentials.mtp.calculator import MTPCalculator
from interfaceflow.reference.labelling import LabelRequest
from interfaceflow.schemas.cutouts import (
    CutoutPlan,
    CutoutRecord,
    CutoutRoundDoc,
    CutoutsDoc,
    CutoutSettings,
    FormalCharge,
    RefusedNeighbourhood,
)
from interfaceflow.schemas.datasets import DatasetDoc, MtpDetails, PotentialDoc
from interfaceflow.schemas.learning import LabelsDoc
from interfaceflow.schemas.learning_plan import LearningPlan
from interfaceflow.schemas.structures import StructureFile
from interfaceflow.structures.crystals import formal_charges


@job
def cut_out(
    frame: FileRef, potential: PotentialDoc, interface: StructureFile, select_threshold: float, settings: CutoutSettings
) -> CutoutsDoc:
    """Cut small periodic cells out of a frame, around the atoms its potential extrapolates on.

    Parameters
    ----------
    frame
        Extended XYZ file of a labelled cell, for example ``ProductionDoc.breaking_frame``.
    potential
        The potential that extrapolates.
    interface
        Labelled cell without vacancies, whose phases' compositions give the formal charges that the settings do not.
    select_threshold
        Atoms with a larger grade extrapolate.
    settings
        Sizes and tolerances.

    Raises
    ------
    UserInputError
        If the frame has no labels, is not periodic, or so small that it can be labelled whole.
    """
    workspace = Workspace()
    atoms = read_structure(frame.path())
    check_labels(atoms, str(frame.uri))
    charges = charges_by_phase(load_structure(interface), settings.formal_charges)
    trial = potential_on_trial(potential)
    cutouts = cut_out_neighbourhoods(atoms, trial, charges, select_threshold, settings, progress_reporter())
    path = workspace.path("cutouts.xyz")
    if cutouts.accepted:
        write_structures([cutout.atoms for cutout in cutouts.accepted], path)
    return CutoutsDoc(
        frames=FileRef.of(path) if cutouts.accepted else None,
        cutouts=tuple(_record(cutout) for cutout in cutouts.accepted),
        refused=tuple(
            RefusedNeighbourhood(atom=one.atom, grade=one.grade, reason=one.reason) for one in cutouts.refused
        ),
        n_atoms=len(atoms),
        n_extrapolating=cutouts.n_extrapolating,
        n_covered=cutouts.n_covered,
        select_threshold=select_threshold,
        largest_grade=cutouts.largest_grade,
        potential_sha256=potential.file.sha256,
        provenance=workspace.provenance("numpy", "scipy", "ase"),
    )


@job
def label_cutouts(cutouts: CutoutsDoc, plan: LearningPlan, name: str) -> LabelsDoc | Response[LabelsDoc]:
    """Label cut-outs with the reference calculation, see `label_batch`.

    Parameters
    ----------
    cutouts
        The cut-outs.
    plan
        Level of theory and number of workers.
    name
        Of the frame they come from, for the labels' source.
    """
    workspace = Workspace()
    if cutouts.frames is None:
        return LabelsDoc(configurations=None, n_labels=0, provenance=workspace.provenance())
    requests = [
        LabelRequest(_bare(atoms), f"cut-out of {name}, atom {record.atom}", f"cut-outs of {name}")
        for atoms, record in zip(read_structures(cutouts.frames.path()), cutouts.cutouts, strict=True)
    ]
    return label_batch(requests, plan.level, plan.reference, f"cut-outs of {name}", workspace)


@job
def retrain_on_cutouts(
    frame: FileRef,
    cutouts: CutoutsDoc,
    labels: LabelsDoc,
    dataset: DatasetDoc,
    potential: PotentialDoc,
    interface: StructureFile,
    plan: CutoutPlan,
    pass_index: int,
) -> Response[CutoutRoundDoc]:
    """Add the labels of cut-outs to the training set, go on fitting, and look at the frame again.

    Where atoms of the frame still extrapolate, the job replaces itself by another pass: ``cut out``, ``label`` and
    ``retrain``; until none does, a pass brings no label, or the passes are used up.

    Parameters
    ----------
    frame
        The frame.
    cutouts, labels
        What was made of it.
    dataset, potential
        Training set and potential before.
    interface
        Labelled cell without vacancies; see `cut_out`.
    plan
        Settings.
    pass_index
        From 0.
    """
    workspace = Workspace()
    learning = plan.learning
    if labels.configurations is not None:
        new = read_labelled(labels.configurations.path())
        dataset = extend_dataset(dataset, new, labels.quarantined, workspace)
        potential = fit_potential(workspace, dataset, learning.potential, learning.seed, previous=potential)
    grades = potential_on_trial(potential).grades(read_structure(frame.path()))
    document = CutoutRoundDoc(
        pass_index=pass_index,
        cutouts=cutouts,
        n_labels=labels.n_labels,
        quarantined=labels.quarantined,
        largest_grade_before=cutouts.largest_grade,
        largest_grade_after=float(grades.max()),
        n_extrapolating_after=int((grades > cutouts.select_threshold).sum()),
        dataset=dataset,
        potential=potential,
        provenance=workspace.provenance("numpy", "scipy", seed=learning.seed),
    )
    if document.n_extrapolating_after == 0 or labels.n_labels == 0 or pass_index + 1 == plan.cutouts.max_passes:
        return Response(output=document)
    following = wire_cutout_pass(frame, dataset, potential, interface, plan, pass_index + 1)
    return Response(output=document, replace=following)


def wire_cutout_pass(
    frame: FileRef | OutputReference,
    dataset: DatasetDoc | OutputReference,
    potential: PotentialDoc | OutputReference,
    interface: StructureFile | OutputReference,
    plan: CutoutPlan,
    pass_index: int,
) -> Flow:
    """Wire one pass over a frame; the arguments are those of `retrain_on_cutouts`, or references to them."""
    name = f"the breaking frame, pass {pass_index}"
    threshold = plan.learning.learning.select_threshold
    cutting = wire(cut_out(frame, potential, interface, threshold, plan.cutouts), f"cut out, pass {pass_index}", "cpu")
    labelling = wire(label_cutouts(cutting.output, plan.learning, name), f"label cut-outs, pass {pass_index}", "dft")
    retraining = wire(
        retrain_on_cutouts(frame, cutting.output, labelling.output, dataset, potential, interface, plan, pass_index),
        f"retrain on cut-outs, pass {pass_index}",
        "cpu",
    )
    return Flow([cutting, labelling, retraining], output=retraining.output, name=f"cut-outs, pass {pass_index}")


def potential_on_trial(potential: PotentialDoc) -> PotentialOnTrial:
    """Return what cutting out needs to know of a fitted potential.

    Raises
    ------
    UserInputError
        If it is not a moment tensor potential: the others are not asked for grades in this process.
    """
    if not isinstance(potential.model, MtpDetails) or potential.cutoff_radius_A is None:
        raise UserInputError(
            f"cut-outs: potentials of kind {potential.model.kind} cannot be cut out for; use a moment tensor potential "
            "(potential.kind: mtp)"
        )
    calculator: Calculator = MTPCalculator(potential.file.path(), potential.species, zbl=potential.model.zbl)
    return PotentialOnTrial(
        cutoff_radius_A=potential.cutoff_radius_A,
        min_distances_A=potential.min_distances_A,
        grades=lambda atoms: np.asarray(calculator.get_property("extrapolation_grades", atoms)),
        calculator=calculator,
    )


def charges_by_phase(interface: Atoms, given: tuple[FormalCharge, ...]) -> dict[tuple[str, str], float]:
    """Return formal charges by phase and element: those given, and those of the phases' compositions.

    Parameters
    ----------
    interface
        Labelled cell in which every phase has its bulk composition.
    given
        Charges that take precedence.

    Raises
    ------
    UserInputError
        If no common oxidation states make a phase neutral of which not all charges are given.
    """
    charges = {(one.phase, one.element): one.charge_e for one in given}
    phases = interface.arrays[PHASE]
    for phase in sorted(set(phases.tolist())):
        crystal = interface[phases == phase]
        if not {(phase, symbol) for symbol in crystal.get_chemical_symbols()} <= set(charges):
            charges = {(phase, symbol): charge for symbol, charge in formal_charges(crystal).items()} | charges
    return charges


def cut_out_of_file(
    frame: Path,
    potential: PotentialOnTrial,
    charges: Mapping[tuple[str, str], float],
    select_threshold: float,
    settings: CutoutSettings,
    output: Path,
    progress: Progress,
) -> Cutouts:
    """Cut neighbourhoods out of the frame in an extended XYZ file, and write them to another.

    Parameters
    ----------
    frame
        Extended XYZ file of a cell with phase labels; of several frames the first is taken.
    potential
        From `potential_on_trial`, or made by hand for a potential from elsewhere.
    charges
        Formal charges by phase and element, e.
    select_threshold
        Atoms with a larger grade extrapolate.
    settings
        Sizes and tolerances.
    output
        Extended XYZ file for the cut-outs; not written where there is none.
    progress
        Told of each cut-out.

    Raises
    ------
    DataFileError
        If the file cannot be read.
    UserInputError
        If no cut-outs can be made of such a frame.
    """
    cutouts = cut_out_neighbourhoods(read_structure(frame), potential, charges, select_threshold, settings, progress)
    if cutouts.accepted:
        write_structures([cutout.atoms for cutout in cutouts.accepted], output)
    return cutouts


def _record(cutout: Cutout) -> CutoutRecord:
    return CutoutRecord(
        atom=cutout.atom,
        grade_in_frame=cutout.grade_in_frame,
        grade=cutout.grade,
        n_atoms=len(cutout.atoms),
        n_core=cutout.n_core,
        formula=cutout.atoms.get_chemical_formula(),
        charge_e=cutout.charge_e,
        n_added=cutout.n_added,
        n_removed=cutout.n_removed,
        coincidences=cutout.coincidences,
        largest_rim_move_A=cutout.largest_rim_move_A,
        covered=cutout.covered,
    )


def _bare(atoms: Atoms) -> Atoms:
    """Return a cut-out as a configuration like any other of the training set."""
    for name in (CORE, FRAME_INDEX):
        del atoms.arrays[name]
    return atoms
