"""Which of the frames that MD could not be trusted on are worth a reference calculation."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from interfaceflow.core.errors import UserInputError


def choose_largest_grades(grades: NDArray[np.float64], limit: int) -> NDArray[np.intp]:
    """Choose at most ``limit`` configurations, those with the largest grades, in their original order.

    Parameters
    ----------
    grades
        Shape (n_configurations,): the largest extrapolation grade of each, dimensionless.
    limit
        Largest number to choose.

    Returns
    -------
    indices
        Shape (min(limit, n_configurations),), ascending.

    Raises
    ------
    UserInputError
        If a grade is not a finite number.
    """
    grades = np.asarray(grades, dtype=float)
    if not np.isfinite(grades).all():
        raise UserInputError(
            f"extrapolation grades must be finite numbers, and {np.count_nonzero(~np.isfinite(grades))} of "
            f"{len(grades)} are not; the potential or its active set is damaged, train it again"
        )
    order = np.argsort(-grades, kind="stable")[:limit]
    return np.sort(order)
