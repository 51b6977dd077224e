"""Settings of GFN-xTB."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from interfaceflow.schemas.base import Settings, quantity


class TbliteSettings(Settings):
    """Extended tight binding as tblite computes it: no density functional, but charges and any element up to radon."""

    engine: Literal["tblite"] = Field(description="Which engine")
    method: Literal["GFN1-xTB", "GFN2-xTB"] = Field(default="GFN1-xTB", description="Which parametrisation")
    k_spacing_per_A: float = quantity(
        "1/Å", "Largest distance of two k-points, 2 pi included: cells are repeated to match", gt=0.05, le=2
    )
    electronic_temperature_K: float = quantity("K", "Temperature of the electrons", default=300.0, gt=0, le=20_000)
    accuracy: float = quantity("1", "tblite's factor on its thresholds: smaller is tighter", default=1.0, gt=0, le=1000)
    max_iterations: int = Field(default=250, ge=10, le=10_000, description="A calculation that needs more has failed")
