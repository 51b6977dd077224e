"""There and back: cells, positions, velocities and forces."""

import numpy as np
import pytest
from ase import Atoms

from interfaceflow.core.errors import UserInputError
from interfaceflow.dynamics.data_file import write_data_file
from interfaceflow.dynamics.frame import LammpsFrame
from interfaceflow.dynamics.lammps_run import run_lammps, setup_lines, thermo_lines
from interfaceflow.dynamics.snapshots import dump_lines, read_snapshots
from interfaceflow.dynamics.thermo import read_thermo
from interfaceflow.dynamics.velocities import draw_velocities


@pytest.mark.parametrize("normal_axis", [0, 1, 2])
def test_structure_survives_lammps(any_cell, lj, tmp_path, normal_axis):
    start = draw_velocities(any_cell, 40.0, np.random.default_rng(5))
    frame = LammpsFrame.of(start.cell.array, normal_axis)
    write_data_file(start, lj, frame, tmp_path / "start.data")
    script = [*setup_lines(lj, "read_data start.data", timestep_fs=1.0), *dump_lines("there", 1, None), "run 0"]
    run_lammps(script, tmp_path, "there")
    (snapshot,) = read_snapshots(tmp_path / "there.dump", start, frame)
    np.testing.assert_allclose(snapshot.atoms.cell.array, start.cell.array, atol=1e-9)
    np.testing.assert_allclose(snapshot.atoms.positions, start.positions, atol=1e-9)
    np.testing.assert_allclose(snapshot.atoms.get_velocities(), start.get_velocities(), atol=1e-10)


def test_lammps_and_ase_agree_on_lennard_jones(any_cell, lj, ase_lj, tmp_path):
    frame = LammpsFrame.of(any_cell.cell.array)
    write_data_file(any_cell, lj, frame, tmp_path / "start.data")
    script = [
        *setup_lines(lj, "read_data start.data", timestep_fs=1.0),
        *thermo_lines(1),
        "thermo_modify format float %.12g",
        "dump forces all custom 1 forces.txt fx fy fz",
        "dump_modify forces sort id format float %.12g",
        "run 0",
    ]
    log = run_lammps(script, tmp_path, "energy")
    any_cell.calc = ase_lj
    assert read_thermo(log).column("PotEng")[0] == pytest.approx(any_cell.get_potential_energy(), abs=1e-9)
    forces = frame.from_lammps(np.loadtxt(tmp_path / "forces.txt", skiprows=9))
    np.testing.assert_allclose(forces, any_cell.get_forces(), atol=1e-10)


def test_third_vector_of_lammps_has_the_normal(crystal):
    crystal.rotate(20.0, (1, 1, 0.3), rotate_cell=True)
    for axis in (0, 1, 2):
        frame = LammpsFrame.of(crystal.cell.array, axis)
        cell = frame.cell_to_lammps(crystal.cell.array)
        assert (np.diag(cell) > 0).all() and np.allclose(np.triu(cell, 1), 0)
        np.testing.assert_allclose(frame.cell_from_lammps(cell), crystal.cell.array, atol=1e-12)
        np.testing.assert_allclose(np.linalg.norm(cell[2]), crystal.cell.lengths()[axis])


def test_unknown_element_and_missing_periodicity_are_refused(crystal, lj, tmp_path):
    frame = LammpsFrame.of(crystal.cell.array)
    with pytest.raises(UserInputError, match=r"does not know the element 'Li'.*trained for Ar"):
        write_data_file(Atoms("Li", cell=np.eye(3) * 5, pbc=True), lj, frame, tmp_path / "x.data")
    crystal.pbc = (True, True, False)
    with pytest.raises(UserInputError, match="periodic in three directions"):
        write_data_file(crystal, lj, frame, tmp_path / "x.data")
    with pytest.raises(UserInputError, match="no volume"):
        LammpsFrame.of(np.zeros((3, 3)))
    assert not (tmp_path / "x.data").exists()
