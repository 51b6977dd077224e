import numpy as np
import pytest
from ase.build import bulk, surface
from jobflow.core.job import job
from jobflow.core.store import JobStore
from maggma.stores import MemoryStore

from interfaceflow.core.errors import CalculationError
from interfaceflow.core.files import PROJECT_ROOT_VARIABLE
from interfaceflow.core.formats.labelled_file import read_labelled
from interfaceflow.jobs import datasets
from interfaceflow.jobs.datasets import extend_dataset, load_dataset, sample_training_set
from interfaceflow.jobs.reference import relax
from interfaceflow.jobs.workspace import Workspace
from interfaceflow.reference.workers import stop_workers
from interfaceflow.schemas.ase_calculator import AseSettings
from interfaceflow.schemas.datasets import QuarantinedLabel
from interfaceflow.schemas.level_of_theory import LennardJonesSettings, LevelOfTheory
from interfaceflow.schemas.settings import ReferenceSettings, TrainingSetSettings
from interfaceflow.schemas.structures import RelaxationRequest

LEVEL = LevelOfTheory(
    name="pairs",
    description="Lennard-Jones pairs",
    physics=LennardJonesSettings(engine="lennard-jones", sigma_A=3.4, epsilon_eV=0.104, cutoff_A=6.0),
)
LADDER = TrainingSetSettings(
    trajectories=[
        {
            "cell": "metal",
            "n_atoms": 4,
            "temperatures_K": [300],
            "held_out_temperatures_K": [400],
            "n_steps": 6,
            "sample_every": 2,
        },
        {"cell": "interface", "temperatures_K": [300], "strains": [0.0, 0.01], "n_steps": 4, "sample_every": 2},
    ]
)


@pytest.fixture(autouse=True, scope="module")
def _no_workers_left():
    yield
    stop_workers()


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setenv(PROJECT_ROOT_VARIABLE, str(tmp_path))
    store = JobStore(MemoryStore())
    store.connect()
    return store


@pytest.fixture
def sampling(store):
    """The job that samples, ready to run after the relaxations it needs."""
    requests = make_requests()
    relaxations = relax(requests.output, LEVEL, ReferenceSettings())
    requests.run(store)
    relaxations.run(store)
    relaxed = {name: relaxations.output[index] for index, name in enumerate(("metal", "binary", "interface"))}
    return sample_training_set(relaxed, LADDER, LEVEL, ReferenceSettings(), 5)


@job
def make_requests():
    workspace = Workspace()
    cells = {
        "metal": bulk("Ar", "fcc", a=5.3),
        "binary": bulk("Kr", "fcc", a=5.3, cubic=True),
        "interface": bulk("Ar", "fcc", a=5.3, cubic=True).repeat((1, 1, 2)),
        "slab": surface(bulk("Ar", "fcc", a=5.3), (1, 0, 0), 3, vacuum=5.0, periodic=True),
    }
    cells["interface"].symbols[4:] = "Kr"
    return [
        RelaxationRequest(
            kind=name if name in ("interface", "slab") else "bulk",
            name="metal" if name == "slab" else name,
            structure=workspace.store_structure(atoms, name),
            free_axes="none",
        )
        for name, atoms in cells.items()
    ]


def test_the_ladder_becomes_a_dataset(store, sampling):
    document = sampling.run(store).output
    # Two interface runs of 2 frames and one metal run of 3, and the relaxed cells; the held-out run has 3.
    assert (document.n_training, document.n_held_out) == (2 * 2 + 3 + 3, 3)
    assert document.species == ("Ar", "Kr")
    assert document.physics_hash == LEVEL.physics_hash
    assert document.provenance.seed == 5
    dataset = load_dataset(document)
    assert {c.temperature_K for c in dataset.held_out} == {400.0}
    assert {c.trajectory for c in dataset.training} & {c.trajectory for c in dataset.held_out} == set()
    assert min(document.min_distances_A.values()) > 2.5


