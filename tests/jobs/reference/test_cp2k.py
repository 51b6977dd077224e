"""CP2K itself on a cell of two atoms, with settings so coarse that only the gradients of the energy mean anything."""

import _thread
import contextlib
import shutil
import threading

import numpy as np
import psutil
import pytest
from ase.build import bulk

from interfaceflow.core.errors import CalculationError, UserInputError
from interfaceflow.jobs.reference.calculation import calculate, label_of, to_structure
from interfaceflow.jobs.reference.makers import Segment, makers_of
from interfaceflow.reference.cp2k.data_files import DATA_VARIABLE
from interfaceflow.reference.cp2k.installation import COMMAND_VARIABLE
from interfaceflow.reference.levels_of_theory import load_level_of_theory

needs_cp2k = pytest.mark.skipif(
    shutil.which("cp2k.psmp") is None, reason="CP2K is not installed: Debian's package cp2k"
)


@pytest.fixture
def silicon():
    atoms = bulk("Si", a=5.43)
    atoms.positions[1] += [0.1, 0.05, 0.02]
    atoms.set_array("origin_index", np.array([5, 4]))
    return atoms


@needs_cp2k
@pytest.mark.slow
def test_a_label_has_the_gradients_of_its_free_energy(project, cp2k_level, silicon):
    """Signs and units of forces and stress, by central differences."""
    makers = makers_of(cp2k_level)
    makers.check(silicon, "silicon")

    def label(atoms, name):
        (frame,) = calculate(makers, makers.static(), atoms, project / name)
        return label_of(frame, atoms, cp2k_level, source=name, trajectory="silicon")

    start = label(silicon, "start")
    assert start.converged
    assert start.physics_hash == cp2k_level.physics_hash
    assert list(start.atoms.arrays["origin_index"]) == [5, 4]
    np.testing.assert_allclose(start.atoms.positions, silicon.positions, atol=1e-9)
    np.testing.assert_allclose(start.forces_eV_A.sum(axis=0), 0.0, atol=0.01)

    energies = []
    for sign, displacement in ((1, 0.02), (-1, 0.02)):
        moved = silicon.copy()
        moved.positions[1, 2] += sign * displacement
        energies.append(label(moved, f"moved{sign}").free_energy_eV)
    assert start.forces_eV_A[1, 2] == pytest.approx(-(energies[0] - energies[1]) / 0.04, rel=0.03)

    energies = []
    for sign, strain in ((1, 0.01), (-1, 0.01)):
        strained = silicon.copy()
        strained.set_cell(silicon.cell.array @ np.diag([1, 1, 1 + sign * strain]), scale_atoms=True)
        energies.append(label(strained, f"strained{sign}").free_energy_eV)
    slope = (energies[0] - energies[1]) / 0.02 / silicon.get_volume()
    assert start.stress_eV_A3[2] == pytest.approx(slope, rel=0.1)


@needs_cp2k
@pytest.mark.slow
def test_dynamics_starts_from_the_velocities_it_is_given(project, cp2k_level, silicon):
    from ase import units

    velocities_A_fs = np.array([[0.001, 0.002, 0.003], [-0.001, -0.002, -0.003]])
    silicon.set_velocities(velocities_A_fs / units.fs)
    makers = makers_of(cp2k_level)
    segment = Segment(temperature_K=300, timestep_fs=1.0, n_steps=2, sample_every=1, friction_per_fs=0.01, seed=7)
    frames = calculate(makers, makers.molecular_dynamics(segment), silicon, project / "md")
    assert [frame.step for frame in frames] == [0, 1, 2]
    np.testing.assert_allclose(frames[0].velocities_A_fs, velocities_A_fs, atol=1e-8)
    np.testing.assert_allclose(frames[0].atoms.positions, silicon.positions, atol=1e-8)
    # Half a femtosecond of acceleration is little; the friction and its noise are less.
    np.testing.assert_allclose(frames[1].atoms.positions - silicon.positions, velocities_A_fs, atol=5e-4)
    assert all(frame.converged for frame in frames)


