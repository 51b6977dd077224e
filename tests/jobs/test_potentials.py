"""Training jobs: what they leave out, what they write down, and what a kill costs."""

import os
import re
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import train_small_potential
from jobflow import JobStore, run_locally
from maggma.stores import MemoryStore
from train_small_potential import labels_of, run_training, store_dataset

from interfaceflow.core.formats.cfg import read_configurations
from interfaceflow.jobs.potentials import evaluate_potential
from interfaceflow.jobs.wiring import wire
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


def test_errors_are_told_by_temperature_system_region_and_species(project):
    held_out = [
        replace(label, temperature_K=temperature, system=system)
        for label, temperature, system in zip(
            labels_of("test.cfg", 4), (300.0, 1200.0, 1200.0, None), ("a", "a", "b", "b"), strict=True
        )
    ]
    for label in held_out[:2]:
        n = len(label.atoms)
        label.atoms.set_array("phase", np.array(["metal"] * n))
        label.atoms.set_array("region", np.array(["interface", *["interior"] * (n - 1)]))
        label.atoms.set_array("origin_index", np.arange(n))
    dataset = store_dataset(labels_of("train.cfg", 3), held_out)
    potential = run_training(dataset, MtpSettings(level=4, max_iterations=2))
    made = wire(evaluate_potential(dataset, potential), "evaluate potential", "cpu")
    parity = run_locally(made, store=JobStore(MemoryStore()), ensure_success=True, log=False)[made.uuid][1].output
    assert list(parity.errors_by_temperature) == ["300", "1200"]
    assert {name: one.n_configurations for name, one in parity.errors_by_system.items()} == {"a": 2, "b": 2}
    sizes = [len(label.atoms) for label in held_out]
    assert {name: one.n_atoms for name, one in parity.force_errors_by_region.items()} == {
        "metal interface": 2,
        "metal interior": sizes[0] + sizes[1] - 2,
        "cells without labels": sizes[2] + sizes[3],
    }
    by_region = parity.force_errors_by_region.values()
    assert set().union(*(one.rmse_by_species_eV_A for one in by_region)) == {"Li", "S"}
    mean_square = sum(one.n_atoms * one.rmse_eV_A**2 for one in by_region) / sum(sizes)
    assert mean_square == pytest.approx(parity.errors.force_rmse_eV_A**2)
