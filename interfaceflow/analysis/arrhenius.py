"""Activation energies: ln D against 1/T, weighted, and only where the data support a line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from interfaceflow.core.units import BOLTZMANN_EV_PER_K
from interfaceflow.schemas.transport import ArrheniusFit, DiffusivityEstimate, Direction

MIN_TEMPERATURES = 3


@dataclass(frozen=True)
class ArrheniusPoint:
    """One temperature of an Arrhenius fit.

    Attributes
    ----------
    temperature_K
        Temperature [K].
    metal_is_solid
        Whether the metal was solid; a line never crosses its melting.
    estimate
        Diffusivity of the group in the direction that is fitted.
    extrapolated
        Whether the run stopped at the break threshold: it went where the potential is not to be trusted.
    """

    temperature_K: float
    metal_is_solid: bool
    estimate: DiffusivityEstimate
    extrapolated: bool = False

    @property
    def may_count(self) -> bool:
        """Whether its run was one of two solids, within what the potential knows."""
        return self.metal_is_solid and not self.extrapolated


def fit_activation_energy(points: Sequence[ArrheniusPoint], *, label: str, direction: Direction) -> ArrheniusFit:
    """Fit D = D0 exp(-E_a / kT) to the values with solid metal, weighted by their intervals.

    The error of ln D is half the interval's width in ln D, brought to one standard deviation. That of E_a follows from
    it by linear least squares, and is scaled by the root of the reduced chi-square where the points scatter more than
    their own errors allow (R. T. Birge, doi:10.1103/PhysRev.40.207).

    Parameters
    ----------
    points
        One or more estimates of the group in this direction, at any temperatures; upper limits, molten metal and
        runs that extrapolated are passed over.
    label
        Name of the group.
    direction
        Direction.
    """
    usable = [p for p in points if p.may_count and p.estimate.tracer_diffusivity_cm2_s is not None]
    n_temperatures = len({p.temperature_K for p in usable})
    if n_temperatures < MIN_TEMPERATURES:
        return ArrheniusFit(
            label=label, direction=direction, n_points=n_temperatures, reason=_why_too_few(points, n_temperatures)
        )
    inverse_kT = np.array([1 / (BOLTZMANN_EV_PER_K * p.temperature_K) for p in usable])
    log_value = np.log([float(p.estimate.tracer_diffusivity_cm2_s or np.nan) for p in usable])
    weights = np.array([1 / _log_error(p.estimate) for p in usable])
    design = np.column_stack([np.ones(len(usable)), -inverse_kT]) * weights[:, None]
    (intercept, activation_energy), *_ = np.linalg.lstsq(design, log_value * weights, rcond=None)
    residuals = log_value * weights - design @ np.array([intercept, activation_energy])
    reduced_chi_square = float(residuals @ residuals) / (len(usable) - 2)
    covariance = np.linalg.inv(design.T @ design) * max(1.0, reduced_chi_square)
    return ArrheniusFit(
        label=label,
        direction=direction,
        activation_energy_eV=float(activation_energy),
        activation_energy_error_eV=float(np.sqrt(covariance[1, 1])),
        log10_prefactor_cm2_s=float(intercept / np.log(10)),
        n_points=n_temperatures,
    )


def _log_error(estimate: DiffusivityEstimate) -> float:
    """Return one standard deviation of ln D."""
    from scipy.stats import norm

    if estimate.lower_cm2_s is None:
        raise ValueError(f"{estimate.label} {estimate.direction}: a value without a lower end has no error")
    half_width = 0.5 * np.log(estimate.upper_cm2_s / estimate.lower_cm2_s)
    return max(float(half_width / norm.ppf((1 + estimate.confidence) / 2)), 1e-6)


def _why_too_few(points: Sequence[ArrheniusPoint], n_temperatures: int) -> str:
    n_limits = sum(p.estimate.tracer_diffusivity_cm2_s is None and p.may_count for p in points)
    n_liquid = sum(not p.metal_is_solid for p in points)
    n_extrapolated = sum(p.metal_is_solid and p.extrapolated for p in points)
    excluded = [
        text
        for number, text in (
            (n_limits, f"{n_limits} with an upper limit only"),
            (n_liquid, f"{n_liquid} with molten metal"),
            (n_extrapolated, f"{n_extrapolated} from a run that left what the potential knows"),
        )
        if number
    ]
    given = f"{n_temperatures} temperature{'' if n_temperatures == 1 else 's'} with a value"
    return f"{given}, {MIN_TEMPERATURES} are needed" + (f" ({', '.join(excluded)})" if excluded else "")
