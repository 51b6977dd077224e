"""The smoke recipe, smaller still, through the command line from end to end, with a kill on the way."""

import json
import os
import signal
import subprocess
import time

import pytest
import yaml
from smaller_recipe import INTERFACEFLOW, TIME_LIMIT_S, interfaceflow, job_states, still_smaller


@pytest.mark.slow
def test_the_recipe_survives_a_kill_and_ends_with_results(tmp_path):
    config = tmp_path / "test.yaml"
    config.write_text(yaml.safe_dump(still_smaller()))

    first = subprocess.Popen(
        [INTERFACEFLOW, "run", str(config)],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    deadline = time.monotonic() + TIME_LIMIT_S
    while sum(job["state"] == "COMPLETED" for job in job_states(tmp_path)) < 4:
        assert first.poll() is None, f"the run ended before it could be killed:\n{first.stderr.read()}"
        assert time.monotonic() < deadline
        time.sleep(1)
    second = interfaceflow("run", str(config), folder=tmp_path)
    assert second.returncode == 2
    assert str(first.pid) in second.stderr
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    first.stderr.close()
    finished = {job["uuid"]: job["launches"] for job in job_states(tmp_path) if job["state"] == "COMPLETED"}
    assert len(finished) >= 4

    again = interfaceflow("run", str(config), folder=tmp_path)
    assert again.returncode == 0, again.stdout + again.stderr

    jobs = job_states(tmp_path)
    assert {job["state"] for job in jobs} == {"COMPLETED"}
    launches = {job["uuid"]: job["launches"] for job in jobs}
    assert {uuid: launches[uuid] for uuid in finished} == finished

    report = (tmp_path / "report.html").read_text()
    assert "Li(110)||LiCl(100), test" in report
    assert "http://" not in report.replace("http://www.w3.org", "")

    energetics = json.loads(interfaceflow("query", "energetics", "--json", folder=tmp_path).stdout)
    assert len(energetics) == 1
    assert energetics[0]["interfacial_energy_J_m2"] <= energetics[0]["interface_formation_energy_J_m2"] + 1e-6
    potentials = json.loads(interfaceflow("query", "potentials", "--json", folder=tmp_path).stdout)
    assert {(row["zbl_inner_cutoff_A"], row["zbl_outer_cutoff_A"]) for row in potentials} == {(1.0, 1.5)}
    transport = json.loads(interfaceflow("query", "transport", "--json", folder=tmp_path).stdout)
    assert {(row["label"], row["direction"]) for row in transport} == {
        (label, direction) for label in ("metal-Li", "binary-Li") for direction in ("in-plane", "out-of-plane")
    }
    assert len({row["temperature_K"] for row in transport}) == 3
    for row in transport:
        assert row["upper_cm2_s"] > 0
        assert (row["tracer_diffusivity_cm2_s"] is None) == (row["reason"] is not None)

    finished_again = interfaceflow("run", str(config), folder=tmp_path)
    assert finished_again.returncode == 0
    assert {job["uuid"]: job["launches"] for job in job_states(tmp_path)} == launches
