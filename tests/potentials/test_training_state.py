"""A fit that goes on from a checkpoint is the fit that was not interrupted."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from interfaceflow.core.errors import DataFileError
from interfaceflow.potentials.mtp._native import Potential, read_configurations
from interfaceflow.potentials.mtp.levels import untrained_potential
from interfaceflow.potentials.mtp.training import TrainingSettings, train
from interfaceflow.potentials.mtp.training_state import (
    Stage,
    TrainingState,
    identity_of,
    read_checkpoint,
    write_checkpoint,
)

LI2S = Path(__file__).parents[1] / "data" / "mtp" / "li2s"
SETTINGS = TrainingSettings(iteration_limit=12, pretraining_iterations=35, validation_interval=2)


@pytest.mark.parametrize("trained_before", [False, True])
def test_a_fit_goes_on_from_any_of_its_states(tmp_path, trained_before):
    training_set = read_configurations(LI2S / "train.cfg")[:2]
    validation_set = read_configurations(LI2S / "test.cfg")[:1]
    start = Potential.parse(untrained_potential(6, species_count=2).encode())
    if trained_before:
        start = train(start, training_set[:1], SETTINGS).potential
    states: list[TrainingState] = []
    whole = train(
        start, training_set, SETTINGS, validation_set=validation_set, on_step=lambda step: states.append(step.state)
    )
    assert {state.stage for state in states} == ({Stage.FIT} if trained_before else set(Stage))
    for index in range(0, len(states), 5):
        path = tmp_path / "checkpoint"
        write_checkpoint(path, "this fit", states[index])
        state = read_checkpoint(path, "this fit")
        done: list[int] = []
        again = train(
            start,
            training_set,
            SETTINGS,
            validation_set=validation_set,
            state=state,
            on_step=lambda step, done=done: done.append(step.iteration),
        )
        np.testing.assert_array_equal(again.potential.coefficients, whole.potential.coefficients)
        assert replace(again.best, coefficients=None) == replace(whole.best, coefficients=None)
        assert (again.loss, again.iterations, again.reason) == (whole.loss, whole.iterations, whole.reason)
        assert len(done) == len(states) - index


def test_a_checkpoint_is_for_one_fit_only(tmp_path):
    path = tmp_path / "checkpoint"
    assert read_checkpoint(path, "one") is None
    write_checkpoint(path, "one", TrainingState())
    assert read_checkpoint(path, "one") == TrainingState()
    with pytest.raises(DataFileError, match="the checkpoint of another fit"):
        read_checkpoint(path, "another")


@pytest.mark.parametrize("n_bytes", [0, 10, 300])
def test_a_damaged_checkpoint_is_named(tmp_path, n_bytes):
    path = tmp_path / "checkpoint"
    write_checkpoint(path, "one", TrainingState())
    path.write_bytes(path.read_bytes()[:n_bytes])
    with pytest.raises(DataFileError, match="not a checkpoint that can be read"):
        read_checkpoint(path, "one")


def test_an_identity_tells_where_its_parts_end():
    assert identity_of("ab", b"c") != identity_of("a", b"bc")
    assert identity_of("ab", b"c") == identity_of(b"ab", "c")
