"""Single reference calculations that run as jobs of their own."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from interfaceflow.core.files import FileRef
from interfaceflow.schemas.base import Doc, quantity
from interfaceflow.schemas.structures import StructureFile


class LabelTask(BaseModel):
    """A configuration that one job labels."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    structure: StructureFile = Field(description="The configuration")
    source: str = Field(description="Where it came from, in words")
    trajectory: str = Field(description="Name of the run it is a frame of")


class SegmentTask(BaseModel):
    """A piece of reference molecular dynamics that one job does."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    structure: StructureFile = Field(description="Where the run starts, with velocities")
    trajectory: str = Field(description="Name of the run")
    first_step: int = Field(ge=0, description="Steps that the segments before it do")
    n_steps: int = Field(ge=1, description="Steps of this segment")
    sample_every: int = Field(ge=1, description="A frame is kept every so many steps of the run")
    skipped_steps: int = Field(
        default=0, ge=0, description="Steps of the run, heating and equilibration, of which no frame is kept"
    )
    temperature_K: float = quantity("K", "Temperature of this segment", gt=0)
    run_temperature_K: float = quantity("K", "Temperature of the run after heating", gt=0)
    timestep_fs: float = quantity("fs", "Time step", gt=0)
    friction_per_fs: float = quantity("1/fs", "Friction of the thermostat", gt=0)
    seed: int = Field(ge=0, description="Seed of the thermostat's random numbers")


class CalculationDoc(Doc):
    """What one calculation by an external program gave: labels, or the reason why there are none."""

    source: str = Field(description="What was computed, in words")
    folder: str = Field(description="Folder of the program's files, relative to the project's root")
    labels: FileRef | None = Field(default=None, description="Extended XYZ file of its labels; absent where none")
    n_labels: int = Field(default=0, ge=0, description="Labels in it")
    last: StructureFile | None = Field(
        default=None, description="Last configuration of a segment, with velocities, from which the next one goes on"
    )
    reason: str | None = Field(default=None, description="Why it failed; absent where it did not, or was not begun")
