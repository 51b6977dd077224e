import sys
from pathlib import Path

import pytest

from interfaceflow.core.files import PROJECT_ROOT_VARIABLE
from interfaceflow.reference.cp2k.data_files import BASIS_FILE, DATA_VARIABLE, POTENTIAL_FILE
from interfaceflow.reference.cp2k.installation import COMMAND_VARIABLE
from interfaceflow.schemas.cp2k import Cp2kSettings
from interfaceflow.schemas.level_of_theory import LennardJonesSettings, LevelOfTheory

# The form of CP2K's files with numbers of no meaning: the program that reads them here has its own.
_BASIS = """{element} SZV-MOLOPT-SR-GTH SZV-MOLOPT-SR-GTH-q{n}
 1
 2 0 0 2 1
  2.693604434572 -0.0124
  0.816860450000  0.5311
"""
_POTENTIAL = """{element} GTH-PBE-q{n} GTH-PBE
    {n}
     0.44000000    1    -6.26928833
    0
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.setenv(PROJECT_ROOT_VARIABLE, str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def cp2k_level():
    """CP2K as cheap as it can be: a minimal basis, two k-points along each vector of a small cell."""
    physics = Cp2kSettings(
        engine="cp2k", basis="SZV-MOLOPT-SR-GTH", cutoff_Ry=150, relative_cutoff_Ry=30, k_spacing_per_A=1.5
    )
    return LevelOfTheory(name="cp2k-test", description="CP2K, coarse", physics=physics)


@pytest.fixture
def fake_cp2k(project, monkeypatch):
    """Put the program in fake_cp2k.py in CP2K's place, with data files for lithium and chlorine."""
    monkeypatch.setenv(COMMAND_VARIABLE, f"{sys.executable} {Path(__file__).with_name('fake_cp2k.py')}")
    folder = project / "cp2k-data"
    folder.mkdir()
    for name, entry in ((BASIS_FILE, _BASIS), (POTENTIAL_FILE, _POTENTIAL)):
        (folder / name).write_text("# header\n" + "#\n".join(entry.format(element=e, n=8) for e in ("Li", "Cl")))
    monkeypatch.setenv(DATA_VARIABLE, str(folder))


@pytest.fixture
def argon_level():
    """What the fake program computes, in this process."""
    physics = LennardJonesSettings(engine="lennard-jones", sigma_A=3.4, epsilon_eV=0.104, cutoff_A=6.0)
    return LevelOfTheory(name="argon", description="Lennard-Jones", physics=physics)
