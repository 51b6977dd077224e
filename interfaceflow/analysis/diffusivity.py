"""Tracer diffusivity from single-atom MSDs: a value with a calibrated interval, or an upper limit with a reason.

The estimate, step by step:

1. *Window.* The fit runs from the lag where the MSD passes half a squared hop length, and at the latest from a fifth
   of the run, to 0.7 of the run; never from less than 1 ps, where atoms only vibrate. (X. He, Y. Zhu, A. Epstein and
   Y. Mo, doi:10.1038/s41524-018-0074-y, wait for half a squared hop length in any case. In a crystal with few
   vacancies the *average* atom never gets there, while hundreds of atoms hop; step 2 counts those.)
2. *Few hops.* N_eff is the growth of the total MSD within the window, over the squared hop length: before the window,
   vibrations and soft modes grow, too. Where the empirical relative error of the same paper, 3.43 / sqrt(N_eff) + 0.04,
   reaches one (N_eff below 13), only an upper limit is given: the upper end of the central interval of a Poisson count.
   (A one-sided limit would be lower, and wrong too often where the data decide between value and limit: G. J. Feldman
   and R. D. Cousins, doi:10.1103/PhysRevD.57.3873.)
3. *Slope.* Generalised least squares with intercept, so that the vibrational amplitude drops out. The covariance
   between lags is that of overlapping windows of Brownian motion (X. Michalet, doi:10.1103/PhysRevE.82.041914;
   used for simulations by A. R. McCluskey, S. W. Coles and B. J. Morgan, doi:10.1021/acs.jctc.4c01249), a fifth of
   whose diagonal is taken as uncorrelated noise. It only weighs the lags.
4. *Interval.* The error comes from the scatter of the slope among atoms, which are independent samples, so it holds for
   rare hops as well as for Brownian motion; it takes no account of atoms that hop together. It is at least that of
   Brownian motion, since a few atoms may scatter too little by chance. A sum of squared displacements is distributed
   like a scaled chi-square variable, whose degrees of freedom are matched to mean and variance (F. E. Satterthwaite,
   doi:10.2307/3002019). Its coverage is measured in ``tests/physics``.
5. *Plateau.* Where the MSD does not demonstrably grow in the second part of the window, or grows significantly less
   than half as fast as in the first, the ions are confined as far as the run can tell, and no diffusivity is given.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from interfaceflow.analysis.msd import AtomicMsd
from interfaceflow.core.units import A2_PER_PS_TO_CM2_PER_S
from interfaceflow.schemas.settings import AnalysisSettings
from interfaceflow.schemas.transport import DiffusivityEstimate, Direction

VIBRATION_PS = 1.0
LATEST_START = 0.2
WINDOW_END = 0.7
DIMENSIONS: dict[Direction, int] = {"in-plane": 2, "out-of-plane": 1}
_UNCORRELATED_SHARE = 0.2
_MIN_LAGS = 4
_MIN_ATOMS = 8
_PLATEAU_SIGNIFICANCE = 2.5


@dataclass(frozen=True)
class _Slope:
    """Diffusivity of a fit and its standard error [Å2/ps]."""

    value: float
    error: float


def empirical_relative_error(effective_hops: float) -> float:
    """Return the relative standard deviation that He et al. found for ab initio MD, doi:10.1038/s41524-018-0074-y.

    Parameters
    ----------
    effective_hops
        Largest total MSD over the squared hop length [1].
    """
    return float(3.43 / np.sqrt(effective_hops) + 0.04)


def estimate_diffusivity(
    msd: AtomicMsd,
    atoms: NDArray[np.intp],
    *,
    label: str,
    direction: Direction,
    frame_interval_ps: float,
    settings: AnalysisSettings,
) -> DiffusivityEstimate:
    """Estimate the tracer diffusivity of a group of atoms in one direction.

    Parameters
    ----------
    msd
        Single-atom MSDs with at least one lag.
    atoms
        The group, as indices into the atoms of ``msd``, shape (n_group,).
    label
        Name of the group.
    direction
        In the plane (two dimensions) or along the normal (one).
    frame_interval_ps
        Time between frames [ps].
    settings
        Hop length and confidence.
    """
    squared: NDArray[np.float64] = (msd.in_plane() if direction == "in-plane" else msd.out_of_plane())[:, atoms]
    lag_ps = np.asarray(msd.lags * frame_interval_ps, dtype=np.float64)
    dimensions = DIMENSIONS[direction]
    window = _fit_window(
        np.mean(squared, axis=1), lag_ps, (msd.n_frames - 1) * frame_interval_ps, settings.hop_length_A
    )
    hops, within_ps = _effective_hops(squared, lag_ps, window, settings.hop_length_A)
    limit = _limit_of_few_hops(hops, within_ps, dimensions * len(atoms), settings)

    def describe(
        upper: float, reason: str | None = None, value: float | None = None, lower: float | None = None
    ) -> DiffusivityEstimate:
        return DiffusivityEstimate(
            label=label,
            direction=direction,
            n_atoms=len(atoms),
            tracer_diffusivity_cm2_s=None if value is None else value * A2_PER_PS_TO_CM2_PER_S,
            lower_cm2_s=None if lower is None else lower * A2_PER_PS_TO_CM2_PER_S,
            upper_cm2_s=upper * A2_PER_PS_TO_CM2_PER_S,
            confidence=settings.confidence,
            effective_hops=hops,
            empirical_relative_error=empirical_relative_error(hops) if hops > 0 else None,
            fit_window_ps=(float(lag_ps[window][0]), float(lag_ps[window][-1])) if window.sum() >= _MIN_LAGS else None,
            reason=reason,
        )

    if window.sum() < _MIN_LAGS:
        return describe(limit, f"the run is too short: fewer than {_MIN_LAGS} lags between 1 ps and 0.7 of it")
    if hops <= 0 or empirical_relative_error(hops) >= 1:
        return describe(limit, f"too few hops: {hops:.1f} effective hops, 13 are needed")
    if len(atoms) < _MIN_ATOMS:
        return describe(limit, f"too few atoms: {len(atoms)}, while {_MIN_ATOMS} are needed to see their scatter")
    lags = msd.lags[window]
    covariance = brownian_covariance(lags, msd.n_frames)
    slope = _fit_slope(squared[window], lags, covariance, dimensions=dimensions, frame_interval_ps=frame_interval_ps)
    upper = _upper_limit(slope, settings.confidence, limit)
    if _has_plateau(squared[window], lags, covariance, settings.confidence):
        return describe(upper, "plateau: in the second part of the window the MSD grows no more, or far less")
    if slope.value <= _normal_quantile(settings.confidence) * slope.error:
        return describe(upper, "plateau: the MSD's growth cannot be told from zero")
    lower, upper = _interval(slope, settings.confidence)
    return describe(upper, None, slope.value, lower)


def _fit_window(
    mean_msd: NDArray[np.float64], lag_ps: NDArray[np.float64], run_ps: float, hop_length_A: float
) -> NDArray[np.bool_]:
    """Select the lags of the fit, shape (n_lags,)."""
    has_hopped = lag_ps[mean_msd >= 0.5 * hop_length_A**2]
    start = max(VIBRATION_PS, min(float(has_hopped[0]) if len(has_hopped) else np.inf, LATEST_START * run_ps))
    return (lag_ps >= start * (1 - 1e-9)) & (lag_ps <= WINDOW_END * run_ps * (1 + 1e-9))


def _effective_hops(
    squared: NDArray[np.float64], lag_ps: NDArray[np.float64], window: NDArray[np.bool_], hop_length_A: float
) -> tuple[float, float]:
    """Return N_eff, and the time [ps] within which so many hops were made.

    The total MSD counts from the start of the window on: what came before may be vibration. Where the window is too
    narrow, all of the MSD counts.
    """
    total = squared.sum(axis=1)
    if window.sum() < _MIN_LAGS:
        return float(total.max()) / hop_length_A**2, float(lag_ps[-1])
    growth = float((total[window] - total[window][0]).max())
    return growth / hop_length_A**2, float(lag_ps[window][-1] - lag_ps[window][0])


def _limit_of_few_hops(hops: float, within_ps: float, coordinates: int, settings: AnalysisSettings) -> float:
    """Return the diffusivity [Å2/ps] at the upper end of the central interval of a Poisson count of hops."""
    from scipy.stats import gamma

    most_hops = float(gamma.ppf((1 + settings.confidence) / 2, hops + 1))
    return most_hops * settings.hop_length_A**2 / (2 * coordinates * within_ps)


def _fit_slope(
    squared: NDArray[np.float64],
    lags: NDArray[np.intp],
    covariance: NDArray[np.float64],
    *,
    dimensions: int,
    frame_interval_ps: float,
) -> _Slope:
    """Fit the slope; its error is the scatter among atoms, and at least that of so many Brownian coordinates."""
    weights = slope_weights(lags, covariance)
    per_atom = (weights @ squared) / (2 * dimensions * frame_interval_ps)
    value = float(per_atom.mean())
    brownian_share = float(weights @ covariance @ weights) / (dimensions * len(per_atom))
    scatter = float(per_atom.std(ddof=1) / np.sqrt(len(per_atom)))
    return _Slope(value, max(scatter, abs(value) * float(np.sqrt(brownian_share))))


def slope_weights(lags: NDArray[np.intp], covariance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the weights whose product with the MSD is the generalised least-squares slope per frame.

    Parameters
    ----------
    lags
        Lags of the fit, in frames, shape (n_lags,).
    covariance
        Covariance between these lags, in any unit, shape (n_lags, n_lags).

    Returns
    -------
    ndarray, shape (n_lags,)
        Their sum is zero, and their product with the lags one.
    """
    diagonal = np.diag(np.diag(covariance))
    mixed = (1 - _UNCORRELATED_SHARE) * covariance + _UNCORRELATED_SHARE * diagonal
    design = np.column_stack([np.ones(len(lags)), lags])
    weighted = np.linalg.solve(mixed, design)
    slope: NDArray[np.float64] = np.linalg.solve(design.T @ weighted, weighted.T)[1]
    return slope


