"""Whole atomate2 jobs and flows through custodian, with the stand-in for VASP: success, failure mended, failure not."""

from pathlib import Path

import numpy as np
import pytest
from ase import units
from ase.build import bulk, surface
from ase.calculators.lj import LennardJones
from atomate2 import SETTINGS as ATOMATE2
from custodian.custodian import CustodianError
from fake_vasp import CALCULATOR
from jobflow.core.flow import Flow
from jobflow.managers.local import run_locally
from pymatgen.core import SETTINGS
from pymatgen.io.ase import AseAtomsAdaptor
from pymatgen.io.vasp.inputs import Incar, Poscar
from stand_in import COMMAND, vasp_settings, write_potcars

from interfaceflow.core.errors import CalculationError, UserInputError
from interfaceflow.jobs.reference import vasp
from interfaceflow.jobs.reference.calculation import calculate
from interfaceflow.jobs.reference.makers import Segment
from interfaceflow.jobs.reference.vasp import VaspMakers
from interfaceflow.reference.engines import engine_of
from interfaceflow.reference.levels_of_theory import calculator_of
from interfaceflow.schemas.level_of_theory import LevelOfTheory
from interfaceflow.schemas.vasp import DynamicsCalculation

# What third parties say of potentials without content, of made-up densities of states, and of runs that end early.
pytestmark = [
    pytest.mark.filterwarnings("ignore::pymatgen.io.vasp.inputs.UnknownPotcarWarning"),
    pytest.mark.filterwarnings("ignore::pymatgen.io.vasp.outputs.UnconvergedVASPWarning"),
    pytest.mark.filterwarnings("ignore:invalid value encountered in scalar divide:RuntimeWarning"),
    pytest.mark.filterwarnings("ignore:Set OLD_ERROR_HANDLING:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Pydantic serializer warnings:UserWarning"),  # velocities in emmet's documents
]


def level(**changes):
    return LevelOfTheory(name="test", description="For tests", physics=vasp_settings(**changes))


@pytest.fixture
def makers(tmp_path, monkeypatch):
    monkeypatch.setitem(SETTINGS, "PMG_VASP_PSP_DIR", str(write_potcars(tmp_path / "potentials")))
    monkeypatch.setattr(ATOMATE2, "VASP_CMD", COMMAND)
    monkeypatch.setattr(ATOMATE2, "VASP_GAMMA_CMD", COMMAND)
    monkeypatch.setattr(vasp, "_POLL_S", 0.05)
    monkeypatch.chdir(tmp_path)
    return VaspMakers(level())


def lithium():
    atoms = bulk("Li", "fcc", a=3.62, cubic=True)
    atoms.rattle(0.05, rng=np.random.default_rng(2))
    return atoms


def structure(atoms):
    return AseAtomsAdaptor.get_structure(atoms).get_sorted_structure()


def run(flow, *, raises=False):
    """Run a job or flow, each job in a folder of its own, and return the folders in order."""
    before = set(Path.cwd().glob("job_*"))
    run_locally(flow, create_folders=True, root_dir=Path.cwd(), ensure_success=True, raise_immediately=raises)
    jobs = flow.jobs if isinstance(flow, Flow) else [flow]
    folders = sorted(set(Path.cwd().glob("job_*")) - before)
    assert len(folders) == len(jobs)
    return folders


@pytest.mark.slow
def test_a_static_job_and_a_relaxation(makers):
    atoms = lithium()
    makers.check(atoms, "lithium")
    (folder,) = run(makers.static().make(structure(atoms)), raises=True)
    (start,) = makers.read_frames(folder)
    np.testing.assert_allclose(start.atoms.positions, atoms.positions, atol=1e-8)
    (folder,) = run(makers.relax("all", 0.02, 60).make(structure(atoms)), raises=True)
    frames = makers.read_frames(folder)
    assert frames[0].energy_eV == pytest.approx(start.energy_eV, abs=1e-6)
    assert frames[-1].energy_eV < start.energy_eV
    assert np.linalg.norm(frames[-1].forces_eV_A, axis=1).max() < 0.02
    assert np.abs(frames[-1].stress_eV_A3).max() < 0.02 / 3.62**2


