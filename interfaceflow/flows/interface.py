"""Flow: two crystals and their interface, relaxed."""

from __future__ import annotations

from dataclasses import dataclass, field

from jobflow.core.flow import Flow
from jobflow.core.job import Job
from jobflow.core.maker import Maker
from jobflow.core.reference import OutputReference

from interfaceflow.core.files import FileRef
from interfaceflow.core.labels import PhaseLabel
from interfaceflow.jobs.reference import relax
from interfaceflow.jobs.structures import build_interface, bulk_requests, interface_request
from interfaceflow.jobs.wiring import wire
from interfaceflow.schemas.level_of_theory import LevelOfTheory
from interfaceflow.schemas.settings import CrystalPairSettings, ReferenceSettings


@dataclass
class RelaxedInterfaceMaker(Maker):
    """Relax two crystals, build their two-interface cell, and relax that.

    1. ``read crystals`` and ``relax bulk``: both crystals, cell and ions
    2. ``build interface``, ``interface request`` and ``relax interface``: the matched two-interface cell, cell and ions

    Attributes
    ----------
    structures
        The crystals and the cells built from them.
    level
        Level of theory.
    reference
        Tolerances and number of workers.
    """

    name: str = "relaxed interface"
    structures: CrystalPairSettings = field(kw_only=True)
    level: LevelOfTheory = field(kw_only=True)
    reference: ReferenceSettings = field(kw_only=True)

    def make(self, cifs: dict[PhaseLabel, FileRef]) -> Flow:
        """Make the flow.

        Its output holds the references to the relaxed bulk crystals by phase, ``interface`` (as built) and ``relaxed``
        (the relaxed interface).

        Parameters
        ----------
        cifs
            Structures of the two crystals by phase; the first takes the strain.
        """
        requests = wire(bulk_requests(cifs), "read crystals", "light")
        bulk = self._relax(requests.output, "relax bulk")
        crystals: dict[str, OutputReference] = {phase: bulk.output[index] for index, phase in enumerate(cifs)}
        interface = wire(build_interface(*crystals.values(), self.structures), "build interface", "light")
        to_relax = wire(interface_request(interface.output), "interface request", "light")
        relaxed = self._relax(to_relax.output, "relax interface")
        output = {**crystals, "interface": interface.output, "relaxed": relaxed.output[0]}
        return Flow([requests, bulk, interface, to_relax, relaxed], output=output, name=self.name)

    def _relax(self, requests: OutputReference, name: str) -> Job:
        return wire(relax(requests, self.level, self.reference), name, "dft")
