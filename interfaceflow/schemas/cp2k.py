"""Settings of CP2K: what changes a label."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from interfaceflow.schemas.base import Settings, quantity


class Cp2kSettings(Settings):
    """CP2K's Quickstep: Gaussian basis, GTH pseudopotentials, plane-wave density, k-points, diagonalisation.

    It is for matter without magnetic order: the two spins have orbitals of their own only where the number of electrons
    is odd.

    Kühne et al., J. Chem. Phys. 152, 194103 (2020), doi:10.1063/5.0007045.
    """

    engine: Literal["cp2k"] = Field(description="Which engine")
    functional: Literal["PBE"] = Field(default="PBE", description="Exchange-correlation functional")
    basis: Literal["SZV-MOLOPT-SR-GTH", "DZVP-MOLOPT-SR-GTH"] = Field(
        default="DZVP-MOLOPT-SR-GTH", description="Basis of every element, as named in CP2K's BASIS_MOLOPT"
    )
    cutoff_Ry: float = quantity("Ry", "Plane-wave cutoff of the finest density grid", default=400.0, ge=50, le=4000)
    relative_cutoff_Ry: float = quantity(
        "Ry", "Cutoff of the grid that a Gaussian of exponent 1 goes to", default=60.0, ge=10, le=1000
    )
    k_spacing_per_A: float = quantity(
        "1/Å", "Largest distance of neighbouring k-points along each reciprocal vector, 2π included", gt=0, le=10
    )
    electronic_temperature_K: float = quantity(
        "K", "Width of the Fermi-Dirac smearing; 1000 K is 0.086 eV", default=1000.0, gt=0, le=20_000
    )
    scf_tolerance: float = quantity(
        "1", "Largest change of the density matrix at the end of the electronic loop", default=1e-6, gt=0, le=1e-3
    )
