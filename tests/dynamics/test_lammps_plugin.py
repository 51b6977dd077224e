"""The LAMMPS plugin: forces, virials and grades of the Python engine, in `lmp`, its Python module and on two ranks."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.spacegroup import crystal

from interfaceflow.core.errors import ExternalProgramError
from interfaceflow.dynamics.data_file import write_data_file
from interfaceflow.dynamics.frame import LammpsFrame
from interfaceflow.dynamics.lammps_run import run_lammps
from interfaceflow.dynamics.pair_style import PairStyle
from interfaceflow.potentials.mtp import _native as native
from interfaceflow.potentials.mtp import lammps_plugin
from interfaceflow.potentials.mtp.calculator import MTPCalculator

DATA = Path(__file__).parent.parent / "data" / "mtp" / "li2s"
LEVEL08, LEVEL12 = DATA / "level08.almtp", DATA / "level12.almtp"
BAR_PER_EV_A3 = 1.6021765e6  # LAMMPS' own constant in units metal


def lithium_sulfide(repeats=1, rattle=0.1, shear=None) -> Atoms:
    """Return rattled Li2S, its cell cubic or skewed by a matrix; one primitive cell is smaller than the cutoff."""
    atoms = crystal(["Li", "S"], [(0.25, 0.25, 0.25), (0, 0, 0)], spacegroup=225, cellpar=[5.7] * 3 + [90] * 3)
    atoms = atoms.repeat(repeats)
    if shear is not None:
        atoms.set_cell(atoms.cell.array @ shear, scale_atoms=True)
    atoms.rattle(rattle, seed=1)
    return atoms


SHEAR = np.array([[1.02, 0.1, -0.05], [-0.15, 0.97, 0.08], [0.12, 0.2, 1.0]])
STRUCTURES = {
    "cubic": lithium_sulfide(2),
    "skewed": lithium_sulfide(2, shear=SHEAR),
    "a cell about as large as the cutoff": lithium_sulfide(1, shear=SHEAR),
    "layers with a gap": lithium_sulfide((3, 2, 1), shear=np.diag([1, 1, 2.0])),
}


class Run:
    """One LAMMPS run of zero steps: what it dumped, in the structure's frame and order."""

    def __init__(self, atoms, commands, folder, *, n_ranks=1, grade=False, extra=()):
        species = PairStyle(elements=("Li", "S"), commands=tuple(commands))
        frame = LammpsFrame.of(atoms.cell.array)
        write_data_file(atoms, species, frame, folder / "start.data")
        columns = ["id", "x", "fx", "fy", "fz", "c_energy", *(f"c_virial[{k}]" for k in range(1, 7))]
        columns += ["f_grade"] if grade else []
        script = [
            "units metal", "atom_style atomic", "box tilt large", "read_data start.data", *commands,
            "compute energy all pe/atom", "compute virial all stress/atom NULL",
            *extra,
            f"dump now all custom 1 now.dump {' '.join(columns)}",
            "dump_modify now sort id format float %.17g",
            "thermo_style custom step pe pxx pyy pzz pyz pxz pxy", "run 0",
            'print "PRESSURE $(pxx:%.9g) $(pyy:%.9g) $(pzz:%.9g) $(pyz:%.9g) $(pxz:%.9g) $(pxy:%.9g)"',
            'print "ENERGY $(pe:%.17g)"',
        ]  # fmt: skip
        log = run_lammps(script, folder, "zero", n_ranks=n_ranks)
        rows = np.loadtxt(folder / "now.dump", skiprows=9, ndmin=2)
        printed = dict(
            line.split(maxsplit=1) for line in log.read_text().splitlines() if line[:6] in {"PRESSU", "ENERGY"}
        )
        self.energy = float(printed["ENERGY"])
        self.pressures = np.array([float(x) for x in printed["PRESSURE"].split()])
        self.forces = frame.from_lammps(rows[:, 2:5])
        self.site_energies = rows[:, 5]
        self.site_virials = rows[:, 6:12]
        self.grades = rows[:, 12] if grade else None
        self.rotation = frame.rotation


def by_style(path, style="mtp"):
    return [f'pair_style {style} "{path}"', "pair_coeff * *"]


