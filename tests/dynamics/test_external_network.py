"""A compiled network beside LAMMPS: the numbers of the network itself, with its grades where the guard looks."""

import numpy as np
import pytest
from ase.spacegroup import crystal

from interfaceflow.core.errors import ExternalProgramError
from interfaceflow.dynamics.data_file import write_data_file
from interfaceflow.dynamics.frame import LammpsFrame
from interfaceflow.dynamics.guard import Guard
from interfaceflow.dynamics.guarded import GuardedSettings, run_guarded_md
from interfaceflow.dynamics.lammps_run import run_lammps, setup_lines
from interfaceflow.dynamics.pair_style import GradeSource, PairStyle
from interfaceflow.dynamics.thermo import read_thermo
from interfaceflow.potentials.external.lammps_commands import (
    PER_ATOM_GRADE,
    external_commands,
    external_program,
    grade_commands,
)
from interfaceflow.potentials.external.nequip_network import network_words
from interfaceflow.potentials.nequip.latent_grade import build_latent_grade
from interfaceflow.potentials.nequip.model import load_model
from interfaceflow.potentials.nequip.model_files import ModelFile

pytestmark = pytest.mark.slow

EV_PER_A3_IN_BAR = 1602176.634


@pytest.fixture(scope="module")
def model(compiled_network):
    return load_model(compiled_network)


@pytest.fixture(scope="module")
def grade(model, small_network, tmp_path_factory):
    found = build_latent_grade(model, [one.atoms for one in small_network.labels], small_network.run.checkpoint.sha256)
    path = tmp_path_factory.mktemp("grade") / "grade.npz"
    found.save(path)
    return found, path


def style_of(file: ModelFile, grade_file, species=("S", "Li"), device="cpu") -> PairStyle:
    words = network_words(device, "latent", grade_file, [file])
    return PairStyle(
        species,
        external_commands(4.5),
        grade=GradeSource(grade_commands(), PER_ATOM_GRADE),
        program=external_program("nequip", species, words),
    )


def lithium_sulfide(primitive):
    """Three or twelve atoms, shaken and skewed: both cells are smaller than the reach of the network."""
    atoms = crystal(
        ["Li", "S"], [(0.25,) * 3, (0, 0, 0)], spacegroup=225, cellpar=[5.7] * 3 + [90] * 3, primitive_cell=primitive
    )
    atoms.set_cell(atoms.cell.array @ np.array([[1.0, 0.03, 0], [0, 0.98, -0.02], [0.04, 0, 1.02]]), scale_atoms=True)
    atoms.rattle(0.1, seed=1)
    return atoms


def run_0(atoms, style, folder):
    frame = LammpsFrame.of(atoms.cell.array)
    write_data_file(atoms, style, frame, folder / "start.data")
    script = [
        *setup_lines(style, "read_data start.data", timestep_fs=1.0),
        *style.grade.lines(1),
        f"dump end all custom 1 end.dump id fx fy fz {PER_ATOM_GRADE}",
        "dump_modify end sort id format float %.15g",
        "thermo_style custom step temp pe pxx pyy pzz pyz pxz pxy",
        "thermo_modify format float %.15g",
        "run 0",
    ]
    log = run_lammps(script, folder, "now", program=style.program)
    return frame, read_thermo(log).rows[-1], np.loadtxt(folder / "end.dump", skiprows=9)


@pytest.mark.parametrize("primitive", [True, False])
def test_lammps_gets_the_networks_numbers(primitive, model, compiled_network, grade, tmp_path):
    atoms = lithium_sulfide(primitive)
    active, file = grade
    frame, thermo, rows = run_0(atoms, style_of(compiled_network, file), tmp_path)
    expected = model.compute(atoms)
    assert thermo[2] == pytest.approx(expected.energy_eV, abs=1e-8)
    np.testing.assert_allclose(frame.from_lammps(rows[:, 1:4]), expected.forces_eV_A, atol=1e-8)
    np.testing.assert_allclose(rows[:, 4], active.grades_of(model, atoms, expected), rtol=1e-6)
    turned = model.compute(frame.turn(atoms)).stress_eV_A3
    np.testing.assert_allclose(thermo[3:], -EV_PER_A3_IN_BAR * turned, rtol=1e-6, atol=1e-3)


def test_a_guarded_run_breaks_at_the_networks_grade(model, compiled_network, grade, tmp_path):
    active, file = grade
    atoms = lithium_sulfide(primitive=False)
    asked = GuardedSettings(
        temperature_K=1500.0, duration_ps=0.4, timestep_fs=1.0, select_threshold=1.0, guard=Guard(1.5, every=2)
    )
    run = run_guarded_md(atoms, style_of(compiled_network, file), asked, tmp_path, seed=1)
    assert run.broke and "reached the break threshold 1.5" in run.reason
    breaking = run.breaking.atoms
    np.testing.assert_allclose(
        run.breaking.grades, active.grades_of(model, breaking, model.compute(breaking)), rtol=1e-4
    )


def test_a_network_for_other_species_device_or_of_another_content_is_refused(compiled_network, grade, tmp_path):
    atoms = lithium_sulfide(primitive=True)
    _, file = grade
    with pytest.raises(ExternalProgramError, match=r"does not know Cl; it was trained for Li, S"):
        run_0(atoms, style_of(compiled_network, file, species=("Li", "S", "Cl")), tmp_path)
    with pytest.raises(ExternalProgramError, match=r"was compiled for cpu and cannot run on cuda"):
        run_0(atoms, style_of(compiled_network, file, device="cuda"), tmp_path)
    untrusted = ModelFile(compiled_network.path, "0" * 64)
    with pytest.raises(ExternalProgramError, match=r"refused, since loading such a file runs the code in it"):
        run_0(atoms, style_of(untrusted, file), tmp_path)
    with pytest.raises(ExternalProgramError, match=r"nothing\.npz"):
        run_0(atoms, style_of(compiled_network, tmp_path / "nothing.npz"), tmp_path)
