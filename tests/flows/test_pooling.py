"""One potential for several systems, with a reference calculation that is real and instant."""

import numpy as np
import pytest
from argon import pairs, store_argon
from ase.build import bulk
from jobflow import Flow, JobStore, job, run_locally
from maggma.stores import MemoryStore

from interfaceflow.core.errors import UserInputError
from interfaceflow.core.files import PROJECT_ROOT_VARIABLE
from interfaceflow.flows.pooling import PooledLearningMaker, PooledTrainingMaker, SystemReferences
from interfaceflow.jobs.datasets import load_dataset
from interfaceflow.jobs.pooling import pool_training_sets
from interfaceflow.jobs.workspace import Workspace
from interfaceflow.reference.workers import stop_workers
from interfaceflow.schemas.learning_plan import LearningPlan
from interfaceflow.schemas.settings import MtpSettings
from interfaceflow.schemas.structures import RelaxationDoc


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.setenv(PROJECT_ROOT_VARIABLE, str(tmp_path))
    return tmp_path


def run(flow):
    names = {job.uuid: job.name for job, _ in flow.iterflow()}
    outputs = run_locally(flow, store=JobStore(MemoryStore()), ensure_success=True, log=False)
    return {name: outputs[uuid][1].output for uuid, name in names.items()}


@pytest.mark.slow
def test_one_potential_for_two_systems(project):
    first, second = store_argon(project / "one"), store_argon(project / "two", "Ar2Kr2", seed=5)
    maker = PooledTrainingMaker(potential=MtpSettings(level=4, max_iterations=30), seed=1, limits={"argon": 6})
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


@job
def relaxed_cells(symbol):
    """Return a metal, a binary and their interface, as if they had been relaxed."""
    workspace = Workspace()
    metal, binary = bulk(symbol, "fcc", a=5.3, cubic=True), bulk("Kr", "fcc", a=5.3, cubic=True)
    interface = bulk(symbol, "fcc", a=5.3, cubic=True).repeat((2, 2, 4))
    interface.symbols[interface.positions[:, 2] > 10] = "Kr"
    interface.set_array("phase", np.where(interface.symbols == "Kr", "binary", "metal"))
    near = np.abs(np.mod(interface.positions[:, 2] + 2.65, 10.6) - 2.65) < 3
    interface.set_array("region", np.where(near, "interface", "interior"))
    interface.set_array("origin_index", np.arange(len(interface)))
    return [
        RelaxationDoc(
            kind="interface" if name == "interface" else "bulk",
            name=name,
            structure=workspace.store_structure(atoms, name),
            free_axes="none",
            energy_eV=0.0,
            max_force_eV_A=0.0,
            n_steps=0,
            converged=True,
            level_of_theory="pairs",
            physics_hash=pairs().physics_hash,
            provenance=workspace.provenance(),
        )
        for name, atoms in (("metal", metal), ("binary", binary), ("interface", interface))
    ]


@pytest.mark.slow
def test_two_systems_are_learned_in_one_loop_that_starts_from_an_earlier_set(project):
    family = {"temperatures_K": [40], "held_out_temperatures_K": [60], "n_steps": 40, "sample_every": 10}
    plan = LearningPlan(
        training_set={"trajectories": [family | {"cell": "interface"}]},
        potential={"level": 4, "max_iterations": 30},
        learning={
            "cells": [{"cell": "interface", "temperature_K": 20}],
            "duration_ps": 0.2,
            "break_threshold": 1000,
            "max_rounds": 2,
        },
        vacancies={"vacancy_species": "Kr"},
        level=pairs(),
        reference={"n_workers": 1},
        seed=3,
    )
    cells = {name: relaxed_cells(symbol) for name, symbol in (("argon", "Ar"), ("neon", "Ne"))}
    systems = {
        name: SystemReferences({"metal": made.output[0], "binary": made.output[1]}, made.output[2])
        for name, made in cells.items()
    }
    earlier = {"earlier": store_argon(project / "earlier")}
    with pytest.raises(UserInputError, match="argon: there are an earlier training set and a system of this name"):
        PooledLearningMaker(plan=plan, bulk_cell_atoms=32).make(systems, {"argon": earlier["earlier"]})
    learning = PooledLearningMaker(plan=plan, bulk_cell_atoms=32).make(systems, earlier)
    results = run(Flow([*cells.values(), learning]))
    stop_workers()
    last, parity = results["explore round 0"], results["evaluate potential"]
    assert last.status == "converged"
    assert [run.reached_ps for run in last.runs] == pytest.approx([0.2, 0.2])
    assert last.potential.species == ("Ne", "Ar", "Kr")
    assert [(one.name, one.n_training_given) for one in last.dataset.systems] == [
        ("earlier", 8),
        ("argon", 4 + 3),
        ("neon", 4 + 3),
    ]
    assert {name: one.n_configurations for name, one in parity.errors_by_system.items()} == {
        "earlier": 8,
        "argon": 4,
        "neon": 4,
    }
    assert set(parity.force_errors_by_region) == {
        "cells without labels",
        "metal interface",
        "metal interior",
        "binary interface",
        "binary interior",
    }