def expected(atoms, path):
    atoms = atoms.copy()
    atoms.calc = MTPCalculator(path, species=["Li", "S"])
    atoms.calc.get_property("extrapolation_grades", atoms)
    return atoms


@pytest.mark.parametrize("n_ranks", [1, 2])
@pytest.mark.parametrize("name", STRUCTURES)
def test_forces_energies_and_virials_are_those_of_the_python_engine(name, n_ranks, tmp_path):
    atoms = expected(STRUCTURES[name], LEVEL12)
    run = Run(atoms, by_style(LEVEL12), tmp_path, n_ranks=n_ranks)
    assert np.abs(run.forces - atoms.get_forces()).max() < 1e-10
    assert run.energy == pytest.approx(atoms.get_potential_energy(), abs=1e-9)
    assert run.site_energies == pytest.approx(atoms.get_potential_energies(), abs=1e-10)
    stress = run.rotation @ atoms.get_stress(voigt=False) @ run.rotation.T
    pressures = -BAR_PER_EV_A3 * stress[(0, 1, 2, 1, 0, 0), (0, 1, 2, 2, 2, 1)]
    assert run.pressures == pytest.approx(pressures, abs=1e-6 * np.abs(pressures).max())
    # LAMMPS orders the per-atom virial xx, yy, zz, xy, xz, yz and gives stress times volume, with the other sign.
    summed = -run.site_virials.sum(axis=0)[[0, 1, 2, 5, 4, 3]] / atoms.get_volume()
    assert summed == pytest.approx(pressures, abs=1e-6 * np.abs(pressures).max())


@pytest.mark.parametrize("n_ranks", [1, 2])
def test_grades_are_those_of_the_python_engine(n_ranks, tmp_path):
    atoms = expected(STRUCTURES["skewed"], LEVEL12)
    extra = [
        "fix grade all pair 1 mtp/extrapolation extrapolation 1",
        "compute largest all pair mtp/extrapolation",
        "variable largest equal c_largest[1]",
        'fix keep all print 1 "LARGEST ${largest}" file largest.txt screen no',
    ]
    run = Run(atoms, by_style(LEVEL12, "mtp/extrapolation"), tmp_path, n_ranks=n_ranks, grade=True, extra=extra)
    grades = atoms.calc.results["extrapolation_grades"]
    assert run.grades == pytest.approx(grades, abs=1e-6)
    assert np.abs(run.forces - atoms.get_forces()).max() < 1e-10
    printed = (tmp_path / "largest.txt").read_text().split("LARGEST")[-1]
    assert float(printed) == pytest.approx(grades.max(), rel=1e-5)


@pytest.mark.parametrize("n_ranks", [1, 2])
def test_the_grade_of_an_active_set_of_configurations_is_that_of_the_python_engine(n_ranks, tmp_path):
    potential = native.Potential.read(LEVEL08)
    selection = potential.selection
    selection.energy_weight, selection.site_energy_weight = 1.0, 0.0
    potential.selection = selection
    (tmp_path / "cfg.almtp").write_bytes(potential.serialise())
    atoms = STRUCTURES["skewed"]
    entry = ((atoms.numbers != 3).astype(int), atoms.positions, atoms.cell.array, (True, True, True))
    expected_grade = native.ConfigurationSet([entry], potential.max_dist).configuration_grades(potential)[0]
    extra = [
        "compute largest all pair mtp/extrapolation",
        "variable largest equal c_largest[1]",
        'fix keep all print 1 "LARGEST ${largest}" file largest.txt screen no',
    ]
    Run(atoms, by_style("cfg.almtp", "mtp/extrapolation"), tmp_path, n_ranks=n_ranks, extra=extra)
    assert float((tmp_path / "largest.txt").read_text().split("LARGEST")[-1]) == pytest.approx(expected_grade, rel=1e-4)