@pytest.mark.slow
def test_a_relaxation_that_used_up_its_steps_is_a_result(makers):
    (folder,) = run(makers.relax("none", 1e-4, 3).make(structure(lithium())), raises=True)
    frames = makers.read_frames(folder)
    assert len(frames) == 3
    assert np.linalg.norm(frames[-1].forces_eV_A, axis=1).max() > 1e-4


@pytest.mark.slow
def test_segments_of_dynamics_go_on_where_the_one_before_ended(makers):
    calculation = DynamicsCalculation(
        ensemble="nve", timestep_fs=1.0, n_steps=5, temperature_K=300, final_temperature_K=500, seed=7
    )
    flow = makers.dynamics_in_segments(calculation, 2).make(structure(lithium()))
    first, second, _ = run(flow, raises=True)
    incars = [Incar.from_file(folder / "INCAR.gz") for folder in (first, second)]
    assert [(i["TEBEG"], i["TEEND"], i["RANDOM_SEED"][0]) for i in incars] == [(300, 400, 7), (400, 500, 8)]
    end, start = Poscar.from_file(first / "CONTCAR.gz"), Poscar.from_file(second / "POSCAR.gz")
    np.testing.assert_allclose(np.array(start.velocities), np.array(end.velocities), atol=1e-7)
    np.testing.assert_allclose(start.structure.frac_coords, end.structure.frac_coords, atol=1e-7)
    # One unbroken trajectory: energy and momentum are those of a single run over both.
    (whole,) = run(makers.dynamics(calculation.model_copy(update={"n_steps": 10})).make(structure(lithium())))
    positions = [f.atoms.get_scaled_positions() for folder in (first, second) for f in makers.read_frames(folder)]
    reference = [f.atoms.get_scaled_positions() for f in makers.read_frames(whole)]
    np.testing.assert_allclose(positions, reference, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("failure", "mended"),
    [("zbrent", {"NELMIN": 8, "EDIFF": 1e-7}), ("brmix", {"IMIX": 1})],
)
def test_a_known_failure_is_mended(makers, monkeypatch, failure, mended):
    monkeypatch.setenv("FAKE_VASP_FAILS", failure)
    (folder,) = run(makers.relax("none", 0.05, 30).make(structure(lithium())), raises=True)
    asked, ran = Incar.from_file(folder / "INCAR.orig.gz"), Incar.from_file(folder / "INCAR.gz")
    assert {tag: ran[tag] for tag in mended} == mended
    assert all(asked.get(tag) != value for tag, value in mended.items())
    assert set(ran) - set(mended) == set(asked) - set(mended)
    assert np.linalg.norm(makers.read_frames(folder)[-1].forces_eV_A, axis=1).max() < 0.05


@pytest.mark.slow
def test_a_failure_that_nothing_mends_fails_the_job_and_nothing_is_read(makers, monkeypatch):
    monkeypatch.setenv("FAKE_VASP_FAILS", "brmix-always")
    with pytest.raises(CustodianError):
        run(makers.static().make(structure(lithium())), raises=True)
    (folder,) = Path.cwd().glob("job_*")
    with pytest.raises(CalculationError):
        makers.read_frames(folder)


@pytest.mark.slow
def test_a_polar_slab_gets_its_dipole_correction(makers):
    atoms = surface(bulk("LiCl", "rocksalt", a=5.14, cubic=True), (1, 1, 1), 1, vacuum=6)
    atoms.pbc = True
    (folder,) = run(makers.static().make(structure(atoms)), raises=True)
    incar = Incar.from_file(folder / "INCAR.gz")
    assert (incar["LDIPOL"], incar["IDIPOL"]) == (True, 3)
    np.testing.assert_allclose(incar["DIPOL"], [0.5, 0.5, 0.5], atol=1e-5)


