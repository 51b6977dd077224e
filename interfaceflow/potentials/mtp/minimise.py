"""Quasi-Newton minimisation (limited-memory BFGS) with a line search that survives steep walls and infinities.

J. Nocedal and S. J. Wright, Numerical Optimization, 2nd edition, doi:10.1007/978-0-387-40065-5, chapters 3 and 7.
The curvature changes a lot on the way down from a random start; a memory of some tens of steps, scaled anew at each,
keeps up with it where a full matrix lags behind.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

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


@dataclass(frozen=True)
class LbfgsState:
    """All that a minimisation knows: going on from it is going on as if it had not been interrupted.

    Attributes
    ----------
    iterations
        Made so far.
    point
        Best point so far, shape (n,).
    value
        Value there.
    gradient
        Gradient there, shape (n,).
    steps
        Last steps, oldest first, shape (m, n).
    changes
        Changes of the gradient along them, shape (m, n).
    """

    iterations: int
    point: FloatArray
    value: float
    gradient: FloatArray
    steps: FloatArray
    changes: FloatArray

    @classmethod
    def at(cls, function: Function, point: FloatArray) -> LbfgsState:
        """Return the state of a minimisation that begins at a point."""
        value, gradient = function(point)
        empty = np.zeros((0, len(point)))
        return cls(0, point.copy(), value, gradient, empty, empty)

    def without_memory(self) -> LbfgsState:
        """Return the state without steps to learn the curvature from."""
        return replace(self, steps=self.steps[:0], changes=self.changes[:0])

    def after(self, step: FloatArray, value: float, gradient: FloatArray) -> LbfgsState:
        """Return the state after a step, which is remembered if the curvature along it was positive."""
        change = gradient - self.gradient
        steps, changes = self.steps, self.changes
        if float(step @ change) > 1e-12 * float(np.linalg.norm(step) * np.linalg.norm(change)):
            steps = np.vstack([steps[1 - _MEMORY :], step])
            changes = np.vstack([changes[1 - _MEMORY :], change])
        return LbfgsState(self.iterations + 1, self.point + step, value, gradient, steps, changes)

    def quasi_newton_direction(self) -> FloatArray:
        """Return minus the approximate inverse Hessian times the gradient, from a memory that is not empty.

        The compact form of Nocedal and Wright, equations 7.24 and 7.25: a few products of matrices.
        """
        products = self.steps @ self.changes.T
        curvatures = np.diagonal(products)
        scale = float(curvatures[-1]) / float(self.changes[-1] @ self.changes[-1])
        shares = _solve_upper(products, self.steps @ self.gradient)
        scaled_changes = scale * self.changes
        inner = curvatures * shares + self.changes @ (scaled_changes.T @ shares) - scaled_changes @ self.gradient
        rest = _solve_upper(products, inner, transposed=True)
        direction: FloatArray = scaled_changes.T @ shares - scale * self.gradient - self.steps.T @ rest
        return direction


class Lbfgs:
    """One minimisation, advanced an iteration at a time.

    Parameters
    ----------
    function
        What to minimise.
    start
        Where to begin, shape (n,), or the state to go on from.
    first_step
        Length of the first step relative to that of ``start``; later ones may be ten times longer.

    Attributes
    ----------
    state
        What is known now. A state never changes: it is replaced as a whole.
    """

    def __init__(self, function: Function, start: FloatArray | LbfgsState, *, first_step: float = 0.05) -> None:
        self._function = function
        self._first_step = first_step
        self.state = start if isinstance(start, LbfgsState) else LbfgsState.at(function, start)

    @property
    def point(self) -> FloatArray:
        """Best point so far, shape (n,)."""
        return self.state.point

    @property
    def value(self) -> float:
        """Value there."""
        return self.state.value

    def iterate(self) -> bool:
        """Make one step down; return False where no descent is left."""
        if self._step_from(self.state):
            return True
        return bool(len(self.state.steps)) and self._step_from(self.state.without_memory())

    def _step_from(self, state: LbfgsState) -> bool:
        """Make one step down from a state, and replace the state; return False where there is none."""
        reach = self._first_step * max(float(np.linalg.norm(state.point)), 1e-12)
        direction = state.quasi_newton_direction() if len(state.steps) else self._steepest(state, reach)
        slope = float(state.gradient @ direction)
        if not slope < 0:
            return False
        length = float(np.linalg.norm(direction))
        if length > 10 * reach:
            direction, slope = direction * (10 * reach / length), slope * (10 * reach / length)
        found = self._search(state, direction, slope)
        if found is None:
            return False
        self.state = state.after(found.step * direction, found.value, found.gradient)
        return True

    @staticmethod
    def _steepest(state: LbfgsState, reach: float) -> FloatArray:
        length = float(np.linalg.norm(state.gradient))
        return state.gradient * (-reach / length if length > 0 else 0.0)

    def _try(self, point: FloatArray, direction: FloatArray, step: float) -> _Trial:
        value, gradient = self._function(point + step * direction)
        if not (np.isfinite(value) and np.isfinite(gradient).all()):
            return _Trial(step, np.inf, np.inf, gradient)
        return _Trial(step, value, float(gradient @ direction), gradient)

    def _search(self, state: LbfgsState, direction: FloatArray, slope: float) -> _Trial | None:
        """Return a point that satisfies the weak Wolfe conditions, or the best descent found, or None."""
        low = _Trial(0.0, state.value, slope, state.gradient)
        high: _Trial | None = None
        step = 1.0
        for _ in range(_MAX_TRIALS):
            trial = self._try(state.point, direction, step)
            if trial.value > state.value + _SUFFICIENT_DECREASE * step * slope:
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


def _solve_upper(matrix: FloatArray, vector: FloatArray, *, transposed: bool = False) -> FloatArray:
    """Solve with the upper triangle of a matrix, or with its transpose."""
    from scipy.linalg.lapack import dtrtrs

    # Fortran reads the rows as columns: what is stored is the transpose, its lower triangle ours.
    solution, _ = dtrtrs(matrix.T, vector, lower=1, trans=0 if transposed else 1)
    return np.asarray(solution, dtype=float)
