"""What is read from a run of the stand-in, against the calculator inside it, and from damaged files."""

import gzip
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.lj import LennardJones
from fake_vasp import CALCULATOR, ENTROPY_EV_PER_ATOM
from stand_in import run_stand_in

from interfaceflow.core.errors import CalculationError
from interfaceflow.reference.vasp.results import read_vasp_frames
from interfaceflow.schemas.vasp import DynamicsCalculation, RelaxCalculation, StaticCalculation

pytestmark = pytest.mark.filterwarnings("ignore::pymatgen.io.vasp.inputs.UnknownPotcarWarning")


def crystal():
    """A skewed cell of two unlike atoms, all six components of whose stress differ."""
    cell = [[2.6, 0.1, 0], [1.4, 2.3, 0.2], [1.2, 0.8, 2.2]]
    return Atoms("LiCl", scaled_positions=[[0, 0, 0], [0.46, 0.52, 0.49]], cell=np.array(cell) * 1.3, pbc=True)


@pytest.fixture(scope="module")
def static_run(tmp_path_factory):
    return run_stand_in(tmp_path_factory.mktemp("static") / "run", crystal(), StaticCalculation())


def copy(static_run, tmp_path):
    return Path(shutil.copytree(static_run, tmp_path / "run"))


def edit(path, pattern, replacement, count=0):
    text, n = re.subn(pattern, replacement, path.read_text(), count=count)
    assert n > 0
    path.write_text(text)


def test_a_label_is_what_the_calculator_gave(static_run):
    (frame,) = read_vasp_frames(static_run)
    atoms = crystal()
    atoms.calc = LennardJones(**CALCULATOR)
    np.testing.assert_allclose(frame.atoms.positions, atoms.positions, atol=1e-8)
    assert list(frame.atoms.symbols) == list(atoms.symbols)
    assert frame.free_energy_eV == pytest.approx(atoms.get_potential_energy(), abs=1e-7)
    assert frame.energy_eV == pytest.approx(frame.free_energy_eV + len(atoms) * ENTROPY_EV_PER_ATOM, abs=1e-7)
    np.testing.assert_allclose(frame.forces_eV_A, atoms.get_forces(), atol=1e-8)
    # kB with five digits: 1e-5 kB is 6e-9 eV/Å3.
    np.testing.assert_allclose(frame.stress_eV_A3, atoms.get_stress(), atol=1e-8)
    assert np.ptp(np.abs(frame.stress_eV_A3)) > 1e-3  # six numbers that tell order and sign
    np.testing.assert_allclose(frame.magnetic_moments, [0.1, 0.2])
    assert frame.converged
    assert frame.charge_e == 0


def test_gzipped_files_are_read(static_run, tmp_path):
    folder = copy(static_run, tmp_path)
    for name in ("vasprun.xml", "OUTCAR", "INCAR", "KPOINTS"):
        with gzip.open(folder / f"{name}.gz", "wb") as stream:
            stream.write((folder / name).read_bytes())
        (folder / name).unlink()
    assert read_vasp_frames(folder)[0].energy_eV == read_vasp_frames(static_run)[0].energy_eV


def test_a_wrong_energy_at_zero_smearing_is_mended(static_run, tmp_path):
    # Some releases write the free energy twice in a step's own energies, and the right one in the iterations'.
    folder = copy(static_run, tmp_path)
    text = (folder / "vasprun.xml").read_text()
    head, tail = text.rsplit('<i name="e_0_energy">', 1)
    free = re.findall(r'<i name="e_fr_energy">\s*(\S+)\s*</i>', text)[-1]
    (folder / "vasprun.xml").write_text(head + f'<i name="e_0_energy"> {free}' + tail[tail.index(" </i>") :])
    assert read_vasp_frames(folder)[0].energy_eV == pytest.approx(read_vasp_frames(static_run)[0].energy_eV, abs=1e-7)


@pytest.mark.slow
def test_an_electronic_loop_that_ran_out_is_not_converged(tmp_path):
    folder = run_stand_in(tmp_path / "run", crystal(), StaticCalculation(), failure="unconverged")
    assert not read_vasp_frames(folder)[0].converged