def test_what_is_missing_is_refused_before_anything_runs(makers, monkeypatch):
    monkeypatch.setattr(ATOMATE2, "VASP_CMD", "no_such_vasp")
    with pytest.raises(UserInputError, match=r"ATOMATE2_VASP_CMD.*no_such_vasp"):
        makers.check(lithium(), "lithium")
    monkeypatch.setattr(ATOMATE2, "VASP_CMD", COMMAND)
    monkeypatch.setitem(SETTINGS, "PMG_VASP_PSP_DIR", None)
    with pytest.raises(UserInputError, match="PMG_VASP_PSP_DIR is not set"):
        makers.check(lithium(), "lithium")
    assert not list(Path.cwd().glob("job_*"))


def test_tetrahedron_smearing_of_a_metal_is_refused_by_the_job_itself(makers):
    tetrahedron = VaspMakers(level(smearing={"method": "tetrahedron"}))
    with pytest.raises(UserInputError, match="wrong forces in a metal"):
        run(tetrahedron.relax("none", 0.05, 5).make(structure(lithium())), raises=True)
    (folder,) = Path.cwd().glob("job_*")
    assert not list(folder.iterdir())


def test_a_maker_survives_the_launchpad(makers):
    from monty.json import MontyDecoder, jsanitize

    maker = makers.relax("normal", 0.02, 10)
    again = MontyDecoder().process_decoded(jsanitize(maker, strict=True))
    assert again.input_set_generator == maker.input_set_generator
    assert again.stop_children_kwargs == maker.stop_children_kwargs


def test_vasp_has_no_calculator():
    engine = engine_of(level())
    assert engine.charged_cells
    with pytest.raises(UserInputError, match="runs VASP, one job a calculation"):
        calculator_of(level())


@pytest.mark.slow
def test_relaxations_labels_and_dynamics_of_the_recipes_run_with_vasp(makers, project):
    """As every engine whose calculations run as jobs: the order of atoms, their labels, and where a segment goes on."""
    atoms = bulk("LiCl", "rocksalt", a=5.1)[[1, 0]]
    atoms.rattle(0.05, rng=np.random.default_rng(4))
    (frame,) = calculate(makers, makers.static(), atoms, project / "static")
    assert list(frame.atoms.symbols) == ["Cl", "Li"]
    np.testing.assert_allclose(frame.atoms.positions, atoms.positions, atol=1e-7)
    atoms.calc = LennardJones(**CALCULATOR)
    np.testing.assert_allclose(frame.forces_eV_A, atoms.get_forces(), atol=1e-7)
    np.testing.assert_allclose(frame.magnetic_moments, [0.2, 0.1])

    segment = Segment(
        temperature_K=300, timestep_fs=1.0, n_steps=4, sample_every=2, friction_per_fs=0.01, seed=2_000_000_000
    )
    atoms.set_velocities([[0.01, 0, 0], [0, -0.02, 0]])
    first = calculate(makers, makers.molecular_dynamics(segment), atoms, project / "first")
    assert [frame.step for frame in first] == [0, 1, 2, 3, 4]
    atoms.positions = first[-1].atoms.positions
    atoms.set_velocities(first[-1].velocities_A_fs / units.fs)
    second = calculate(makers, makers.molecular_dynamics(segment), atoms, project / "second", project / "first")
    np.testing.assert_allclose(second[0].atoms.positions, first[-1].atoms.positions, atol=1e-7)
    step = second[1].atoms.positions - second[0].atoms.positions
    np.testing.assert_allclose(step, first[-1].velocities_A_fs, atol=2e-2)


@pytest.mark.slow
def test_a_failure_is_explained_where_labels_are_quarantined(makers, project, monkeypatch):
    monkeypatch.setenv("FAKE_VASP_FAILS", "brmix-always")
    with pytest.raises(CalculationError, match=r"MaxCorrections|there is no vasprun"):
        calculate(makers, makers.static(), lithium(), project / "static")
