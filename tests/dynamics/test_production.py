"""Production runs: stages, segments, going on after a kill, and what the guard does."""

import json
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from interfaceflow.core.formats.dcd import open_trajectory
from interfaceflow.core.formats.structure_file import read_structure
from interfaceflow.core.labels import ORIGIN_INDEX, PHASE, REGION
from interfaceflow.dynamics.guard import Guard
from interfaceflow.dynamics.production import ProductionPlan, run_production_md
from interfaceflow.dynamics.thermo import read_thermo
from interfaceflow.schemas.settings import ProductionSettings

SETTINGS = ProductionSettings(
    timestep_fs=4.0,
    ramp_ps=1.0,
    equilibration_ps=4.0,
    production_ps=6.0,
    segment_ps=2.5,
    frame_interval_ps=0.1,
    grade_every=5,
    n_ranks=1,
)


def plan(temperature_K=30.0, break_threshold=1e6, n_ranks=1, normal_axis=2, **changes):
    return ProductionPlan(
        settings=SETTINGS.model_copy(update={"n_ranks": n_ranks, **changes}),
        guard=Guard(break_threshold, every=5),
        temperature_K=temperature_K,
        normal_axis=normal_axis,
        seed=1,
    )


@pytest.fixture
def labelled(crystal):
    """An argon crystal with labels, stretched along its first vector, which is the normal."""
    crystal.set_cell(np.diag([1.03, 1.0, 1.0]) @ crystal.cell.array, scale_atoms=True)
    crystal.set_array(PHASE, np.array(["metal"] * 54 + ["binary"] * 54))
    crystal.set_array(REGION, np.array(["interior"] * 108))
    crystal.set_array(ORIGIN_INDEX, np.arange(108)[::-1].copy())
    crystal.rotate(30.0, (1, 1, 1), rotate_cell=True)
    return crystal


@pytest.mark.parametrize("n_ranks", [1, 2])
def test_run_is_one_trajectory_with_its_labels(labelled, lj_with_grade, tmp_path, n_ranks):
    run = run_production_md(labelled, lj_with_grade, plan(n_ranks=n_ranks, normal_axis=0), tmp_path)
    assert run.reason is None and run.breaking_frame is None
    assert [segment.n_frames for segment in run.segments] == [26, 25, 10]
    assert (run.production_ps, run.frame_interval_ps) == (pytest.approx(6.0), pytest.approx(0.1))
    assert run.mean_temperature_K == pytest.approx(30.0, abs=3.0)
    assert abs(run.energy_drift_meV_atom_ps) < 0.05
    assert run.largest_grade > 0 and run.atom_steps_per_s > 0
    trajectory = open_trajectory([segment.trajectory for segment in run.segments])
    assert (trajectory.n_frames, trajectory.skipped) == (61, (0, 0, 0))
    frames = [trajectory.files[0].read(), trajectory.files[1].read(), trajectory.files[2].read()]
    positions = np.concatenate([piece.positions for piece in frames])
    cells = np.concatenate([piece.cells for piece in frames])
    assert np.ptp(cells, axis=0).max() == 0, "production runs at constant cell"
    assert np.abs(np.diff(positions, axis=0)).max() < 1.5, "frames follow each other, across segments too"
    assert np.abs(positions.mean(axis=1) - positions[0].mean(axis=0)).max() < 1e-3, "the centre of mass rests"
    sidecar = read_structure(run.sidecar)
    np.testing.assert_allclose(sidecar.positions, positions[0], atol=1e-5)
    assert sidecar.arrays["id"].tolist() == list(range(1, 109))
    assert sidecar.arrays[ORIGIN_INDEX].tolist() == list(range(108))[::-1]
    assert sidecar.arrays[PHASE].tolist() == labelled.arrays[PHASE].tolist()


