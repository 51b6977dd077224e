"""Calculators of ASE, and motep's, which is the peer that a package registry has."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
from ase import Atoms, units
from ase.calculators.calculator import Calculator
from ase.md.verlet import VelocityVerlet
from numpy.typing import NDArray
from start import SPECIES

MOTEP = "motep, C extension"
_ATOMIC_NUMBERS = (3, 16)


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


def has_motep() -> bool:
    """Return whether motep is installed; where it is not, say how to install it."""
    if find_spec("motep") is not None:
        return True
    print("motep is not installed, so it is not in the tables: pip install -e '.[benchmark]' installs it", flush=True)
    return False


def motep_calculator(text_potential: Path) -> Calculator:
    """Return motep's calculator on its C extension.

    Parameters
    ----------
    text_potential
        A potential without active set, the only kind that motep reads.
    """
    from motep.calculator import MTP

    return MTP(motep_potential(text_potential), engine="cext", mode="run")


def motep_potential(text_potential: Path) -> object:
    """Return motep's own object of a potential."""
    from motep.io.mlip.mtp import read_mtp

    potential = read_mtp(str(text_potential))
    potential.species = list(_ATOMIC_NUMBERS[: len(SPECIES)])
    return potential
