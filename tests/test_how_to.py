"""The commands of the how-to pages run as they are printed."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from ase.build import bulk
from ase.io import write

from interfaceflow.core.formats.cfg import read_configurations
from interfaceflow.reference.engines import check_calculation
from interfaceflow.reference.levels_of_theory import load_level_of_theory
from interfaceflow.schemas.settings import ReferenceSettings

ROOT = Path(__file__).parent.parent
LI2S = ROOT / "tests" / "data" / "mtp" / "li2s"


def blocks_of(page: str) -> list[str]:
    return re.findall(r"```(?:python)?\n(.*?)```", (ROOT / "docs" / "how-to" / page).read_text(), re.DOTALL)


@pytest.mark.slow
def test_a_potential_is_trained_and_run_as_described(tmp_path):
    labels, conversion, selection, script, overlay = blocks_of("mtp-engine.md")
    write(tmp_path / "labelled.xyz", [one.to_atoms(["Li", "S"]) for one in read_configurations(LI2S / "train.cfg")])
    (tmp_path / "candidates.cfg").write_bytes((LI2S / "test.cfg").read_bytes())
    (tmp_path / "in.lammps").write_text(script)
    alone = re.compile(r"pair_style .*\npair_coeff .*\n")
    (tmp_path / "overlay.lammps").write_text(alone.sub(overlay, script))
    programs = {**os.environ, "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])}

    def run(*command):
        done = subprocess.run(
            command, input="", cwd=tmp_path, env=programs, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    run(sys.executable, "-c", conversion)
    run("bash", "-ec", labels)
    assert "RMS     absolute difference" in (tmp_path / "errors.txt").read_text()
    assert "Training set was increased by" in run("bash", "-ec", selection)
    for name in ("in.lammps", "overlay.lammps"):
        assert re.search(r"^ +200 ", run("mpiexec", "-n", "2", "lmp", "-in", name), re.MULTILINE)


def test_the_levels_of_theory_of_the_how_to_page_are_read(tmp_path):
    page = (ROOT / "docs" / "how-to" / "reference-calculations.md").read_text()
    settings, level = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    reference = ReferenceSettings.model_validate(yaml.safe_load(settings)["reference"])
    assert load_level_of_theory(reference.level_of_theory).physics.engine == "gpaw"
    (tmp_path / "my-model.yaml").write_text(level)
    check_calculation(load_level_of_theory("my-model", tmp_path), bulk("Cu"), "copper")


@pytest.mark.slow
def test_a_network_is_trained_compiled_and_run_as_described(tmp_path):
    labels = []
    for index, one in enumerate(read_configurations(LI2S / "train.cfg")[:6]):
        atoms = one.to_atoms(["Li", "S"])
        energy = atoms.calc.results["energy"]
        atoms.calc.results["free_energy"] = energy
        atoms.info = {"physics_hash": "chgnet", "source": "train.cfg", "trajectory": f"run {index % 3}"}
        labels.append(atoms)
    write(tmp_path / "training.xyz", labels)
    training, use = blocks_of("nequip-networks.md")
    done = subprocess.run(
        [sys.executable, "-c", training + use], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    errors, numbers = done.stdout.strip().splitlines()
    assert "force_rmse_eV_A" in errors
    assert float(numbers.split()[1]) <= 1.001


def test_bonds_and_phonons_are_found_as_described():
    bond, crystal = blocks_of("bonds-and-phonons.md")
    said = [
        subprocess.run([sys.executable, "-W", "error", "-c", block], capture_output=True, text=True, check=True).stdout
        for block in (bond, crystal)
    ]
    assert re.fullmatch(r"B-H: D = [23]\.\d eV, k = 1[789] eV/Å2\n", said[0])
    assert re.fullmatch(r"lowest -?0\.00 THz, noise 0\.0\d\d THz, 0 imaginary modes\n", said[1])
