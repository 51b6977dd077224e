"""Calibration of grades: known orders give known figures."""

import numpy as np
import pytest

from interfaceflow.core.errors import UserInputError
from interfaceflow.potentials.calibration import calibrate_grade

ERRORS = np.linspace(0.0, 1.0, 101)


def test_grade_in_the_order_of_the_errors_is_perfect():
    found = calibrate_grade(np.exp(ERRORS), ERRORS, large_error_eV_A=0.495)
    assert found.rank_correlation == pytest.approx(1.0)
    assert found.area == pytest.approx(1.0)
    assert found.share_large == pytest.approx(51 / 101)
    assert (np.diff(found.bin_error_eV_A) > 0).all()


def test_grade_in_the_opposite_order_is_worse_than_nothing():
    found = calibrate_grade(-ERRORS, ERRORS, large_error_eV_A=0.5)
    assert found.rank_correlation == pytest.approx(-1.0)
    assert found.area == pytest.approx(0.0)


def test_grade_that_is_the_same_everywhere_tells_nothing():
    found = calibrate_grade(np.append(np.ones(100), 1.0 + 1e-12), ERRORS, large_error_eV_A=0.5)
    assert found.area == pytest.approx(0.5, abs=0.011)


def test_area_is_the_probability_of_the_right_order():
    generator = np.random.default_rng(1)
    grades, errors = generator.random(60), generator.random(60)
    found = calibrate_grade(grades, errors, large_error_eV_A=0.7)
    large, small = grades[errors > 0.7], grades[errors <= 0.7]
    assert found.area == pytest.approx((large[:, None] > small).mean())
    assert found.false_positive_rate[[0, -1]] == pytest.approx([0, 1])
    assert found.true_positive_rate[[0, -1]] == pytest.approx([0, 1])


def test_thresholds_say_what_they_caught():
    grades = np.array([0.1, 0.5, 1.0, 2.0, 3.0, 11.0, 0.2, 1.6, 20.0, 0.9])
    errors = np.array([0.1, 0.1, 0.1, 0.1, 0.9, 0.9, 0.9, 0.9, 0.9, 0.1])
    select, stop = calibrate_grade(grades, errors, large_error_eV_A=0.5).thresholds
    assert (select.share_flagged, select.recall, select.precision) == (0.5, 0.8, 0.8)
    assert (stop.share_flagged, stop.recall, stop.precision) == (0.2, 0.4, 1.0)


def test_without_large_errors_there_is_no_curve():
    found = calibrate_grade(ERRORS, ERRORS, large_error_eV_A=2.0)
    assert np.isnan(found.area) and np.isnan(found.thresholds[0].recall)


@pytest.mark.parametrize("grades", [np.ones(5), np.ones(100), np.append(np.ones(100), np.nan)])
def test_what_cannot_be_compared_is_refused(grades):
    with pytest.raises(UserInputError, match="cannot be compared"):
        calibrate_grade(grades, ERRORS, large_error_eV_A=0.5)
