import numpy as np
import pytest

from interfaceflow.active_learning.candidates import choose_largest_grades
from interfaceflow.core.errors import UserInputError


def test_the_largest_grades_are_chosen_in_their_original_order():
    assert choose_largest_grades(np.array([2.0, 9.0, 1.6, 5.0]), 2).tolist() == [1, 3]


def test_all_are_chosen_when_there_are_few():
    assert choose_largest_grades(np.array([2.0, 9.0]), 16).tolist() == [0, 1]


def test_a_grade_that_is_no_number_is_refused():
    with pytest.raises(UserInputError, match="1 of 2 are not"):
        choose_largest_grades(np.array([np.nan, 1.0]), 1)
