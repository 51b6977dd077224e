"""Frames of real dynamics: the memory of their energy is that of the thermostat, and what is kept has lost it."""

import numpy as np
import pytest
from argon import pairs
from ase.build import bulk

from interfaceflow.datasets.decorrelation import choose_decorrelated
from interfaceflow.reference.dynamics import FRICTION_PER_FS, SamplingTask, sample_trajectory


@pytest.mark.slow
@pytest.mark.physics
def test_a_crystal_forgets_its_energy_as_fast_as_the_thermostat_makes_it():
    # A mode of frequency w above the friction g remembers its place with exp(-g t / 2) cos(w t), and so its potential
    # energy with exp(-g t) cos^2(w t): the integral is 1 / (2 g), 50 fs. Slow modes of a small crystal add to it.
    atoms = bulk("Ar", "fcc", a=5.4, cubic=True).repeat((2, 1, 1))
    task = SamplingTask(atoms, 60.0, 4.0, 2400, 2, seed=1, level=pairs(), name="argon", equilibration_steps=200)
    energies = np.array([frame.free_energy_eV for frame in sample_trajectory(task, lambda n=1: None)])
    indices, correlation = choose_decorrelated(energies)
    time_fs = correlation.time * task.sample_every * task.timestep_fs
    assert correlation.is_known
    assert 0.8 / (2 * FRICTION_PER_FS) < time_fs < 2.0 / (2 * FRICTION_PER_FS)
    kept = energies[indices] - energies.mean()
    assert np.corrcoef(energies[1:], energies[:-1])[0, 1] > 0.9
    # About exp(-2), give or take the noise of some 75 values.
    assert kept[1:] @ kept[:-1] / (kept @ kept) < 0.135 + 3 / np.sqrt(len(kept))
