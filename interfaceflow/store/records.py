"""What the project remembers of each flow, beside its jobs."""

from __future__ import annotations

import hashlib
import json

from pydantic import BaseModel, ConfigDict, Field

from interfaceflow.schemas.inputs import RecipeInputs
from interfaceflow.schemas.recipes import AnyRecipeSettings
from interfaceflow.schemas.settings import RecipeSettings


class FlowRecord(BaseModel):
    """A flow of the project: what it was asked to do."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    flow_uuid: str = Field(description="Identifier of the flow")
    title: str = Field(description="Title from the config")
    config_path: str = Field(description="Config file, relative to the project's root where it lies inside")
    config_sha256: str = Field(description="SHA-256 of settings and inputs, see config_hash")
    created_on: str = Field(description="When it was started, ISO 8601, UTC")
    settings: AnyRecipeSettings = Field(description="The resolved config")
    inputs: RecipeInputs = Field(description="What the config names")


def config_hash(settings: RecipeSettings, inputs: RecipeInputs) -> str:
    """Return the SHA-256 of everything that a flow's result depends on: two equal ones are the same flow."""
    resolved = {"settings": settings.model_dump(mode="json"), "inputs": inputs.model_dump(mode="json")}
    return hashlib.sha256(json.dumps(resolved, sort_keys=True).encode()).hexdigest()
