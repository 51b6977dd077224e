from dataclasses import replace

import numpy as np
import pytest

from interfaceflow.core.errors import CalculationError
from interfaceflow.reference.dynamics import SamplingTask, sample_trajectory
from interfaceflow.reference.levels_of_theory import calculator_of


@pytest.fixture
def sampling(argon, argon_level):
    return SamplingTask(
        atoms=argon,
        temperature_K=400.0,
        timestep_fs=2.0,
        n_steps=40,
        sample_every=8,
        seed=3,
        level=argon_level,
        name="argon-400K",
    )


def no_progress(n=1):
    pass


def test_frames_are_labelled_and_spaced(sampling):
    steps = []
    frames = sample_trajectory(sampling, lambda n=1: steps.append(n))
    assert len(frames) == sampling.n_samples == 5
    assert sum(steps) == 40
    assert [frame.source for frame in frames][::4] == ["argon-400K, step 8", "argon-400K, step 40"]
    assert {(frame.trajectory, frame.temperature_K) for frame in frames} == {("argon-400K", 400.0)}


def test_a_label_is_that_of_its_own_configuration(sampling, argon_level):
    frame = sample_trajectory(sampling, no_progress)[-1]
    atoms = frame.atoms.copy()
    atoms.calc = calculator_of(argon_level)
    assert frame.energy_eV == pytest.approx(atoms.get_potential_energy(), abs=1e-10)
    np.testing.assert_allclose(frame.forces_eV_A, atoms.get_forces(), atol=1e-10)
    np.testing.assert_allclose(frame.stress_eV_A3, atoms.get_stress(), atol=1e-12)


def test_the_seed_decides_the_run(sampling):
    first, again = (sample_trajectory(sampling, no_progress)[-1] for _ in range(2))
    other = sample_trajectory(replace(sampling, seed=4), no_progress)[-1]
    np.testing.assert_array_equal(first.atoms.positions, again.atoms.positions)
    assert np.abs(first.atoms.positions - other.atoms.positions).max() > 0.01


def test_frames_come_after_heating_and_equilibration(sampling):
    steps = []
    heated = replace(sampling, ramp_steps=10, ramp_from_K=100.0, equilibration_steps=6)
    frames = sample_trajectory(heated, lambda n=1: steps.append(n))
    assert len(frames) == heated.n_samples == 5
    assert sum(steps) == heated.n_steps_in_all == 56
    assert [frame.source for frame in frames][::4] == ["argon-400K, step 24", "argon-400K, step 56"]


def test_the_thermostat_follows_the_ramp(sampling, monkeypatch):
    from ase import units
    from ase.md.langevin import Langevin

    asked = []
    real = Langevin.step
    monkeypatch.setattr(Langevin, "step", lambda self, *a: (asked.append(self.temp / units.kB), real(self, *a))[1])
    sample_trajectory(replace(sampling, ramp_steps=6, ramp_from_K=100.0, n_steps=3, sample_every=3), no_progress)
    np.testing.assert_allclose(asked, [150, 200, 250, 300, 350, 400, 400, 400, 400])
    assert sampling.thermostat_K(0) == 400.0  # without a ramp a run starts at its temperature


@pytest.mark.physics
def test_the_mean_temperature_is_the_one_asked_for(sampling, monkeypatch):
    # 32 atoms: the kinetic temperature's spread is T sqrt(2 / 93) = 60 K. With a friction of 0.01 / fs its memory is
    # about 50 fs, so 300 steps of 4 fs hold some 24 independent values: the mean is within 3 x 60 / 5 = 36 K.
    from interfaceflow.reference import dynamics

    seen = []
    monkeypatch.setattr(dynamics, "_check_together", lambda atoms, step, task: seen.append(atoms.get_temperature()))
    sample_trajectory(replace(sampling, timestep_fs=4.0, n_steps=330, sample_every=330), no_progress)
    assert np.mean(seen[30:]) == pytest.approx(400.0, abs=36)


def test_atoms_that_fly_apart_are_an_error(sampling):
    sampling.atoms.positions[1] = sampling.atoms.positions[0] + (1.5, 0.0, 0.0)
    with pytest.raises(CalculationError, match="fly apart at step 1"):
        sample_trajectory(sampling, no_progress)


def test_a_run_that_was_stopped_goes_on_as_if_it_had_not_been(sampling, tmp_path):
    whole = sample_trajectory(sampling, no_progress)
    resumable = replace(sampling, checkpoint=tmp_path / "run.npz")
    steps = []

    def advance_and_stop_at_step_27(n=1):
        steps.append(n)
        if len(steps) == 27:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sample_trajectory(resumable, advance_and_stop_at_step_27)
    resumed_steps = []
    resumed = sample_trajectory(resumable, lambda n=1: resumed_steps.append(n))
    assert resumed_steps == [24] + [1] * 16
    assert [frame.source for frame in resumed] == [frame.source for frame in whole]
    for one, other in zip(resumed, whole, strict=True):
        np.testing.assert_allclose(one.atoms.positions, other.atoms.positions, atol=1e-7)
    np.testing.assert_array_equal(resumed[-1].atoms.positions, whole[-1].atoms.positions)


def test_a_run_is_stored_between_frames_that_are_far_apart(sampling, tmp_path, monkeypatch):
    from interfaceflow.reference import checkpoint

    monkeypatch.setattr(checkpoint, "CHECKPOINT_INTERVAL_S", 0.0)
    whole = sample_trajectory(replace(sampling, sample_every=20), no_progress)
    resumable = replace(sampling, sample_every=20, checkpoint=tmp_path / "run.npz")
    for n_before, stop_after in ((0, 7), (7, 5), (12, 20)):
        steps = []

        def advance_and_stop(n=1, steps=steps, stop_after=stop_after):
            steps.append(n)
            if len(steps) > stop_after:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            sample_trajectory(resumable, advance_and_stop)
        assert steps[0] == (n_before + 1 if n_before else 1)
    (first, last) = sample_trajectory(resumable, no_progress)
    np.testing.assert_array_equal(last.atoms.positions, whole[1].atoms.positions)
    np.testing.assert_allclose(first.atoms.positions, whole[0].atoms.positions, atol=1e-7)


def test_a_frame_that_was_written_half_is_taken_again(sampling, tmp_path):
    resumable = replace(sampling, checkpoint=tmp_path / "run.npz")
    whole = sample_trajectory(resumable, no_progress)
    with (tmp_path / "run.frames.xyz").open("a") as stream:
        stream.write("32\nLattice=")
    again = sample_trajectory(resumable, no_progress)
    assert [frame.source for frame in again] == [frame.source for frame in whole]


def test_a_run_without_the_frames_it_kept_begins_anew(sampling, tmp_path):
    resumable = replace(sampling, checkpoint=tmp_path / "run.npz")
    sample_trajectory(resumable, no_progress)
    (tmp_path / "run.frames.xyz").write_text("")
    assert len(sample_trajectory(resumable, no_progress)) == 5
