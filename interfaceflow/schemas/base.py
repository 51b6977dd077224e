"""What all Settings and all Docs have in common."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

SCHEMA_VERSION = 2


class Settings(BaseModel):
    """Base of everything a user may set: immutable, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Provenance(BaseModel):
    """Where a result comes from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    package_versions: dict[str, str] = Field(description="Versions of the packages that took part")
    seed: int | None = Field(default=None, description="Seed of the random numbers; absent where none were drawn")
    parent_uuids: list[str] = Field(default_factory=list, description="Jobs whose results went in")
    host: str = Field(description="Name of the machine that computed it")
    wall_time_s: float = Field(ge=0, description="Wall time, s")


class Doc(BaseModel):
    """Base of every stored result: immutable, versioned, with its provenance."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: int = Field(default=SCHEMA_VERSION, description="Version of the document schema")
    provenance: Provenance = Field(description="Where this result comes from")


def quantity(unit: str, description: str, **limits: Any) -> Any:
    """Declare a field with a unit that reaches the documentation and the error messages.

    Parameters
    ----------
    unit
        Unit symbol, ``"1"`` for a pure number.
    description
        What the value means.
    limits
        pydantic's ``gt``, ``ge``, ``lt``, ``le``, ``default``, ``min_length`` and the like.
    """
    return Field(description=f"{description} [{unit}]", json_schema_extra={"unit": unit}, **limits)
