"""Velocities drawn from the Maxwell-Boltzmann distribution."""

from __future__ import annotations

import numpy as np
from ase import Atoms, units


def draw_velocities(atoms: Atoms, temperature_K: float, rng: np.random.Generator) -> Atoms:
    """Return a copy with random velocities, no motion of the centre of mass, and exactly this temperature.

    Drawn here and not by LAMMPS, so that they depend on the seed alone, whatever the number of ranks.

    Parameters
    ----------
    atoms
        Structure of at least two atoms.
    temperature_K
        Temperature [K], of 3N - 3 degrees of freedom.
    rng
        Source of random numbers.
    """
    masses = atoms.get_masses()[:, None]
    velocities = rng.standard_normal((len(atoms), 3)) / np.sqrt(masses)
    velocities -= (masses * velocities).sum(axis=0) / masses.sum()
    twice_kinetic = float((masses * velocities**2).sum())
    velocities *= np.sqrt((3 * len(atoms) - 3) * units.kB * temperature_K / twice_kinetic)
    moving: Atoms = atoms.copy()
    moving.set_velocities(velocities)
    return moving
