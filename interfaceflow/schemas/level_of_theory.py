"""A level of theory: which engine labels configurations, and with what physics."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Literal

from pydantic import Field

from interfaceflow.schemas.ase_calculator import AseSettings
from interfaceflow.schemas.base import Settings, quantity
from interfaceflow.schemas.cp2k import Cp2kSettings
from interfaceflow.schemas.gpaw import GpawSettings
from interfaceflow.schemas.tblite import TbliteSettings
from interfaceflow.schemas.vasp import VaspSettings


class ChgnetSettings(Settings):
    """CHGNet, a pretrained universal potential whose weights are in its wheel: works offline."""

    engine: Literal["chgnet"] = Field(description="Which engine")
    weights: Literal["0.3.0"] = Field(default="0.3.0", description="Version of the pretrained weights")


class LennardJonesSettings(Settings):
    """One smoothly cut Lennard-Jones pair potential for all elements: no chemistry, but exact and instant."""

    engine: Literal["lennard-jones"] = Field(description="Which engine")
    sigma_A: float = quantity("Å", "Distance at which the pair energy is zero", gt=0, le=10)
    epsilon_eV: float = quantity("eV", "Depth of the well", gt=0, le=10)
    cutoff_A: float = quantity("Å", "Cutoff radius; the energy goes smoothly to zero there", gt=0, le=30)


EngineSettings = Annotated[
    ChgnetSettings | LennardJonesSettings | GpawSettings | TbliteSettings | AseSettings | Cp2kSettings | VaspSettings,
    Field(discriminator="engine"),
]


class LevelOfTheory(Settings):
    """A named level of theory, as in ``configs/levels_of_theory/<name>.yaml``."""

    name: str = Field(description="Name of the level of theory")
    description: str = Field(description="What it is, in one line")
    physics: EngineSettings = Field(description="Everything that changes a label, and nothing else")
    n_ranks: int = Field(
        default=1, ge=1, le=4096, description="MPI ranks of one calculation, for engines that have them; no physics"
    )

    @property
    def physics_hash(self) -> str:
        """SHA-256 of the physics: labels with different hashes never share a training set."""
        text = json.dumps(self.physics.model_dump(mode="json"), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def __hash__(self) -> int:
        """Hash by the physics, whose settings may hold mappings."""
        return hash((self.physics_hash, self.n_ranks))
