"""How strong a bond is: the Morse potential through the energies of a bond that is stretched and pressed.

P. M. Morse, doi:10.1103/PhysRev.34.57: E(r) = E_0 + D (1 - exp(-a (r - r_0)))^2, with the force constant k = 2 D a^2.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from interfaceflow.core.errors import CalculationError

MIN_POINTS = 6
LARGEST_RELATIVE_ERROR = 0.5
FIRST_STIFFNESS_PER_A = 2.0
_PARAMETERS = 4


@dataclass(frozen=True)
class MorseFit:
    """A Morse potential, with the standard errors of what it says of the bond.

    Attributes
    ----------
    well_depth_eV, well_depth_error_eV
        D: what the curve extrapolates to as the energy of dissociation [eV]. It is no energy of fragments.
    stiffness_per_A
        a [1/Å].
    equilibrium_distance_A
        r_0 [Å].
    force_constant_eV_A2, force_constant_error_eV_A2
        k = 2 D a^2 [eV/Å2].
    residual_meV
        Root mean square of what the curve misses [meV].
    """

    well_depth_eV: float
    well_depth_error_eV: float
    stiffness_per_A: float
    equilibrium_distance_A: float
    force_constant_eV_A2: float
    force_constant_error_eV_A2: float
    residual_meV: float


def morse_energy(distances_A: ArrayLike, depth_eV: float, stiffness_per_A: float, r0_A: float) -> NDArray[np.float64]:
    """Return D (1 - exp(-a (r - r_0)))^2 [eV], doi:10.1103/PhysRev.34.57.

    Parameters
    ----------
    distances_A
        Bond lengths [Å], any shape.
    depth_eV, stiffness_per_A, r0_A
        D [eV], a [1/Å] and r_0 [Å].
    """
    stretch = np.asarray(distances_A, dtype=np.float64) - r0_A
    energy: NDArray[np.float64] = depth_eV * (1.0 - np.exp(-stiffness_per_A * stretch)) ** 2
    return energy


def fit_morse(distances_A: ArrayLike, energies_eV: ArrayLike) -> MorseFit:
    """Fit a Morse potential to energies of a bond around its minimum, by least squares.

    Parameters
    ----------
    distances_A
        Bond lengths [Å], shape (n,).
    energies_eV
        Energies, up to a constant [eV], shape (n,).

    Raises
    ------
    CalculationError
        If the points are too few, the minimum is at the end of the scan, or the points say too little about the depth:
        they are too near to the minimum, or the bond is none that a Morse potential describes.
    """
    from scipy.optimize import OptimizeWarning, curve_fit

    order = np.argsort(np.asarray(distances_A, dtype=np.float64))
    distances = np.asarray(distances_A, dtype=np.float64)[order]
    energies = np.asarray(energies_eV, dtype=np.float64)[order]
    lowest = _check(distances, energies)
    curvature = _curvature(distances, energies, lowest)

    # The force constant is a parameter, not the depth: near the minimum it is what the energies tell.
    def curve(r: NDArray[np.float64], k: float, stiffness: float, r0: float, e0: float) -> NDArray[np.float64]:
        return e0 + morse_energy(r, 0.5 * k / stiffness**2, stiffness, r0)

    start = (curvature, FIRST_STIFFNESS_PER_A, distances[lowest], 0.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OptimizeWarning)  # of errors that cannot be told, which are looked at below
        try:
            best, covariance = curve_fit(curve, distances, energies - energies[lowest], p0=start, maxfev=20_000)
        except RuntimeError as error:
            raise CalculationError(f"no Morse potential fits the energies of the scan: {error}") from None
    constant, stiffness, r0, _ = (float(value) for value in best)
    depth = 0.5 * constant / stiffness**2
    slope = np.array([0.5 / stiffness**2, -constant / stiffness**3])
    depth_error = float(np.sqrt(slope @ covariance[:2, :2] @ slope))
    if depth <= 0 or stiffness <= 0 or not depth_error < LARGEST_RELATIVE_ERROR * depth:
        raise CalculationError(
            f"the scan from {distances[0]:.2f} to {distances[-1]:.2f} Å does not tell how deep the well is "
            f"(D = {depth:.2f} ± {depth_error:.2g} eV); stretch the bond further, or give another bond"
        )
    residuals = energies - energies[lowest] - curve(distances, *best)
    return MorseFit(
        well_depth_eV=depth,
        well_depth_error_eV=depth_error,
        stiffness_per_A=stiffness,
        equilibrium_distance_A=r0,
        force_constant_eV_A2=constant,
        force_constant_error_eV_A2=float(np.sqrt(covariance[0, 0])),
        residual_meV=1000.0 * float(np.sqrt(np.mean(residuals**2))),
    )


def _check(distances: NDArray[np.float64], energies: NDArray[np.float64]) -> int:
    """Return the index of the lowest energy, after checking that the scan goes around it."""
    if distances.shape != energies.shape or distances.ndim != 1 or len(distances) < MIN_POINTS:
        raise CalculationError(
            f"{distances.shape} distances and {energies.shape} energies: a Morse potential has {_PARAMETERS} "
            f"parameters, give at least {MIN_POINTS} points of one bond"
        )
    if not (np.isfinite(distances).all() and np.isfinite(energies).all()):
        raise CalculationError("a distance or an energy of the scan is not a finite number; leave that point out")
    lowest = int(np.argmin(energies))
    if lowest in (0, len(energies) - 1):
        raise CalculationError(
            f"the lowest energy is at the end of the scan, at {distances[lowest]:.3f} Å; scan further in that direction"
        )
    return lowest


def _curvature(distances: NDArray[np.float64], energies: NDArray[np.float64], lowest: int) -> float:
    """Return the second derivative at the minimum from the parabola through three points [eV/Å2]."""
    near = slice(lowest - 1, lowest + 2)
    return max(2.0 * float(np.polyfit(distances[near] - distances[lowest], energies[near], 2)[0]), 1e-6)
