"""The grade of latent features: at most one where it was trained, and larger the further away."""

import numpy as np
import pytest

from interfaceflow.core.errors import DataFileError, UserInputError
from interfaceflow.potentials.nequip.calculator import NequIPCalculator
from interfaceflow.potentials.nequip.latent_grade import (
    FLOOR,
    LatentGrade,
    SpeciesActiveSet,
    build_latent_grade,
    select_latent_additions,
)
from interfaceflow.potentials.nequip.model import load_model

N = 6


def owners_of(n_atoms, configuration=0):
    return np.stack([np.full(n_atoms, configuration), np.arange(n_atoms)], axis=1)


def active_set(rows):
    return SpeciesActiveSet.of(rows, owners_of(len(rows)))


@pytest.fixture
def rows():
    return np.random.default_rng(2).normal(size=(200, N)) * np.geomspace(1.0, 0.05, N)


@pytest.fixture
def flat_rows(rows):
    """Return rows that all lie in a subspace of four dimensions, but for rounding."""
    rotation = np.linalg.qr(np.random.default_rng(3).normal(size=(N, N)))[0]
    flat = np.zeros_like(rows)
    flat[:, :4] = rows[:, :4]
    return flat @ rotation + 1e-7 * np.random.default_rng(4).normal(size=rows.shape)


def test_training_atoms_have_grades_of_at_most_one(rows):
    found = active_set(rows)
    assert found.n_seen == N + 1
    assert found.grades(rows).max() <= 1.001
    assert found.grades(rows[found.owners[:, 1]]) == pytest.approx(1.0)


def test_grade_is_the_change_of_volume_on_exchange(rows):
    found = active_set(rows)
    new = 3.0 * rows[7]
    volumes = []
    for index in range(N + 1):
        exchanged = found.matrix.copy()
        exchanged[index] = [*(new / found.scales), 1.0]
        volumes.append(abs(np.linalg.det(exchanged) / np.linalg.det(found.matrix)))
    assert found.grades(new[None])[0] == pytest.approx(max(volumes))


def test_grade_does_not_depend_on_the_basis_of_the_features(rows):
    turned = rows @ np.linalg.qr(np.random.default_rng(8).normal(size=(N, N)))[0]
    assert active_set(turned).grades(4.0 * turned) == pytest.approx(active_set(rows).grades(4.0 * rows), rel=0.2)


def test_grade_grows_in_proportion_far_away(rows):
    found = active_set(rows)
    assert found.grades(2e4 * rows) == pytest.approx(2 * found.grades(1e4 * rows), rel=1e-2)


def test_atom_without_neighbours_is_not_known(rows):
    found = active_set(rows + 3.0)
    assert found.grades(np.zeros((1, N)))[0] > 10


def test_direction_never_seen_raises_the_grade(flat_rows):
    found = active_set(flat_rows)
    assert found.n_seen == 5
    unseen = np.linalg.svd(flat_rows)[2][-1]
    inside = flat_rows[:5]
    assert found.grades(inside).max() <= 1.001
    for size in (0.01, 0.1, 1.0):
        outside = inside + size * found.scales * unseen
        assert (found.grades(outside) >= 0.4 * size / FLOOR).all()


def test_rounding_does_not_raise_the_grade(flat_rows):
    found = active_set(flat_rows)
    noisy = flat_rows + 1e-6 * np.random.default_rng(5).normal(size=flat_rows.shape)
    assert found.grades(noisy).max() <= 1.02


def test_fewer_atoms_than_directions(rows):
    found = active_set(rows[:3])
    assert found.n_seen == 3
    assert found.grades(rows[:3]).max() <= 1.001
    assert found.grades(rows[50:]).min() > 10


def test_extending_lowers_the_grade_of_what_was_added(rows):
    found = active_set(rows)
    far = 5.0 * rows[:10]
    extended = found.extended(far, owners_of(10, configuration=9))
    assert found.grades(far).max() > 2
    assert extended.grades(far).max() <= 1.001
    assert (extended.owners[:, 0] == 9).any()
    assert found.owners.max() < 200


def test_features_that_are_no_numbers_have_an_infinite_grade(rows):
    grade = LatentGrade(("Li",), (active_set(rows),), "a" * 64)
    broken = np.where(np.arange(N) == 2, np.nan, rows[:2])
    assert np.isinf(grade.grades(broken, np.zeros(2, dtype=np.int64))).all()


def test_state_survives_its_file(tmp_path, rows):
    grade = LatentGrade(("Li", "S"), (active_set(rows), active_set(2 * rows)), "a" * 64)
    grade.save(tmp_path / "active.npz")
    back = LatentGrade.load(tmp_path / "active.npz", model_sha256="a" * 64)
    types = np.arange(len(rows)) % 2
    assert np.array_equal(back.grades(3 * rows, types), grade.grades(3 * rows, types))
    assert back.species == ("Li", "S")


def test_state_of_another_network_is_refused(tmp_path, rows):
    LatentGrade(("Li",), (active_set(rows),), "a" * 64).save(tmp_path / "active.npz")
    with pytest.raises(DataFileError, match="active set of another network"):
        LatentGrade.load(tmp_path / "active.npz", model_sha256="b" * 64)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"text"])
def test_damaged_state_is_refused(tmp_path, content):
    (tmp_path / "active.npz").write_bytes(content)
    with pytest.raises(DataFileError, match="no active set of a network, or damaged"):
        LatentGrade.load(tmp_path / "active.npz")


@pytest.fixture(scope="module")
def model(small_network):
    return load_model(small_network.run.checkpoint)


@pytest.fixture(scope="module")
def grade(small_network, model):
    return build_latent_grade(model, [one.atoms for one in small_network.labels], small_network.run.checkpoint.sha256)


@pytest.mark.slow
def test_network_knows_its_training_set_and_not_what_is_far_from_it(small_network, model, grade):
    known = small_network.labels[0].atoms
    calculator = NequIPCalculator(model, grade=grade)
    assert calculator.get_property("extrapolation_grades", known).max() <= 1.001
    squeezed = known.copy()
    squeezed.set_cell(0.8 * known.cell.array, scale_atoms=True)
    assert calculator.get_property("extrapolation_grades", squeezed).max() > 1.5


@pytest.mark.slow
def test_candidates_that_add_something_are_selected(small_network, model, grade):
    known = small_network.labels[0].atoms
    squeezed = known.copy()
    squeezed.set_cell(0.8 * known.cell.array, scale_atoms=True)
    found = select_latent_additions(grade, model, [known, squeezed, squeezed.copy()], n_known=8)
    assert found.selected == (1,)
    assert found.candidate_grades[0] <= 1.001 < found.candidate_grades[1]
    result = model.compute(squeezed)
    assert found.grade.grades_of(model, squeezed, result).max() <= 1.001
    owners = np.concatenate([one.owners[:, 0] for one in found.grade.active_sets])
    assert 8 + found.selected[0] in owners


@pytest.mark.slow
def test_nothing_to_select(model, grade):
    assert select_latent_additions(grade, model, []).selected == ()
    with pytest.raises(UserInputError, match="a threshold is above 1"):
        select_latent_additions(grade, model, [], threshold=0.9)


@pytest.mark.slow
def test_training_set_without_an_element_is_refused(small_network, model):
    lithium = small_network.labels[0].atoms
    lithium = lithium[lithium.symbols == "Li"]
    with pytest.raises(UserInputError, match="no configuration of the training set has S"):
        build_latent_grade(model, [lithium], "a" * 64)
