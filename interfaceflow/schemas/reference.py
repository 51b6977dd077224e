"""Docs of single reference calculations that ran as jobs of their own."""

from __future__ import annotations

from pydantic import Field

from interfaceflow.core.files import FileRef
from interfaceflow.schemas.base import Doc, quantity
from interfaceflow.schemas.structures import StructureFile


class CalculationDoc(Doc):
    """One calculation by an external program: a single point, a relaxation, or a segment of molecular dynamics."""

    source: str = Field(description="What was computed, in words")
    trajectory: str = Field(description="Name of the run it belongs to")
    folder: str = Field(description="Folder of the program's files, relative to the project's root")
    frames: FileRef | None = Field(default=None, description="Extended XYZ file of its labels; absent where it failed")
    n_frames: int = Field(default=0, ge=0, description="Labels in it")
    last: StructureFile | None = Field(
        default=None, description="Last configuration of a segment, with velocities, from which the next one goes on"
    )
    n_steps: int = Field(default=0, ge=0, description="Steps of ions or of dynamics")
    max_force_eV_A: float | None = quantity("eV/Å", "Largest force at the end of a relaxation", default=None)
    relaxed: bool = Field(default=False, description="Whether a relaxation is within its tolerances")
    reason: str | None = Field(default=None, description="Why there is no label")