def test_a_ladder_of_all_kinds_of_cells(store):
    family = {"temperatures_K": [300], "n_steps": 12, "sample_every": 1, "sampling": "decorrelated"}
    ladder = TrainingSetSettings(
        held_out_fraction=0.4,
        trajectories=[
            family | {"cell": "metal_slab", "n_atoms": 8, "ramp_steps": 4, "equilibration_steps": 2},
            family | {"cell": "binary", "n_atoms": 4, "vacancies": {"species": "Kr", "fraction": 0.1}},
            family | {"cell": "metal", "n_atoms": 4},
        ],
    )
    requests = make_requests()
    relaxations = relax(requests.output, LEVEL, ReferenceSettings())
    requests.run(store)
    relaxations.run(store)
    names = ("metal", "binary", "interface", "metal_slab")
    relaxed = {name: relaxations.output[index] for index, name in enumerate(names)}
    document = sample_training_set(relaxed, ladder, LEVEL, ReferenceSettings(), 5).run(store).output
    assert [run.name for run in document.trajectories] == [
        "0-metal_slab-300K-strain+0.0000",
        "1-binary-vacancies-300K-strain+0.0000",
        "2-metal-300K-strain+0.0000",
    ]
    assert sum(run.held_out for run in document.trajectories) == 1
    assert {run.n_frames for run in document.trajectories} == {12}
    assert all(1 <= run.n_kept <= 12 and run.correlation_time_fs >= 1.0 for run in document.trajectories)
    kept = {run.held_out: run.n_kept for run in document.trajectories}
    assert document.n_held_out == kept[True]
    # Four relaxed cells are trained on too; the metal's slab is there with and without repeats.
    assert document.n_training == 4 + sum(run.n_kept for run in document.trajectories if not run.held_out)
    assert document.n_duplicates == 0


def test_a_job_that_was_killed_goes_on(store, sampling, monkeypatch):
    whole = sampling.run(store).output
    folder = whole.training.path().parent
    finished = sorted(folder.glob("trajectory-*.xyz"))
    assert len(finished) == 4
    finished[0].unlink()
    finished[1].write_text(finished[1].read_text()[:100])
    whole.training.path().unlink()
    started = []
    real = datasets.map_in_workers

    def spy(function, items, **options):
        started.extend(item.name for item in items)
        return real(function, items, **options)

    monkeypatch.setattr(datasets, "map_in_workers", spy)
    again = sampling.run(store).output
    assert len(started) == 2
    assert again.training.sha256 == whole.training.sha256


def test_a_run_that_fails_is_quarantined_and_the_others_stay(store, sampling, monkeypatch):
    real = datasets.plan_trajectories

    def plan(*arguments):
        plans = real(*arguments)
        plans[0].atoms.positions[1] = plans[0].atoms.positions[0] + 0.8
        return plans

    monkeypatch.setattr(datasets, "plan_trajectories", plan)
    document = sampling.run(store).output
    (refused,) = document.quarantined
    assert refused.source.startswith("0-metal-300K")
    assert "fly apart" in refused.reason
    assert document.n_training == 2 * 2 + 3


def test_bad_labels_are_left_out_up_to_a_limit_and_beyond_it_the_flow_stops(store, sampling):
    # One in three calculations of this one does not converge.
    physics = AseSettings(engine="ase", calculator="broken_calculators:FailsOneInThree", package_version="of this test")
    level = LevelOfTheory(name="broken", description="Fails one time in three", physics=physics)
    lenient, strict = (ReferenceSettings(n_workers=1, max_quarantined_share=share) for share in (0.9, 0.1))
    (relaxed,) = sampling.function_args[:1]
    document = sample_training_set(relaxed, LADDER, level, lenient, 5).run(store).output
    reasons = {label.reason for label in document.quarantined}
    assert reasons == {"the calculation did not converge"}
    assert document.n_training + document.n_held_out + len(document.quarantined) == 2 * 2 + 3 + 3 + 3
    stop_workers()
    with pytest.raises(CalculationError, match=r"the training set: . of 13 labels .*the calculation did not converge"):
        sample_training_set(relaxed, LADDER, level, strict, 5).run(store)


def test_new_labels_extend_the_training_part(store, sampling):
    before = sampling.run(store).output
    new = read_labelled(before.training.path())[1:3]  # of several atoms: one alone is the same wherever it is
    for label in new:
        label.atoms.positions += np.random.default_rng(0).normal(0, 0.1, label.atoms.positions.shape)

    @job
    def extend():
        refused = QuarantinedLabel(source="frame 7", reason="the calculation did not converge")
        return extend_dataset(before, new, [refused], Workspace())

    after = extend().run(store).output
    assert after.n_training == before.n_training + 2
    assert after.held_out == before.held_out
    assert after.quarantined == (QuarantinedLabel(source="frame 7", reason="the calculation did not converge"),)
    assert after.training.path() != before.training.path()
    assert before.training.path().is_file()
    assert all(after.min_distances_A[pair] <= d for pair, d in before.min_distances_A.items())
