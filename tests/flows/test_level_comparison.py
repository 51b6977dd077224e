"""Levels of theory on the same frames: two sets of Lennard-Jones pairs, and CHGNet."""

from dataclasses import replace

import numpy as np
import pytest
from argon import pairs, store_argon
from jobflow import JobStore, run_locally
from maggma.stores import MemoryStore

from interfaceflow.core.errors import CalculationError, UserInputError
from interfaceflow.core.files import PROJECT_ROOT_VARIABLE, FileRef
from interfaceflow.core.formats.labelled_file import read_labelled, write_labelled
from interfaceflow.flows.level_comparison import LevelComparisonMaker
from interfaceflow.jobs import level_comparison
from interfaceflow.jobs.datasets import load_dataset
from interfaceflow.jobs.level_comparison import compare_datasets, relabel_dataset
from interfaceflow.reference.levels_of_theory import load_level_of_theory
from interfaceflow.reference.workers import stop_workers
from interfaceflow.report.summary import level_comparison_table
from interfaceflow.schemas.settings import MtpSettings, ReferenceSettings

ONE_WORKER = ReferenceSettings(n_workers=1)


@pytest.fixture(autouse=True, scope="module")
def _no_workers_left():
    yield
    stop_workers()


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.setenv(PROJECT_ROOT_VARIABLE, str(tmp_path))
    return tmp_path


@pytest.fixture
def store():
    store = JobStore(MemoryStore())
    store.connect()
    return store


def run(flow):
    names = {job.uuid: job.name for job, _ in flow.iterflow()}
    outputs = run_locally(flow, store=JobStore(MemoryStore()), ensure_success=True, log=False)
    return {name: outputs[uuid][1].output for uuid, name in names.items()}


def test_pairs_half_as_strong_are_half_as_strong_everywhere(project):
    given = store_argon(project / "given", "Ar2Kr2")
    weak = pairs("weak", epsilon_eV=0.052)
    maker = LevelComparisonMaker(levels=(weak, pairs("small", sigma_A=3.3)), reference=ONE_WORKER)
    results = run(maker.make(given))
    comparison, relabelled = results["compare levels of theory"], results["relabel with weak"]
    # The same frames, split alike, with other labels and another hash.
    assert relabelled.physics_hash == weak.physics_hash != given.physics_hash
    for before, after in zip(load_dataset(given).held_out, load_dataset(relabelled).held_out, strict=True):
        assert (after.source, after.trajectory, after.temperature_K) == (before.source, before.trajectory, 200.0)
        np.testing.assert_allclose(after.atoms.positions, before.atoms.positions, atol=1e-8)
        np.testing.assert_allclose(after.forces_eV_A, 0.5 * before.forces_eV_A, atol=1e-7)
    assert (comparison.levels, comparison.n_left_out) == (("pairs", "weak", "small"), 0)
    assert [(one.first, one.second) for one in comparison.differences] == [
        ("pairs", "weak"),
        ("pairs", "small"),
        ("weak", "small"),
    ]
    halved = comparison.differences[0]
    assert halved.force_slope == pytest.approx(0.5, abs=1e-6)
    assert halved.force_rmse_eV_A == pytest.approx(0.5 * halved.rms_force_eV_A, rel=1e-6)
    # Half the energy, without what is the same in all frames: half the spread of the given energies.
    given_labels = [*load_dataset(given).training, *load_dataset(given).held_out]
    spread = np.std([label.free_energy_eV / 4 for label in given_labels])
    assert halved.energy_rms_meV_atom == pytest.approx(1000 * 0.5 * spread, rel=1e-6)
    assert "weak against pairs" in level_comparison_table(comparison).rows[0]


@pytest.mark.slow
def test_each_level_gets_a_potential_of_its_own(project):
    given, weak = store_argon(project / "given"), pairs("weak", epsilon_eV=0.052)
    potential = MtpSettings(level=2, max_iterations=5)
    results = run(LevelComparisonMaker(levels=(weak,), reference=ONE_WORKER, potential=potential).make(given))
    hashes = {name: results[f"train potential ({name})"].physics_hash for name in ("given", "weak")}
    assert hashes == {"given": given.physics_hash, "weak": weak.physics_hash}
    errors = {name: results[f"evaluate potential ({name})"].errors for name in ("given", "weak")}
    assert {one.n_configurations for one in errors.values()} == {8}
    assert errors["weak"].force_rmse_eV_A < errors["given"].force_rmse_eV_A


