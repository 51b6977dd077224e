"""Lennard-Jones argon: a potential every LAMMPS has, and cells to run it on."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.lj import LennardJones

from interfaceflow.dynamics.pair_style import GradeSource, PairStyle

EPSILON_EV, SIGMA_A, CUTOFF_A = 0.0104, 3.40, 8.0
SKEW = np.array([[1.0, 0.0, 0.0], [0.35, 1.0, 0.0], [-0.2, 0.45, 1.0]])


def argon_pair_style(grade: GradeSource | None = None) -> PairStyle:
    return PairStyle(
        elements=("Ar",),
        commands=(f"pair_style lj/cut {CUTOFF_A}", f"pair_coeff * * {EPSILON_EV} {SIGMA_A}", "pair_modify shift yes"),
        grade=grade,
    )


@pytest.fixture
def lj() -> PairStyle:
    return argon_pair_style()


@pytest.fixture
def lj_with_grade() -> PairStyle:
    """Lennard-Jones with a stand-in for the grade: an atom's energy above -0.06 eV, in meV.

    It grows when a crystal is heated, as a grade does when atoms leave known ground.
    """
    commands = ("compute energy all pe/atom", 'variable grade atom "1000*(c_energy+0.06)"')
    return argon_pair_style(GradeSource(commands, "v_grade"))


@pytest.fixture
def ase_lj() -> LennardJones:
    return LennardJones(epsilon=EPSILON_EV, sigma=SIGMA_A, rc=CUTOFF_A, smooth=False)


@pytest.fixture
def crystal() -> Atoms:
    """108 argon atoms, fcc."""
    return bulk("Ar", "fcc", a=5.3, cubic=True) * (3, 3, 3)


def _turned(atoms: Atoms) -> Atoms:
    atoms.rotate(37.0, (1.0, 2.0, -0.5), rotate_cell=True)
    return atoms


def _skewed(atoms: Atoms) -> Atoms:
    """The same crystal: whole cell vectors added to the others change nothing, and the result is turned."""
    atoms.set_cell(np.array([[1, 0, 0], [1, 1, 0], [-1, 1, 1]]) @ atoms.cell.array, scale_atoms=False)
    return _turned(atoms)


def _strained(atoms: Atoms) -> Atoms:
    atoms.set_cell(SKEW @ (0.2 * atoms.cell.array) + 0.8 * atoms.cell.array, scale_atoms=True)
    return _turned(atoms)


def _left_handed(atoms: Atoms) -> Atoms:
    atoms.set_cell(atoms.cell.array[[1, 0, 2]], scale_atoms=False)
    return _turned(atoms)


@pytest.fixture(params=[_turned, _skewed, _strained, _left_handed], ids=lambda f: f.__name__.strip("_"))
def any_cell(request: pytest.FixtureRequest, crystal: Atoms) -> Atoms:
    """The crystal, shaken, some atoms outside the cell, in cells of several shapes."""
    atoms = crystal
    atoms.rattle(0.15, seed=3)
    atoms.positions[::7] += atoms.cell.array[0] - 2 * atoms.cell.array[2]
    return request.param(atoms)
