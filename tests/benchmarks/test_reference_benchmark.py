"""The comparison of reference engines runs from its command line and writes what it measured."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "reference" / "engines.py"


@pytest.mark.slow
def test_levels_are_compared_and_what_is_not_there_is_left_out(tmp_path):
    level = "name: mine\ndescription: x\nphysics: {engine: ase, calculator: 'no_such_package:Model'}\n"
    (tmp_path / "mine.yaml").write_text(level)
    options = ["--quick", "--levels", "chgnet", "mine", "--beside", str(tmp_path), "--json", "found.json"]
    done = subprocess.run(
        [sys.executable, str(BENCHMARK), *options], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "mine is left out" in done.stderr and "no_such_package" in done.stderr
    (found,) = json.loads((tmp_path / "found.json").read_text())
    assert found["level"] == "chgnet"
    assert found["lattice_constant_A"] == pytest.approx(5.70, abs=0.05)
    assert found["energy_difference_eV"] > 0.1
    assert "| chgnet |" in done.stdout
