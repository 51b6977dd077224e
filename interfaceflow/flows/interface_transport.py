"""Flow: from two crystals to a transport verdict."""

from __future__ import annotations

from dataclasses import dataclass, field

from jobflow.core.flow import Flow
from jobflow.core.maker import Maker

from interfaceflow.core.files import FileRef
from interfaceflow.flows.energetics import InterfaceEnergeticsMaker
from interfaceflow.flows.learning import PotentialLearningMaker
from interfaceflow.flows.transport import TransportMaker
from interfaceflow.schemas.learning_plan import LearningPlan
from interfaceflow.schemas.level_of_theory import LevelOfTheory
from interfaceflow.schemas.settings import RecipeSettings


@dataclass
class InterfaceTransportMaker(Maker):
    """The whole chain for one metal-binary pair.

    1. `InterfaceEnergeticsMaker`: relaxed crystals and interface, surface and interface energies
    2. `PotentialLearningMaker`: a potential that has met what MD shows it
    3. `TransportMaker`: production MD and diffusivities

    Attributes
    ----------
    settings
        The recipe's settings.
    level
        Level of theory of every label and energy.
    """

    name: str = "interface transport"
    settings: RecipeSettings = field(kw_only=True)
    level: LevelOfTheory = field(kw_only=True)

    def make(self, metal_cif: FileRef, binary_cif: FileRef) -> Flow:
        """Make the flow.

        Parameters
        ----------
        metal_cif, binary_cif
            Structures of the two crystals.
        """
        settings = self.settings
        plan = LearningPlan(
            training_set=settings.training_set,
            potential=settings.potential,
            learning=settings.learning,
            vacancies=settings.structures.production_cell,
            level=self.level,
            reference=settings.reference,
            seed=settings.seed,
        )
        energetics = InterfaceEnergeticsMaker(
            structures=settings.structures, level=self.level, reference=settings.reference
        ).make(metal_cif, binary_cif)
        built = energetics.output
        learning = PotentialLearningMaker(plan=plan).make(
            built["metal"],
            built["binary"],
            built["relaxed"],
            slabs=built["slabs"] if settings.training_set.has_slabs else None,
        )
        transport = TransportMaker(settings=settings).make(
            built["metal"], built["interface"], built["relaxed"], learning.output.potential
        )
        return Flow([energetics, learning, transport], output=transport.output, name=settings.title)
