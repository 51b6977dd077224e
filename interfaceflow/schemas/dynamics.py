"""Docs of molecular dynamics."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from interfaceflow.core.files import FileRef
from interfaceflow.schemas.base import Doc, quantity
from interfaceflow.schemas.settings import Precision


class CoexistenceRun(BaseModel):
    """A half-molten cell held at one temperature."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    temperature_K: float = quantity("K", "Temperature", gt=0)
    solid_fraction_start: float = quantity("1", "Share of solid-like atoms at the start", ge=0, le=1)
    solid_fraction_end: float = quantity("1", "Share of solid-like atoms at the end", ge=0, le=1)
    grew: bool = Field(description="Whether the solid grew")
    largest_grade: float = quantity("1", "Largest extrapolation grade seen", ge=0)


class MeltingPointDoc(Doc):
    """Melting point that a potential gives the metal."""

    melting_point_K: float = quantity("K", "Middle of the bracket", gt=0)
    lower_K: float = quantity("K", "Highest temperature at which the solid grew", gt=0)
    upper_K: float = quantity("K", "Lowest temperature at which it melted", gt=0)
    runs: tuple[CoexistenceRun, ...] = Field(description="What was run")
    n_atoms: int = Field(ge=1, description="Atoms of the coexistence cell")
    potential_sha256: str = Field(description="SHA-256 of the potential")
    largest_grade: float = quantity("1", "Largest extrapolation grade seen", ge=0)


class SegmentDoc(BaseModel):
    """A piece of a production run, with what is needed to go on from its end."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    index: int = Field(ge=0, description="From 0")
    trajectory: FileRef = Field(description="DCD file: unwrapped positions in order of atom ids, cell per frame")
    restart: FileRef = Field(description="LAMMPS restart file of its end")
    n_frames: int = Field(ge=0, description="Frames")
    largest_grade: float = quantity("1", "Largest extrapolation grade seen", ge=0)


class ProductionDoc(Doc):
    """A production run at one temperature."""

    status: Literal["completed", "extrapolated"] = Field(
        description="'extrapolated' when it stopped at the break threshold before its time"
    )
    reason: str | None = Field(default=None, description="What stopped it before its time")
    breaking_frame: FileRef | None = Field(
        default=None, description="Extended XYZ of the frame that stopped it, with grades, in the trajectory's frame"
    )
    temperature_K: float = quantity("K", "Target temperature", gt=0)
    mean_temperature_K: float = quantity("K", "Mean temperature of the production part", gt=0)
    production_ps: float = quantity("ps", "Length of the production part", ge=0)
    frame_interval_ps: float = quantity("ps", "Time between stored frames", gt=0)
    timestep_fs: float = quantity("fs", "Time step", gt=0)
    precision: Precision = Field(default="double", description="Of what lies between positions and forces")
    segments: tuple[SegmentDoc, ...] = Field(description="The production part, piece by piece")
    sidecar: FileRef = Field(description="Extended XYZ of the first frame: ids, species and labels of the DCD's atoms")
    largest_grade: float = quantity("1", "Largest extrapolation grade of the whole run, equilibration included", ge=0)
    normal_axis: Literal[0, 1, 2] = Field(description="Cell vector along the normal")
    residual_normal_stress_GPa: float = quantity("GPa", "Mean normal stress left in production (compression positive)")
    metal_solid_fraction: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="Share of interior metal atoms that are solid-like at the end; absent where there is no metal [1]",
    )
    energy_drift_meV_atom_ps: float = quantity("meV/atom/ps", "Drift of the conserved energy")
    n_atoms: int = Field(ge=1, description="Number of atoms")
    atom_steps_per_s: float = quantity("1/s", "Atoms times steps, per second of wall time", ge=0)
    melting_point_K: float | None = Field(default=None, description="Melting point this run was planned against [K]")
    potential_sha256: str = Field(description="SHA-256 of the potential")