@needs_cp2k
@pytest.mark.slow
def test_a_relaxation_along_the_normal_leaves_the_plane_alone(project, cp2k_level, silicon):
    cell, rotation = silicon.cell.standard_form()
    silicon.positions = silicon.positions @ rotation.T
    silicon.set_cell(cell)
    makers = makers_of(cp2k_level)
    (last,) = calculate(makers, makers.relax("normal", 0.1, 3), silicon, project / "relaxation")
    np.testing.assert_allclose(last.atoms.cell.array[:2], cell[:2], atol=1e-8)
    np.testing.assert_allclose(last.atoms.cell.array[2, :2], cell[2, :2], atol=1e-8)
    assert abs(last.atoms.cell.array[2, 2] - cell[2, 2]) > 1e-3
    assert last.step >= 3


def test_the_installed_level_of_theory_is_of_this_engine():
    level = load_level_of_theory("cp2k-pbe")
    assert level.physics.engine == "cp2k"


def test_what_is_missing_is_named(project, fake_cp2k, cp2k_level, monkeypatch):
    makers = makers_of(cp2k_level)
    with pytest.raises(UserInputError, match="there is no basis SZV-MOLOPT-SR-GTH for U; choose another"):
        makers.check(bulk("U", "fcc", a=4.0), "uranium")
    half = bulk("Li", a=3.5)
    half.info["charge_e"] = 0.5
    with pytest.raises(UserInputError, match=r"lithium: CP2K knows only whole charges of the cell, and it is \+0.5 e"):
        makers.check(half, "lithium")
    monkeypatch.setenv(DATA_VARIABLE, str(project / "nowhere"))
    with pytest.raises(UserInputError, match=r"BASIS_MOLOPT and GTH_POTENTIALS are not in .*nowhere .*cp2k-data"):
        makers.check(bulk("Li", a=3.5), "lithium")
    monkeypatch.setenv(COMMAND_VARIABLE, "no-such-cp2k -x")
    with pytest.raises(UserInputError, match=r"'no-such-cp2k -x' is not a program .*packages cp2k and cp2k-data"):
        makers.check(bulk("Li", a=3.5), "lithium")


def test_atoms_keep_their_order_and_their_places(project, fake_cp2k, cp2k_level):
    atoms = bulk("Cl", "fcc", a=5.3, cubic=True)
    atoms.symbols[[0, 2]] = "Li"
    atoms.rattle(0.1, rng=np.random.default_rng(3))
    atoms.positions[2] += 3 * atoms.cell.array[0]
    structure, order = to_structure(atoms)
    assert [site.specie.symbol for site in structure] == ["Li", "Li", "Cl", "Cl"]
    assert list(order) == [0, 2, 1, 3]
    makers = makers_of(cp2k_level)
    (frame,) = calculate(makers, makers.static(), atoms, project / "calculation")
    assert frame.atoms.get_chemical_symbols() == atoms.get_chemical_symbols()
    np.testing.assert_allclose(frame.atoms.positions, atoms.positions, atol=1e-9)


def test_a_failure_says_what_the_program_said(project, fake_cp2k, cp2k_level, monkeypatch):
    monkeypatch.setenv("FAKE_CP2K_MAX_ATOMS", "0")
    makers = makers_of(cp2k_level)
    with pytest.raises(CalculationError, match=r"ReturnCodeError.*its last words: too many atoms for a fake"):
        calculate(makers, makers.static(), bulk("Li", a=3.5), project / "calculation")


def test_a_full_disk_is_no_fault_of_the_configuration(project, fake_cp2k, cp2k_level):
    class FullDisk:
        def make(self, structure, prev_dir):
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"), contextlib.chdir(project):
        calculate(makers_of(cp2k_level), FullDisk(), bulk("Li", a=3.5), project / "calculation")


def test_ctrl_c_ends_the_program_and_is_no_failed_calculation(project, fake_cp2k, cp2k_level, monkeypatch):
    monkeypatch.setenv("FAKE_CP2K_WAIT_S", "600")
    makers = makers_of(cp2k_level)
    before = set(psutil.Process().children())
    timer = threading.Timer(1.5, _thread.interrupt_main)
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        calculate(makers, makers.static(), bulk("Li", a=3.5), project / "calculation")
    assert (project / "calculation" / "cp2k.out").exists()
    assert set(psutil.Process().children()) == before
