"""Docs of the comparison of levels of theory on the same configurations."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from interfaceflow.schemas.base import Doc, quantity


class LevelDifference(BaseModel):
    """How far two levels of theory are apart on the same configurations."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    first: str = Field(description="Name of the level of theory that the other is measured against")
    second: str = Field(description="Name of the other")
    n_configurations: int = Field(ge=1, description="Configurations with a trusted label at both")
    energy_rms_meV_atom: float = quantity(
        "meV/atom", "Root mean square of second - first, after the energies of the elements are taken out", ge=0
    )
    energy_largest_meV_atom: float = quantity("meV/atom", "Largest of those differences", ge=0)
    element_energies_eV: dict[str, float] = Field(
        description="What was taken out: energy of an atom of each element, second - first [eV]; empty where the "
        "compositions are too alike to tell the elements apart"
    )
    force_rmse_eV_A: float = quantity("eV/Å", "Root mean square difference of force components", ge=0)
    force_mae_eV_A: float = quantity("eV/Å", "Mean absolute difference of force components", ge=0)
    force_rmse_by_species_eV_A: dict[str, float] = Field(description="The root mean square difference by element")
    force_slope: float = quantity(
        "1", "Slope of the second's forces over the first's, through zero; below 1 where the second is softer"
    )
    rms_force_eV_A: float = quantity("eV/Å", "Root mean square of the first's force components", ge=0)
    stress_rmse_GPa: float | None = Field(
        default=None, ge=0, description="Root mean square difference of stress components; absent without stress [GPa]"
    )
    pressure_difference_GPa: float | None = Field(
        default=None, description="Mean pressure of the second minus that of the first; absent without stress [GPa]"
    )


class LevelComparisonDoc(Doc):
    """Levels of theory on the same configurations."""

    levels: tuple[str, ...] = Field(min_length=2, description="Names of the levels of theory")
    physics_hashes: tuple[str, ...] = Field(description="SHA-256 of the physics of each, in the same order")
    n_configurations: int = Field(ge=1, description="Configurations with a trusted label at every level")
    n_left_out: int = Field(ge=0, description="Configurations that lack one at some level")
    differences: tuple[LevelDifference, ...] = Field(description="Each pair of levels, the earlier one first")