def brownian_covariance(lags: NDArray[np.intp], n_frames: int) -> NDArray[np.float64]:
    """Return the covariance between lags of the time-averaged MSD of one Brownian coordinate.

    Two squared displacements covary by twice the square of their time in common; the sum runs over all pairs of time
    origins (doi:10.1103/PhysRevE.82.041914).

    Parameters
    ----------
    lags
        In frames, shape (n_lags,).
    n_frames
        Frames of the run.

    Returns
    -------
    ndarray, shape (n_lags, n_lags)
        In units of (2 D frame_interval)^2.
    """
    covariance = np.empty((len(lags), len(lags)))
    for i, short in enumerate(lags):
        for j, long in enumerate(lags[i:], start=i):
            offset = np.arange(-short, long + 1)  # of the short window's origin from the long one's
            first, last = np.maximum(0, -offset), np.minimum(n_frames - long, n_frames - short - offset)
            pairs = np.clip(last - first, 0, None)
            common = np.clip(np.minimum(long, offset + short) - np.maximum(0, offset), 0, None)
            mean = np.sum(pairs * common.astype(float) ** 2) / ((n_frames - short) * (n_frames - long))
            covariance[i, j] = covariance[j, i] = 2 * mean
    return covariance


def _has_plateau(
    squared: NDArray[np.float64], lags: NDArray[np.intp], covariance: NDArray[np.float64], confidence: float
) -> bool:
    """Tell whether the second part of the window grows no more, or significantly less than half as fast as the first.

    The parts meet at the geometric middle of the window.
    """
    middle = int(np.argmin(np.abs(lags - np.sqrt(lags[0] * lags[-1]))))
    middle = min(max(middle, 1), len(lags) - 2)
    first, second = slice(None, middle + 1), slice(middle, None)
    early = slope_weights(lags[first], covariance[first, first]) @ squared[first]
    late = slope_weights(lags[second], covariance[second, second]) @ squared[second]
    grows = late.mean() > _normal_quantile(confidence) * late.std(ddof=1) / np.sqrt(len(late))
    excess = late - 0.5 * early
    bends = excess.mean() < -_PLATEAU_SIGNIFICANCE * excess.std(ddof=1) / np.sqrt(len(excess))
    return bool(bends or not grows)


def _interval(slope: _Slope, confidence: float) -> tuple[float, float]:
    """Return the ends of the scaled chi-square interval [Å2/ps]."""
    from scipy.stats import chi2

    degrees = 2 * (slope.value / max(slope.error, 1e-12 * slope.value)) ** 2
    low, high = chi2.ppf([(1 + confidence) / 2, (1 - confidence) / 2], degrees)
    return slope.value * degrees / float(low), slope.value * degrees / float(high)


def _upper_limit(slope: _Slope, confidence: float, few_hops_limit: float) -> float:
    """Return an upper limit [Å2/ps] for a slope that is not a diffusivity; that of the hops where the MSD shrinks."""
    limit = slope.value + _normal_quantile(confidence) * slope.error
    return limit if limit > 0 else few_hops_limit


def _normal_quantile(confidence: float) -> float:
    """Return how many standard errors a two-sided interval of this coverage reaches."""
    from scipy.stats import norm

    return float(norm.ppf((1 + confidence) / 2))
