"""The benchmarks of potentials run from their command lines and write what they measured."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from interfaceflow.core.formats.cfg import read_configurations
from interfaceflow.core.formats.labelled_file import write_labelled
from interfaceflow.core.labelled import LabelledConfiguration

ROOT = Path(__file__).parents[2]
BENCHMARKS = ROOT / "benchmarks" / "potentials"
SMALL = ("--epochs", "1", "--features", "4", "--iterations", "3")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Write labels of the tests under the names of the runs, so that none has to be made."""
    folder = tmp_path_factory.mktemp("data")
    script = "import make_data; print(*[run.name for run in make_data.RUNS])"
    names = subprocess.check_output([sys.executable, "-c", script], cwd=BENCHMARKS, text=True).split()
    configurations = read_configurations(ROOT / "tests" / "data" / "mtp" / "li2s" / "train.cfg")
    for index, name in enumerate(names):
        atoms = configurations[index].to_atoms(("Li", "S"))
        results, atoms.calc = atoms.calc.results, None
        energy = results["energy"]
        label = LabelledConfiguration(atoms, energy, energy, results["forces"], results["stress"], "x", name, name)
        write_labelled([label], folder / f"{name}.xyz")
    return folder


def run(name, *options):
    done = subprocess.run(
        [sys.executable, str(BENCHMARKS / f"{name}.py"), *map(str, options)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_data_that_are_there_are_not_made_again(data):
    assert run("make_data", data) == ""


def test_calibration_judges_three_grades(data, tmp_path):
    run("calibration", data, "--networks", 2, "--json", tmp_path / "a.json", "--png", tmp_path / "a.png", *SMALL)
    found = json.loads((tmp_path / "a.json").read_text())
    assert list(found) == ["latent features", "committee", "MTP level 8"]
    for one in found.values():
        assert one["n_atoms"] == 5 * 96
        assert -1 <= one["rank_correlation"] <= 1
        assert [outcome["threshold"] for outcome in one["thresholds"]] == [1.5, 5.0, 10.0]
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_comparison_gives_errors_costs_and_speeds(data, tmp_path):
    run("mtp_vs_nequip", data, "--eager", "--levels", 8, "--steps", 2, "--json", tmp_path / "b.json", *SMALL)
    found = json.loads((tmp_path / "b.json").read_text())
    for name in ("MTP level 8", "NequIP, checkpoint"):
        one = found[name]
        assert one["fit_cpu_s"] > 0 and one["hot"]["force_rmse_eV_A"] > 0
        assert all(value > 0 for value in one["md_cpu_ms_per_step"].values())
