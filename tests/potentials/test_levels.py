"""The generator of levels against MLIP-3's own templates."""

import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from interfaceflow.core.errors import UserInputError
from interfaceflow.potentials.mtp.levels import LEVELS, MomentBasis, generate_basis, untrained_potential

TEMPLATES = Path(__file__).parents[1] / "data" / "mtp" / "templates"
DATA = TEMPLATES.parent


def tables(text: str) -> MomentBasis:
    """Read the tables of a template with nothing of the package."""

    def integers(key: str) -> np.ndarray:
        value = re.search(rf"^\s*{key}\s*=\s*(.*)$", text, re.MULTILINE)
        assert value
        return np.array([int(number) for number in re.findall(r"\d+", value[1])], dtype=int)

    return MomentBasis(
        level=0,
        basic_moments=integers("alpha_index_basic").reshape(-1, 4),
        contractions=integers("alpha_index_times").reshape(-1, 4),
        scalar_moments=integers("alpha_moment_mapping"),
        moment_count=int(integers("alpha_moments_count")[0]),
    )


@pytest.mark.parametrize("level", range(6, 21, 2))
def test_tables_are_those_of_the_template(level):
    ours, theirs = generate_basis(level), tables((TEMPLATES / f"{level:02d}.almtp").read_text())
    np.testing.assert_array_equal(ours.basic_moments, theirs.basic_moments)
    np.testing.assert_array_equal(ours.contractions, theirs.contractions)
    np.testing.assert_array_equal(ours.scalar_moments, theirs.scalar_moments)
    assert ours.moment_count == theirs.moment_count


def moments_of_points(basis: MomentBasis, points: np.ndarray) -> np.ndarray:
    """Evaluate all scalar moments of a cloud of points, radial function mu being 1 / (1 + mu + r^2)."""
    squared = np.sum(points**2, axis=1)
    values = np.zeros(basis.moment_count)
    for number, (mu, *powers) in enumerate(basis.basic_moments):
        values[number] = np.sum(np.prod(points ** np.array(powers), axis=1) / (1 + mu + squared))
    for first, second, factor, target in basis.contractions:
        values[target] += factor * values[first] * values[second]
    return values[basis.scalar_moments]


@pytest.mark.parametrize("level", LEVELS[:9])
def test_scalar_moments_do_not_change_when_the_points_are_rotated(level):
    rng = np.random.default_rng(level)
    points = rng.uniform(-1, 1, (7, 3))
    rotation, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    basis = generate_basis(level)
    np.testing.assert_allclose(
        moments_of_points(basis, points @ rotation.T), moments_of_points(basis, points), rtol=1e-10, atol=1e-12
    )


def test_each_level_contains_the_one_below():
    rng = np.random.default_rng(3)
    points = rng.uniform(-1, 1, (6, 3))
    values = [moments_of_points(generate_basis(level), points) for level in LEVELS[:8]]
    for small, large in pairwise(values):
        assert len(small) < len(large)
        assert np.isclose(small[:, None], large, rtol=1e-11, atol=0).any(axis=1).all()


def test_numbers_of_functions_up_to_the_highest_level():
    # Counts of MLIP-3's templates for levels 22 to 28.
    assert [len(generate_basis(level).scalar_moments) for level in (22, 24)] == [500, 864]


@pytest.mark.slow
def test_numbers_of_functions_of_the_highest_level():
    basis = generate_basis(28)
    assert (len(basis.scalar_moments), len(basis.contractions), basis.moment_count) == (2445, 180069, 17366)


@pytest.mark.parametrize("level", [0, 3, 7, 30])
def test_a_level_that_does_not_exist_is_refused(level):
    with pytest.raises(UserInputError, match="even numbers from 2 to 28"):
        generate_basis(level)


def test_untrained_potential_is_the_template_but_for_its_name():
    ours = untrained_potential(8, species_count=1)
    theirs = (TEMPLATES / "08.almtp").read_text()
    assert ours.replace("MTP_level_08", "MTP1m").strip() == theirs.strip()


@pytest.mark.parametrize(
    ("given", "word"),
    [
        ({"species_count": 0}, "species_count"),
        ({"species_count": 2, "cutoff_radius": 1.0}, "min_dist"),
        ({"species_count": 2, "cutoff_radius": float("nan")}, "cutoff"),
        ({"species_count": 2, "radial_basis_size": 1}, "radial_basis_size"),
    ],
)
def test_untrained_potential_refuses_impossible_values(given, word):
    with pytest.raises(UserInputError, match=word):
        untrained_potential(8, **given)
