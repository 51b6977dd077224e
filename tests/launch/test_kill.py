"""Kill the process at random moments, start it again, and compare with a run that was left alone."""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import psutil
import pytest
from sleepy_jobs import traces

from interfaceflow.launch.backend import look_at_project
from interfaceflow.launch.jobs_of_flow import read_flow
from interfaceflow.launch.status import flow_status

SCRIPT = Path(__file__).parent / "run_small_flow.py"


def start(folder: Path, flow: str) -> subprocess.Popen:
    return subprocess.Popen([sys.executable, str(SCRIPT), str(folder), flow], stderr=subprocess.DEVNULL)


def wait_for_job(folder: Path, process: subprocess.Popen) -> None:
    while not (folder / "owner.pid").exists():
        assert process.poll() is None
        time.sleep(0.05)


def finish(folder: Path, flow: str) -> None:
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(folder), flow], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr


def outputs(folder: Path) -> Counter:
    """Return the stored results without their random identifiers."""
    documents = look_at_project(folder).store.outputs.query()
    return Counter((d["name"], d["index"], d["output"]) for d in documents if d["name"] != "store_inputs")


def completed_launches(folder: Path) -> dict[tuple[str, int], int]:
    if not (folder / ".interfaceflow" / "launchpad.json").exists():
        return {}
    backend = look_at_project(folder)
    return {
        (job.uuid, job.index): job.launches
        for record in backend.store.list_flows()
        for job in read_flow(backend, record.flow_uuid).in_state("COMPLETED")
    }


def test_kills_at_random_moments_lose_and_repeat_nothing(tmp_path):
    undisturbed, killed = tmp_path / "undisturbed", tmp_path / "killed"
    undisturbed.mkdir()
    killed.mkdir()
    finish(undisturbed, "loop")
    moments = random.Random(int(os.environ.get("KILL_SEED", "5")))

    finished: dict[tuple[str, int], int] = {}
    runs_when_finished: dict[str, int] = {}
    for _ in range(int(os.environ.get("N_KILLS", "3"))):
        process = start(killed, "loop")
        while not (killed / "runs.log").exists() and process.poll() is None:
            time.sleep(0.01)
        before = len(traces(killed))
        while len(traces(killed)) <= before and process.poll() is None:
            time.sleep(0.005)
        time.sleep(moments.uniform(0, 0.4))
        process.kill()
        process.wait()
        now = completed_launches(killed)
        assert {job: now[job] for job in finished} == finished
        counts = Counter(traces(killed))
        assert all(counts[trace] == n for trace, n in runs_when_finished.items())
        finished = now
        done = {f"{uuid} {index}" for uuid, index in now}
        runs_when_finished = {t: n for t, n in counts.items() if t.split(" ", 1)[1] in done}
    finish(killed, "loop")

    counts = Counter(traces(killed))
    assert all(counts[trace] == n for trace, n in runs_when_finished.items())
    assert outputs(killed) == outputs(undisturbed)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_the_children_and_puts_the_job_back(tmp_path, number):
    process = start(tmp_path, "interrupt")
    wait_for_job(tmp_path, process)
    process.send_signal(number)
    assert process.wait(timeout=30) == 130
    assert not psutil.pid_exists(int((tmp_path / "child.pid").read_text()))
    backend = look_at_project(tmp_path)
    (job,) = read_flow(backend, backend.store.list_flows()[0].flow_uuid).jobs.values()
    assert (job.state, job.launches) == ("READY", 1)


def test_what_a_killed_run_left_behind_is_stopped_by_the_next(tmp_path):
    process = start(tmp_path, "interrupt")
    wait_for_job(tmp_path, process)
    second = subprocess.run(
        [sys.executable, str(SCRIPT), str(tmp_path), "interrupt"], capture_output=True, text=True, check=False
    )
    assert second.returncode == 2
    assert f"in use by process {process.pid}" in second.stderr
    child = psutil.Process(int((tmp_path / "child.pid").read_text()))
    assert not flow_status(tmp_path).is_abandoned
    process.kill()
    process.wait()
    assert child.is_running()
    assert "the run was stopped, go on with: interfaceflow run" in flow_status(tmp_path).summary()
    (tmp_path / "owner.pid").unlink()

    again = start(tmp_path, "interrupt")
    wait_for_job(tmp_path, again)
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE
    again.send_signal(signal.SIGINT)
    assert again.wait(timeout=30) == 130
