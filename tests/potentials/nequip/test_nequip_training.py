"""Training of a network: done once, gone on with after a kill, and started from a trained one."""

import logging
import multiprocessing
import os
import signal
import time
from dataclasses import replace

import numpy as np
import pytest

from interfaceflow.core.errors import DataFileError, UserInputError
from interfaceflow.core.progress import LogProgress
from interfaceflow.potentials.nequip.committee import (
    CommitteeGrade,
    build_committee_grade,
    force_spread,
    train_committee,
)
from interfaceflow.potentials.nequip.model import load_model
from interfaceflow.potentials.nequip.model_files import ModelFile
from interfaceflow.potentials.nequip.training import train_nequip
from interfaceflow.schemas.nequip import NequIPSettings

SPECIES = ("Li", "S")

pytestmark = pytest.mark.slow


def folder_of(run):
    return run.checkpoint.path.parent


def test_what_a_training_tells(small_network):
    run = small_network.run
    assert run.epochs == 3 == len(run.training_loss) == len(run.validation_loss)
    assert np.isfinite(run.training_loss).all() and run.training_loss[-1] < run.training_loss[0]
    assert run.validation_loss[run.best_epoch] == min(run.validation_loss)
    assert set(run.best_errors) == {"energy_rmse_eV_atom", "force_rmse_eV_A", "stress_rmse_eV_A3"}
    assert (run.n_training, run.n_validation, run.n_without_stress) == (6, 2, 0)


def test_errors_are_those_of_the_network_that_is_kept(small_network):
    model = load_model(small_network.run.checkpoint)
    names = {one.trajectory for one in small_network.labels}
    squared = {}
    for name in names:
        labels = [one for one in small_network.labels if one.trajectory == name]
        differences = [model.compute(one.atoms).forces_eV_A - one.forces_eV_A for one in labels]
        squared[name] = np.sqrt(np.mean(np.square(differences)))
    reported = small_network.run.best_errors["force_rmse_eV_A"]
    assert any(abs(value - reported) < 1e-6 for value in squared.values())


def test_training_that_is_done_is_not_repeated(small_network):
    folder = folder_of(small_network.run)
    before = (folder / "train.log").stat().st_mtime_ns
    again = train_nequip(small_network.labels, SPECIES, small_network.settings, 1, folder.parent)
    assert again == small_network.run
    assert (folder / "train.log").stat().st_mtime_ns == before


def _train_long(labels, settings, folder):
    train_nequip(labels, SPECIES, settings, 1, folder)


def test_killed_training_goes_on_from_its_last_checkpoint(small_network, tmp_path, caplog):
    settings = small_network.settings.model_copy(update={"max_epochs": 12})
    process = multiprocessing.get_context("spawn").Process(
        target=_train_long, args=(small_network.labels, settings, tmp_path)
    )
    process.start()
    deadline = time.monotonic() + 200
    while not any(len(path.read_text().splitlines()) > 1 for path in tmp_path.glob("*/epochs.jsonl")):
        assert process.is_alive() and time.monotonic() < deadline
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    time.sleep(1.0)  # the training process is told by the kernel, and ends
    (log,) = tmp_path.glob("*/epochs.jsonl")
    made = log.read_text().splitlines()
    assert 2 <= len(made) < 12
    with caplog.at_level(logging.INFO, logger="interfaceflow"):
        run = train_nequip(small_network.labels, SPECIES, settings, 1, tmp_path, progress=LogProgress(0.0))
    assert run.epochs == 12
    assert log.read_text().splitlines()[: len(made) - 1] == made[:-1]
    assert "Continuing training with checkpoint" in (log.parent / "train.log").read_text()
    assert "12 of 12 epochs" in caplog.text and "validation" in caplog.text


def test_training_goes_on_from_a_trained_network(small_network, tmp_path):
    first = small_network.run
    run = train_nequip(small_network.labels, SPECIES, small_network.settings, 1, tmp_path, start_from=first.checkpoint)
    assert run.epochs == 2
    assert run.validation_loss[0] < 0.8 * first.validation_loss[0]


