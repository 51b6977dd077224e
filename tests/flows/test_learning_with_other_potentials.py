"""The learning loop with an ASE calculator and with a network in the potential's place, on pairs of noble gases."""

import json

import numpy as np
import pytest
from ase.build import bulk
from jobflow import Flow, JobStore, run_locally
from jobflow.core.job import job
from maggma.stores import MemoryStore

from interfaceflow.core.files import PROJECT_ROOT_VARIABLE
from interfaceflow.core.labels import ORIGIN_INDEX, PHASE, REGION
from interfaceflow.flows.learning import PotentialLearningMaker
from interfaceflow.jobs.dynamics import run_production
from interfaceflow.jobs.reference import relax
from interfaceflow.jobs.wiring import wire
from interfaceflow.jobs.workspace import Workspace
from interfaceflow.reference.workers import stop_workers
from interfaceflow.schemas.base import Provenance
from interfaceflow.schemas.datasets import ParityDoc, PotentialDoc
from interfaceflow.schemas.dynamics import MeltingPointDoc, ProductionDoc
from interfaceflow.schemas.learning import LearningRoundDoc
from interfaceflow.schemas.learning_plan import LearningPlan
from interfaceflow.schemas.level_of_theory import LennardJonesSettings, LevelOfTheory
from interfaceflow.schemas.nequip import NequIPSettings
from interfaceflow.schemas.settings import (
    AseSettings,
    LearningSettings,
    ProductionCellSettings,
    ProductionSettings,
    ReferenceSettings,
    TrainingSetSettings,
)
from interfaceflow.schemas.structures import ProductionCellDoc, RelaxationRequest
from interfaceflow.store.rebuild import docs_in

LEVEL = LevelOfTheory(
    name="pairs",
    description="Lennard-Jones pairs",
    physics=LennardJonesSettings(engine="lennard-jones", sigma_A=3.4, epsilon_eV=0.0104, cutoff_A=6.0),
)
SAME_AS_LABELS = AseSettings(
    kind="ase",
    calculator="ase.calculators.lj:LennardJones",
    arguments={"sigma": 3.4, "epsilon": 0.0104, "rc": 6.0, "ro": 4.2, "smooth": True},
)
TINY_NETWORK = NequIPSettings(
    kind="nequip",
    n_layers=1,
    n_features=4,
    n_bessel=4,
    radial_mlp_width=8,
    max_epochs=12,
    max_retraining_epochs=3,
    batch_size=2,
    device="cpu",
)
PRODUCTION = ProductionSettings(
    ramp_ps=0.1, equilibration_ps=0.1, production_ps=0.2, segment_ps=0.1, frame_interval_ps=0.02
)


def plan_with(potential, **learning) -> LearningPlan:
    metal = {"cell": "metal", "n_atoms": 4, "n_steps": 12, "sample_every": 2}
    interface = {"cell": "interface", "n_steps": 8, "sample_every": 2}
    return LearningPlan(
        training_set=TrainingSetSettings(
            trajectories=[
                metal | {"temperatures_K": [40, 80], "held_out_temperatures_K": [60]},
                interface | {"temperatures_K": [40, 80], "strains": [0.0, 0.01]},
            ]
        ),
        potential=potential,
        learning=LearningSettings(
            cells=[{"cell": "interface", "temperature_K": 60}, {"cell": "metal", "temperature_K": 60}],
            duration_ps=0.2,
            max_labels_per_round=2,
            **learning,
        ),
        vacancies=ProductionCellSettings(vacancy_species="Ar"),
        level=LEVEL,
        reference=ReferenceSettings(),
        seed=1,
    )


@pytest.fixture(autouse=True, scope="module")
def _no_workers_left():
    yield
    stop_workers()


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.setenv(PROJECT_ROOT_VARIABLE, str(tmp_path))
    return tmp_path


def with_labels(atoms):
    """Label argon as the metal, krypton as the binary, and the atoms of each second plane as interior."""
    atoms.set_array(PHASE, np.where(atoms.symbols == "Ar", "metal", "binary"))
    atoms.set_array(REGION, np.where(np.arange(len(atoms)) % 2 == 0, "interior", "interface"))
    atoms.set_array(ORIGIN_INDEX, np.arange(len(atoms)))
    return atoms


def sandwich(repeats):
    atoms = bulk("Ar", "fcc", a=5.3, cubic=True).repeat(repeats)
    atoms.symbols[atoms.get_scaled_positions()[:, 2] > 0.49] = "Kr"
    return with_labels(atoms)


