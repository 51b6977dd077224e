"""Docs of active learning."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from interfaceflow.core.files import FileRef
from interfaceflow.schemas.base import Doc, quantity
from interfaceflow.schemas.datasets import DatasetDoc, PotentialDoc, QuarantinedLabel
from interfaceflow.schemas.structures import StructureFile

LearningStatus = Literal["learning", "converged", "max_rounds", "no_grade"]


class LearningRunDoc(BaseModel):
    """One MD run of a learning round."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cell: str = Field(description="Which cell was run")
    temperature_K: float = quantity("K", "Temperature", gt=0)
    reached_ps: float = quantity("ps", "Time the run lasted in this round", ge=0)
    broke: bool = Field(description="Whether the break threshold, or the smallest allowed distance, was passed")
    reason: str | None = Field(default=None, description="What stopped it")
    largest_grade: float = quantity("1", "Largest extrapolation grade seen", ge=0)
    n_candidates: int = Field(ge=0, description="Frames above the select threshold")
    last_safe: StructureFile = Field(description="Last frame below the select threshold, to go on from")


class LearningRoundDoc(Doc):
    """One round: MD, selection, labels, retraining."""

    round_index: int = Field(ge=0, description="From 0")
    status: LearningStatus = Field(
        description="'converged' when no run broke, 'max_rounds' when the loop gave up, 'no_grade' when the potential "
        "has no grade, so that there is nothing to learn by"
    )
    runs: tuple[LearningRunDoc, ...] = Field(description="The round's MD runs")
    largest_grade: float = quantity("1", "Largest grade of the round", ge=0)
    n_candidates: int = Field(ge=0, description="Candidate frames")
    n_selected: int = Field(ge=0, description="Frames chosen for labelling")
    n_labels: int = Field(ge=0, description="Labels that were trusted and added")
    quarantined: tuple[QuarantinedLabel, ...] = Field(default=(), description="Labels that were refused")
    dataset: DatasetDoc = Field(description="The dataset after the round")
    potential: PotentialDoc = Field(description="The potential after the round")


class LearningStart(BaseModel):
    """Where one MD run of a round starts."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cell: str = Field(description="Which cell is run")
    temperature_K: float = quantity("K", "Temperature", gt=0)
    structure: StructureFile = Field(description="The cell, at rest")
    going_on_from: StructureFile | None = Field(
        default=None, description="Last safe frame of an earlier round, with velocities, to start from instead"
    )


class ExplorationDoc(Doc):
    """The MD runs of one round, before selection."""

    round_index: int = Field(ge=0, description="From 0")
    runs: tuple[LearningRunDoc, ...] = Field(description="The round's MD runs")
    candidates: FileRef | None = Field(description="Extended XYZ file of the frames above the select threshold")
    n_candidates: int = Field(ge=0, description="Candidate frames")
    largest_grade: float = quantity("1", "Largest grade of the round", ge=0)


class SelectionDoc(Doc):
    """Frames chosen for labelling."""

    frames: FileRef | None = Field(description="Extended XYZ file of the chosen frames; absent when none was chosen")
    n_selected: int = Field(ge=0, description="Frames chosen")


class LabelsDoc(Doc):
    """Labels of the chosen frames."""

    configurations: FileRef | None = Field(description="Extended XYZ file of the trusted labels; absent when none")
    n_labels: int = Field(ge=0, description="Labels that were trusted")
    quarantined: tuple[QuarantinedLabel, ...] = Field(default=(), description="Labels that were refused")
