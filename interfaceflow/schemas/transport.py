"""Docs of transport."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from interfaceflow.core.files import FileRef
from interfaceflow.schemas.base import Doc, quantity

Direction = Literal["in-plane", "out-of-plane"]


class DiffusivityEstimate(BaseModel):
    """Tracer diffusivity of one group of atoms in one direction: a value with an interval, or an upper limit."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    label: str = Field(
        description="Group of atoms, e.g. 'metal-Li' (by phase), or 'interface-Li' (by region at the start)"
    )
    direction: Direction = Field(description="In the interface plane (2 dimensions) or along the normal (1)")
    n_atoms: int = Field(ge=1, description="Atoms of the group")
    tracer_diffusivity_cm2_s: float | None = Field(
        default=None, description="Tracer diffusivity; absent where only a limit can be stated [cm2/s]"
    )
    lower_cm2_s: float | None = Field(default=None, description="Lower end of the interval [cm2/s]")
    upper_cm2_s: float = quantity("cm2/s", "Upper end of the interval, or the upper limit", ge=0)
    confidence: float = quantity("1", "Coverage of the interval", gt=0, lt=1)
    effective_hops: float = quantity(
        "1", "N_eff of doi:10.1038/s41524-018-0074-y: total MSD at the end of the fit window / hop length^2", ge=0
    )
    empirical_relative_error: float | None = Field(
        default=None, description="RSD = 3.43/sqrt(N_eff) + 0.04 of doi:10.1038/s41524-018-0074-y, shown beside [1]"
    )
    fit_window_ps: tuple[float, float] | None = Field(default=None, description="Lags of the fit [ps]")
    reason: str | None = Field(default=None, description="Why no value is given: too few hops, plateau, liquid metal")


class TransportDoc(Doc):
    """Diffusion at one temperature."""

    temperature_K: float = quantity("K", "Temperature", gt=0)
    estimates: tuple[DiffusivityEstimate, ...] = Field(description="By label and direction")
    framework: tuple[DiffusivityEstimate, ...] = Field(
        default=(), description="The same for the elements that are not mobile, where they were followed"
    )
    msd: FileRef = Field(description="NumPy archive: lag_ps, and msd_<label>_<direction> [Å2]")
    largest_grade: float = quantity("1", "Largest extrapolation grade its trajectory saw", ge=0)
    trajectory_ps: float = quantity("ps", "Length of the trajectory", ge=0)
    metal_is_solid: bool | None = Field(
        default=None, description="Whether the metal was solid at the end of the run; absent where there is no metal"
    )
    status: Literal["completed", "extrapolated"] = Field(description="Status of the run it analyses")
    potential_sha256: str = Field(description="SHA-256 of the potential")

    @property
    def metal_has_melted(self) -> bool:
        """Whether there is a metal and it was not solid at the end of the run."""
        return self.metal_is_solid is False


class ArrheniusFit(BaseModel):
    """Arrhenius fit for one group and direction, or why there is none."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    label: str = Field(description="Group of atoms")
    direction: Direction = Field(description="Direction")
    activation_energy_eV: float | None = Field(default=None, description="Activation energy [eV]")
    activation_energy_error_eV: float | None = Field(default=None, description="Its standard error [eV]")
    log10_prefactor_cm2_s: float | None = Field(default=None, description="log10 of D0 in cm2/s")
    n_points: int = Field(ge=0, description="Temperatures with a value, all of completed runs with the metal solid")
    reason: str | None = Field(default=None, description="Why no fit is given")


class ArrheniusDoc(Doc):
    """Activation energies over the temperatures of a flow."""

    fits: tuple[ArrheniusFit, ...] = Field(description="By label and direction")
    temperatures_K: tuple[float, ...] = Field(description="Temperatures that were run [K]")
