"""Flow: electronic structure of a crystal."""

from __future__ import annotations

from dataclasses import dataclass, field

from jobflow.core.flow import Flow
from jobflow.core.maker import Maker

from interfaceflow.jobs.electronic import compute_bader_charges, compute_density_of_states
from interfaceflow.jobs.reference import relax
from interfaceflow.jobs.wiring import wire
from interfaceflow.schemas.electronic import BaderSettings
from interfaceflow.schemas.level_of_theory import LevelOfTheory
from interfaceflow.schemas.settings import ReferenceSettings
from interfaceflow.schemas.structures import RelaxationRequest, StructureFile
from interfaceflow.schemas.vasp import DosCalculation


@dataclass
class CrystalElectronicMaker(Maker):
    """Relax a crystal, and compute its density of states, its gap and its Bader charges.

    1. ``relax ...``: cell and ions
    2. ``density of states of ...``: at the same level of theory
    3. ``gap of ...``: the same at a second level of theory, at the structure of the first; left out where there is none
    4. ``Bader charges of ...``: at the first level of theory

    Attributes
    ----------
    level
        Level of theory, of VASP.
    reference
        Tolerances of the relaxation.
    gap_level
        Level of theory of a better gap, such as vasp-hse06.
    density_of_states, gap
        Mesh and energy axis at the two levels; a hybrid functional costs too much for a denser mesh.
    bader
        How charges are averaged.

    Examples
    --------
    >>> flow = CrystalElectronicMaker(level=..., reference=..., gap_level=...).make(structure, "LiCl")  # doctest: +SKIP
    """

    name: str = "electronic structure"
    level: LevelOfTheory = field(kw_only=True)
    reference: ReferenceSettings = field(kw_only=True)
    gap_level: LevelOfTheory | None = field(default=None, kw_only=True)
    density_of_states: DosCalculation = field(default_factory=DosCalculation, kw_only=True)
    gap: DosCalculation = field(default_factory=lambda: DosCalculation(mesh_factor=1), kw_only=True)
    bader: BaderSettings = field(default_factory=BaderSettings, kw_only=True)

    def make(self, crystal: StructureFile, name: str) -> Flow:
        """Make the flow.

        Its output holds the references ``relaxed``, ``density_of_states``, ``bader`` and, with a second level of
        theory, ``gap``.

        Parameters
        ----------
        crystal
            The structure to start from.
        name
            What it is, in words.
        """
        request = RelaxationRequest(kind="bulk", name=name, structure=crystal, free_axes="all")
        relaxed = wire(relax([request], self.level, self.reference), f"relax {name}", "dft")
        structure = relaxed.output[0].structure
        dos = wire(
            compute_density_of_states(structure, name, self.density_of_states, self.level),
            f"density of states of {name}",
            "dft",
        )
        bader = wire(
            compute_bader_charges([structure], name, self.bader, self.level), f"Bader charges of {name}", "light"
        )
        jobs = [relaxed, dos, bader]
        output = {"relaxed": relaxed.output[0], "density_of_states": dos.output, "bader": bader.output}
        if self.gap_level is not None:
            gap = wire(compute_density_of_states(structure, name, self.gap, self.gap_level), f"gap of {name}", "dft")
            jobs.append(gap)
            output["gap"] = gap.output
        return Flow(jobs, output=output, name=self.name)