@job
def make_requests():
    workspace = Workspace()
    cells = {
        "metal": with_labels(bulk("Ar", "fcc", a=5.3)),
        "binary": with_labels(bulk("Kr", "fcc", a=5.3, cubic=True)),
        "interface": sandwich((1, 1, 2)),
    }
    return [
        RelaxationRequest(
            kind="interface" if name == "interface" else "bulk",
            name=name,
            structure=workspace.store_structure(atoms, name),
            free_axes="none",
        )
        for name, atoms in cells.items()
    ]


@job
def make_production_cell():
    workspace = Workspace()
    return ProductionCellDoc(
        structure=workspace.store_structure(sandwich((2, 2, 2)), "production"),
        repeats=(2, 2, 1),
        normal_axis=2,
        vacancy_species="Ar",
        n_vacancies=0,
        provenance=workspace.provenance(),
    )


def melting_point(temperature_K):
    return MeltingPointDoc(
        melting_point_K=temperature_K,
        lower_K=temperature_K,
        upper_K=temperature_K,
        runs=(),
        n_atoms=1,
        potential_sha256="0" * 64,
        largest_grade=0.0,
        provenance=Provenance(package_versions={}, host="here", wall_time_s=0.0),
    )


def run_flow(plan):
    """Run the learning flow and a short production behind it; return all stored documents."""
    requests = make_requests()
    relaxed = relax(requests.output, plan.level, plan.reference)
    learning = PotentialLearningMaker(plan=plan).make(
        {"metal": relaxed.output[0], "binary": relaxed.output[1]}, relaxed.output[2], bulk_cell_atoms=32
    )
    cell = make_production_cell()
    production = wire(
        run_production(cell.output, learning.output.potential, melting_point(80.0), 0.5, PRODUCTION, 1e6, 1),
        "production",
        "cpu",
    )
    store = JobStore(MemoryStore())
    run_locally(Flow([requests, relaxed, learning, cell, production]), store=store, ensure_success=True, log=False)
    rows = sorted(store.query(), key=lambda row: row["completed_at"])
    return [(row["name"], doc) for row in rows for doc in docs_in(row["output"], row["name"])]


def last(docs, kind):
    return [doc for _, doc in docs if isinstance(doc, kind)][-1]


def test_an_ase_calculator_is_compared_run_once_and_used_in_production(project):
    docs = run_flow(plan_with(SAME_AS_LABELS))
    potential = last(docs, PotentialDoc)
    assert (potential.model.kind, potential.has_grade, potential.n_training) == ("ase", False, 0)
    assert potential.held_out_errors.force_rmse_eV_A < 1e-6
    assert json.loads(potential.file.path().read_text())["calculator"] == SAME_AS_LABELS.calculator
    assert last(docs, ParityDoc).errors == potential.held_out_errors
    rounds = [doc for _, doc in docs if isinstance(doc, LearningRoundDoc)]
    assert [(one.status, one.n_selected, one.n_labels, one.largest_grade) for one in rounds] == [
        ("no_grade", 0, 0, 0.0)
    ]
    assert [(run.broke, run.reached_ps) for run in rounds[0].runs] == [(False, pytest.approx(0.2))] * 2
    production = last(docs, ProductionDoc)
    assert (production.status, production.largest_grade) == ("completed", 0.0)
    assert production.potential_sha256 == potential.file.sha256


def test_an_ase_calculator_that_does_not_hold_breaks_and_the_flow_says_so(project):
    soft = SAME_AS_LABELS.model_copy(update={"arguments": SAME_AS_LABELS.arguments | {"sigma": 2.6}})
    learning = last(run_flow(plan_with(soft)), LearningRoundDoc)
    assert learning.status == "no_grade"
    assert any(
        "came as close as" in (run.reason or "") or "of its volume" in (run.reason or "") for run in learning.runs
    )


@pytest.mark.slow
@pytest.mark.parametrize("grade", ["latent", "committee"])
def test_a_network_learns_from_the_frames_its_grade_finds(project, grade):
    network = TINY_NETWORK.model_copy(update={"grade": grade, "committee_size": 2})
    docs = run_flow(plan_with(network, select_threshold=1.0, break_threshold=1.05, max_rounds=2))
    rounds = [doc for _, doc in docs if isinstance(doc, LearningRoundDoc)]
    first = rounds[0]
    assert any(run.broke and "extrapolation grade" in run.reason for run in first.runs)
    assert 0 < first.n_selected <= 2
    assert first.n_labels == first.n_selected
    potential = last(docs, LearningRoundDoc).potential
    assert potential.warm_start and potential.has_grade and potential.model.kind == "nequip"
    assert potential.n_training == last(docs, LearningRoundDoc).dataset.n_training
    assert potential.model.grade_file.path().is_file()
    assert last(docs, ParityDoc).errors == potential.held_out_errors
    production = last(docs, ProductionDoc)
    assert production.potential_sha256 == potential.file.sha256
    assert production.largest_grade > 0
