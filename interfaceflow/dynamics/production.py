"""Production MD: heat, relax the normal stress, then run at constant cell in segments that can be gone on from.

The stages are in `production_stages`. The whole run lives in LAMMPS' frame: the first cell vector along x, the second
in the xy-plane, the interface normal along z.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from ase import Atoms

from interfaceflow.core.formats.dcd import open_dcd
from interfaceflow.core.formats.structure_file import write_structure
from interfaceflow.core.progress import Progress, SilentProgress
from interfaceflow.dynamics.data_file import write_data_file
from interfaceflow.dynamics.frame import LammpsFrame
from interfaceflow.dynamics.guard import Guard
from interfaceflow.dynamics.lammps_run import check_room
from interfaceflow.dynamics.pair_style import PairStyle
from interfaceflow.dynamics.production_stages import LOWEST_SHARE, ProductionSteps, production_stages, segment_name
from interfaceflow.dynamics.snapshots import GRADE
from interfaceflow.dynamics.stages import Chain, Stage, StageRecord, fingerprint_of
from interfaceflow.dynamics.thermo import Thermo, read_thermo
from interfaceflow.dynamics.velocities import draw_velocities
from interfaceflow.schemas.settings import ProductionSettings

NORMAL_AXIS: Final = 2
ATOM_ID: Final = "id"

_RESTART_BYTES_PER_ATOM: Final = 200
_BAR_TO_GPA: Final = 1e-4


@dataclass(frozen=True)
class ProductionPlan:
    """What a production run is asked for.

    Attributes
    ----------
    settings
        Lengths of the stages, time step, ranks.
    guard
        When to stop.
    temperature_K
        Target temperature [K].
    normal_axis
        Cell vector along the interface normal.
    seed
        Seed of the initial velocities and of the random forces before production.
    """

    settings: ProductionSettings
    guard: Guard
    temperature_K: float
    normal_axis: int
    seed: int


@dataclass(frozen=True)
class Segment:
    """A finished piece of production.

    Attributes
    ----------
    index
        From 0.
    trajectory, restart
        DCD file, and LAMMPS restart file of its end.
    n_frames
        Frames in the file.
    largest_grade
        Largest extrapolation grade seen, dimensionless.
    """

    index: int
    trajectory: Path
    restart: Path
    n_frames: int
    largest_grade: float


@dataclass(frozen=True)
class ProductionRun:
    """How a production run went; everything is in LAMMPS' frame, its normal along the third cell vector.

    Attributes
    ----------
    segments
        What was produced, in order; together one trajectory.
    reason
        What stopped it before its time; absent when it was completed.
    breaking_frame
        Extended XYZ file of the frame that stopped it.
    sidecar
        Extended XYZ file of the first frame: ids, species, labels.
    last_frame
        Structure at the end, with labels.
    production_ps, frame_interval_ps
        Length of production, and time between frames [ps].
    mean_temperature_K, residual_normal_stress_GPa, energy_drift_meV_atom_ps
        Means over production (compression positive), and slope of the conserved energy;
        over the stage that was stopped where there was no production.
    largest_grade
        Largest extrapolation grade of all stages, dimensionless.
    atom_steps_per_s
        Atoms times steps per second of wall time, over all stages.
    """

    segments: tuple[Segment, ...]
    reason: str | None
    breaking_frame: Path | None
    sidecar: Path
    last_frame: Atoms
    production_ps: float
    frame_interval_ps: float
    mean_temperature_K: float
    residual_normal_stress_GPa: float
    energy_drift_meV_atom_ps: float
    largest_grade: float
    atom_steps_per_s: float


def run_production_md(
    atoms: Atoms, pair_style: PairStyle, plan: ProductionPlan, folder: Path, *, progress: Progress | None = None
) -> ProductionRun:
    """Run production MD at one temperature; in a folder where it was killed before, go on.

    Parameters
    ----------
    atoms
        Relaxed structure with labels.
    pair_style
        The potential.
    plan
        What is asked for.
    folder
        Folder of its own for the files of this run.
    progress
        Is started and advanced.

    Raises
    ------
    ExternalProgramError
        If LAMMPS failed.
    UserInputError
        If the potential does not know an element, the folder cannot be written, or its disk has too little room.
    """
    settings, temperature_K = plan.settings, plan.temperature_K
    steps = ProductionSteps.of(settings)
    check_room(folder, _bytes_needed(steps, len(atoms)))
    start = LammpsFrame.of(atoms.cell.array, plan.normal_axis).turn(atoms)
    start = draw_velocities(start, LOWEST_SHARE * temperature_K, np.random.default_rng(plan.seed))
    write_data_file(start, pair_style, LammpsFrame.identity(), folder / "start.data")
    progress = progress or SilentProgress()
    progress.start(steps.total, "step", f"MD of {len(atoms)} atoms at {temperature_K:.0f} K")
    chain = Chain(
        folder=folder,
        start=start,
        pair_style=pair_style,
        guard=plan.guard,
        timestep_fs=settings.timestep_fs,
        n_ranks=pair_style.ranks(settings.n_ranks),
        # The number of ranks is left out: it may change on the way.
        fingerprint=fingerprint_of(
            start,
            pair_style,
            plan.guard,
            f"{temperature_K!r} {plan.seed}",
            settings.model_dump_json(exclude={"n_ranks", "fractions_of_melting_point", "temperatures_K"}),
        ),
        progress=progress,
    )
    done: list[tuple[Stage, StageRecord]] = []
    for stage in production_stages(chain, steps, temperature_K, plan.seed):
        record = chain.run(stage)
        done.append((stage, record))
        if record.broke:
            break
    return _collect(chain, steps, done)


def _collect(chain: Chain, steps: ProductionSteps, done: list[tuple[Stage, StageRecord]]) -> ProductionRun:
    segments = _segments(chain.folder, done)
    n_atoms = len(chain.start)
    stopped, last_record = done[-1]
    names = [segment_name(segment.index) for segment in segments] or [stopped.name]
    thermo = [read_thermo(chain.folder / f"{name}.log") for name in names]
    n_steps = sum(record.n_steps for _, record in done)
    wall_s = sum(record.wall_time_s for _, record in done)
    frame_ps = steps.frame * chain.timestep_fs / 1000.0
    n_intervals = max(0, sum(segment.n_frames for segment in segments) - 1)
    return ProductionRun(
        segments=segments,
        reason=last_record.reason,
        breaking_frame=_write_breaking_frame(chain, stopped) if last_record.broke else None,
        sidecar=_write_sidecar(chain, segments),
        last_frame=_last_frame(chain, segments),
        production_ps=n_intervals * frame_ps,
        frame_interval_ps=frame_ps,
        mean_temperature_K=_mean(thermo, "Temp"),
        residual_normal_stress_GPa=_mean(thermo, "Pzz") * _BAR_TO_GPA,
        energy_drift_meV_atom_ps=_drift(thermo, chain.timestep_fs) / n_atoms,
        largest_grade=max(record.largest_grade for _, record in done),
        atom_steps_per_s=n_atoms * n_steps / wall_s,
    )


def _segments(folder: Path, done: list[tuple[Stage, StageRecord]]) -> tuple[Segment, ...]:
    """Return the segments that have frames; one that broke at once has none."""
    segments = []
    production = [(stage, record) for stage, record in done if stage.name.startswith("segment")]
    for index, (stage, record) in enumerate(production):
        trajectory = folder / f"{stage.name}.dcd"
        if trajectory.is_file() and trajectory.stat().st_size:
            n_frames = open_dcd(trajectory).n_frames
            segments.append(Segment(index, trajectory, folder / stage.restart, n_frames, record.largest_grade))
    return tuple(segments)


def _write_sidecar(chain: Chain, segments: tuple[Segment, ...]) -> Path:
    """Write the first frame with ids, species and labels."""
    first = _frame_atoms(chain.start, segments[0].trajectory, 0) if segments else _without_momenta(chain.start)
    first.set_array(ATOM_ID, np.arange(1, len(first) + 1))
    write_structure(first, chain.folder / "sidecar.xyz")
    return chain.folder / "sidecar.xyz"


def _write_breaking_frame(chain: Chain, stage: Stage) -> Path | None:
    snapshot = chain.breaking_snapshot(stage)
    if snapshot is None:
        return None
    frame = snapshot.atoms
    if snapshot.grades is not None:
        frame.set_array(GRADE, snapshot.grades)
    write_structure(frame, chain.folder / "breaking.xyz")
    return chain.folder / "breaking.xyz"


def _last_frame(chain: Chain, segments: tuple[Segment, ...]) -> Atoms:
    if not segments:
        return _without_momenta(chain.start)
    return _frame_atoms(chain.start, segments[-1].trajectory, segments[-1].n_frames - 1)


def _frame_atoms(start: Atoms, trajectory: Path, index: int) -> Atoms:
    """Return one frame of a DCD file as a structure with the labels of the start."""
    frames = open_dcd(trajectory).read(index, index + 1)
    atoms = _without_momenta(start)
    atoms.set_cell(frames.cells[0])
    atoms.set_positions(frames.positions[0].astype(float))
    return atoms


def _without_momenta(atoms: Atoms) -> Atoms:
    bare: Atoms = atoms.copy()
    bare.arrays.pop("momenta", None)
    return bare


def _mean(thermo: list[Thermo], column: str) -> float:
    return float(np.concatenate([piece.column(column) for piece in thermo]).mean())


def _drift(thermo: list[Thermo], timestep_fs: float) -> float:
    """Return the slope of the conserved energy [meV/ps], 0 where there are too few points for one."""
    steps = np.concatenate([piece.column("Step") for piece in thermo])
    energies = np.concatenate([piece.column("Econserve") for piece in thermo])
    if len(np.unique(steps)) < 3:
        return 0.0
    return float(np.polyfit(steps * timestep_fs / 1000.0, 1000.0 * energies, 1)[0])


def _bytes_needed(steps: ProductionSteps, n_atoms: int) -> int:
    n_frames = sum(steps.segments) // steps.frame + 1
    return n_frames * (12 * n_atoms + 80) + (len(steps.segments) + 4) * n_atoms * _RESTART_BYTES_PER_ATOM
