"""Each benchmark runs from its command line and writes what it measured."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks" / "mtp"


def run_quickly(name, folder, *options, succeeds=True, environment=None):
    """Run a benchmark with numbers that mean nothing; return its JSON file and what it printed."""
    written = folder / "found.json"
    command = [sys.executable, str(BENCHMARKS / f"{name}.py"), "--quick", "--json", str(written), *options]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode == 0) == succeeds, done.stdout + done.stderr
    return (json.loads(written.read_text()) if succeeds else None), done.stdout + done.stderr


def test_md_compares_rates_ranks_and_memory(tmp_path):
    found, printed = run_quickly("md", tmp_path, "--simd", "portable")
    (run,) = found["runs"]
    assert run["machine"]["instruction_set"] == "portable"
    (throughput,) = run["result"]["throughput"]
    assert throughput["n_atoms"] == 96
    assert throughput["rates"][0]["name"] == "interfaceflow, LAMMPS"
    assert all(rate["median"] > 0 for rate in throughput["rates"])
    assert throughput["ours_over"][0] == 1.0
    assert all(agreement["force_eV_A"] < 1e-6 for agreement in throughput["agreements"])
    (ranks,) = run["result"]["ranks"]
    assert ranks["n_atoms"] == 324 and ranks["speed_up"] > 0
    (memory,) = run["result"]["memory"]
    assert memory["ours_bytes"] > 0 and memory["lennard_jones_bytes"] > 0
    assert "atom-steps per CPU-second" in printed


def test_grades_cost_is_a_fraction_of_the_run_without_them(tmp_path):
    found, _ = run_quickly("grades", tmp_path)
    (cost,) = found["runs"][0]["result"]["dynamics"]
    without, every_step = cost["without"]["rounds"][0], cost["every_step"]["rounds"][0]
    assert cost["extra_every_step"] == pytest.approx(without / every_step - 1)
    assert cost["largest_grade"] > 0


def test_training_reaches_the_loss_that_mlip_ended_with(tmp_path):
    found, _ = run_quickly("training", tmp_path)
    result = found["runs"][0]["result"]
    (race,) = result["time_to_loss"]
    assert race["reference_loss"] == pytest.approx(0.347205 / 24, rel=1e-5)  # what mlp calculate_loss printed
    assert 0 < race["ours_iterations"][0] < race["reference_iterations"]
    (training,) = result["trainings"]
    assert training["n_iterations"] == 78 and training["loss"] < 0.02
    assert training["peak_bytes"] > training["training_bytes"] > 0


def test_selection_runs_alone_where_motep_is_not_installed(tmp_path):
    # A module that cannot be found stands for one that is not installed.
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['motep'] = None\n")
    found, printed = run_quickly("selection", tmp_path, environment={**os.environ, "PYTHONPATH": str(tmp_path)})
    assert "pip install -e '.[benchmark]'" in printed
    result = found["runs"][0]["result"]
    (selection,) = result["selections"]
    assert selection["n_candidates"] == 3
    assert len(set(selection["n_selected"])) == 1  # called from Python, and by the command
    assert result["gradings"] == []


def test_a_peer_that_is_not_there_is_refused_before_anything_is_measured(tmp_path):
    _, printed = run_quickly("md", tmp_path, "--peer", "site=absent.so:mtp", succeeds=False)
    assert "there is no file" in printed and "load" not in printed.split("error:")[1]
