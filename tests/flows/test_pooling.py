"""One potential for several systems, with a reference calculation that is real and instant."""

import pytest
from argon import pairs, store_argon
from jobflow import JobStore, run_locally
from maggma.stores import MemoryStore

from interfaceflow.core.errors import UserInputError
from interfaceflow.core.files import PROJECT_ROOT_VARIABLE
from interfaceflow.flows.pooling import PooledTrainingMaker
from interfaceflow.jobs.datasets import load_dataset
from interfaceflow.jobs.pooling import pool_training_sets
from interfaceflow.schemas.settings import PotentialSettings


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.setenv(PROJECT_ROOT_VARIABLE, str(tmp_path))
    return tmp_path


def run(flow):
    names = {job.uuid: job.name for job, _ in flow.iterflow()}
    outputs = run_locally(flow, store=JobStore(MemoryStore()), ensure_success=True, log=False)
    return {name: outputs[uuid][1].output for uuid, name in names.items()}


def test_one_potential_for_two_systems(project):
    first, second = store_argon(project / "one"), store_argon(project / "two", "Ar2Kr2", seed=5)
    maker = PooledTrainingMaker(potential=PotentialSettings(level=4, max_iterations=30), seed=1, limits={"argon": 6})
    results = run(maker.make({"argon": first, "mixture": second}))
    pooled, potential, parity = (
        results[name] for name in ("pool training sets", "train potential", "evaluate potential")
    )
    assert pooled.species == potential.species == ("Ar", "Kr")
    assert (pooled.n_training, pooled.n_held_out) == (6 + 8, 16)
    assert [(one.name, one.n_training, one.n_training_given) for one in pooled.systems] == [
        ("argon", 6, 8),
        ("mixture", 8, 8),
    ]
    assert [one.training_sha256 for one in pooled.systems] == [first.training.sha256, second.training.sha256]
    assert potential.n_training == 14
    assert {name: one.n_configurations for name, one in parity.errors_by_system.items()} == {"argon": 8, "mixture": 8}
    # The pairs of one system are those of the other: one fit serves both.
    assert all(one.force_rmse_eV_A < 0.05 for one in parity.errors_by_system.values())
    assert pooled.physics_hash == first.physics_hash
    assert {c.system for c in load_dataset(pooled).held_out} == {"argon", "mixture"}


def test_levels_of_theory_are_never_pooled(project):
    first = store_argon(project / "one")
    second = store_argon(project / "two", level=pairs("others", epsilon_eV=0.09))
    job = pool_training_sets({"one": first, "two": second}, {}, 1)
    store = JobStore(MemoryStore())
    store.connect()
    with pytest.raises(UserInputError, match="2 different levels of theory cannot share a dataset"):
        job.run(store)


def test_charged_cells_aligned_in_two_ways_are_never_pooled(project):
    first = store_argon(project / "one").model_copy(update={"electron_energy_eV": 2.5})
    second = store_argon(project / "two", seed=9).model_copy(update={"electron_energy_eV": 2.6})
    store = JobStore(MemoryStore())
    store.connect()
    with pytest.raises(UserInputError, match=r"different electron energies: 2\.5 eV \(one\), 2\.6 eV \(two\)"):
        pool_training_sets({"one": first, "two": second}, {}, 1).run(store)
