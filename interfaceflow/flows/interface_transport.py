"""Flow: from two crystals to a transport verdict."""

from __future__ import annotations

from dataclasses import dataclass, field

from jobflow.core.flow import Flow
from jobflow.core.maker import Maker

from interfaceflow.core.files import FileRef
from interfaceflow.core.labels import PhaseLabel
from interfaceflow.flows.energetics import InterfaceEnergeticsMaker
from interfaceflow.flows.learning import PotentialLearningMaker, plan_learning
from interfaceflow.flows.transport import TransportMaker
from interfaceflow.schemas.level_of_theory import LevelOfTheory
from interfaceflow.schemas.recipes import DecompositionInterfacesSettings


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
    settings: DecompositionInterfacesSettings = field(kw_only=True)
    level: LevelOfTheory = field(kw_only=True)

    def make(self, cifs: dict[PhaseLabel, FileRef]) -> Flow:
        """Make the flow.

        Parameters
        ----------
        cifs
            Structures of the metal and of the binary.
        """
        settings = self.settings
        energetics = InterfaceEnergeticsMaker(
            structures=settings.structures, level=self.level, reference=settings.reference
        ).make(cifs)
        built = energetics.output
        learning = PotentialLearningMaker(plan=plan_learning(settings, self.level)).make(
            {phase: built[phase] for phase in cifs},
            built["relaxed"],
            settings.learning.metal_cell_atoms,
            slabs=built["slabs"] if settings.training_set.has_slabs else None,
        )
        transport = TransportMaker(settings=settings).make(
            built["metal"], built["interface"], built["relaxed"], learning.output.potential
        )
        return Flow([energetics, learning, transport], output=transport.output, name=settings.title)
