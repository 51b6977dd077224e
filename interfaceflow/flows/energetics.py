"""Flow: surface and interface energies of a metal-binary pair."""

from __future__ import annotations

from dataclasses import dataclass, field

from jobflow.core.flow import Flow
from jobflow.core.job import Job
from jobflow.core.maker import Maker
from jobflow.core.reference import OutputReference

from interfaceflow.core.files import FileRef
from interfaceflow.jobs.energetics import compute_energetics, compute_surface_energy
from interfaceflow.jobs.reference import relax
from interfaceflow.jobs.structures import (
    build_interface,
    build_slabs,
    build_strained_references,
    bulk_requests,
    interface_request,
    separate_interface,
)
from interfaceflow.jobs.wiring import wire
from interfaceflow.schemas.level_of_theory import LevelOfTheory
from interfaceflow.schemas.settings import ReferenceSettings, StructuresSettings


@dataclass
class InterfaceEnergeticsMaker(Maker):
    """Relax two crystals, their slabs and their interface, and compute what the interface costs.

    1. ``read crystals`` and ``relax bulk``: both crystals, cell and ions
    2. ``build ... slabs`` and ``relax ... slabs``: a thickness series of each surface
    3. ``... surface energy``: from the series
    4. ``build interface``, ``interface request`` and ``relax interface``: the matched two-interface cell, cell and ions
    5. ``strained references`` and ``relax strained references``: both crystals along the normal, at the interface's
       in-plane vectors
    6. ``separate interface`` and ``separated slabs``: the two slabs of the relaxed cell, apart, and their energies
    7. ``energetics``: E_f, sigma and the works of adhesion and separation

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
    >>> flow = InterfaceEnergeticsMaker(structures=..., level=..., reference=...).make(li, licl)  # doctest: +SKIP
    """

    name: str = "interface energetics"
    structures: StructuresSettings = field(kw_only=True)
    level: LevelOfTheory = field(kw_only=True)
    reference: ReferenceSettings = field(kw_only=True)

    def make(self, metal_cif: FileRef, binary_cif: FileRef) -> Flow:
        """Make the flow.

        Its output holds the references ``metal``, ``binary`` (relaxed bulk), ``interface`` (as built), ``relaxed``
        (the relaxed interface), ``slabs`` (the thinnest relaxed slab of each surface,
        as ``metal_slab`` and ``binary_slab``) and ``energetics``.

        Parameters
        ----------
        metal_cif, binary_cif
            Structures of the two crystals.
        """
        settings = self.structures
        requests = wire(bulk_requests(metal_cif, binary_cif), "read crystals", "light")
        bulk = self._relax(requests.output, "relax bulk")
        metal, binary = bulk.output[0], bulk.output[1]
        jobs = [requests, bulk]

        surface_energies, thinnest = [], {}
        for phase, relaxed_bulk, crystal in (
            ("metal", metal, settings.metal),
            ("binary", binary, settings.binary),
        ):
            built = wire(build_slabs(relaxed_bulk, crystal, settings.slabs), f"build {phase} slabs", "light")
            slabs = self._relax(built.output, f"relax {phase} slabs")
            surface = wire(
                compute_surface_energy(relaxed_bulk, slabs.output, crystal), f"{phase} surface energy", "light"
            )
            surface_energies.append(surface.output)
            thinnest[f"{phase}_slab"] = slabs.output[0]
            jobs += [built, slabs, surface]

        interface = wire(build_interface(metal, binary, settings), "build interface", "light")
        to_relax = wire(interface_request(interface.output), "interface request", "light")
        relaxed = self._relax(to_relax.output, "relax interface")
        references = wire(
            build_strained_references(interface.output, relaxed.output[0], metal, binary, settings),
            "strained references",
            "light",
        )
        strained = self._relax(references.output, "relax strained references")
        apart = wire(
            separate_interface(interface.output, relaxed.output[0], settings.slabs.vacuum_A),
            "separate interface",
            "light",
        )
        separated = self._relax(apart.output, "separated slabs")
        energetics = wire(
            compute_energetics(
                interface.output,
                relaxed.output[0],
                metal,
                binary,
                strained.output,
                separated.output,
                surface_energies,
            ),
            "energetics",
            "light",
        )
        jobs += [interface, to_relax, relaxed, references, strained, apart, separated, energetics]
        output = {
            "metal": metal,
            "binary": binary,
            "interface": interface.output,
            "relaxed": relaxed.output[0],
            "slabs": thinnest,
            "energetics": energetics.output,
        }
        return Flow(jobs, output=output, name=self.name)

    def _relax(self, requests: OutputReference, name: str) -> Job:
        return wire(relax(requests, self.level, self.reference), name, "dft")