def test_it_adds_to_another_style_and_leaves_its_types_alone(tmp_path):
    atoms = STRUCTURES["skewed"]
    for name in ("mtp", "zbl", "both", "lithium"):
        (tmp_path / name).mkdir()
    zbl = ["pair_style zbl 2.0 2.5", "pair_coeff 1 1 3 3", "pair_coeff 1 2 3 16", "pair_coeff 2 2 16 16"]
    both = [
        f'pair_style hybrid/overlay mtp "{LEVEL08}" zbl 2.0 2.5', "pair_coeff * * mtp", "pair_coeff 1 1 zbl 3 3",
        "pair_coeff 1 2 zbl 3 16", "pair_coeff 2 2 zbl 16 16",
    ]  # fmt: skip
    lithium = [
        "pair_style hybrid mtp lj/cut 2.0",
        f'pair_coeff * * mtp "{LEVEL08}" 0 NULL',
        "pair_coeff *2 2 lj/cut 0 1",
    ]
    parts = {"mtp": by_style(LEVEL08), "zbl": zbl, "both": both, "lithium": lithium}
    forces = {name: Run(atoms, commands, tmp_path / name).forces for name, commands in parts.items()}
    assert forces["both"] == pytest.approx(forces["mtp"] + forces["zbl"], abs=1e-10)
    alone = expected(atoms[atoms.numbers == 3], LEVEL08)
    assert forces["lithium"][atoms.numbers == 3] == pytest.approx(alone.get_forces(), abs=1e-10)


@pytest.mark.parametrize(
    "commands",
    [
        ["pair_style mtp", f'pair_coeff * * "{LEVEL08}" 0 1'],
        ["pair_style mtp chunksize 2048", f'pair_coeff * * "{LEVEL08}" 0 1'],
        [f'pair_style mtp "{LEVEL08}"', "pair_coeff * * 0 1"],
        ["pair_style mtp/extrapolation", f'pair_coeff * * "{LEVEL08}" 0 1'],
        [f'pair_style mtp/extrapolation "{LEVEL08}" grade_every 10', "pair_coeff * *"],
    ],
)
def test_every_way_to_name_the_potential(commands, tmp_path):
    atoms = expected(STRUCTURES["cubic"], LEVEL08)
    assert Run(atoms, commands, tmp_path).energy == pytest.approx(atoms.get_potential_energy(), abs=1e-9)


def test_types_are_mapped_to_species_by_number(tmp_path):
    atoms = STRUCTURES["cubic"].copy()
    run = Run(atoms, ["pair_style mtp", f'pair_coeff * * "{LEVEL08}" 1 0'], tmp_path)
    exchanged = expected(
        Atoms(["Li" if s == "S" else "S" for s in atoms.symbols], atoms.positions, cell=atoms.cell, pbc=True), LEVEL08
    )
    assert np.abs(run.forces - exchanged.get_forces()).max() < 1e-10


@pytest.mark.parametrize(
    ("commands", "message"),
    [
        (by_style("absent.almtp"), "absent.almtp: cannot be opened"),
        (by_style(DATA.parent / "templates" / "08.almtp"), "a template without coefficients"),
        (by_style(DATA / "level16.mtp", "mtp/extrapolation"), "no active set"),
        (
            ["pair_style mtp", f'pair_coeff * * "{LEVEL08}" 0 2'],
            "species 2, which the potential does not know; it knows 0, 1",
        ),
        (["pair_style mtp", f'pair_coeff * * "{LEVEL08}" 0'], "needed are 2"),
        (["pair_style mtp", "pair_coeff * *"], "no potential; name its file"),
        (
            [f'pair_style mtp "{LEVEL08}" grade_every 3', "pair_coeff * *"],
            "unknown or incomplete keyword 'grade_every'",
        ),
    ],
)
def test_what_cannot_work_is_said(commands, message, tmp_path):
    with pytest.raises(ExternalProgramError, match=message):
        Run(STRUCTURES["cubic"], commands, tmp_path)


@pytest.mark.parametrize(
    ("setting", "message"),
    [("newton off", "needs newton pair on"), ("units real", r"needs units metal .*, the input has units real")],
)
def test_settings_it_cannot_run_with_are_said(setting, message, tmp_path):
    box = ["region box block 0 9 0 9 0 9", "create_box 2 box", "create_atoms 1 single 1 1 1", "mass * 1"]
    with pytest.raises(ExternalProgramError, match=message):
        run_lammps(["units metal", setting, *box, *by_style(LEVEL08), "run 0"], tmp_path, "setting")


def md_script(atoms, commands, folder, *lines, steps=100, timestep_ps=0.001):
    species = PairStyle(elements=("Li", "S"), commands=tuple(commands))
    write_data_file(atoms, species, LammpsFrame.of(atoms.cell.array), folder / "start.data")
    return [
        "units metal", "atom_style atomic", "box tilt large", "read_data start.data", *commands,
        f"timestep {timestep_ps}", "fix move all nve", *lines, "thermo_modify norm no", f"run {steps}",
    ]  # fmt: skip


