"""A potential beside LAMMPS does what the same potential in LAMMPS does."""

import sys
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from interfaceflow.core.errors import ExternalProgramError, UserInputError
from interfaceflow.core.lammps_environment import child_environment, mpiexec_path
from interfaceflow.dynamics.data_file import write_data_file
from interfaceflow.dynamics.frame import LammpsFrame
from interfaceflow.dynamics.guard import Guard
from interfaceflow.dynamics.guarded import GuardedSettings, run_guarded_md
from interfaceflow.dynamics.lammps_run import run_lammps, setup_lines, thermo_lines
from interfaceflow.dynamics.pair_style import GradeSource, PairStyle
from interfaceflow.dynamics.production import ProductionPlan, run_production_md
from interfaceflow.dynamics.thermo import read_thermo
from interfaceflow.dynamics.velocities import draw_velocities
from interfaceflow.potentials.external.ase_calculator import CalculatorFile
from interfaceflow.potentials.external.lammps_commands import (
    PER_ATOM_GRADE,
    external_commands,
    external_program,
    grade_commands,
)
from interfaceflow.potentials.external.lammps_process import read_options
from interfaceflow.schemas.settings import ProductionSettings

EPSILON_EV, SIGMA_A, CUTOFF_A = 0.0104, 3.40, 8.0
LENNARD_JONES = "ase.calculators.lj:LennardJones"
PRESSURES = "thermo_style custom step temp pe etotal econserve pxx pyy pzz pyz pxz pxy vol"


@pytest.fixture
def external(tmp_path) -> PairStyle:
    """Argon of the fixture ``lj``, computed by ASE."""
    file = tmp_path / "argon.json"
    arguments = {"epsilon": EPSILON_EV, "sigma": SIGMA_A, "rc": CUTOFF_A, "smooth": False}
    CalculatorFile.describe(LENNARD_JONES, arguments).write(file)
    return PairStyle(
        ("Ar",), external_commands(CUTOFF_A), program=external_program("ase", ("Ar",), (str(file),)), identity="argon"
    )


@pytest.fixture
def external_with_grade() -> PairStyle:
    """Argon of the fixture ``lj_with_grade``, computed by ASE."""
    return PairStyle(
        ("Ar",),
        external_commands(CUTOFF_A),
        grade=GradeSource(grade_commands(), PER_ATOM_GRADE),
        program=(sys.executable, str(Path(__file__).parent / "graded_argon.py"), "own", "Ar"),
    )


def run(atoms: Atoms, style: PairStyle, folder: Path, *lines: str, ranks: int = 1) -> Path:
    frame = LammpsFrame.of(atoms.cell.array)
    folder.mkdir(exist_ok=True)
    write_data_file(atoms, style, frame, folder / "start.data")
    script = [*setup_lines(style, "read_data start.data", timestep_fs=4.0), *lines]
    return run_lammps(script, folder, "run", program=style.program, n_ranks=ranks)


def both(atoms: Atoms, lj: PairStyle, external: PairStyle, folder: Path, *lines: str):
    """Return thermodynamic output and dump of a run inside and beside LAMMPS."""
    found = []
    for style, name in ((lj, "inside"), (external, "beside")):
        log = run(atoms, style, folder / name, *lines)
        rows = [line.split() for line in (folder / name / "end.dump").read_text().splitlines()]
        found.append((read_thermo(log).rows, np.array(rows[-len(atoms) :], dtype=float)))
    return found


DUMP = "dump end all custom 200 end.dump id xu yu zu vx vy vz fx fy fz ix iy iz"
SORTED = "dump_modify end sort id first yes format float %.15g"
OUTPUT = (DUMP, SORTED, "thermo 20", PRESSURES, "thermo_modify format float %.15g")


def test_forces_energy_and_virial_are_those_of_the_pair_style(any_cell, lj, external, tmp_path):
    (thermo, atoms), (other_thermo, other_atoms) = both(any_cell, lj, external, tmp_path, *OUTPUT, "run 0")
    np.testing.assert_allclose(other_atoms, atoms, atol=1e-10)
    np.testing.assert_allclose(other_thermo[-1], thermo[-1], rtol=1e-9, atol=1e-6)


@pytest.mark.parametrize("atoms", [bulk("Ar", "fcc", a=5.3), bulk("Ar", "fcc", a=5.2, cubic=True)], ids=["one", "four"])
def test_cells_smaller_than_the_cutoff_are_whole(atoms, lj, external, tmp_path):
    """The reference is LAMMPS itself on a repeated cell."""
    cell = np.array([[1.0, 0.02, 0.0], [0.0, 0.97, 0.03], [0.05, 0.0, 1.0]])
    atoms.set_cell(atoms.cell.array @ cell, scale_atoms=True)
    atoms.rattle(0.1, seed=1)
    lines = ("thermo_modify format float %.15g", "run 0")
    small = read_thermo(run(atoms, external, tmp_path / "small", PRESSURES, *lines)).rows[-1]
    large = read_thermo(run(atoms * (4, 4, 4), lj, tmp_path / "large", PRESSURES, *lines)).rows[-1]
    assert 64 * small[2] == pytest.approx(large[2], rel=1e-9)
    np.testing.assert_allclose(small[5:11], large[5:11], rtol=1e-8, atol=1e-6)


