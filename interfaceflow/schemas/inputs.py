"""What a config only names, resolved: files by content, the level of theory in full."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from interfaceflow.core.files import FileRef
from interfaceflow.schemas.level_of_theory import LevelOfTheory


class RecipeInputs(BaseModel):
    """Everything besides its settings that a recipe's flow is built from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    metal_cif: FileRef = Field(description="CIF file of the metal, copied into the project")
    binary_cif: FileRef = Field(description="CIF file of the binary compound, copied into the project")
    level_of_theory: LevelOfTheory = Field(description="The reference calculation")