@pytest.mark.slow
def test_chgnet_and_pairs_are_compared(project, store):
    given = store_argon(project / "given")
    level = load_level_of_theory("chgnet")
    relabelled = relabel_dataset(given, level, ONE_WORKER).run(store).output
    (difference,) = compare_datasets([given, relabelled]).run(store).output.differences
    assert (difference.second, difference.n_configurations) == ("chgnet", 16)
    assert np.isfinite(difference.force_slope)
    assert relabelled.physics_hash == level.physics_hash


def test_a_relabelling_that_was_killed_goes_on(project, store, monkeypatch):
    given = store_argon(project / "given")
    monkeypatch.setattr(level_comparison, "_LABELS_PER_FILE", 4)
    asked = []
    real = level_comparison.label_configurations

    def spy(requests, *others):
        asked.append([request.source for request in requests])
        if len(asked) == 3:
            raise KeyboardInterrupt
        return real(requests, *others)

    monkeypatch.setattr(level_comparison, "label_configurations", spy)
    job = relabel_dataset(given, pairs("weak", epsilon_eV=0.05), ONE_WORKER)
    with pytest.raises(KeyboardInterrupt):
        job.run(store)
    assert [len(batch) for batch in asked] == [4, 4, 4]
    # One of the labels that were done is lost; only that one and those that were not done are computed.
    (first, _) = sorted(project.glob(".interfaceflow/files/*/labels-*.xyz"))
    write_labelled(read_labelled(first)[1:], first)
    done = job.run(store).output
    assert [len(batch) for batch in asked[3:]] == [1, 4, 4]
    assert done.n_training == done.n_held_out == 8
    sources = [label.source for label in load_dataset(done).training]
    assert sources == [label.source for label in load_dataset(given).training]


def test_a_label_that_is_refused_leaves_the_others(project, store):
    given = store_argon(project / "given")
    labels = read_labelled(given.training.path())
    labels[2].atoms.positions[1] = labels[2].atoms.positions[0] + 0.8
    write_labelled(labels, project / "given" / "training.xyz")
    given = given.model_copy(update={"training": FileRef.of(project / "given" / "training.xyz")})
    relabelled = relabel_dataset(given, pairs("weak", epsilon_eV=0.05), ONE_WORKER).run(store).output
    (refused,) = relabelled.quarantined
    assert refused.source == labels[2].source
    assert relabelled.n_training == 7
    comparison = compare_datasets([given, relabelled]).run(store).output
    assert (comparison.n_configurations, comparison.n_left_out) == (15, 1)


def test_nothing_left_to_train_on_is_an_error_with_its_reason(project, store):
    given = store_argon(project / "given")
    # Pairs as wide as that push each other apart with forces that no distance explains.
    refused = relabel_dataset(given, pairs("large", sigma_A=9.0), ONE_WORKER)
    with pytest.raises(CalculationError, match=r"no training configuration has a label by large .*is believed"):
        refused.run(store)


def test_the_same_level_twice_is_refused(project, store):
    given = store_argon(project / "given")
    with pytest.raises(UserInputError, match="must differ in name and in physics; given: pairs, pairs"):
        compare_datasets([given, given]).run(store)


def test_charged_cells_are_not_labelled_again(project, store):
    given = store_argon(project / "given")
    path = given.training.path()
    write_labelled([replace(label, charge_e=-1.0) for label in read_labelled(path)], path)
    (project / "none.xyz").touch()
    charged = given.model_copy(update={"training": FileRef.of(path), "held_out": FileRef.of(project / "none.xyz")})
    with pytest.raises(UserInputError, match="the cell is charged, and the energy of its electrons"):
        relabel_dataset(charged, pairs("weak", epsilon_eV=0.05), ONE_WORKER).run(store)
