"""Calculators in the molecular dynamics of ASE."""

from __future__ import annotations

import numpy as np
from ase import Atoms, units
from ase.calculators.calculator import Calculator
from ase.md.verlet import VelocityVerlet
from numpy.typing import NDArray


class AseDynamics:
    """NVE dynamics of ASE.

    Parameters
    ----------
    name
        What the tables call it.
    calculator
        Of the forces.
    atoms
        The start, with velocities; copied.
    """

    def __init__(self, name: str, calculator: Calculator, atoms: Atoms) -> None:
        self._name = name
        self._atoms = atoms.copy()
        self._atoms.calc = calculator
        self._start = (float(self._atoms.get_potential_energy()), np.array(self._atoms.get_forces()))
        self._dynamics = VelocityVerlet(self._atoms, 1.0 * units.fs)

    @property
    def name(self) -> str:
        """What the tables call it."""
        return self._name

    def advance(self, n_steps: int) -> None:
        """Run on."""
        self._dynamics.run(n_steps)

    def energy_and_forces(self) -> tuple[float, NDArray[np.float64]]:
        """Return the energy in eV and the forces in eV/Å of the start, in the order of its atoms."""
        return self._start