@pytest.mark.parametrize("n_ranks", [1, 2])
def test_nve_conserves_energy_better_with_the_square_of_the_time_step(n_ranks, tmp_path):
    atoms = lithium_sulfide(2, rattle=0.05, shear=SHEAR)
    spreads = []
    for timestep_ps, steps in ((0.002, 50), (0.001, 100)):
        lines = [
            "variable total equal etotal",
            "thermo_style custom step etotal",
            f"fix record all ave/time 1 1 1 v_total file total{steps}.txt format ' %.12g'",
        ]
        script = md_script(atoms, by_style(LEVEL08), tmp_path, *lines, steps=steps, timestep_ps=timestep_ps)
        run_lammps(script, tmp_path, f"nve{steps}", n_ranks=n_ranks)
        total = np.loadtxt(tmp_path / f"total{steps}.txt")[:, 1]
        spreads.append(np.std(total) / len(atoms))
    assert spreads[0] < 1e-4  # eV per atom
    assert spreads[1] < 0.35 * spreads[0]


def test_a_run_is_the_same_on_one_rank_and_on_two(tmp_path):
    atoms = lithium_sulfide(2, rattle=0.05, shear=SHEAR)
    ends = []
    for n_ranks in (1, 2):
        lines = [f"dump end all custom 50 end{n_ranks}.dump id xu yu zu", "dump_modify end sort id format float %.15g"]
        script = md_script(atoms, by_style(LEVEL08), tmp_path, *lines, steps=50)
        run_lammps(script, tmp_path, f"ranks{n_ranks}", n_ranks=n_ranks)
        ends.append(np.loadtxt(tmp_path / f"end{n_ranks}.dump", skiprows=2 * 9 + len(atoms)))
    assert ends[0] == pytest.approx(ends[1], abs=1e-9)


def test_fix_halt_stops_a_run_that_leaves_known_ground(tmp_path):
    lines = [
        "velocity all create 6000 1 dist gaussian",
        "fix grade all pair 5 mtp/extrapolation extrapolation 1",
        "compute largest all pair mtp/extrapolation",
        "variable largest equal c_largest[1]",
        "fix record all ave/time 5 1 5 v_largest file grades.txt",
        "fix stop all halt 5 v_largest > 2 error soft message yes",
    ]
    commands = by_style(LEVEL08, "mtp/extrapolation")
    script = md_script(lithium_sulfide(2, rattle=0.02), commands, tmp_path, *lines, steps=500)
    log = run_lammps(script, tmp_path, "halt")
    grades = np.loadtxt(tmp_path / "grades.txt")[:, 1]
    assert "Fix halt condition" in log.read_text()
    assert 1 < len(grades) < 100
    assert (grades[:-1] <= 2).all()
    assert grades[-1] > 2


@pytest.mark.parametrize("n_ranks", [1, 2])
def test_mlip3_style_writes_what_it_selects_and_stops_where_it_breaks(n_ranks, tmp_path):
    atoms = lithium_sulfide(2, rattle=0.02)
    atoms.positions[0] += (1.2, 0.0, 0.0)
    style = f'pair_style mtp/extrapolation "{LEVEL08}" mlip3_style selected.cfg 1.0 2.0'
    with pytest.raises(ExternalProgramError, match="Exceeded Break Threshold"):
        run_lammps(md_script(atoms, [style, "pair_coeff * *"], tmp_path, steps=10), tmp_path, "mlip3", n_ranks=n_ranks)
    (selected,) = native.read_configurations(tmp_path / "selected.cfg")
    wrapped = Atoms([("Li", "S")[k] for k in selected.types], selected.positions, cell=selected.cell, pbc=True)
    grades = expected(wrapped, LEVEL08).calc.results["extrapolation_grades"]
    assert selected.grades == pytest.approx(grades, abs=1e-3)  # positions are written with six decimals
    assert float(selected.features["MV_grade"]) == pytest.approx(selected.grades.max(), abs=1e-5)
    assert list(wrapped.symbols) == list(atoms.symbols)


