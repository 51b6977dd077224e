"""LAMMPS as a child process: errors in its words, and no child that outlives its owner."""

import time

import numpy as np
import pytest

from interfaceflow.core.errors import ExternalProgramError, UserInputError
from interfaceflow.core.lammps_environment import child_environment, libmpi_path, lmp_path, mpiexec_path
from interfaceflow.dynamics.data_file import write_data_file
from interfaceflow.dynamics.frame import LammpsFrame
from interfaceflow.dynamics.lammps_run import AtomsLostError, check_room, run_lammps, setup_lines, thermo_lines
from interfaceflow.dynamics.thermo import read_thermo
from interfaceflow.dynamics.velocities import draw_velocities


class Meter:
    """Counts what it is told."""

    def __init__(self):
        self.done = 0

    def start(self, total, unit, description):
        self.done = 0

    def advance(self, n=1):
        self.done += n

    def note(self, text):
        pass


@pytest.fixture
def script(crystal, lj, tmp_path):
    start = draw_velocities(crystal, 60.0, np.random.default_rng(1))
    write_data_file(start, lj, LammpsFrame.of(start.cell.array), tmp_path / "start.data")
    return [*setup_lines(lj, "read_data start.data", timestep_fs=4.0), *thermo_lines(100), "fix move all nve"]


def test_programs_are_those_of_this_environment():
    assert lmp_path().is_file() and mpiexec_path().is_file() and libmpi_path().is_file()
    environment = child_environment()
    assert environment["LD_LIBRARY_PATH"].startswith(str(libmpi_path().parent))
    assert environment["OMP_NUM_THREADS"] == "1"


def test_plugins_of_another_lammps_are_not_inherited(monkeypatch):
    monkeypatch.setenv("LAMMPS_PLUGIN_PATH", "/of/another/lammps")
    assert "/of/another/lammps" not in child_environment()["LAMMPS_PLUGIN_PATH"]


@pytest.mark.parametrize("n_ranks", [1, 2])
def test_progress_counts_every_step_once(script, tmp_path, n_ranks):
    meter = Meter()
    log = run_lammps([*script, "run 500"], tmp_path, "run", n_ranks=n_ranks, progress=meter)
    assert meter.done == 500
    assert read_thermo(log).column("Step").tolist() == list(range(0, 501, 100))


def test_error_is_quoted_with_its_log(script, tmp_path):
    with pytest.raises(ExternalProgramError, match=r"ERROR: Unknown command: dance.*run\.log"):
        run_lammps([*script, "dance"], tmp_path, "run")


def test_missing_pair_style_names_the_cure(script, tmp_path):
    with pytest.raises(ExternalProgramError, match=r"Unrecognized pair style.*interfaceflow doctor"):
        run_lammps([*script, "pair_style nonesuch"], tmp_path, "run")


def test_lost_atoms_are_recognised(script, tmp_path):
    escape = [*script[:2], "boundary f f f", *script[3:], "velocity all scale 5000", "run 2000"]
    with pytest.raises(AtomsLostError, match=r"Lost atoms.*timestep_fs 1, or let active learning run longer"):
        run_lammps(escape, tmp_path, "run")


def test_lammps_that_ends_without_an_error_but_early_is_not_believed(script, tmp_path):
    with pytest.raises(ExternalProgramError, match="exit status 3"):
        run_lammps([*script, "quit 3"], tmp_path, "run")


def test_interrupt_ends_the_children(script, tmp_path):
    class Interrupting(Meter):
        def advance(self, n=1):
            raise KeyboardInterrupt

    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run_lammps([*script, "run 100000000"], tmp_path, "run", n_ranks=2, progress=Interrupting())
    assert time.monotonic() - started < 20
    size = (tmp_path / "run.log").stat().st_size
    time.sleep(0.5)
    assert (tmp_path / "run.log").stat().st_size == size


def test_full_disk_and_read_only_folder_are_refused(tmp_path):
    with pytest.raises(UserInputError, match=r"MB are free.*frame_interval_ps"):
        check_room(tmp_path, 10**18)
    (tmp_path / "file").touch()
    with pytest.raises(UserInputError, match="cannot be written"):
        check_room(tmp_path / "file" / "folder", 1)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_log_without_results_is_refused(tmp_path):
    (tmp_path / "empty.log").write_text("LAMMPS (22 Jul 2025)\n")
    with pytest.raises(ExternalProgramError, match="printed no results"):
        read_thermo(tmp_path / "empty.log")
