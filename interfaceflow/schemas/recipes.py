"""The config file of each recipe: what is shared, and what its two crystals need."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from interfaceflow.core.labels import PhaseLabel
from interfaceflow.schemas.base import quantity
from interfaceflow.schemas.settings import (
    AnalysisSettings,
    CrystalPairSettings,
    CrystalSettings,
    LatticeMatchSettings,
    LearningCellSettings,
    LearningSettings,
    MeltingPointSettings,
    MetalBinaryLearningSettings,
    MetalBinaryTrainingSetSettings,
    MetalProductionSettings,
    ProductionCellSettings,
    ProductionSettings,
    RecipeSettings,
    ReferenceTrajectorySettings,
    StructuresSettings,
    Temperature,
    TrainingSetSettings,
)


class DecompositionInterfacesSettings(RecipeSettings):
    """A metal against a product of its electrolyte's decomposition."""

    recipe: Literal["decomposition_interfaces"] = Field(description="Name of the recipe")
    structures: StructuresSettings = Field(description="The two crystals and the cells built from them")
    training_set: MetalBinaryTrainingSetSettings = Field(description="The training set before active learning")
    learning: MetalBinaryLearningSettings = Field(description="Active learning on the fly")
    melting_point: MeltingPointSettings = Field(default=MeltingPointSettings(), description="Melting of the metal")
    production: MetalProductionSettings = Field(default=MetalProductionSettings(), description="Production MD")


class CompoundSettings(CrystalSettings):
    """A cathode or an electrolyte."""

    stand_in_for: str | None = Field(
        default=None,
        min_length=1,
        description="Crystal that this one stands in for, as the report then says; absent where it is the real one",
    )


class CathodeElectrolyteInterfaceSettings(LatticeMatchSettings):
    """Lattice match and the two-interface cell of a cathode and an electrolyte."""

    phases = ("cathode", "electrolyte")

    cathode_thickness_A: float = quantity("Å", "Least thickness of the cathode", default=12.0, ge=4, le=100)
    electrolyte_thickness_A: float = quantity("Å", "Least thickness of the electrolyte", default=12.0, ge=4, le=100)

    @property
    def thicknesses_A(self) -> tuple[float, float]:
        """Least thicknesses of cathode and electrolyte [Å]."""
        return self.cathode_thickness_A, self.electrolyte_thickness_A


class CathodeElectrolyteCellSettings(ProductionCellSettings):
    """The large cell for production MD of two crystals that need no vacancies but those they have."""

    vacancy_fraction: float = quantity(
        "1", "Share of that element's atoms to remove, all from the interface region", default=0.0, ge=0, le=0.2
    )


class CathodeElectrolyteStructuresSettings(CrystalPairSettings):
    """Cathode, electrolyte, and the cells built from them."""

    cathode: CompoundSettings = Field(description="The cathode; it takes all of the strain")
    electrolyte: CompoundSettings = Field(description="The electrolyte; it keeps its bulk in-plane vectors")
    interface: CathodeElectrolyteInterfaceSettings = Field(
        default=CathodeElectrolyteInterfaceSettings(), description="The two-interface cell"
    )
    production_cell: CathodeElectrolyteCellSettings = Field(
        default=CathodeElectrolyteCellSettings(), description="The large cell for production MD"
    )

    @property
    def crystals(self) -> dict[PhaseLabel, CrystalSettings]:
        """Cathode and electrolyte."""
        return {"cathode": self.cathode, "electrolyte": self.electrolyte}

    @property
    def stand_ins(self) -> dict[PhaseLabel, str]:
        """What the crystals stand in for, for those that do."""
        given: dict[PhaseLabel, str | None] = {
            "cathode": self.cathode.stand_in_for,
            "electrolyte": self.electrolyte.stand_in_for,
        }
        return {phase: crystal for phase, crystal in given.items() if crystal is not None}


class CathodeElectrolyteTrajectorySettings(ReferenceTrajectorySettings):
    """One family of short reference MD runs of a cathode, an electrolyte or their interface."""

    cell: Literal["interface", "cathode", "electrolyte"] = Field(description="Which cell is run")


class CathodeElectrolyteTrainingSetSettings(TrainingSetSettings):
    """The training set of a cathode and an electrolyte before active learning."""

    trajectories: tuple[CathodeElectrolyteTrajectorySettings, ...] = Field(min_length=1, description="What is run")


class CathodeElectrolyteLearningCellSettings(LearningCellSettings):
    """One MD run of every learning round of a cathode and an electrolyte."""

    cell: Literal["interface", "interface_with_vacancies", "cathode", "electrolyte"] = Field(
        description="Which cell is run"
    )


class CathodeElectrolyteLearningSettings(LearningSettings):
    """Active learning of a cathode and an electrolyte on the fly."""

    cells: tuple[CathodeElectrolyteLearningCellSettings, ...] = Field(
        min_length=1, description="MD runs of every round"
    )
    bulk_cell_atoms: int = Field(
        default=96, ge=16, le=2000, description="Atoms of the learning cells of either crystal, about"
    )


class ProductionAtTemperaturesSettings(ProductionSettings):
    """Production MD at given temperatures."""

    temperatures_K: tuple[Temperature, ...] = Field(
        default=(400.0, 500.0, 600.0), min_length=1, description="Temperatures [K]"
    )

    @property
    def n_temperatures(self) -> int:
        """Number of runs."""
        return len(self.temperatures_K)


class RegionAnalysisSettings(AnalysisSettings):
    """Transport analysis by region, framework included."""

    groups: Literal["phase", "region"] = Field(
        default="region",
        description="Whether atoms are grouped by the crystal they started in, or by their region at the start: the "
        "interior of either crystal, or the interface",
    )
    framework: bool = Field(
        default=True, description="Whether the elements that are not mobile are followed, too: a framework that holds"
    )


class LmsLssPairSettings(RecipeSettings):
    """A cathode against a solid electrolyte with the same framework."""

    recipe: Literal["lms_lss_pair"] = Field(description="Name of the recipe")
    structures: CathodeElectrolyteStructuresSettings = Field(
        description="Cathode, electrolyte, and the cells built from them"
    )
    training_set: CathodeElectrolyteTrainingSetSettings = Field(description="The training set before active learning")
    learning: CathodeElectrolyteLearningSettings = Field(description="Active learning on the fly")
    production: ProductionAtTemperaturesSettings = Field(
        default=ProductionAtTemperaturesSettings(), description="Production MD"
    )
    analysis: RegionAnalysisSettings = Field(default=RegionAnalysisSettings(), description="Transport analysis")


AnyRecipeSettings = Annotated[
    DecompositionInterfacesSettings | LmsLssPairSettings,
    Field(discriminator="recipe"),
]
RECIPES: dict[str, type[RecipeSettings]] = {
    "decomposition_interfaces": DecompositionInterfacesSettings,
    "lms_lss_pair": LmsLssPairSettings,
}
"""Settings by the name of their recipe."""
