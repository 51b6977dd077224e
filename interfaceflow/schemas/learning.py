"""Docs of active learning."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from interfaceflow.schemas.base import Doc, quantity
from interfaceflow.schemas.datasets import DatasetDoc, PotentialDoc, QuarantinedLabel
from interfaceflow.schemas.structures import StructureFile

LearningStatus = Literal["learning", "converged", "max_rounds"]


class LearningRunDoc(BaseModel):
    """One MD run of a learning round."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cell: str = Field(description="Which cell was run")
    temperature_K: float = quantity("K", "Temperature", gt=0)
    reached_ps: float = quantity("ps", "Time since the last break that this run reached, earlier rounds included", ge=0)
    broke: bool = Field(description="Whether the break threshold, or the smallest allowed distance, was passed")
    reason: str | None = Field(default=None, description="What stopped it")
    largest_grade: float = quantity("1", "Largest extrapolation grade seen", ge=0)
    n_candidates: int = Field(ge=0, description="Frames above the select threshold")
    last_safe: StructureFile = Field(
        description="Last frame below the select threshold; the next round goes on from it"
    )


class LearningRoundDoc(Doc):
    """One round: MD, selection, labels, retraining."""

    round_index: int = Field(ge=0, description="From 0")
    status: LearningStatus = Field(description="'converged' when no run broke, 'max_rounds' when the loop gave up")
    runs: tuple[LearningRunDoc, ...] = Field(description="The round's MD runs")
    largest_grade: float = quantity("1", "Largest grade of the round", ge=0)
    n_candidates: int = Field(ge=0, description="Candidate frames")
    n_selected: int = Field(ge=0, description="Frames chosen for labelling")
    n_labels: int = Field(ge=0, description="Labels that were trusted and added")
    quarantined: tuple[QuarantinedLabel, ...] = Field(default=(), description="Labels that were refused")
    dataset: DatasetDoc = Field(description="The dataset after the round")
    potential: PotentialDoc = Field(description="The potential after the round")