def test_network_of_another_kind_is_not_gone_on_from(small_network, tmp_path):
    larger = small_network.settings.model_copy(update={"n_features": 12})
    with pytest.raises(UserInputError, match="num_features: 8 there, 12 asked for"):
        train_nequip(small_network.labels, SPECIES, larger, 1, tmp_path, start_from=small_network.run.checkpoint)
    with pytest.raises(UserInputError, match="type_names"):
        train_nequip(
            small_network.labels, ("S", "Li"), small_network.settings, 1, tmp_path,
            start_from=small_network.run.checkpoint,
        )  # fmt: skip
    with pytest.raises(DataFileError, match="is not the one recorded"):
        train_nequip(
            small_network.labels, SPECIES, small_network.settings, 1, tmp_path,
            start_from=ModelFile(small_network.run.checkpoint.path, "0" * 64),
        )  # fmt: skip
    assert not list(tmp_path.iterdir())


def test_configurations_without_stress_are_counted_and_train(small_network, tmp_path):
    labels = [replace(one, stress_eV_A3=None) if index < 5 else one for index, one in enumerate(small_network.labels)]
    settings = small_network.settings.model_copy(update={"batch_size": 1, "max_epochs": 1, "ema": False})
    run = train_nequip(labels[:6], SPECIES, settings, 1, tmp_path, validation=labels[6:])
    assert run.n_without_stress == 5
    assert np.isfinite(run.training_loss).all()
    without = train_nequip(labels[:5], SPECIES, settings, 1, tmp_path, validation=labels[:1])
    assert "stress_rmse_eV_A3" not in without.best_errors


def test_committee_has_a_spread_in_units_of_that_on_its_training_set(small_network, tmp_path):
    settings = small_network.settings.model_copy(update={"committee_size": 2})
    runs = train_committee(small_network.labels, SPECIES, settings, 1, tmp_path)
    models = [load_model(one.checkpoint) for one in runs]
    structures = [one.atoms for one in small_network.labels]
    committee = build_committee_grade(models, structures)
    first = models[0].compute(structures[0])
    expected = np.linalg.norm(first.forces_eV_A - models[1].compute(structures[0]).forces_eV_A, axis=1) / 2
    assert force_spread(models, structures[0]) == pytest.approx(expected)
    grades = np.concatenate([committee.grades_of(models[0], one, models[0].compute(one)) for one in structures])
    assert grades.max() == pytest.approx(1.0)
    committee.save(tmp_path / "committee.npz")
    back = CommitteeGrade.load(tmp_path / "committee.npz", models)
    assert np.array_equal(back.grades_of(models[0], structures[0], first), grades[: len(structures[0])])
    with pytest.raises(DataFileError, match="of another committee"):
        CommitteeGrade.load(tmp_path / "committee.npz", models[::-1])
    with pytest.raises(UserInputError, match="cannot go on from 1 networks"):
        train_committee(small_network.labels, SPECIES, settings, 1, tmp_path, start_from=[runs[0].checkpoint])
    with pytest.raises(UserInputError, match="committee of 1 has no spread"):
        build_committee_grade(models[:1], structures)


def test_features_are_invariant_with_odd_features_inside(small_network, tmp_path):
    settings = small_network.settings.model_copy(update={"parity": True, "max_epochs": 1, "n_features": 4})
    run = train_nequip(small_network.labels, SPECIES, settings, 1, tmp_path)
    model = load_model(run.checkpoint)
    atoms = small_network.labels[0].atoms
    expected = model.compute(atoms).features
    assert expected.shape == (96, 2 * 4) and np.ptp(expected, axis=0).min() > 0
    turned, mirrored = atoms.copy(), atoms.copy()
    turned.rotate(50.0, (1, 2, 3), rotate_cell=True)
    mirrored.set_cell(-atoms.cell.array, scale_atoms=True)
    assert model.compute(turned).features == pytest.approx(expected, abs=1e-9)
    assert model.compute(mirrored).features == pytest.approx(expected, abs=1e-9)


def test_settings_that_fit_nothing_are_refused():
    with pytest.raises(ValueError, match="nothing would be fitted"):
        NequIPSettings(energy_weight=0, force_weight=0, stress_weight=0)


def test_gpu_that_is_not_there_is_refused(small_network, tmp_path):
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    settings = small_network.settings.model_copy(update={"device": "cuda"})
    with pytest.raises(UserInputError, match="PyTorch finds no GPU here"):
        train_nequip(small_network.labels, SPECIES, settings, 1, tmp_path)
