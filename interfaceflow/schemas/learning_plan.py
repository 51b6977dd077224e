"""What the learning loop needs to know from beginning to end."""

from __future__ import annotations

from pydantic import Field

from interfaceflow.schemas.base import Settings
from interfaceflow.schemas.level_of_theory import LevelOfTheory
from interfaceflow.schemas.settings import (
    LearningSettings,
    PotentialSettings,
    ProductionCellSettings,
    ReferenceSettings,
    TrainingSetSettings,
)


class LearningPlan(Settings):
    """The parts of a recipe that sampling, fitting and learning share."""

    training_set: TrainingSetSettings = Field(description="The training set before active learning")
    potential: PotentialSettings = Field(description="The potential and its fit")
    learning: LearningSettings = Field(description="Active learning on the fly")
    vacancies: ProductionCellSettings = Field(description="Vacancies of the learning cells, as in production")
    level: LevelOfTheory = Field(description="Level of theory of the labels")
    reference: ReferenceSettings = Field(description="Number of workers and tolerances")
    seed: int = Field(ge=0, description="Every random number follows from it")
