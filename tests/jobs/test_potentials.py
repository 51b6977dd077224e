"""Training jobs: what they leave out, what they write down, and what a kill costs."""

import os
import re
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import train_small_potential
from train_small_potential import labels_of, run_training, store_dataset

from interfaceflow.core.formats.cfg import read_configurations
from interfaceflow.schemas.settings import MtpSettings

pytestmark = pytest.mark.filterwarnings("ignore:cd is deprecated:FutureWarning")


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.setenv("INTERFACEFLOW_PROJECT", str(tmp_path))
    return tmp_path


def file_of(project: Path, name: str) -> Path:
    (path,) = project.glob(f".interfaceflow/files/*/{name}")
    return path


def test_the_stress_of_cells_with_vacuum_does_not_count(project):
    labels = labels_of("train.cfg", 3)
    slab = labels[1].atoms.copy()
    slab.cell[2] *= 1.0 + 12.0 / slab.cell.lengths()[2]
    dataset = store_dataset([labels[0], replace(labels[1], atoms=slab), labels[2]], labels_of("test.cfg", 1))
    document = run_training(dataset, MtpSettings(level=4, max_iterations=2))
    assert document.n_without_stress == 1
    trained_on = read_configurations(file_of(project, "training.cfg"))
    assert [one.plus_stress is None for one in trained_on] == [False, True, False]
    assert not document.early_stop


def test_the_held_out_set_chooses_the_potential_where_that_is_asked_for(project):
    dataset = store_dataset(labels_of("train.cfg", 2), labels_of("test.cfg", 3))
    document = run_training(dataset, MtpSettings(level=6, max_iterations=400, early_stop=True))
    assert document.early_stop
    log = file_of(project, "train.log").read_text()
    ended = int(re.search(r"training ended after (\d+) iterations: the loss on the validation set", log)[1])
    assert document.model.iterations == 75 + ended < 75 + 400
    kept = float(re.search(r"is kept: loss (\S+),", log)[1])
    assert document.model.final_loss == kept


def test_a_killed_job_goes_on_when_it_is_run_again(project):
    command = [sys.executable, train_small_potential.__file__, "12", "12"]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as owner:
        deadline = time.monotonic() + 120
        while not any("BFGS iter 3:" in path.read_text() for path in project.glob(".interfaceflow/files/*/train.log")):
            assert owner.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
        owner.kill()
    while not list(project.glob(".interfaceflow/files/*/potential.almtp.checkpoint")):
        assert time.monotonic() < deadline, "the engine left no checkpoint when its owner died"
        time.sleep(0.02)
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    log = file_of(project, "train.log").read_text()
    assert int(re.search(r"training goes on from .*checkpoint: (\d+) iterations are done", log)[1]) >= 3
    assert "training ended after 12 iterations" in log
    assert not list(project.glob(".interfaceflow/files/*/*.checkpoint"))