@pytest.mark.parametrize(
    "motion",
    [
        "fix move all nve",
        "fix move all npt temp 60 60 0.4 tri 0 0 2.0 flip no",
        "fix move all nph z 0 0 2.0 scalexz no scaleyz no flip no fixedpoint 0 0 0",
    ],
    ids=["nve", "npt of all shapes", "nph along z"],
)
def test_a_trajectory_is_that_of_the_pair_style(motion, lj, external, tmp_path):
    """Atoms cross the cell's faces, LAMMPS sorts them, and the cell changes."""
    atoms = bulk("Ar", "fcc", a=5.4, cubic=True) * (2, 2, 2)
    atoms.set_cell(np.array([[1.0, 0.0, 0.0], [0.2, 1.0, 0.0], [-0.1, 0.15, 1.0]]) @ atoms.cell.array, scale_atoms=True)
    atoms = draw_velocities(atoms, 90.0, np.random.default_rng(1))
    atoms.set_momenta(atoms.get_momenta() - 0.8)
    lines = ("atom_modify sort 5 3.0", *OUTPUT, motion, "run 200")
    (thermo, atoms_inside), (other_thermo, atoms_beside) = both(atoms, lj, external, tmp_path, *lines)
    assert (atoms_inside[:, 10:] < 0).any(axis=0).all()
    np.testing.assert_allclose(atoms_beside, atoms_inside, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(other_thermo, thermo, rtol=1e-6, atol=1e-4)


def test_pressure_is_the_strain_derivative_of_the_energy(external, tmp_path):
    smooth = {"epsilon": EPSILON_EV, "sigma": SIGMA_A, "rc": CUTOFF_A, "ro": 5.0, "smooth": True}
    CalculatorFile.describe(LENNARD_JONES, smooth).write(tmp_path / "argon.json")
    atoms = bulk("Ar", "fcc", a=5.2, cubic=True) * (2, 1, 1)
    atoms.rattle(0.1, seed=2)
    atoms.set_cell(np.array([[1.0, 0.0, 0.0], [0.1, 1.0, 0.0], [-0.1, 0.2, 1.0]]) @ atoms.cell.array, scale_atoms=True)

    def state(strain: np.ndarray, name: str) -> np.ndarray:
        strained = atoms.copy()
        strained.set_cell(atoms.cell.array @ (np.eye(3) + strain), scale_atoms=True)
        lines = (PRESSURES, "thermo_modify format float %.15g", "run 0")
        return read_thermo(run(strained, external, tmp_path / name, *lines)).rows[-1]

    here = state(np.zeros((3, 3)), "here")
    for column, (i, j) in {6: (1, 1), 9: (0, 2)}.items():
        strain = np.zeros((3, 3))
        strain[i, j] += 0.5e-4
        strain[j, i] += 0.5e-4
        more, less = (state(sign * strain, "there")[2] for sign in (1, -1))
        # 1 eV/Å3 = 1602176.634 bar
        assert here[column] == pytest.approx(-(more - less) / 2e-4 / here[11] * 1602176.634, rel=1e-5, abs=0.1)


def test_a_guarded_run_sees_the_grades_and_breaks_where_the_pair_style_does(
    crystal, lj_with_grade, external_with_grade, tmp_path
):
    asked = GuardedSettings(
        temperature_K=150.0, duration_ps=4.0, timestep_fs=4.0, select_threshold=20.0, guard=Guard(45.0, every=10)
    )
    inside = run_guarded_md(crystal, lj_with_grade, asked, tmp_path / "inside", seed=1)
    beside = run_guarded_md(crystal, external_with_grade, asked, tmp_path / "beside", seed=1)
    assert inside.broke and beside.broke and beside.reason == inside.reason
    np.testing.assert_array_equal(beside.record.steps, inside.record.steps)
    np.testing.assert_allclose(beside.record.grades, inside.record.grades, rtol=1e-4)
    assert [frame.step for frame in beside.candidates] == [frame.step for frame in inside.candidates]
    for one, other in zip(beside.candidates, inside.candidates, strict=True):
        np.testing.assert_allclose(one.grades, other.grades, rtol=1e-3, atol=1e-3)
    assert beside.last_safe.step == inside.last_safe.step


def test_production_goes_on_from_segment_to_segment(lj_with_grade, external_with_grade, tmp_path):
    settings = ProductionSettings(
        timestep_fs=4.0,
        ramp_ps=0.2,
        equilibration_ps=0.2,
        production_ps=0.4,
        segment_ps=0.2,
        frame_interval_ps=0.04,
        n_ranks=1,
    )
    crystal = bulk("Ar", "fcc", a=5.3, cubic=True) * (2, 2, 2)
    plan = ProductionPlan(settings, Guard(1e6, every=10), temperature_K=20.0, normal_axis=2, seed=1)
    inside = run_production_md(crystal, lj_with_grade, plan, tmp_path / "inside")
    beside = run_production_md(crystal, external_with_grade, plan, tmp_path / "beside")
    assert [segment.n_frames for segment in beside.segments] == [segment.n_frames for segment in inside.segments]
    assert len(beside.segments) == 2 and beside.reason is None
    assert beside.mean_temperature_K == pytest.approx(inside.mean_temperature_K, rel=1e-4)
    assert beside.residual_normal_stress_GPa == pytest.approx(inside.residual_normal_stress_GPa, abs=1e-5)
    assert beside.energy_drift_meV_atom_ps == pytest.approx(inside.energy_drift_meV_atom_ps, abs=1e-4)
    assert beside.largest_grade == pytest.approx(inside.largest_grade, rel=1e-3)
    np.testing.assert_allclose(beside.last_frame.positions, inside.last_frame.positions, atol=1e-4)


def test_a_run_from_a_restart_is_the_run_itself(external, tmp_path):
    atoms = draw_velocities(bulk("Ar", "fcc", a=5.4, cubic=True) * (2, 2, 2), 60.0, np.random.default_rng(1))
    lines = (*thermo_lines(50), "thermo_modify format float %.15g", "fix move all nve")
    whole = read_thermo(run(atoms, external, tmp_path, *lines, "run 50", "write_restart half.restart", "run 50"))
    setup = setup_lines(external, "read_restart half.restart", timestep_fs=4.0)
    log = run_lammps([*setup, *lines, "run 50"], tmp_path, "second", program=external.program)
    np.testing.assert_allclose(read_thermo(log).rows[-1], whole.rows[-1], rtol=1e-9)


def test_several_ranks_are_refused(external, lj, tmp_path):
    assert (lj.ranks(None), lj.ranks(4), external.ranks(None), external.ranks(1)) == (2, 4, 1, 1)
    with pytest.raises(UserInputError, match="2 MPI ranks are asked for"):
        external.ranks(2)
    with pytest.raises(ExternalProgramError, match="this potential runs on one MPI rank"):
        run(bulk("Ar", "fcc", a=5.3, cubic=True), external, tmp_path, "run 0", ranks=2)
    assert mpiexec_path().is_file() and child_environment()


def test_errors_of_lammps_and_of_the_potential_are_told(external, tmp_path):
    atoms = bulk("Ar", "fcc", a=5.3, cubic=True)
    with pytest.raises(ExternalProgramError, match="ERROR: Unknown command: dance"):
        run(atoms, external, tmp_path, "dance")
    nan = CalculatorFile.describe(LENNARD_JONES, {"epsilon": float("inf"), "rc": 8.0})
    nan.write(tmp_path / "argon.json")
    with pytest.raises(ExternalProgramError, match=r"failed at step 0: energy, forces or stress are not finite"):
        run(atoms, external, tmp_path, "run 0")
    (tmp_path / "argon.json").unlink()
    with pytest.raises(ExternalProgramError, match=r"argon\.json: not a description of an ASE calculator"):
        run(atoms, external, tmp_path, "run 0")


def test_a_script_without_a_place_for_the_forces_is_refused(external, lj, tmp_path):
    style = PairStyle(("Ar",), lj.commands, program=external.program)
    with pytest.raises(ExternalProgramError, match="the script has no `fix external_potential"):
        run(bulk("Ar", "fcc", a=5.3, cubic=True), style, tmp_path, "run 0")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["-in", "x"], "no potential was named"),
        (["ase", "Ar", "file"], "no input script was named"),
        (["ase", "Ar", "file", "-in"], "no input script was named"),
    ],
)
def test_a_command_line_that_lacks_something_is_refused(arguments, expected):
    with pytest.raises(UserInputError, match=expected):
        read_options(arguments)


def test_a_command_line_is_parted_into_the_potentials_and_lammps_own():
    options = read_options(["ase", "Li,Cl", "a.json", "-in", "run.in", "-log", "run.log"])
    assert (options.kind, options.species, options.words) == ("ase", ("Li", "Cl"), ("a.json",))
    assert (options.script, options.for_lammps) == (Path("run.in"), ("-log", "run.log"))
