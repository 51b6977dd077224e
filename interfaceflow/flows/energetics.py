"""Flow: surface and interface energies of a metal-binary pair."""

from __future__ import annotations

from dataclasses import dataclass, field

from jobflow.core.flow import Flow
from jobflow.core.job import Job
from jobflow.core.maker import Maker
from jobflow.core.reference import OutputReference

from interfaceflow.core.files import FileRef
from interfaceflow.core.labels import PhaseLabel
from interfaceflow.flows.interface import RelaxedInterfaceMaker
from interfaceflow.jobs.energetics import compute_energetics, compute_surface_energy
from interfaceflow.jobs.reference import relax
from interfaceflow.jobs.structures import (
    build_slabs,
    build_strained_references,
    separate_interface,
)
from interfaceflow.jobs.wiring import wire
from interfaceflow.schemas.level_of_theory import LevelOfTheory
from interfaceflow.schemas.settings import ReferenceSettings, StructuresSettings


@dataclass
class InterfaceEnergeticsMaker(Maker):
    """Relax two crystals, their slabs and their interface, and compute what the interface costs.

    1. `RelaxedInterfaceMaker`: both crystals and the matched two-interface cell, cell and ions
    2. ``build ... slabs`` and ``relax ... slabs``: a thickness series of each surface
    3. ``... surface energy``: from the series
    4. ``strained references`` and ``relax strained references``: both crystals along the normal, at the interface's
       in-plane vectors
    5. ``separate interface`` and ``separated slabs``: the two slabs of the relaxed cell, apart, and their energies
    6. ``energetics``: E_f, sigma and the works of adhesion and separation

    Attributes
    ----------
    structures
        The crystals and the cells built from them.
    level
        Level of theory of all energies.
    reference
        Tolerances and number of workers.

    Examples
    --------
    >>> flow = InterfaceEnergeticsMaker(structures=..., level=..., reference=...).make(cifs)  # doctest: +SKIP
    """

    name: str = "interface energetics"
    structures: StructuresSettings = field(kw_only=True)
    level: LevelOfTheory = field(kw_only=True)
    reference: ReferenceSettings = field(kw_only=True)

    def make(self, cifs: dict[PhaseLabel, FileRef]) -> Flow:
        """Make the flow.

        Its output holds the references ``metal``, ``binary`` (relaxed bulk), ``interface`` (as built), ``relaxed``
        (the relaxed interface), ``slabs`` (the thinnest relaxed slab of each surface,
        as ``metal_slab`` and ``binary_slab``) and ``energetics``.

        Parameters
        ----------
        cifs
            Structures of the metal and of the binary.
        """
        settings = self.structures
        built = RelaxedInterfaceMaker(structures=settings, level=self.level, reference=self.reference).make(cifs)
        metal, binary = built.output["metal"], built.output["binary"]
        interface, relaxed = built.output["interface"], built.output["relaxed"]
        jobs: list[Job | Flow] = [built]

        surface_energies, thinnest = [], {}
        for phase, relaxed_bulk, crystal in (
            ("metal", metal, settings.metal),
            ("binary", binary, settings.binary),
        ):
            cut = wire(build_slabs(relaxed_bulk, crystal, settings.slabs), f"build {phase} slabs", "light")
            slabs = self._relax(cut.output, f"relax {phase} slabs")
            surface = wire(
                compute_surface_energy(relaxed_bulk, slabs.output, crystal), f"{phase} surface energy", "light"
            )
            surface_energies.append(surface.output)
            thinnest[f"{phase}_slab"] = slabs.output[0]
            jobs += [cut, slabs, surface]

        references = wire(
            build_strained_references(interface, relaxed, metal, binary, settings),
            "strained references",
            "light",
        )
        strained = self._relax(references.output, "relax strained references")
        apart = wire(
            separate_interface(interface, relaxed, settings.slabs.vacuum_A),
            "separate interface",
            "light",
        )
        separated = self._relax(apart.output, "separated slabs")
        energetics = wire(
            compute_energetics(
                interface,
                relaxed,
                metal,
                binary,
                strained.output,
                separated.output,
                surface_energies,
            ),
            "energetics",
            "light",
        )
        jobs += [references, strained, apart, separated, energetics]
        output = {**built.output, "slabs": thinnest, "energetics": energetics.output}
        return Flow(jobs, output=output, name=self.name)

    def _relax(self, requests: OutputReference, name: str) -> Job:
        return wire(relax(requests, self.level, self.reference), name, "dft")