@pytest.mark.slow
def test_a_charged_cell_has_its_charge(tmp_path):
    atoms = crystal()
    atoms.info["charge_e"] = 1.0
    folder = run_stand_in(tmp_path / "run", atoms, StaticCalculation())
    assert "NELECT = 7.0" in (folder / "INCAR").read_text()
    assert read_vasp_frames(folder)[0].charge_e == 1.0


@pytest.mark.slow
def test_without_spin_there_are_no_moments(tmp_path):
    folder = run_stand_in(tmp_path / "run", crystal(), StaticCalculation(), spin=False)
    assert read_vasp_frames(folder)[0].magnetic_moments is None


@pytest.mark.slow
def test_all_frames_of_dynamics_and_the_last_velocities(tmp_path):
    atoms = bulk("Li", "fcc", a=3.6, cubic=True)
    dynamics = DynamicsCalculation(ensemble="nve", timestep_fs=1.0, n_steps=6, temperature_K=300, seed=3)
    frames = read_vasp_frames(run_stand_in(tmp_path / "run", atoms, dynamics))
    assert [frame.step for frame in frames] == list(range(6))
    assert all(frame.velocities_A_fs is None for frame in frames[:-1])
    moved = frames[-1].atoms.positions - frames[-2].atoms.positions
    # Over one step, as the velocity between the two says; the next one differs by the force over a step.
    np.testing.assert_allclose(frames[-1].velocities_A_fs, moved / 1.0, atol=2e-3)
    assert np.abs(moved).max() > 2e-3


@pytest.mark.slow
def test_a_relaxation_along_the_normal_keeps_the_plane(tmp_path):
    atoms = bulk("Li", "fcc", a=3.6, cubic=True)
    atoms.set_cell(np.diag([3.7, 3.7, 3.4]), scale_atoms=True)
    relax = RelaxCalculation(free_axes="normal", force_tolerance_eV_A=0.02, max_steps=60)
    frames = read_vasp_frames(run_stand_in(tmp_path / "new", atoms, relax))
    last = frames[-1].atoms.cell.array
    np.testing.assert_allclose(last[:2], atoms.cell.array[:2], atol=1e-7)
    assert abs(last[2, 2] - 3.4) > 0.02
    with pytest.raises(CalculationError, match=r"that were to stay moved by.*use VASP 6\.4"):
        read_vasp_frames(run_stand_in(tmp_path / "old", atoms, relax, failure="old"))


@pytest.mark.parametrize("name", ["vasprun.xml", "OUTCAR"])
def test_an_absent_file_is_explained(static_run, tmp_path, name):
    folder = copy(static_run, tmp_path)
    (folder / name).unlink()
    with pytest.raises(CalculationError, match=f"there is no {name}; VASP did not run to its end"):
        read_vasp_frames(folder)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.95])
def test_a_file_cut_short_is_explained(static_run, tmp_path, share):
    folder = copy(static_run, tmp_path)
    text = (folder / "vasprun.xml").read_text()
    (folder / "vasprun.xml").write_text(text[: int(share * len(text))])
    with pytest.raises(CalculationError, match="cut short or not written by VASP"):
        read_vasp_frames(folder)


def test_a_run_at_another_level_of_theory_is_refused(static_run, tmp_path):
    folder = copy(static_run, tmp_path)
    for name in ("INCAR", "KPOINTS"):
        shutil.copy(folder / name, folder / f"{name}.orig")
    edit(folder / "INCAR", "ALGO = Fast", "ALGO = All")
    assert len(read_vasp_frames(folder)) == 1
    edit(folder / "INCAR", r"SIGMA = 0\.05", "SIGMA = 0.2")
    with pytest.raises(CalculationError, match=r"changed SIGMA from 0\.05 to 0\.2, which is another level of theory"):
        read_vasp_frames(folder)


def test_other_k_points_are_refused(static_run, tmp_path):
    folder = copy(static_run, tmp_path)
    shutil.copy(folder / "KPOINTS", folder / "KPOINTS.orig")
    edit(folder / "KPOINTS", "Gamma", "Monkhorst")
    with pytest.raises(CalculationError, match="changed k-points from Gamma"):
        read_vasp_frames(folder)
