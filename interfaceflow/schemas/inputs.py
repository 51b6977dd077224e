"""What a config only names, resolved: files by content, the level of theory in full."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from interfaceflow.core.files import FileRef
from interfaceflow.core.labels import PhaseLabel
from interfaceflow.schemas.level_of_theory import LevelOfTheory


class RecipeInputs(BaseModel):
    """Everything besides its settings that a recipe's flow is built from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cifs: dict[PhaseLabel, FileRef] = Field(description="CIF files of the crystals by phase, copied into the project")
    level_of_theory: LevelOfTheory = Field(description="The reference calculation")

    @model_validator(mode="before")
    @classmethod
    def _from_before_there_were_other_pairs(cls, stored: Any) -> Any:
        """Read what was stored when every pair was of a metal and a binary."""
        if not isinstance(stored, dict) or "metal_cif" not in stored:
            return stored
        given = dict(stored)
        return {"cifs": {"metal": given.pop("metal_cif"), "binary": given.pop("binary_cif")}, **given}
