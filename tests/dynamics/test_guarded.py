"""Guarded runs: they last, or break for a reason, and hand back what is needed to learn and go on."""

import numpy as np
import pytest

from interfaceflow.core.labels import ORIGIN_INDEX, PHASE, REGION
from interfaceflow.dynamics.guard import Guard, closest_approach
from interfaceflow.dynamics.guarded import GuardedSettings, run_guarded_md


def settings(temperature_K, break_threshold=1e6, select_threshold=1e5, duration_ps=4.0, **more):
    distances = more.pop("min_distances_A", {})
    return GuardedSettings(
        temperature_K=temperature_K,
        duration_ps=duration_ps,
        timestep_fs=4.0,
        select_threshold=select_threshold,
        guard=Guard(break_threshold, every=10, min_distances_A=distances),
        **more,
    )


@pytest.fixture
def labelled(crystal):
    crystal.set_array(PHASE, np.array(["metal"] * len(crystal)))
    crystal.set_array(REGION, np.array(["interior"] * len(crystal)))
    crystal.set_array(ORIGIN_INDEX, np.arange(len(crystal)))
    return crystal


def test_quiet_run_lasts(labelled, lj_with_grade, tmp_path):
    run = run_guarded_md(labelled, lj_with_grade, settings(20.0), tmp_path, seed=1)
    assert (run.broke, run.reason, run.breaking, run.candidates) == (False, None, None, ())
    assert run.reached_ps == pytest.approx(4.0)
    assert len(run.record.grades) == 101
    assert run.last_safe.step == 1000
    assert run.last_safe.atoms.arrays[ORIGIN_INDEX].tolist() == list(range(108))


def test_run_breaks_at_the_threshold_and_goes_on_from_the_last_safe_frame(labelled, lj_with_grade, tmp_path):
    asked = settings(150.0, break_threshold=45.0, select_threshold=20.0)
    run = run_guarded_md(labelled, lj_with_grade, asked, tmp_path / "first", seed=1)
    assert run.broke
    assert "reached the break threshold 45" in run.reason
    assert run.candidates[-1] is run.breaking
    assert run.breaking.largest_grade == pytest.approx(run.largest_grade, rel=1e-4)
    assert run.reached_ps == pytest.approx(run.breaking.step * 0.004)
    assert len(run.candidates) > 2
    assert all(frame.largest_grade >= 20.0 for frame in run.candidates)
    assert [frame.step for frame in run.candidates] == sorted({frame.step for frame in run.candidates})
    safe = run.last_safe
    assert safe.step < run.breaking.step
    assert safe.grades is None or safe.largest_grade < 20.0
    again = run_guarded_md(safe.atoms, lj_with_grade, settings(20.0), tmp_path / "second", seed=2)
    assert not again.broke


def test_seed_makes_the_run_and_another_seed_another(labelled, lj_with_grade, tmp_path):
    first, same, other = (
        run_guarded_md(labelled, lj_with_grade, settings(50.0), tmp_path / name, seed=seed)
        for name, seed in (("a", 1), ("b", 1), ("c", 2))
    )
    np.testing.assert_array_equal(first.last_safe.atoms.positions, same.last_safe.atoms.positions)
    assert not np.allclose(first.last_safe.atoms.positions, other.last_safe.atoms.positions)


def test_pairs_closer_than_the_training_set_had_break_the_run(labelled, lj_with_grade, tmp_path):
    asked = settings(60.0, min_distances_A={"Ar-Ar": 3.75, "Ar-Xe": 9.0})
    run = run_guarded_md(labelled, lj_with_grade, asked, tmp_path, seed=1)
    assert run.broke and run.largest_grade < 1e5
    pair, distance = closest_approach(run.breaking.atoms, {"Ar-Ar": 3.75})
    assert pair == "Ar-Ar" and distance < 0.9 * 3.75
    assert f"Ar-Ar came as close as {distance:.2f} Å" in run.reason


def test_cell_that_evaporates_breaks_the_run(labelled, lj_with_grade, tmp_path):
    asked = settings(400.0, barostat="isotropic", duration_ps=40.0)
    run = run_guarded_md(labelled, lj_with_grade, asked, tmp_path, seed=1)
    growth = run.breaking.atoms.get_volume() / labelled.get_volume()
    assert run.broke and growth >= 1.4
    assert f"the cell went to {growth:.2f} of its volume" in run.reason
    assert run.last_safe.atoms.get_volume() < 1.25 * labelled.get_volume() < run.candidates[0].atoms.get_volume()
    assert len(run.candidates) > 1


@pytest.mark.parametrize(("barostat", "free"), [("none", ()), ("normal", (2,)), ("isotropic", (0, 1, 2))])
def test_barostat_moves_only_what_it_may(labelled, lj, tmp_path, barostat, free):
    labelled.set_cell(np.diag([1.0, 1.0, 1.04]) @ labelled.cell.array, scale_atoms=True)
    run = run_guarded_md(labelled, lj, settings(20.0, barostat=barostat), tmp_path, seed=1)
    change = run.last_safe.atoms.cell.lengths() - labelled.cell.lengths()
    assert [axis for axis in range(3) if abs(change[axis]) > 1e-6] == list(free)
    assert (run.largest_grade, run.last_safe.grades) == (0.0, None)


def test_atoms_that_fly_apart_are_a_break(labelled, lj_with_grade, tmp_path):
    labelled.positions[1] = labelled.positions[0] + [0.3, 0.0, 0.0]
    run = run_guarded_md(labelled, lj_with_grade, settings(20.0, break_threshold=1e300), tmp_path, seed=1)
    assert run.broke and run.breaking is None
    assert "LAMMPS stopped" in run.reason and "flew apart" in run.reason
