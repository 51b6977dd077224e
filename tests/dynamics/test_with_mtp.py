"""Guarded MD and the production job with a real moment tensor potential and its grade."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
from ase.spacegroup import crystal

from interfaceflow.core.child_process import run_side_by_side
from interfaceflow.core.files import PROJECT_ROOT_VARIABLE, FileRef
from interfaceflow.core.formats.dcd import open_trajectory
from interfaceflow.core.formats.structure_file import read_structure, write_structure
from interfaceflow.core.labels import ORIGIN_INDEX, PHASE, REGION
from interfaceflow.dynamics.data_file import write_data_file
from interfaceflow.dynamics.frame import LammpsFrame
from interfaceflow.dynamics.guard import Guard
from interfaceflow.dynamics.guarded import GuardedSettings, run_guarded_md
from interfaceflow.dynamics.lammps_run import run_lammps, setup_lines
from interfaceflow.jobs.dynamics import run_production
from interfaceflow.jobs.potential_kinds.kind import RunChoices
from interfaceflow.jobs.potentials import pair_style_of
from interfaceflow.potentials.mtp.calculator import MTPCalculator
from interfaceflow.schemas.base import Provenance
from interfaceflow.schemas.datasets import FitErrors, MtpDetails, PotentialDoc
from interfaceflow.schemas.dynamics import MeltingPointDoc
from interfaceflow.schemas.settings import ProductionSettings, ZBLSettings
from interfaceflow.schemas.structures import ProductionCellDoc, StructureFile

LEVEL08 = Path(__file__).parent.parent / "data" / "mtp" / "li2s" / "level08.almtp"
PROVENANCE = Provenance(package_versions={}, host="test", wall_time_s=0.0)


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.setenv(PROJECT_ROOT_VARIABLE, str(tmp_path))
    return tmp_path


@pytest.fixture(params=[None, ZBLSettings(inner_cutoff_A=1.0, outer_cutoff_A=2.6)], ids=["alone", "with zbl"])
def potential(project, request) -> PotentialDoc:
    path = project / "level08.almtp"
    path.write_bytes(LEVEL08.read_bytes())
    errors = FitErrors(
        n_configurations=1,
        energy_rmse_meV_atom=1.0,
        energy_mae_meV_atom=1.0,
        force_rmse_eV_A=0.1,
        force_mae_eV_A=0.1,
        force_rmse_by_species_eV_A={},
        stress_rmse_GPa=0.1,
    )
    return PotentialDoc(
        file=FileRef.of(path),
        species=("Li", "S"),
        cutoff_radius_A=5.0,
        n_training=1,
        dataset_sha256="0" * 64,
        training_errors=errors,
        held_out_errors=errors,
        warm_start=False,
        min_distances_A={"Li-Li": 1.9, "Li-S": 1.9, "S-S": 3.3},
        physics_hash="0" * 64,
        model=MtpDetails(level=8, zbl=request.param, iterations=1, final_loss=0.0, engine="mlip-3"),
        provenance=PROVENANCE,
    )


@pytest.fixture
def lithium_sulfide():
    atoms = crystal(["Li", "S"], [(0.25,) * 3, (0, 0, 0)], spacegroup=225, cellpar=[5.7] * 3 + [90] * 3) * (2, 2, 2)
    atoms.set_array(PHASE, np.array(["metal"] * 48 + ["binary"] * 48))
    atoms.set_array(REGION, np.array(["interior"] * 96))
    atoms.set_array(ORIGIN_INDEX, np.arange(96))
    return atoms


@pytest.mark.parametrize("n_ranks", [1, 2])
def test_forces_and_grades_are_those_of_the_calculator(n_ranks, lithium_sulfide, potential, project):
    atoms = lithium_sulfide
    atoms.rattle(0.1, seed=1)
    frame, pair_style = LammpsFrame.of(atoms.cell.array), pair_style_of(potential, project)
    write_data_file(atoms, pair_style, frame, project / "start.data")
    script = [
        *setup_lines(pair_style, "read_data start.data", timestep_fs=1.0, n_ranks=n_ranks),
        *pair_style.grade.lines(1),
        "compute largest all pair mtp/extrapolation",
        f"dump now all custom 1 now.dump id fx fy fz {pair_style.grade.per_atom}",
        "dump_modify now sort id format float %.17g",
        "thermo_style custom step pe c_largest[1]",
        "run 0",
        'print "FOUND $(pe:%.17g) $(c_largest[1]:%.17g)"',
    ]
    log = run_lammps(script, project, "now", n_ranks=n_ranks)
    energy, largest = map(float, log.read_text().split("\nFOUND")[1].split()[:2])
    rows = np.loadtxt(project / "now.dump", skiprows=9)
    atoms.calc = MTPCalculator(potential.file.path(), potential.species, zbl=potential.model.zbl)
    grades = atoms.calc.get_property("extrapolation_grades", atoms)
    assert np.abs(frame.from_lammps(rows[:, 1:4]) - atoms.get_forces()).max() < 1e-10
    assert energy == pytest.approx(atoms.get_potential_energy(), abs=1e-9)
    assert rows[:, 4] == pytest.approx(grades, abs=1e-6)
    assert largest == pytest.approx(grades.max(), rel=1e-5)


def test_one_file_with_another_repulsion_is_another_potential(potential, project):
    zbl = ZBLSettings(inner_cutoff_A=0.5, outer_cutoff_A=2.0)
    other = potential.model_copy(update={"model": potential.model.model_copy(update={"zbl": zbl})})
    assert pair_style_of(potential, project).identity != pair_style_of(other, project).identity


def test_cold_run_lasts_and_hot_run_breaks_side_by_side(lithium_sulfide, potential, project):
    def settings(temperature_K):
        return GuardedSettings(
            temperature_K=temperature_K,
            duration_ps=1.0,
            timestep_fs=2.0,
            select_threshold=1.5,
            guard=Guard(10.0, every=5, min_distances_A=potential.min_distances_A),
            barostat="isotropic",
        )

    pair_style = pair_style_of(potential, project)
    cold, hot = run_side_by_side(
        [
            partial(run_guarded_md, lithium_sulfide, pair_style, settings(T), project / f"at {T:.0f} K", seed=1)
            for T in (300.0, 3000.0)
        ],
        2,
    )
    assert not cold.broke and cold.reached_ps == 1.0
    assert 0.1 < cold.largest_grade < 10
    assert hot.broke and hot.largest_grade >= 10
    assert hot.breaking.grades.shape == (96,)
    assert hot.breaking.largest_grade == pytest.approx(hot.largest_grade, rel=1e-4)
    assert hot.last_safe.largest_grade < 1.5


def test_production_job_describes_what_it_wrote(lithium_sulfide, potential, project, monkeypatch):
    from jobflow import run_locally

    path = project / "cell.xyz"
    write_structure(lithium_sulfide, path)
    cell = ProductionCellDoc(
        structure=StructureFile(
            file=FileRef.of(path), formula="Li64S32", n_atoms=96, cell_A=tuple(map(tuple, lithium_sulfide.cell.array))
        ),
        repeats=(2, 2, 2),
        normal_axis=2,
        vacancy_species="Li",
        n_vacancies=0,
        provenance=PROVENANCE,
    )
    melting_point = MeltingPointDoc(
        melting_point_K=1000.0,
        lower_K=990.0,
        upper_K=1010.0,
        runs=(),
        n_atoms=96,
        potential_sha256=potential.file.sha256,
        largest_grade=1.0,
        provenance=PROVENANCE,
    )
    settings = ProductionSettings(
        ramp_ps=0.5, equilibration_ps=1.0, production_ps=1.0, segment_ps=0.6, frame_interval_ps=0.1, n_ranks=1
    )
    job = run_production(cell, potential, melting_point, 0.4, settings, 50.0, 1)
    monkeypatch.chdir(project)
    doc = run_locally(job, ensure_success=True)[job.uuid][1].output
    assert (doc.status, doc.reason, doc.breaking_frame) == ("completed", None, None)
    assert doc.temperature_K == pytest.approx(400.0) and doc.mean_temperature_K == pytest.approx(400.0, rel=0.25)
    assert [segment.n_frames for segment in doc.segments] == [7, 4]
    assert 0 < doc.largest_grade < 50 and doc.potential_sha256 == potential.file.sha256
    trajectory = open_trajectory([segment.trajectory.path() for segment in doc.segments])
    sidecar = read_structure(doc.sidecar.path())
    (frames,) = trajectory.files[0:1]
    np.testing.assert_allclose(frames.read(0, 1).positions[0], sidecar.positions, atol=1e-5)
    assert sidecar.arrays[PHASE].tolist() == lithium_sulfide.arrays[PHASE].tolist()


def test_mixed_precision_is_in_the_commands_and_in_the_identity(potential):
    style, mixed = pair_style_of(potential, project), pair_style_of(potential, project, RunChoices("mixed"))
    assert mixed.commands[0].replace(" precision mixed", "") == style.commands[0]
    assert mixed.identity == f"{style.identity} mixed precision"
