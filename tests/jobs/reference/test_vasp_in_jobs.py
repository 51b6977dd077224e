"""VASP's Makers behind the jobs that relax, label and sample, with the stand-in for VASP."""

from pathlib import Path

import numpy as np
import pytest
from ase import units
from ase.build import bulk
from atomate2 import SETTINGS as ATOMATE2
from pymatgen.core import SETTINGS
from run_relaxations import documents_of
from stand_in import COMMAND, vasp_settings, write_potcars

from interfaceflow.core.errors import CalculationError
from interfaceflow.core.formats.structure_file import read_structure
from interfaceflow.jobs.reference import vasp
from interfaceflow.jobs.reference.calculation import calculate, label_of
from interfaceflow.jobs.reference.makers import Segment, makers_of
from interfaceflow.schemas.level_of_theory import LevelOfTheory

# What third parties say of potentials without content and of made-up densities of states.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::pymatgen.io.vasp.inputs.UnknownPotcarWarning"),
    pytest.mark.filterwarnings("ignore::pymatgen.io.vasp.outputs.UnconvergedVASPWarning"),
    pytest.mark.filterwarnings("ignore:invalid value encountered in scalar divide:RuntimeWarning"),
    pytest.mark.filterwarnings("ignore:Set OLD_ERROR_HANDLING:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Pydantic serializer warnings:UserWarning"),
]


@pytest.fixture
def level(project, monkeypatch):
    monkeypatch.setitem(SETTINGS, "PMG_VASP_PSP_DIR", str(write_potcars(project / "potentials")))
    monkeypatch.setattr(ATOMATE2, "VASP_CMD", COMMAND)
    monkeypatch.setattr(ATOMATE2, "VASP_GAMMA_CMD", COMMAND)
    monkeypatch.setattr(vasp, "_POLL_S", 0.05)
    return LevelOfTheory(name="test", description="For tests", physics=vasp_settings())


@pytest.fixture
def mixed():
    """Chlorine and lithium in an order that no input file has."""
    atoms = bulk("Cl", "fcc", a=3.62, cubic=True)
    atoms.symbols[[1, 3]] = "Li"
    atoms.set_array("origin_index", np.array([3, 2, 1, 0]))
    atoms.rattle(0.03, rng=np.random.default_rng(1))
    return atoms


def test_a_label_keeps_our_order(project: Path, level, mixed):
    makers = makers_of(level)
    makers.check(mixed, "mixed")
    (frame,) = calculate(makers, makers.static(), mixed, project / "static")
    label = label_of(frame, mixed, level, source="mixed", trajectory="mixed")
    np.testing.assert_allclose(label.atoms.positions, mixed.positions, atol=1e-6)
    assert label.atoms.get_chemical_symbols() == ["Cl", "Li", "Cl", "Li"]
    assert list(label.atoms.arrays["origin_index"]) == [3, 2, 1, 0]
    assert label.energy_eV != label.free_energy_eV


def test_a_relaxation_is_run_until_the_stress_is_gone_too(project: Path, level, mixed):
    mixed.rotate(37, (1, 2, 3), rotate_cell=True)
    free, along_normal = documents_of([("metal", mixed, "all", True), ("binary", mixed, "normal", True)], level)
    assert free.converged
    assert along_normal.converged
    assert free.energy_eV < along_normal.energy_eV
    relaxed = read_structure(along_normal.structure.file.path())
    np.testing.assert_allclose(relaxed.cell.array[:2], mixed.cell.array[:2], atol=1e-10)
    assert relaxed.get_chemical_symbols() == mixed.get_chemical_symbols()
    assert list(relaxed.arrays["origin_index"]) == [3, 2, 1, 0]


def test_a_segment_goes_on_from_the_one_before(project: Path, level, mixed):
    makers = makers_of(level)
    velocities_A_fs = np.random.default_rng(2).normal(scale=1e-3, size=(4, 3))
    mixed.set_velocities(velocities_A_fs / units.fs)
    segment = Segment(temperature_K=300, timestep_fs=1.0, n_steps=3, sample_every=1, friction_per_fs=0.01, seed=7)
    frames = calculate(makers, makers.molecular_dynamics(segment), mixed, project / "first")
    assert [frame.step for frame in frames] == [0, 1, 2, 3]
    np.testing.assert_allclose(frames[0].atoms.positions, mixed.positions, atol=1e-6)
    going_on = mixed.copy()
    going_on.positions = frames[-1].atoms.positions
    going_on.set_velocities(frames[-1].velocities_A_fs / units.fs)
    maker = makers.molecular_dynamics(segment)
    following = calculate(makers, maker, going_on, project / "second", project / "first")
    np.testing.assert_allclose(following[0].atoms.positions, frames[-1].atoms.positions, atol=1e-6)
    assert following[-1].step == 3


def test_what_custodian_cannot_mend_is_a_reason(project: Path, level, mixed, monkeypatch):
    monkeypatch.setenv("FAKE_VASP_FAILS", "brmix-always")
    makers = makers_of(level)
    with pytest.raises(CalculationError, match=r"^[A-Z]\w+Error"):
        calculate(makers, makers.static(), mixed, project / "failed")