def test_only_the_normal_length_relaxes_and_its_stress_is_gone(labelled, lj, tmp_path):
    run = run_production_md(labelled, lj, plan(normal_axis=0), tmp_path)
    before, after = labelled.cell.lengths(), run.last_frame.cell.lengths()
    np.testing.assert_allclose(after[:2], before[[1, 2]], atol=1e-9)
    assert after[2] < before[0] - 0.1
    stress_at_start = read_thermo(tmp_path / "ramp.log").column("Pzz")[0] * 1e-4
    assert abs(run.residual_normal_stress_GPa) < 0.1 * abs(stress_at_start)
    assert run.largest_grade == 0.0
    lengths = read_thermo(tmp_path / "equilibration.log").column("Lz")
    assert after[2] == pytest.approx(lengths[len(lengths) // 2 :].mean(), abs=1e-6)


def test_break_ends_the_run_and_keeps_the_frame(crystal, lj_with_grade, tmp_path):
    asked = {"equilibration_ps": 0.5, "production_ps": 12.0, "segment_ps": 6.0}
    quiet = run_production_md(crystal, lj_with_grade, plan(**asked), tmp_path / "quiet")
    before = max(
        stage_record(tmp_path / "quiet", name)["largest_grade"] for name in ("ramp", "equilibration", "length")
    )
    after = max(segment.largest_grade for segment in quiet.segments)
    assert after > before, "this seed has its largest grade in production"
    threshold = 0.5 * (before + after)
    for attempt in range(2):
        run = run_production_md(crystal, lj_with_grade, plan(break_threshold=threshold, **asked), tmp_path / "broken")
        assert f"reached the break threshold {threshold:g}" in run.reason, attempt
        assert run.largest_grade >= threshold
        assert 0 < run.production_ps < 12.0
        frame = read_structure(run.breaking_frame)
        assert frame.arrays["extrapolation_grade"].max() == pytest.approx(run.largest_grade, rel=1e-4)


def stage_record(folder, name):
    return json.loads((folder / f"{name}.json").read_text())


def test_break_before_production_has_no_segments(labelled, lj_with_grade, tmp_path):
    run = run_production_md(labelled, lj_with_grade, plan(break_threshold=-100.0), tmp_path)
    assert run.segments == () and run.production_ps == 0.0
    assert len(read_structure(run.sidecar)) == 108
    assert run.mean_temperature_K > 0


_OWNER = """
import pickle
from pathlib import Path
from interfaceflow.dynamics.production import run_production_md
folder = Path({folder!r})
run_production_md(*pickle.loads((folder / "task.pickle").read_bytes()), folder)
"""


def test_killed_run_goes_on_from_its_last_whole_segment(labelled, lj_with_grade, tmp_path):
    long = plan(n_ranks=2, production_ps=20.0, segment_ps=4.0)
    (tmp_path / "task.pickle").write_bytes(pickle.dumps((labelled, lj_with_grade, long)))
    code = _OWNER.format(folder=str(tmp_path))
    owner = subprocess.Popen([sys.executable, "-c", code])
    wait_for(lambda: (tmp_path / "segment_001.dcd").is_file(), owner)
    owner.send_signal(signal.SIGKILL)
    owner.wait()
    wait_for(lambda: not processes_in(tmp_path), None)
    finished = {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("*.json")}
    assert "segment_000.json" in finished and len(finished) < 8
    run = run_production_md(labelled, lj_with_grade, long, tmp_path)
    assert {name: (tmp_path / name).stat().st_mtime_ns for name in finished} == finished, "nothing was repeated"
    trajectory = open_trajectory([segment.trajectory for segment in run.segments])
    assert (trajectory.n_frames, trajectory.files[-1].last_step) == (201, 5_000)
    pieces = [frames.positions for frames in trajectory.chunks()]
    assert np.abs(np.diff(np.concatenate(pieces), axis=0)).max() < 1.5
    assert abs(run.energy_drift_meV_atom_ps) < 0.01, "the thermostat went on from its state"


def wait_for(condition, owner, seconds=60.0):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "waited too long"
        assert owner is None or owner.poll() is None, "the run ended before it was killed"
        time.sleep(0.01)


def processes_in(folder):
    """Return the processes whose working directory is this folder."""
    found = []
    for link in Path("/proc").glob("[0-9]*/cwd"):
        try:
            if str(link.readlink()) == str(folder):
                found.append(link)
        except OSError:
            continue
    return found