def test_the_python_module_finds_the_plugin_by_itself():
    code = f"""
from interfaceflow.potentials.mtp.lammps_plugin import load_mpi
load_mpi()
import lammps
for _ in range(2):
    engine = lammps.lammps(cmdargs=["-screen", "none", "-log", "none"])
    for command in ["units metal", "region box block 0 9 0 9 0 9", "create_box 2 box", "mass * 1",
                    "pair_style mtp/extrapolation", "pair_coeff * * {LEVEL08} 0 1", "clear"]:
        engine.command(command)
    assert engine.has_style("pair", "mtp")
    engine.close()
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_plugin_for_another_lammps_is_not_found(monkeypatch):
    folder = Path(lammps_plugin.plugin_folder())
    assert [path.name for path in folder.iterdir()] == ["mtpplugin.so"]
    monkeypatch.setattr(lammps_plugin.metadata, "version", lambda name: "2031.1.1")
    assert not Path(lammps_plugin.plugin_folder()).exists()


@pytest.mark.parametrize("n_ranks", [1, 2])
@pytest.mark.parametrize("path", [LEVEL08, LEVEL12], ids=["level 8", "level 12"])
def test_mixed_precision_changes_forces_in_the_sixth_decimal(path, n_ranks, tmp_path):
    atoms = expected(STRUCTURES["skewed"], path)
    commands = [f'pair_style mtp "{path}" precision mixed', "pair_coeff * *"]
    run = Run(atoms, commands, tmp_path, n_ranks=n_ranks)
    errors = np.abs(run.forces - atoms.get_forces())
    assert 1e-9 < errors.max() < 1e-5
    assert run.energy == pytest.approx(atoms.get_potential_energy(), abs=1e-5 * len(atoms))


def test_steps_with_a_grade_are_computed_in_double_precision(tmp_path):
    atoms = expected(STRUCTURES["skewed"], LEVEL12)
    commands = [f'pair_style mtp/extrapolation "{LEVEL12}" precision mixed', "pair_coeff * *"]
    extra = ["fix grade all pair 1 mtp/extrapolation extrapolation 1"]
    run = Run(atoms, commands, tmp_path, grade=True, extra=extra)
    assert np.abs(run.forces - atoms.get_forces()).max() < 1e-10
    assert run.grades == pytest.approx(atoms.calc.results["extrapolation_grades"], abs=1e-6)


def test_an_unknown_precision_is_refused(tmp_path):
    commands = [f'pair_style mtp "{LEVEL08}" precision half', "pair_coeff * *"]
    with pytest.raises(ExternalProgramError, match="precision 'half' given, allowed are double and mixed"):
        Run(lithium_sulfide(2), commands, tmp_path)


CHANGE_TYPES = """
import ctypes, sys
from interfaceflow.core.lammps_environment import libmpi_path
ctypes.CDLL(str(libmpi_path()), ctypes.RTLD_GLOBAL)
from lammps import lammps
lmp = lammps(cmdargs=["-log", "none", "-screen", "none"])
for line in sys.argv[1:]:
    lmp.command(line)
lmp.command("run 0")
types = lmp.numpy.extract_atom("type", nelem=lmp.extract_global("nlocal") + lmp.extract_global("nghost"))
types[:] = 3 - types
lmp.command("run 1 pre no")
print("ENERGY", repr(lmp.get_thermo("pe")))
"""


def test_atoms_that_change_their_type_between_neighbour_lists_are_noticed(tmp_path):
    """As Monte Carlo of site occupations does: types change, the list stays."""
    atoms = lithium_sulfide(2)
    species = PairStyle(elements=("Li", "S"), commands=tuple(by_style(LEVEL12)))
    write_data_file(atoms, species, LammpsFrame.of(atoms.cell.array), tmp_path / "start.data")
    lines = ["units metal", "atom_style atomic", f"read_data {tmp_path}/start.data", *species.commands]
    done = subprocess.run([sys.executable, "-c", CHANGE_TYPES, *lines], capture_output=True, text=True, check=True)
    atoms.symbols = np.where(atoms.symbols == "Li", "S", "Li")
    atoms.calc = MTPCalculator(LEVEL12, species=["Li", "S"])
    assert float(done.stdout.split("ENERGY")[1]) == pytest.approx(atoms.get_potential_energy(), rel=1e-10)
