"""Rows of largest volume: the linear algebra of D-optimal selection.

Among many rows, n are wanted whose determinant cannot be raised by exchanging one of them for one of the others, up
to a threshold (S. A. Goreinov et al., doi:10.1142/9789812836021_0015; for potentials: E. V. Podryabinkin and
A. V. Shapeev, doi:10.1016/j.commatsci.2017.08.031). A row's *grade* is the largest modulus of its coefficients in the
basis of the selected rows: exchanging it multiplies the determinant by that.

A pass over all rows is one matrix product. Between two passes rows are exchanged among those of largest grade, whose
coefficients follow each exchange by a rank-one update. Rows a good deal below the threshold take part, too: most rows
that a pass would find risen above it are then exchanged before that pass.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Blocks = Iterable[FloatArray]
"""The rows of a pool, block by block, each of shape (n_rows of the block, n). It is gone through several times."""

THRESHOLD = 1.001
"""Rows of a smaller grade are not exchanged."""
INITIAL_DIAGONAL = 1e-6
"""The selection starts from this times the identity; rows of it that stay are directions the data do not show."""
NO_ROW = -1
"""Stands for a row of the initial matrix."""

# Coefficients in one product, few enough to stay near the processor.
_COEFFICIENTS_AT_ONCE = 500_000
# Rows that take part between two passes, in units of n: many, since they save passes. Memory bounds them, too.
_ROWS_IN_WORK = 16
_MOST_COEFFICIENTS_IN_WORK = 8_000_000
_ROWS_IN_SAMPLE = 4


@dataclass(frozen=True)
class Survey:
    """What one pass over a pool finds.

    Attributes
    ----------
    grades
        Grade of each row, shape (n_rows,).
    rows
        Indices of the rows of largest grade, shape (n_kept,).
    values
        Those rows, shape (n_kept, n).
    """

    grades: FloatArray
    rows: IntArray
    values: FloatArray


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

    def grades(self, rows: FloatArray) -> FloatArray:
        """Return the grade of each row, shape (n_rows,)."""
        chunk = max(1, _COEFFICIENTS_AT_ONCE // max(1, rows.shape[1]))
        coefficients = np.empty((min(chunk, len(rows)), rows.shape[1]))
        grades = np.empty(len(rows))
        for start in range(0, len(rows), chunk):
            part = rows[start : start + chunk]
            found = np.matmul(part, self.inverse, out=coefficients[: len(part)])
            grades[start : start + chunk] = np.abs(found, out=found).max(axis=1, initial=0.0)
        return grades

    def survey(self, pool: Blocks) -> Survey:
        """Return the grades of all rows of a pool, and its rows of largest grade."""
        n = self.matrix.shape[0]
        wanted = max(_ROWS_IN_WORK * n, _COEFFICIENTS_AT_ONCE // max(1, n))
        n_kept = max(2 * n, min(wanted, _MOST_COEFFICIENTS_IN_WORK // max(1, n)))
        grades = np.zeros(0)
        rows, values = np.zeros(0, dtype=np.int64), np.zeros((0, n))
        for block in pool:
            of_block = self.grades(block)
            offered = _largest(of_block, n_kept)
            rows = np.concatenate([rows, len(grades) + offered])
            values = np.concatenate([values, block[offered]])
            grades = np.concatenate([grades, of_block])
            kept = _largest(grades[rows], n_kept)
            rows, values = rows[kept], values[kept]
        return Survey(grades, rows, values)

    def maximise(
        self,
        pool: Blocks,
        *,
        threshold: float = THRESHOLD,
        swap_limit: int | None = None,
        survey: Survey | None = None,
    ) -> int:
        """Exchange rows until no row of the pool has a grade above the threshold.

        Parameters
        ----------
        pool
            `owners` are indices into it, counted through its blocks.
        threshold
            Above 1.
        swap_limit
            Largest number of exchanges; None for no limit.
        survey
            Of the pool, with the selection as it is now, where there is one already.

        Returns
        -------
        int
            How many exchanges were made.
        """
        limit = int(np.iinfo(np.int64).max) if swap_limit is None else swap_limit
        swaps = 0
        if survey is None and (self.owners == NO_ROW).all():
            swaps = self._exchange_sample(pool, threshold, limit)
        while swaps < limit:
            found = survey or self.survey(pool)
            survey = None
            if found.grades.max(initial=0.0) <= threshold:
                break
            made = self._exchange(found.rows, found.values, threshold, limit - swaps)
            if not made:
                break
            swaps += made
        return swaps

    def _exchange_sample(self, pool: Blocks, threshold: float, limit: int) -> int:
        """Exchange among rows from all over the first block: nearer to the end than a pass against initial rows."""
        for block in pool:
            step = max(1, len(block) // (_ROWS_IN_SAMPLE * len(self.matrix)))
            rows = np.arange(0, len(block), step, dtype=np.int64)
            return self._exchange(rows, block[rows], threshold, limit)
        return 0

    def _exchange(self, rows: IntArray, values: FloatArray, threshold: float, limit: int) -> int:
        """Exchange greedily among some rows of the pool; return how many exchanges were made.

        ``rows`` and ``values`` are changed: a row that leaves takes the place of the one that enters, so that it may
        come back.
        """
        from scipy.linalg.blas import dger, idamax

        coefficients = values @ self.inverse
        n = self.matrix.shape[0]
        swaps = 0
        while swaps < limit and coefficients.size:
            row, column = divmod(int(idamax(coefficients.reshape(-1))), n)
            pivot = coefficients[row, column]
            if not abs(pivot) > threshold:
                break
            # Rank-one update (Sherman-Morrison) of the rows' coefficients.
            left = coefficients[:, column] / pivot
            left[row] += 1.0 / pivot
            right = coefficients[row].copy()
            right[column] -= 1.0
            dger(-1.0, right, left, a=coefficients.T, overwrite_a=True)
            entering = values[row].copy()
            values[row], self.matrix[column] = self.matrix[column], entering
            rows[row], self.owners[column] = self.owners[column], rows[row]
            if rows[row] == NO_ROW:
                coefficients[row] = 0.0
            swaps += 1
        if swaps:
            self.inverse = np.asarray(np.linalg.inv(self.matrix), dtype=float)
        return swaps


def _largest(values: FloatArray, count: int) -> IntArray:
    """Return the indices of the largest values, ascending."""
    if len(values) <= count:
        return np.arange(len(values), dtype=np.int64)
    return np.sort(np.argpartition(-values, count)[:count]).astype(np.int64)
