"""How long a trajectory remembers, and which of its frames know nothing of one another."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

_WINDOW: Final = 5.0
_FEWEST_TIMES: Final = 20.0


@dataclass(frozen=True)
class Correlation:
    """The integrated autocorrelation time of a series, and whether the series is long enough to know it.

    Attributes
    ----------
    time
        Integrated autocorrelation time, in steps of the series, at least 1/2 (no memory at all). Values 2 ``time``
        apart are as good as independent.
    is_known
        Whether the series is at least 20 such times long; a shorter one can only say that the time is long.
    """

    time: float
    is_known: bool

    @property
    def spacing(self) -> int:
        """Steps between values that are as good as independent."""
        return max(1, math.ceil(2.0 * self.time - 1e-9))


def measure_correlation(series: NDArray[np.float64]) -> Correlation:
    """Measure the integrated autocorrelation time of a stationary series.

    The sum 1/2 + sum of rho(t) is cut off where t passes 5 times its value so far, which balances noise and bias
    (Sokal 1997, doi:10.1007/978-1-4899-0319-8_6). A drift, of a run that is not in equilibrium yet, counts as memory.

    Parameters
    ----------
    series
        Values at even times, shape (n,), of any unit.
    """
    values = np.asarray(series, dtype=float)
    n = len(values)
    deviations = values - values.mean() if n else values
    # What rounding leaves of equal values is no variance.
    if n < 2 or np.abs(deviations).max() <= 1e-12 * max(1.0, float(np.abs(values).max())):
        return Correlation(0.5, is_known=False)
    spectrum = np.fft.rfft(deviations, 2 * n)
    covariance = np.fft.irfft(spectrum * spectrum.conj(), 2 * n)[:n]
    times = np.maximum(0.5, np.cumsum(covariance / covariance[0]) - 0.5)
    beyond = np.flatnonzero(np.arange(n) >= _WINDOW * times)
    time = float(times[beyond[0]] if len(beyond) else times.max())
    return Correlation(time, is_known=bool(len(beyond)) and n >= _FEWEST_TIMES * time)


def choose_decorrelated(energies_eV: NDArray[np.float64]) -> tuple[NDArray[np.intp], Correlation]:
    """Choose frames that are at least twice the correlation time of the potential energy apart.

    Parameters
    ----------
    energies_eV
        Potential energy of each frame of one trajectory, in order of time, shape (n_frames,), eV.

    Returns
    -------
    tuple
        Indices of the chosen frames, ascending, the last frame always among them, and what was measured.
    """
    correlation = measure_correlation(energies_eV)
    return np.arange(len(energies_eV) - 1, -1, -correlation.spacing)[::-1], correlation
