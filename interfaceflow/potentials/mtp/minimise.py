"""Quasi-Newton minimisation (limited-memory BFGS) with a line search that survives steep walls and infinities.

J. Nocedal and S. J. Wright, Numerical Optimization, 2nd edition, doi:10.1007/978-0-387-40065-5, chapters 3 and 7.
The curvature changes a lot on the way down from a random start; a memory of some tens of steps, scaled anew at each,
keeps up with it where a full matrix lags behind.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
Function = Callable[[FloatArray], tuple[float, FloatArray]]
"""Takes a point, shape (n,), and returns the value there and the gradient, shape (n,)."""

_SUFFICIENT_DECREASE = 1e-4
_CURVATURE = 0.9
_MAX_TRIALS = 25
_EXPANSION = 3.0
_MEMORY = 40


@dataclass(frozen=True)
class _Trial:
    """A point along the line: step, value, slope along the line, and the gradient."""

    step: float
    value: float
    slope: float
    gradient: FloatArray


class Lbfgs:
    """One minimisation, advanced an iteration at a time.

    Parameters
    ----------
    function
        What to minimise.
    start
        Shape (n,).
    first_step
        Length of the first step relative to that of ``start``; later ones may be ten times longer.

    Attributes
    ----------
    point
        Best point so far, shape (n,).
    value
        Value there.
    """

    def __init__(self, function: Function, start: FloatArray, *, first_step: float = 0.05) -> None:
        self._function = function
        self._first_step = first_step
        self.point = start.copy()
        self.value, self._gradient = function(start)
        self._memory: deque[tuple[FloatArray, FloatArray, float]] = deque(maxlen=_MEMORY)

    def iterate(self) -> bool:
        """Make one step down; return False where no descent is left."""
        direction = self._direction()
        slope = float(self._gradient @ direction)
        if slope >= 0 and self._memory:
            self._memory.clear()
            direction = self._direction()
            slope = float(self._gradient @ direction)
        if not slope < 0:
            return False
        longest = 10 * self._first_step * max(float(np.linalg.norm(self.point)), 1e-12)
        length = float(np.linalg.norm(direction))
        if length > longest:
            direction, slope = direction * (longest / length), slope * (longest / length)
        found = self._search(direction, slope)
        if found is None:
            if not self._memory:
                return False
            self._memory.clear()
            return self.iterate()
        self._remember(found.step * direction, found.gradient - self._gradient)
        self.point = self.point + found.step * direction
        self.value, self._gradient = found.value, found.gradient
        return True

    def _direction(self) -> FloatArray:
        """Return minus the approximate inverse Hessian times the gradient (two-loop recursion)."""
        if not self._memory:
            length = float(np.linalg.norm(self._gradient))
            reach = self._first_step * max(float(np.linalg.norm(self.point)), 1e-12)
            return -self._gradient * (reach / length if length > 0 else 0.0)
        direction = -self._gradient
        shares: list[float] = []
        for step, change, curvature in reversed(self._memory):
            shares.append(float(step @ direction) / curvature)
            direction = direction - shares[-1] * change
        _, change, curvature = self._memory[-1]
        direction = direction * (curvature / float(change @ change))
        for (step, change, curvature), share in zip(self._memory, reversed(shares), strict=True):
            direction = direction + (share - float(change @ direction) / curvature) * step
        return direction

    def _remember(self, step: FloatArray, change: FloatArray) -> None:
        """Keep a step and the change of the gradient along it, if the curvature was positive."""
        curvature = float(step @ change)
        if curvature > 1e-12 * float(np.linalg.norm(step) * np.linalg.norm(change)):
            self._memory.append((step, change, curvature))

    def _try(self, direction: FloatArray, step: float) -> _Trial:
        value, gradient = self._function(self.point + step * direction)
        if not (np.isfinite(value) and np.isfinite(gradient).all()):
            return _Trial(step, np.inf, np.inf, gradient)
        return _Trial(step, value, float(gradient @ direction), gradient)

    def _search(self, direction: FloatArray, slope: float) -> _Trial | None:
        """Return a point that satisfies the weak Wolfe conditions, or the best descent found, or None."""
        low = _Trial(0.0, self.value, slope, self._gradient)
        high: _Trial | None = None
        step = 1.0
        for _ in range(_MAX_TRIALS):
            trial = self._try(direction, step)
            if trial.value > self.value + _SUFFICIENT_DECREASE * step * slope:
                high = trial
            elif trial.slope < _CURVATURE * slope:
                low = trial
            else:
                return trial
            step = _EXPANSION * low.step if high is None else _between(low, high)
            if high is not None and high.step - low.step < 1e-10 * high.step:
                break
        return low if low.step > 0 else None


def _between(low: _Trial, high: _Trial) -> float:
    """Return the minimum of the parabola through both points, kept off the ends of the interval."""
    width = high.step - low.step
    bend = (high.value - low.value - low.slope * width) / width**2 if np.isfinite(high.value) else np.inf
    fraction = -low.slope / (2 * bend * width) if np.isfinite(bend) and bend > 0 else 0.5
    if not np.isfinite(high.value):
        fraction = 0.1
    return low.step + float(np.clip(fraction, 0.1, 0.9)) * width
