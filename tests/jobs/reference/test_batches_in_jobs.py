"""Labelling and sampling by jobs of their own on the embedded launchpad, with calculations that fail."""

from itertools import pairwise

import numpy as np
import pytest
from ase.build import bulk
from jobflow.core.flow import Flow
from small_project import QuietObserver, add_test_flow, settings
from stored import store_structure

from interfaceflow.core.files import FileRef
from interfaceflow.core.formats.labelled_file import read_labelled
from interfaceflow.core.formats.structure_file import write_structures
from interfaceflow.jobs.datasets import sample_training_set
from interfaceflow.jobs.learning import label_frames
from interfaceflow.jobs.wiring import wire
from interfaceflow.launch.backend import own_project
from interfaceflow.launch.runner import run_jobs
from interfaceflow.schemas.base import Provenance
from interfaceflow.schemas.datasets import DatasetDoc
from interfaceflow.schemas.learning import LabelsDoc, SelectionDoc
from interfaceflow.schemas.learning_plan import LearningPlan
from interfaceflow.schemas.reference import CalculationDoc
from interfaceflow.schemas.settings import ReferenceSettings, TrainingSetSettings
from interfaceflow.schemas.structures import RelaxationDoc

PROVENANCE = Provenance(package_versions={}, host="here", wall_time_s=0.0)
LADDER = TrainingSetSettings(
    timestep_fs=2.0,
    trajectories=[
        {
            "cell": "metal",
            "n_atoms": 4,
            "temperatures_K": [300],
            "held_out_temperatures_K": [400],
            "n_steps": 6,
            "sample_every": 2,
        }
    ],
)


@pytest.fixture
def backend(project):
    with own_project(project) as opened:
        yield opened


@pytest.mark.slow
def test_batches_go_on_without_what_failed(backend, fake_cp2k, cp2k_level, monkeypatch):
    monkeypatch.setenv("FAKE_CP2K_MAX_ATOMS", "4")
    reference = ReferenceSettings(steps_per_segment=4)
    small, large = cell(), cell().repeat((1, 1, 2))
    sampling = wire(
        sample_training_set(
            {
                "metal": relaxed("metal", small),
                "binary": relaxed("binary", cell(a=5.4)),
                "interface": relaxed("interface", large),
            },
            LADDER,
            cp2k_level,
            reference,
            5,
        ),
        "sample training set",
        "dft",
    )
    labelling = wire(label_frames(selection([small, large]), plan(cp2k_level, reference), 3), "label round 3", "dft")
    record = add_test_flow(backend, Flow([sampling, labelling]))
    observer = QuietObserver()
    outcome = run_jobs(backend, record.flow_uuid, observer)

    assert (outcome.status, observer.errors) == ("completed", [])
    assert {job.category for job in outcome.state.jobs.values() if job.name.startswith(("sample met", "label "))} == {
        "dft"
    }
    results = backend.store.load_results(record.flow_uuid)
    (dataset,), (labels,) = results.all_of(DatasetDoc), results.all_of(LabelsDoc)
    assert labels.n_labels == 1
    (refused,) = labels.quarantined
    assert refused.source == "learning round 3, frame 1"
    assert "too many atoms for a fake" in refused.reason

    assert [label.source for label in dataset.quarantined] == ["relaxed interface"]
    assert (dataset.n_training, dataset.n_held_out) == (5, 3)
    assert dataset.physics_hash == cp2k_level.physics_hash
    assert "custodian" in dataset.provenance.package_versions
    training = read_labelled(dataset.training.path())
    assert [label.source for label in training[2:]] == [f"{training[2].trajectory}, step {step}" for step in (2, 4, 6)]
    assert [label.temperature_K for label in training] == [None, None, 300, 300, 300]
    for label in training:
        assert list(label.atoms.arrays["origin_index"]) == [3, 2, 1, 0]
        assert label.atoms.get_chemical_symbols() == ["Cl", "Li", "Cl", "Li"]
        assert label.energy_eV - label.free_energy_eV == pytest.approx(0.5e-4 * 27.2114, rel=1e-4)
    # A segment goes on from where the one before it ended.
    positions = [label.atoms.positions for label in training[2:]]
    moves = [np.linalg.norm(after - before, axis=1).max() for before, after in pairwise(positions)]
    assert 0 < max(moves) < 0.2
    segments = [doc for doc in results.all_of(CalculationDoc) if ", steps " in doc.source]
    assert sorted(doc.n_labels for doc in segments) == [1, 1, 2, 2]


def cell(a=5.3):
    atoms = bulk("Cl", "fcc", a=a, cubic=True)
    atoms.symbols[[1, 3]] = "Li"
    atoms.set_array("origin_index", np.array([3, 2, 1, 0]))
    atoms.rattle(0.02, rng=np.random.default_rng(1))
    return atoms


def relaxed(name, atoms):
    return RelaxationDoc(
        kind="bulk",
        name=name,
        structure=store_structure(atoms),
        free_axes="all",
        energy_eV=0.0,
        max_force_eV_A=0.0,
        n_steps=0,
        converged=True,
        level_of_theory="test",
        physics_hash="0",
        provenance=PROVENANCE,
    )


def selection(frames):
    path = store_structure(frames[0]).file.path().with_name("frames.xyz")
    write_structures(frames, path)
    return SelectionDoc(frames=FileRef.of(path), n_selected=len(frames), provenance=PROVENANCE)


def plan(level, reference):
    recipe = settings()
    return LearningPlan(
        training_set=LADDER,
        potential=recipe.potential,
        learning=recipe.learning,
        vacancies=recipe.structures.production_cell,
        level=level,
        reference=reference,
        seed=5,
    )
