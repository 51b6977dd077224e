"""DCD files against text dumps of the same LAMMPS run."""

import struct
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk

from interfaceflow.core.errors import DataFileError
from interfaceflow.core.formats.dcd import open_dcd, open_trajectory
from interfaceflow.dynamics.data_file import write_data_file
from interfaceflow.dynamics.frame import LammpsFrame
from interfaceflow.dynamics.lammps_run import run_lammps, setup_lines
from interfaceflow.dynamics.pair_style import PairStyle
from interfaceflow.dynamics.snapshots import dump_lines, read_snapshots
from interfaceflow.dynamics.velocities import draw_velocities

N_ATOMS, EVERY = 32, 10


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A hot, skewed argon cell under NPT, its atoms crossing the box: text dumps beside two DCD segments."""
    folder = tmp_path_factory.mktemp("npt")
    atoms = bulk("Ar", "fcc", a=5.6, cubic=True) * (2, 2, 2)
    atoms.set_cell(np.array([[1, 0, 0], [0.3, 1, 0], [-0.2, 0.4, 1]]) @ atoms.cell.array, scale_atoms=True)
    atoms = draw_velocities(atoms, 800.0, np.random.default_rng(1))
    argon = PairStyle(("Ar",), ("pair_style lj/cut 6.0", "pair_coeff * * 0.0104 3.4"))
    frame = LammpsFrame.of(atoms.cell.array)
    write_data_file(atoms, argon, frame, folder / "start.data")
    script = [
        *setup_lines(argon, "read_data start.data", timestep_fs=4.0),
        "fix move all npt temp 800 800 0.5 aniso 0 0 1 fixedpoint 0 0 0",
        *dump_lines("text", EVERY, None),
        "dump first all dcd 10 first.dcd",
        "dump_modify first unwrap yes",
        "run 500",
        "undump first",
        "dump second all dcd 10 second.dcd",
        "dump_modify second unwrap yes",
        "run 300",
    ]
    run_lammps(script, folder, "npt")
    snapshots = [
        snapshot.atoms for snapshot in read_snapshots(folder / "text.dump", frame.turn(atoms), LammpsFrame.identity())
    ]
    return [folder / "first.dcd", folder / "second.dcd"], snapshots


@pytest.mark.parametrize("max_bytes", [1, 12 * N_ATOMS * 7, 10**9])
def test_segments_read_as_one_stream_equal_the_text_dump(run, max_bytes):
    paths, snapshots = run
    trajectory = open_trajectory(paths)
    pieces = list(trajectory.chunks(max_bytes))
    positions = np.concatenate([piece.positions for piece in pieces])
    cells = np.concatenate([piece.cells for piece in pieces])
    expected = np.array([atoms.positions for atoms in snapshots])
    assert max(len(piece.positions) for piece in pieces) <= max(1, max_bytes // (12 * N_ATOMS))
    assert (trajectory.n_atoms, trajectory.n_frames, positions.dtype) == (N_ATOMS, 81, np.float32)
    np.testing.assert_allclose(positions, expected, rtol=6e-8, atol=1e-9)
    np.testing.assert_allclose(cells, [atoms.cell.array for atoms in snapshots], atol=1e-9)
    assert np.abs(positions[-1] - positions[0]).max() > cells[-1].max(), "no atom crossed the box"
    assert np.ptp(cells[:, 0, 0]) > 0.1, "the cell did not move"


def test_header_is_understood(run):
    (first, second), _ = run
    before, after = open_dcd(first), open_dcd(second)
    assert (before.first_step, before.step_interval, before.n_frames, before.last_step) == (0, EVERY, 51, 500)
    assert (after.first_step, after.last_step) == (500, 800)
    assert before.read(51).positions.shape == (0, N_ATOMS, 3)


def test_segments_must_follow_each_other(run):
    (first, second), _ = run
    with pytest.raises(DataFileError, match="missing or out of order"):
        open_trajectory([second, first])
    with pytest.raises(DataFileError, match="at least one"):
        open_trajectory([])


def damaged(run, tmp_path, content) -> Path:
    path = tmp_path / "damaged.dcd"
    path.write_bytes(content(run[0][0].read_bytes()))
    return path


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (lambda data: data[:-100], r"truncated; it holds 50 whole frames of 32 atoms where its header promises 51"),
        (lambda data: data[:276], r"holds 0 whole frames"),
        (lambda data: data + bytes(10), r"holds 51 whole frames of 32 atoms, then 10 of the 464 bytes"),
        (lambda data: data[:150], r"not a DCD file as LAMMPS writes it"),
        (lambda data: b"", r"not a DCD file"),
        (lambda data: b"ITEM: TIMESTEP\n" * 100, r"not a DCD file"),
        (lambda data: struct.pack(">i", 84) + data[4:], r"not a DCD file"),
    ],
)
def test_damaged_and_foreign_files_are_refused(run, tmp_path, content, message):
    with pytest.raises(DataFileError, match=message):
        open_dcd(damaged(run, tmp_path, content))


def test_damage_inside_is_found_when_the_frame_is_read(run, tmp_path):
    file = open_dcd(
        damaged(run, tmp_path, lambda data: data[: 276 + 464 * 3] + b"\xff" * 60 + data[276 + 464 * 3 + 60 :])
    )
    assert len(file.read(0, 3).positions) == 3
    with pytest.raises(DataFileError, match="frame 3 of 51 is damaged"):
        file.read(2, 5)


def test_absent_file_is_refused(tmp_path):
    with pytest.raises(DataFileError, match="cannot be read"):
        open_dcd(tmp_path / "nothing.dcd")
