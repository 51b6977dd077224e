import numpy as np
import pytest
from ase.build import bulk

from interfaceflow.core.files import PROJECT_ROOT_VARIABLE
from interfaceflow.schemas.level_of_theory import LennardJonesSettings, LevelOfTheory


@pytest.fixture(scope="session")
def argon_level():
    physics = LennardJonesSettings(engine="lennard-jones", sigma_A=3.4, epsilon_eV=0.104, cutoff_A=6.0)
    return LevelOfTheory(name="argon", description="Argon with a well ten times too deep", physics=physics)


@pytest.fixture
def argon():
    """A rattled fcc cell of 32 atoms, a little too large."""
    atoms = bulk("Ar", "fcc", a=5.4, cubic=True).repeat(2)
    atoms.rattle(0.05, rng=np.random.default_rng(1))
    return atoms


@pytest.fixture
def skewed_argon():
    """A primitive cell repeated unequally and turned so that no cell vector lies along a Cartesian axis."""
    atoms = bulk("Ar", "fcc", a=5.4).repeat((1, 2, 3))
    atoms.rotate(37, (1, 2, 3), rotate_cell=True)
    atoms.rattle(0.05, rng=np.random.default_rng(2))
    return atoms


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.setenv(PROJECT_ROOT_VARIABLE, str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path
