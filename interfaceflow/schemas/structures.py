"""Docs of crystals, slabs and interface cells."""

from __future__ import annotations

import re
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from interfaceflow.core.files import FileRef
from interfaceflow.core.labels import PhasePair
from interfaceflow.schemas.base import Doc, quantity

RelaxationKind = Literal["bulk", "slab", "interface", "strained_bulk"]
FreeAxes = Literal["none", "normal", "all"]
IntegerMatrix = tuple[tuple[int, int], tuple[int, int]]


class StructureFile(BaseModel):
    """A structure in an extended XYZ file (labels included), with what one wants to know of it at a glance."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    file: FileRef = Field(description="Extended XYZ file")
    formula: str = Field(description="Chemical formula of the whole cell, Hill order")
    n_atoms: int = Field(ge=1, description="Number of atoms")
    cell_A: tuple[tuple[float, float, float], tuple[float, float, float], tuple[float, float, float]] = Field(
        description="Cell vectors as rows [Å]"
    )


class RelaxationDoc(Doc):
    """A relaxed structure and its energy."""

    kind: RelaxationKind = Field(description="What was relaxed")
    name: str = Field(description="Which one: the phase, such as 'metal', or 'interface'")
    structure: StructureFile = Field(description="The relaxed structure")
    free_axes: FreeAxes = Field(description="Cell components that were free")
    energy_eV: float = quantity("eV", "Energy extrapolated to zero smearing, of the whole cell")
    max_force_eV_A: float = quantity("eV/Å", "Largest force left", ge=0)
    n_steps: int = Field(ge=0, description="Steps of the optimiser")
    converged: bool = Field(description="Whether the force tolerance was reached")
    n_layers: int | None = Field(default=None, description="Layers, for slabs")
    area_A2: float | None = Field(default=None, description="In-plane area [Å2], for slabs, interfaces, strained bulk")
    level_of_theory: str = Field(description="Name of the level of theory")
    physics_hash: str = Field(description="SHA-256 of its physics")


class LatticeMatchDoc(BaseModel):
    """Where two surfaces fit."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    area_A2: float = quantity("Å2", "Area of the matched cell", gt=0)
    principal_strains: tuple[float, float] = Field(description="Principal strains of the strained crystal, signed [1]")
    strained_multiple: int = Field(ge=1, description="Surface cells of the strained crystal in the match")
    kept_multiple: int = Field(ge=1, description="Surface cells of the other crystal in the match")
    strained_matrix: IntegerMatrix = Field(
        description="In-plane vectors of the cell in those of the strained crystal's surface cell"
    )
    kept_matrix: IntegerMatrix = Field(
        description="In-plane vectors of the cell in those of the other crystal's surface cell"
    )

    @model_validator(mode="before")
    @classmethod
    def _from_before_there_were_other_pairs(cls, stored: Any) -> Any:
        return _rename_sides(stored)


class InterfaceDoc(Doc):
    """A two-interface cell without vacuum, re-measured after it was built."""

    structure: StructureFile = Field(description="The cell, with phase, region and origin_index labels")
    phases: PhasePair = Field(default=("metal", "binary"), description="The two crystals; the first takes the strain")
    match: LatticeMatchDoc = Field(description="The lattice match it was built on")
    normal_axis: Literal[0, 1, 2] = Field(description="Cell vector along the normal")
    n_interfaces: Literal[2] = Field(default=2, description="Interfaces in the cell")
    interfaces_equivalent: bool = Field(description="Whether a symmetry of the cell maps one interface on the other")
    strained_formula_units: int = Field(
        ge=1, description="Formula units of the strained crystal (atoms for an element)"
    )
    kept_formula_units: int = Field(ge=1, description="Formula units of the other crystal")
    strained_layers: int = Field(ge=1, description="Layers of the strained crystal")
    kept_layers: int = Field(ge=1, description="Layers of the other crystal")
    gap_A: float = quantity("Å", "Distance between the outermost planes of the two crystals as built", ge=0)
    min_distance_A: float = quantity("Å", "Shortest distance between atoms of different phases", ge=0)

    @model_validator(mode="before")
    @classmethod
    def _from_before_there_were_other_pairs(cls, stored: Any) -> Any:
        return _rename_sides(stored)


def _rename_sides(stored: Any) -> Any:
    """Read what was stored when every pair was of a metal, the strained crystal, and a binary."""
    if not isinstance(stored, dict):
        return stored
    return {
        re.sub("^binary_", "kept_", re.sub("^metal_", "strained_", str(name))): value for name, value in stored.items()
    }


class ProductionCellDoc(Doc):
    """The large cell for production MD."""

    structure: StructureFile = Field(description="The cell, with labels")
    repeats: tuple[int, int, int] = Field(description="Repeats of the interface cell")
    normal_axis: Literal[0, 1, 2] = Field(description="Cell vector along the normal")
    vacancy_species: str = Field(description="Element of which atoms were removed")
    n_vacancies: int = Field(ge=0, description="Number of atoms removed, all from the interface region")


class RelaxationRequest(BaseModel):
    """Something to relax: what builders hand to the reference room."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: RelaxationKind = Field(description="What is relaxed")
    name: str = Field(description="Which one: the phase, such as 'metal', or 'interface'")
    structure: StructureFile = Field(description="The structure to start from")
    free_axes: FreeAxes = Field(
        description="Cell components that may relax; 'normal' is the third vector's component along the plane normal"
    )
    relax_ions: bool = Field(default=True, description="Whether ions move; false for a single-point energy")
    n_layers: int | None = Field(default=None, description="Layers, for slabs")
    area_A2: float | None = Field(default=None, description="In-plane area [Å2], for slabs, interfaces, strained bulk")
