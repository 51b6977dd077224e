"""Selection: rows of largest volume, active sets, and which candidates are added."""

from pathlib import Path

import numpy as np
import pytest

from interfaceflow.core.errors import DataFileError, UserInputError
from interfaceflow.potentials.maxvol import INITIAL_DIAGONAL, NO_ROW, THRESHOLD, SelectedRows
from interfaceflow.potentials.mtp._native import (
    Configuration,
    ConfigurationSet,
    Potential,
    SelectionState,
    read_configurations,
)
from interfaceflow.potentials.mtp.row_pool import SelectionMode
from interfaceflow.potentials.mtp.selection import build_active_set, select_additions

LI2S = Path(__file__).parents[1] / "data" / "mtp" / "li2s"


@pytest.fixture(scope="module")
def training_set() -> list[Configuration]:
    return read_configurations(LI2S / "train.cfg")


@pytest.fixture(scope="module")
def held_out() -> list[Configuration]:
    return read_configurations(LI2S / "test.cfg")


@pytest.fixture
def potential() -> Potential:
    return Potential.read(LI2S / "level08.almtp")


def random_rows(n_rows: int, n: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n_rows, n)) * np.exp(rng.normal(size=n))


@pytest.mark.parametrize(("n_rows", "n"), [(50, 8), (400, 30), (30_000, 40)])
def test_no_row_is_above_the_threshold(n_rows, n):
    rows = random_rows(n_rows, n)
    selection = SelectedRows.empty(n)
    selection.maximise([rows])
    assert selection.grades(rows).max() <= THRESHOLD
    np.testing.assert_array_equal(selection.matrix, rows[selection.owners])
    np.testing.assert_allclose(selection.matrix @ selection.inverse, np.eye(n), atol=1e-9)
    assert len(set(selection.owners)) == n


def test_no_single_exchange_raises_the_determinant():
    rows = random_rows(40, 5, seed=1)
    selection = SelectedRows.empty(5)
    selection.maximise([rows])
    volume = abs(np.linalg.det(selection.matrix))
    for place in range(5):
        for row in rows:
            exchanged = selection.matrix.copy()
            exchanged[place] = row
            assert abs(np.linalg.det(exchanged)) <= THRESHOLD * volume


def test_a_grade_is_the_factor_of_the_determinant():
    rows = random_rows(30, 4, seed=2)
    selection = SelectedRows.empty(4)
    selection.maximise([rows[:10]])
    volume = abs(np.linalg.det(selection.matrix))
    for row, grade in zip(rows, selection.grades(rows), strict=True):
        volumes = []
        for place in range(4):
            exchanged = selection.matrix.copy()
            exchanged[place] = row
            volumes.append(abs(np.linalg.det(exchanged)))
        assert max(volumes) / volume == pytest.approx(grade, rel=1e-9)


def test_directions_without_data_keep_an_initial_row():
    rows = random_rows(100, 6, seed=3)
    rows[:, 5] = rows[:, 4]
    selection = SelectedRows.empty(6)
    selection.maximise([rows])
    (place,) = np.flatnonzero(selection.owners == NO_ROW)
    assert np.abs(selection.matrix[place]).max() == INITIAL_DIAGONAL
    assert selection.grades(rows).max() <= THRESHOLD


def test_a_limit_of_exchanges_is_kept():
    rows = random_rows(100, 6, seed=4)
    selection = SelectedRows.empty(6)
    assert selection.maximise([rows], swap_limit=3) == 3
    assert (selection.owners != NO_ROW).sum() == 3


def test_rows_in_blocks_give_a_selection_as_good():
    rows = random_rows(3000, 20, seed=5)
    selection = SelectedRows.empty(20)
    selection.maximise(np.array_split(rows, 7))
    assert selection.grades(rows).max() <= THRESHOLD
    np.testing.assert_array_equal(selection.matrix, rows[selection.owners])


def test_a_survey_finds_the_largest_grades_and_saves_a_pass():
    rows = random_rows(60_000, 20, seed=6)
    selection = SelectedRows.empty(20)
    selection.maximise([rows[:100]])
    survey = selection.survey(np.array_split(rows, 5))
    np.testing.assert_array_equal(survey.grades, selection.grades(rows))
    np.testing.assert_array_equal(survey.values, rows[survey.rows])
    assert len(survey.rows) < len(rows)
    assert survey.grades[survey.rows].min() >= np.delete(survey.grades, survey.rows).max()
    selection.maximise([rows], survey=survey)
    assert selection.grades(rows).max() <= THRESHOLD


def test_volume_is_not_less_than_that_of_mlp(potential, training_set):
    ours = build_active_set(potential, training_set)
    theirs = potential.selection
    assert theirs is not None
    log_volumes = [np.linalg.slogdet(state.matrix)[1] for state in (ours, theirs)]
    # Both are maxima that no single exchange raises by more than the threshold; which one is found is chance.
    assert log_volumes[0] > log_volumes[1] - len(ours.matrix) * np.log(THRESHOLD)
    rows = ConfigurationSet.of(training_set, potential.max_dist).site_gradients(potential)
    assert np.abs(rows @ ours.inverse).max() <= THRESHOLD
    np.testing.assert_allclose(ours.matrix @ ours.inverse, np.eye(len(rows[0])), atol=1e-8)


@pytest.mark.parametrize("mode", list(SelectionMode))
def test_training_set_does_not_extrapolate(potential, training_set, mode):
    potential.selection = build_active_set(potential, training_set, mode=mode)
    grades = ConfigurationSet.of(training_set, potential.max_dist).configuration_grades(potential)
    assert grades.max() <= THRESHOLD + 1e-6


