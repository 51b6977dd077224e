"""Rows of largest volume: the linear algebra of D-optimal selection.

Among many rows, n are wanted whose determinant cannot be raised by exchanging one of them for one of the others, up
to a threshold (S. A. Goreinov et al., doi:10.1142/9789812836021_0015; for potentials: E. V. Podryabinkin and
A. V. Shapeev, doi:10.1016/j.commatsci.2017.08.031). A row's *grade* is the largest modulus of its coefficients in the
basis of the selected rows: exchanging it multiplies the determinant by that.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

THRESHOLD = 1.001
"""Rows of a smaller grade are not exchanged."""
INITIAL_DIAGONAL = 1e-6
"""The selection starts from this times the identity; rows of it that stay are directions the data do not show."""
NO_ROW = -1
"""Stands for a row of the initial matrix."""

# A pass over all rows is one matrix product; exchanges then look at no more coefficients than this.
_MAX_COEFFICIENTS_IN_WORK = 500_000


@dataclass
class SelectedRows:
    """The selected rows, and where they came from.

    Attributes
    ----------
    matrix
        The rows, shape (n, n).
    inverse
        Its inverse, shape (n, n).
    owners
        For each row the index of the pool's row it is, or `NO_ROW`, shape (n,).
    """

    matrix: FloatArray
    inverse: FloatArray
    owners: IntArray

    @classmethod
    def empty(cls, n: int) -> SelectedRows:
        """Return a selection of n initial rows."""
        return cls(
            matrix=np.eye(n) * INITIAL_DIAGONAL,
            inverse=np.eye(n) / INITIAL_DIAGONAL,
            owners=np.full(n, NO_ROW, dtype=np.int64),
        )

    def grades(self, pool: FloatArray) -> FloatArray:
        """Return the grade of each row of a pool, shape (n_rows,)."""
        chunk = max(1, _MAX_COEFFICIENTS_IN_WORK // max(1, pool.shape[1]))
        grades = np.empty(len(pool))
        for start in range(0, len(pool), chunk):
            part = slice(start, start + chunk)
            grades[part] = np.abs(pool[part] @ self.inverse).max(axis=1, initial=0.0)
        return grades

    def maximise(
        self,
        pool: FloatArray,
        *,
        n_eligible: int | None = None,
        threshold: float = THRESHOLD,
        swap_limit: int | None = None,
    ) -> int:
        """Exchange rows until no eligible row of the pool has a grade above the threshold.

        Parameters
        ----------
        pool
            Shape (n_rows, n); `owners` are indices into it.
        n_eligible
            Only that many rows at the front of the pool may enter; None for all.
        threshold
            Above 1.
        swap_limit
            Largest number of exchanges; None for no limit.

        Returns
        -------
        int
            How many exchanges were made.
        """
        limit = np.iinfo(np.int64).max if swap_limit is None else swap_limit
        eligible = pool[:n_eligible]
        rows_in_work = max(4 * pool.shape[1], _MAX_COEFFICIENTS_IN_WORK // max(1, pool.shape[1]))
        swaps = 0
        while swaps < limit and len(eligible):
            grades = self.grades(eligible)
            chosen = np.flatnonzero(grades > threshold)
            if not chosen.size:
                break
            if chosen.size > rows_in_work:
                chosen = chosen[np.argsort(-grades[chosen], kind="stable")[:rows_in_work]]
            made = self._exchange(pool, chosen, threshold, limit - swaps)
            if not made:
                break
            swaps += made
            self.inverse = np.asarray(np.linalg.inv(self.matrix), dtype=float)
        return swaps

    def _exchange(self, pool: FloatArray, chosen: IntArray, threshold: float, limit: int) -> int:
        """Exchange greedily among some rows of the pool; return how many exchanges were made."""
        from scipy.linalg.blas import dger, idamax

        coefficients = pool[chosen] @ self.inverse
        candidates = chosen.copy()
        n = self.matrix.shape[0]
        swaps = 0
        while swaps < limit:
            row, column = divmod(int(idamax(coefficients.reshape(-1))), n)
            pivot = coefficients[row, column]
            if abs(pivot) <= threshold:
                break
            # Rank-one update (Sherman-Morrison) for the rows' coefficients; the row that leaves takes the place of
            # the one that enters, so that it may come back.
            left = coefficients[:, column] / pivot
            left[row] += 1.0 / pivot
            right = coefficients[row].copy()
            right[column] -= 1.0
            dger(-1.0, right, left, a=coefficients.T, overwrite_a=True)
            self.matrix[column] = pool[candidates[row]]
            candidates[row], self.owners[column] = self.owners[column], candidates[row]
            if candidates[row] == NO_ROW:
                coefficients[row] = 0.0
            swaps += 1
        return swaps
