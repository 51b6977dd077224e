"""Flow: production MD and what lithium does in it."""

from __future__ import annotations

from dataclasses import dataclass, field

from jobflow.core.flow import Flow
from jobflow.core.maker import Maker
from jobflow.core.reference import OutputReference

from interfaceflow.jobs.dynamics import detect_melting_point, run_production
from interfaceflow.jobs.potentials import category_of
from interfaceflow.jobs.structures import build_production_cell
from interfaceflow.jobs.transport import analyse_transport, fit_arrhenius
from interfaceflow.jobs.wiring import wire
from interfaceflow.schemas.recipes import DecompositionInterfacesSettings


@dataclass
class TransportMaker(Maker):
    """Run production MD below the metal's melting point and turn it into diffusivities.

    1. ``production cell``: the interface repeated to about a thousand atoms, with vacancies
    2. ``melting point``: where the potential melts the metal
    3. ``production at ... Tm``: one run a temperature, in segments
    4. ``transport at ... Tm``: mean square displacements and diffusivities
    5. ``arrhenius``: activation energies where the data support them

    Attributes
    ----------
    settings
        The recipe's settings.
    """

    name: str = "transport"
    settings: DecompositionInterfacesSettings = field(kw_only=True)

    def make(
        self,
        metal: OutputReference,
        interface: OutputReference,
        relaxed: OutputReference,
        potential: OutputReference,
    ) -> Flow:
        """Make the flow; its output is the reference to the ArrheniusDoc.

        Parameters
        ----------
        metal, relaxed
            References to the RelaxationDocs of the bulk metal and of the interface.
        interface
            Reference to the InterfaceDoc.
        potential
            Reference to the PotentialDoc.
        """
        settings = self.settings
        category = category_of(settings.potential)
        cell = wire(
            build_production_cell(interface, relaxed, settings.structures.production_cell, settings.seed),
            "production cell",
            "light",
        )
        melting = wire(
            detect_melting_point(
                potential, metal, settings.melting_point, settings.production.timestep_fs, settings.seed
            ),
            "melting point",
            category,
        )
        jobs = [cell, melting]
        transport = []
        for number, fraction in enumerate(settings.production.fractions_of_melting_point):
            run = wire(
                run_production(
                    cell.output,
                    potential,
                    melting.output,
                    fraction,
                    settings.production,
                    settings.learning.break_threshold,
                    settings.seed + number,
                ),
                f"production at {fraction:g} Tm",
                category,
            )
            analysis = wire(analyse_transport(run.output, settings.analysis), f"transport at {fraction:g} Tm", "light")
            jobs += [run, analysis]
            transport.append(analysis.output)
        arrhenius = wire(fit_arrhenius(transport, settings.analysis), "arrhenius", "light")
        return Flow([*jobs, arrhenius], output=arrhenius.output, name=self.name)
