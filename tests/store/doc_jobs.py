"""Jobs that store Docs as real ones do."""

from __future__ import annotations

from jobflow import Flow, Response, job

from interfaceflow.core.files import FileRef
from interfaceflow.schemas.base import Provenance
from interfaceflow.schemas.datasets import QuarantinedLabel
from interfaceflow.schemas.energetics import EnergeticsDoc
from interfaceflow.schemas.learning import LabelsDoc
from interfaceflow.schemas.structures import RelaxationDoc, StructureFile
from interfaceflow.schemas.transport import DiffusivityEstimate, TransportDoc

FILE = FileRef(uri="x.xyz", sha256="0" * 64, n_bytes=1)


def provenance() -> Provenance:
    return Provenance(package_versions={"python": "3.11"}, host="here", wall_time_s=1.5)


@job
def transport(temperature_K: float) -> TransportDoc:
    value = DiffusivityEstimate(
        label="metal-Li",
        direction="in-plane",
        n_atoms=100,
        tracer_diffusivity_cm2_s=2e-6,
        lower_cm2_s=1e-6,
        upper_cm2_s=3e-6,
        confidence=0.68,
        effective_hops=50.0,
        fit_window_ps=(1.0, 5.0),
    )
    limit = DiffusivityEstimate(
        label="binary-Li",
        direction="out-of-plane",
        n_atoms=80,
        upper_cm2_s=1e-8,
        confidence=0.68,
        effective_hops=0.3,
        reason="too few hops",
    )
    return TransportDoc(
        provenance=provenance(),
        temperature_K=temperature_K,
        estimates=(value, limit),
        msd=FILE,
        largest_grade=1.2,
        trajectory_ps=50.0,
        metal_is_solid=temperature_K < 400,
        status="completed",
        potential_sha256="1" * 64,
    )


@job
def relaxations(n: int) -> list[RelaxationDoc]:
    cell = ((3.0, 0.0, 0.0), (0.0, 3.0, 0.0), (0.0, 0.0, 3.0))
    return [
        RelaxationDoc(
            provenance=provenance(),
            kind="bulk",
            name="metal",
            structure=StructureFile(file=FILE, formula="Li2", n_atoms=2, cell_A=cell),
            free_axes="all",
            energy_eV=-3.8 - i,
            max_force_eV_A=0.01,
            n_steps=3,
            converged=True,
            level_of_theory="chgnet",
            physics_hash="2" * 64,
        )
        for i in range(n)
    ]


@job
def labels() -> LabelsDoc:
    reasons = ("the calculation did not converge", "atom 3 (Li) is too close to a neighbour")
    refused = [
        QuarantinedLabel(source=f"learning round 0, frame {i}", reason=reason) for i, reason in enumerate(reasons * 2)
    ]
    return LabelsDoc(configurations=None, n_labels=0, quarantined=tuple(refused), provenance=provenance())


@job
def energetics_by_replacement() -> Response:
    inner = energetics()
    return Response(replace=Flow([inner], output=inner.output))


@job
def energetics() -> EnergeticsDoc:
    return EnergeticsDoc(
        provenance=provenance(),
        interface_formation_energy_J_m2=0.5,
        interfacial_energy_J_m2=0.4,
        elastic_energy_J_m2=0.1,
        work_of_adhesion_J_m2=0.6,
        work_of_adhesion_error_J_m2=0.02,
        work_of_adhesion_with_strain_J_m2=0.5,
        work_of_separation_J_m2=0.55,
        metal_surface_energy_J_m2=0.5,
        binary_surface_energy_J_m2=0.5,
        resists_voids=False,
        area_A2=40.0,
        n_interfaces=2,
        level_of_theory="chgnet",
        physics_hash="2" * 64,
        caveats=("a", "b"),
    )
