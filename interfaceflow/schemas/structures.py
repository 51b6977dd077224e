"""Docs of crystals, slabs and interface cells."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from interfaceflow.core.files import FileRef
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
    name: str = Field(description="Which one: the phase ('metal', 'binary'), or 'interface'")
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
    principal_strains: tuple[float, float] = Field(description="Principal strains of the metal, signed [1]")
    metal_multiple: int = Field(ge=1, description="Metal surface cells in the match")
    binary_multiple: int = Field(ge=1, description="Binary surface cells in the match")
    metal_matrix: IntegerMatrix = Field(description="In-plane vectors of the cell in those of the metal's surface cell")
    binary_matrix: IntegerMatrix = Field(
        description="In-plane vectors of the cell in those of the binary's surface cell"
    )


class InterfaceDoc(Doc):
    """A two-interface cell without vacuum, re-measured after it was built."""

    structure: StructureFile = Field(description="The cell, with phase, region and origin_index labels")
    match: LatticeMatchDoc = Field(description="The lattice match it was built on")
    normal_axis: Literal[0, 1, 2] = Field(description="Cell vector along the normal")
    n_interfaces: Literal[2] = Field(default=2, description="Interfaces in the cell")
    interfaces_equivalent: bool = Field(description="Whether a symmetry of the cell maps one interface on the other")
    metal_formula_units: int = Field(ge=1, description="Metal formula units (atoms for an element)")
    binary_formula_units: int = Field(ge=1, description="Binary formula units")
    metal_layers: int = Field(ge=1, description="Metal layers")
    binary_layers: int = Field(ge=1, description="Binary layers")
    gap_A: float = quantity("Å", "Distance between the outermost planes of the two crystals as built", ge=0)
    min_distance_A: float = quantity("Å", "Shortest distance between atoms of different phases", ge=0)


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
    name: str = Field(description="Which one: the phase ('metal', 'binary'), or 'interface'")
    structure: StructureFile = Field(description="The structure to start from")
    free_axes: FreeAxes = Field(
        description="Cell components that may relax; 'normal' is the third vector's component along the plane normal"
    )
    relax_ions: bool = Field(default=True, description="Whether ions move; false for a single-point energy")
    n_layers: int | None = Field(default=None, description="Layers, for slabs")
    area_A2: float | None = Field(default=None, description="In-plane area [Å2], for slabs, interfaces, strained bulk")