@pytest.mark.parametrize("mode", list(SelectionMode))
def test_active_set_survives_the_file(potential, training_set, held_out, mode):
    potential.selection = build_active_set(potential, training_set[:8], mode=mode)
    back = Potential.parse(potential.serialise())
    assert back.selection is not None
    assert SelectionMode.of(back.selection) is mode
    atoms = ConfigurationSet.of(held_out[:3], potential.max_dist)
    np.testing.assert_array_equal(atoms.configuration_grades(back), atoms.configuration_grades(potential))
    owned = back.selection.rows[back.selection.rows[:, 0] != NO_ROW]
    assert set(owned[:, 0]) == set(range(len(back.selection.configurations)))


def test_after_the_additions_nothing_extrapolates(potential, training_set, held_out):
    additions = select_additions(potential, training_set, held_out)
    assert 0 < len(additions.selected) < len(held_out)
    potential.selection = additions.state
    grades = ConfigurationSet.of([*training_set, *held_out], potential.max_dist).configuration_grades(potential)
    assert grades.max() <= THRESHOLD + 1e-6
    grown = [*training_set, *(held_out[index] for index in additions.selected)]
    potential.selection = build_active_set(potential, grown)
    grades = ConfigurationSet.of(held_out, potential.max_dist).configuration_grades(potential)
    # The set that the grown training set selects anew is another one of nearly the same volume.
    assert grades.max() < 1.5


def test_grades_of_candidates_are_those_of_mlp(potential, training_set, held_out):
    graded = read_configurations(LI2S / "level08.grade.cfg")
    additions = select_additions(potential, training_set, held_out[: len(graded)])
    printed = [float(configuration.features["MV_grade"]) for configuration in graded]
    np.testing.assert_allclose(additions.candidate_grades, printed, atol=2e-6)


def test_only_candidates_that_extrapolate_are_added(potential, training_set, held_out):
    additions = select_additions(potential, training_set, held_out)
    assert additions.candidate_grades[list(additions.selected)].max() > THRESHOLD
    inside = [one for one, grade in zip(held_out, additions.candidate_grades, strict=True) if grade <= THRESHOLD]
    assert select_additions(potential, training_set, inside).selected == ()


def test_known_configurations_are_not_added_again(potential, training_set):
    assert select_additions(potential, training_set, training_set).selected == ()


def test_without_an_active_set_one_is_built(potential, training_set, held_out):
    potential.selection = None
    additions = select_additions(potential, training_set, held_out)
    assert additions.selected
    everything = select_additions(potential, [], held_out)
    assert len(everything.selected) > len(additions.selected)


def test_no_candidates_give_no_additions(potential, training_set):
    assert select_additions(potential, training_set, []).selected == ()


def test_a_swap_limit_takes_fewer(potential, training_set, held_out):
    all_of_them = select_additions(potential, training_set, held_out).selected
    assert len(select_additions(potential, training_set, held_out, swap_limit=1).selected) <= 1 < len(all_of_them)


@pytest.mark.parametrize("mode", list(SelectionMode))
def test_a_memory_limit_changes_no_promise(potential, training_set, held_out, mode):
    # 75 coefficients, 96 atoms a configuration: 0.0576 MB of rows each, so that few are held at once.
    potential.selection = build_active_set(potential, training_set[:8], mode=mode, memory_limit_MB=0.2)
    atoms = ConfigurationSet.of(training_set[:8], potential.max_dist)
    assert atoms.configuration_grades(potential).max() <= THRESHOLD + 1e-6
    small = select_additions(potential, training_set[:8], held_out, memory_limit_MB=0.2)
    large = select_additions(potential, training_set[:8], held_out)
    np.testing.assert_allclose(small.candidate_grades, large.candidate_grades, rtol=1e-9)
    potential.selection = small.state
    grades = ConfigurationSet.of([*training_set[:8], *held_out], potential.max_dist).configuration_grades(potential)
    assert grades.max() <= THRESHOLD + 1e-6


def test_a_memory_limit_that_holds_not_one_configuration_is_refused(potential, training_set):
    with pytest.raises(UserInputError, match=r"96 atoms, 75 coefficients\): give at least 1 MB"):
        build_active_set(potential, training_set, memory_limit_MB=0.05)


def test_a_threshold_of_one_is_refused(potential, training_set, held_out):
    with pytest.raises(UserInputError, match="above 1"):
        select_additions(potential, training_set, held_out, threshold=1.0)


def changed(state: SelectionState, **values: object) -> SelectionState:
    names = ("energy_weight", "force_weight", "stress_weight", "site_energy_weight", "weight_scaling")
    names += ("matrix", "inverse", "rows", "configurations")
    return SelectionState(**{name: getattr(state, name) for name in names} | values)


def test_mixed_equations_are_refused(potential, training_set, held_out):
    assert potential.selection is not None
    potential.selection = changed(potential.selection, force_weight=1.0)
    with pytest.raises(UserInputError, match="mixes equations"):
        select_additions(potential, training_set, held_out)


def test_a_link_to_an_atom_that_does_not_exist_is_refused(potential, training_set, held_out):
    assert potential.selection is not None
    rows = potential.selection.rows
    rows[0, 1] = 9999
    potential.selection = changed(potential.selection, rows=rows)
    with pytest.raises(DataFileError, match="does not exist"):
        select_additions(potential, training_set, held_out)
