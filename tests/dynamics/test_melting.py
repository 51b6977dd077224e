"""The melting point of Lennard-Jones argon, and brackets that do not hold it."""

import numpy as np
import pytest
from ase.build import bulk

from interfaceflow.analysis.solid_liquid import solid_fraction
from interfaceflow.core.errors import CalculationError
from interfaceflow.dynamics.coexistence import CoexistenceModel, build_long_cell, prepare_half_molten, run_coexistence
from interfaceflow.dynamics.guard import onlooker
from interfaceflow.dynamics.melting import _narrow, find_melting_point
from interfaceflow.schemas.settings import MeltingPointSettings


@pytest.fixture
def model(lj_with_grade):
    return CoexistenceModel(lj_with_grade, 8.0, onlooker(10), solid_fraction, seed=1)


def settings(**changes):
    small = {"lowest_K": 40.0, "highest_K": 130.0, "resolution_K": 35.0, "n_atoms": 250, "duration_ps": 40.0}
    return MeltingPointSettings(**{**small, **changes})


def test_argon_melts_where_it_should(crystal, model, tmp_path):
    """Truncated Lennard-Jones melts at a reduced temperature between 0.58 (cut at 2.35 sigma) and 0.69 (not cut):
    70 to 83 K; the cell is small and the bracket wide."""
    cell = crystal[:4]
    cell.set_cell(crystal.cell.array / 3)
    found = find_melting_point(cell, model, settings(), tmp_path)
    assert found.upper_K - found.lower_K <= 35.0
    assert found.lower_K - 10 < 76 < found.upper_K + 10
    by_temperature = [run.grew for run in found.runs]
    assert by_temperature == sorted(by_temperature, reverse=True), "the solid grows below and melts above"
    assert found.largest_grade > 0
    again = find_melting_point(cell, model, settings(), tmp_path)
    assert again == found, "a finished search is read back, not repeated"


def test_bracket_above_or_below_the_melting_point_is_refused(crystal, model, tmp_path):
    cell = crystal[:4]
    cell.set_cell(crystal.cell.array / 3)
    with pytest.raises(CalculationError, match=r"raise melting_point\.highest_K \(now 60\)"):
        find_melting_point(cell, model, settings(lowest_K=45.0, highest_K=60.0, duration_ps=20.0), tmp_path / "low")
    with pytest.raises(CalculationError, match="melts the metal already at lowest_K = 110 K"):
        find_melting_point(cell, model, settings(lowest_K=110.0, highest_K=130.0, duration_ps=20.0), tmp_path / "high")


@pytest.mark.parametrize(
    ("melting_point", "expected"), [(100.0, (100, 200)), (250.0, (200, 300)), (350.0, (300, 400)), (399.0, (300, 400))]
)
def test_bracket_is_cut_in_three(melting_point, expected):
    lower, upper, consistent = _narrow(100.0, 400.0, lambda *T: [t < melting_point for t in T])
    assert (lower, upper) == pytest.approx(expected) and consistent


def test_contradiction_becomes_the_bracket():
    assert _narrow(100.0, 400.0, lambda *T: [False, True]) == (pytest.approx(200), pytest.approx(300), False)


@pytest.mark.parametrize("n_atoms", [100, 400, 2000])
def test_long_cell_has_the_size_and_shape_asked_for(crystal, n_atoms):
    cell = crystal[:4]
    cell.set_cell(crystal.cell.array / 3)
    cell.rotate(20.0, (1, 2, 3), rotate_cell=True)
    long = build_long_cell(cell, n_atoms)
    a, b, c = long.cell.lengths()
    assert 0.6 * n_atoms <= len(long) <= 1.4 * n_atoms
    assert a == pytest.approx(b) and 2 <= c / a <= 4
    assert np.allclose(np.triu(long.cell.array, 1), 0, atol=1e-12)


@pytest.mark.parametrize(
    ("name", "structure", "a", "n_in_brick"), [("Li", "bcc", 3.44, 2), ("Ar", "fcc", 5.3, 2), ("Mg", "hcp", 3.2, 4)]
)
def test_primitive_cells_of_metals_become_orthogonal(name, structure, a, n_in_brick):
    primitive = bulk(name, structure, a=a)
    primitive.rotate(25.0, (1, 1, 3), rotate_cell=True)
    long = build_long_cell(primitive, 200)
    assert np.allclose(long.cell.angles(), 90.0, atol=1e-6)
    assert len(long) % n_in_brick == 0
    assert long.get_volume() / len(long) == pytest.approx(primitive.get_volume() / len(primitive))
    assert shortest_distance(long) == pytest.approx(shortest_distance(primitive * (2, 2, 2)))


def shortest_distance(atoms):
    distances = atoms.get_all_distances(mic=True)
    return distances[np.triu_indices(len(atoms), 1)].min()


def test_run_ends_early_when_it_is_decided(crystal, model, tmp_path):
    long = build_long_cell(crystal, 216)
    half, _ = prepare_half_molten(long, model, warm_K=70.0, hot_K=130.0, folder=tmp_path / "half")
    run = run_coexistence(half, model, 120.0, 100.0, tmp_path / "hot")
    assert not run.grew and run.solid_fraction_end < 0.1
    assert not (tmp_path / "hot" / "piece_4.json").exists()
    boiling = run_coexistence(half, model, 400.0, 50.0, tmp_path / "boiling")
    assert not boiling.grew
    assert "evaporate" in (tmp_path / "boiling" / "piece_0.json").read_text()
