"""Flow: from a cathode and an electrolyte to lithium's motion by region."""

from __future__ import annotations

from dataclasses import dataclass, field

from jobflow.core.flow import Flow
from jobflow.core.job import Job
from jobflow.core.maker import Maker

from interfaceflow.core.files import FileRef
from interfaceflow.core.labels import PhaseLabel
from interfaceflow.flows.interface import RelaxedInterfaceMaker
from interfaceflow.flows.learning import PotentialLearningMaker, plan_learning
from interfaceflow.jobs.dynamics import run_production_at
from interfaceflow.jobs.potentials import category_of
from interfaceflow.jobs.structures import build_production_cell
from interfaceflow.jobs.transport import analyse_transport, fit_arrhenius
from interfaceflow.jobs.wiring import wire
from interfaceflow.schemas.level_of_theory import LevelOfTheory
from interfaceflow.schemas.recipes import LmsLssPairSettings


@dataclass
class PairTransportMaker(Maker):
    """The whole chain for a cathode and an electrolyte.

    1. `RelaxedInterfaceMaker`: relaxed crystals and interface
    2. `PotentialLearningMaker`: a potential that has met what MD shows it
    3. ``production cell``: the interface repeated in the plane
    4. ``production at ... K``: one run a temperature, in segments
    5. ``transport at ... K``: diffusivities by initial region, and whether the framework moves
    6. ``arrhenius``: activation energies where the data support them

    Attributes
    ----------
    settings
        The recipe's settings.
    level
        Level of theory of every label.
    """

    name: str = "pair transport"
    settings: LmsLssPairSettings = field(kw_only=True)
    level: LevelOfTheory = field(kw_only=True)

    def make(self, cifs: dict[PhaseLabel, FileRef]) -> Flow:
        """Make the flow.

        Parameters
        ----------
        cifs
            Structures of cathode and electrolyte; the cathode takes the strain.
        """
        settings = self.settings
        building = RelaxedInterfaceMaker(
            structures=settings.structures, level=self.level, reference=settings.reference
        ).make(cifs)
        built = building.output
        learning = PotentialLearningMaker(plan=plan_learning(settings, self.level)).make(
            {phase: built[phase] for phase in cifs}, built["relaxed"], settings.learning.bulk_cell_atoms
        )
        cell = wire(
            build_production_cell(
                built["interface"], built["relaxed"], settings.structures.production_cell, settings.seed
            ),
            "production cell",
            "light",
        )
        jobs: list[Flow | Job] = [building, learning, cell]
        transport = []
        for number, temperature in enumerate(settings.production.temperatures_K):
            run = wire(
                run_production_at(
                    cell.output,
                    learning.output.potential,
                    temperature,
                    settings.production,
                    settings.learning.break_threshold,
                    settings.seed + number,
                ),
                f"production at {temperature:g} K",
                category_of(settings.potential),
            )
            analysis = wire(
                analyse_transport(run.output, settings.analysis), f"transport at {temperature:g} K", "light"
            )
            jobs += [run, analysis]
            transport.append(analysis.output)
        arrhenius = wire(fit_arrhenius(transport, settings.analysis), "arrhenius", "light")
        return Flow([*jobs, arrhenius], output=arrhenius.output, name=settings.title)
