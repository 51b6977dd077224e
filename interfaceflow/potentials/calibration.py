"""Whether an extrapolation grade knows where a potential is wrong: grades against true force errors, atom by atom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from interfaceflow.core.errors import UserInputError

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class ThresholdOutcome:
    """What a threshold on the grade would have caught.

    Attributes
    ----------
    threshold
        The grade.
    share_flagged
        Share of all atoms with a larger grade.
    recall
        Share of the atoms in large error that are among them; NaN without any in large error.
    precision
        Share of those flagged that are in large error; NaN without any flagged.
    """

    threshold: float
    share_flagged: float
    recall: float
    precision: float


@dataclass(frozen=True)
class Calibration:
    """How a grade goes with the true error.

    Attributes
    ----------
    n_atoms
        Atoms compared.
    rank_correlation
        Spearman's coefficient of grade and error: 1 where the grade orders the atoms as their errors do.
    large_error_eV_A
        Errors above it count as large, eV/Å.
    share_large
        Share of atoms in large error.
    false_positive_rate, true_positive_rate
        The curve over all thresholds, from none flagged to all flagged, both from 0 to 1.
    area
        Under that curve: the probability that an atom in large error has a larger grade than one that is not; 0.5 for
        a grade that knows nothing, NaN where all or none are in large error.
    thresholds
        What single thresholds would have caught.
    bin_grade, bin_error_eV_A
        Median grade and median error of equally many atoms in order of their grade, for a plot.
    """

    n_atoms: int
    rank_correlation: float
    large_error_eV_A: float
    share_large: float
    false_positive_rate: FloatArray
    true_positive_rate: FloatArray
    area: float
    thresholds: tuple[ThresholdOutcome, ...]
    bin_grade: FloatArray
    bin_error_eV_A: FloatArray


def calibrate_grade(
    grades: FloatArray,
    errors_eV_A: FloatArray,
    *,
    large_error_eV_A: float,
    thresholds: Sequence[float] = (1.5, 10.0),
    n_bins: int = 12,
) -> Calibration:
    """Compare grades with true errors.

    Parameters
    ----------
    grades
        Of the atoms, shape (n_atoms,).
    errors_eV_A
        Length of the force error of each, shape (n_atoms,), eV/Å.
    large_error_eV_A
        Errors above it are those a grade should find, eV/Å.
    thresholds
        Grades to judge.
    n_bins
        Number of points for a plot.

    Raises
    ------
    UserInputError
        If the two have different lengths, or fewer than ten atoms, or hold what is not a finite number.
    """
    from scipy.stats import spearmanr

    if grades.shape != errors_eV_A.shape or grades.ndim != 1 or len(grades) < 10:
        raise UserInputError(
            f"{grades.size} grades and {errors_eV_A.size} errors cannot be compared: give one of each for ten atoms or "
            "more"
        )
    if not (np.isfinite(grades).all() and np.isfinite(errors_eV_A).all()):
        raise UserInputError("grades or errors that are not finite numbers cannot be compared; leave those atoms out")
    large = errors_eV_A > large_error_eV_A
    false_positive, true_positive = _curve(grades, large)
    order = np.argsort(grades, kind="stable")
    bins = [part for part in np.array_split(order, n_bins) if len(part)]
    return Calibration(
        n_atoms=len(grades),
        rank_correlation=float(spearmanr(grades, errors_eV_A).statistic),
        large_error_eV_A=large_error_eV_A,
        share_large=float(large.mean()),
        false_positive_rate=false_positive,
        true_positive_rate=true_positive,
        area=float(np.trapezoid(true_positive, false_positive)),
        thresholds=tuple(_outcome(grades, large, threshold) for threshold in thresholds),
        bin_grade=np.array([np.median(grades[part]) for part in bins]),
        bin_error_eV_A=np.array([np.median(errors_eV_A[part]) for part in bins]),
    )


def _curve(grades: FloatArray, large: NDArray[np.bool_]) -> tuple[FloatArray, FloatArray]:
    """Return the two rates as the threshold falls; atoms of one grade are flagged together."""
    if large.all() or not large.any():
        return np.full(2, np.nan), np.full(2, np.nan)
    order = np.argsort(-grades, kind="stable")
    last_of_grade = np.append(np.diff(grades[order]) != 0, [True])
    true_positive = np.cumsum(large[order])[last_of_grade] / large.sum()
    false_positive = np.cumsum(~large[order])[last_of_grade] / (~large).sum()
    return np.append([0.0], false_positive), np.append([0.0], true_positive)


def _outcome(grades: FloatArray, large: NDArray[np.bool_], threshold: float) -> ThresholdOutcome:
    flagged = grades > threshold
    return ThresholdOutcome(
        threshold=threshold,
        share_flagged=float(flagged.mean()),
        recall=float(flagged[large].mean()) if large.any() else float("nan"),
        precision=float(large[flagged].mean()) if flagged.any() else float("nan"),
    )
