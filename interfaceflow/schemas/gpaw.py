"""Settings of GPAW with plane waves."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from interfaceflow.schemas.base import Settings, quantity


class GpawConvergence(Settings):
    """When the electrons count as converged: GPAW's own criteria, each per valence electron."""

    energy_eV: float = quantity("eV", "Change of the energy over three iterations", default=1e-5, gt=0, le=1e-2)
    density: float = quantity("1", "Change of the density, in electrons", default=1e-5, gt=0, le=1e-2)
    eigenstates_eV2: float = quantity("eV2", "Square of the eigenstates' residual", default=1e-8, gt=0, le=1e-4)
    max_iterations: int = Field(default=120, ge=5, le=10_000, description="A calculation that needs more has failed")


class GpawSettings(Settings):
    """GPAW: density functional theory with plane waves and PAW datasets, no licence needed."""

    engine: Literal["gpaw"] = Field(description="Which engine")
    functional: Literal["PBE", "PBEsol", "RPBE", "revPBE", "LDA"] = Field(
        default="PBE", description="Exchange-correlation functional"
    )
    cutoff_eV: float = quantity("eV", "Plane-wave cutoff", gt=100, le=2000)
    k_spacing_per_A: float = quantity(
        "1/Å", "Largest distance of two k-points, 2 pi included; the meshes hold Gamma", gt=0.02, le=2
    )
    smearing: Literal["fermi-dirac", "marzari-vanderbilt"] = Field(
        default="fermi-dirac", description="How occupations are smeared"
    )
    smearing_width_eV: float = quantity("eV", "Width of the smearing; k_B T for fermi-dirac", gt=0, le=1)
    spin_polarised: bool = Field(default=False, description="Whether the two spins differ")
    initial_moments_muB: dict[str, float] = Field(
        default={}, description="Magnetic moment to start from, by element [Bohr magnetons]; 0 for those not named"
    )
    datasets: str = Field(
        default="gpaw-data 1.2.1",
        description="Name and release of the PAW datasets: those of the gpaw-data wheel, which has to be of this "
        "release; or any other name, for those that GPAW_SETUP_PATH leads to",
    )
    setups: dict[str, str] = Field(
        default={}, description="Which dataset, by element, where it is not the default one: {Ag: '11'}"
    )
    convergence: GpawConvergence = Field(default=GpawConvergence(), description="When the electrons are converged")

    @model_validator(mode="after")
    def _moments_need_spin(self) -> Self:
        if self.initial_moments_muB and not self.spin_polarised:
            raise ValueError("initial_moments_muB without spin_polarised: true would be ignored; set both or neither")
        return self
