import numpy as np
import pytest
from ase.build import bulk
from jobflow.core.job import job
from jobflow.core.store import JobStore
from maggma.stores import MemoryStore

from interfaceflow.core.errors import CalculationError, UserInputError
from interfaceflow.core.formats.structure_file import read_structure
from interfaceflow.jobs.reference import relax
from interfaceflow.jobs.workspace import Workspace
from interfaceflow.reference.levels_of_theory import load_level_of_theory
from interfaceflow.reference.workers import stop_workers
from interfaceflow.schemas.settings import ReferenceSettings
from interfaceflow.schemas.structures import RelaxationRequest


@pytest.fixture(autouse=True, scope="module")
def _no_workers_left():
    yield
    stop_workers()


@pytest.fixture
def store():
    store = JobStore(MemoryStore())
    store.connect()
    return store


def run(store, cells, level, settings=None):
    @job
    def make_requests():
        workspace = Workspace()
        return [
            RelaxationRequest(
                kind=kind,
                name=name,
                structure=workspace.store_structure(atoms, name),
                free_axes=free_axes,
                relax_ions=relax_ions,
            )
            for name, (atoms, kind, free_axes, relax_ions) in cells.items()
        ]

    requests = make_requests()
    requests.run(store)
    relaxation = relax(requests.output, level, settings or ReferenceSettings())
    return relaxation.run(store).output


def test_documents_keep_the_order_of_the_requests(project, store, argon_level):
    small, large = bulk("Ar", "fcc", a=5.3, cubic=True), bulk("Ar", "fcc", a=5.3, cubic=True).repeat((1, 1, 2))
    small.rattle(0.05, rng=np.random.default_rng(1))
    documents = run(
        store,
        {
            "metal": (small, "bulk", "all", True),
            "interface": (large, "interface", "normal", True),
            "binary": (small, "strained_bulk", "none", False),
        },
        argon_level,
    )
    assert [document.name for document in documents] == ["metal", "interface", "binary"]
    assert [document.converged for document in documents] == [True, True, True]
    assert documents[2].n_steps == 0
    assert documents[0].energy_eV < documents[2].energy_eV
    assert documents[0].physics_hash == argon_level.physics_hash
    assert "ase" in documents[0].provenance.package_versions
    stored = read_structure(documents[1].structure.file.path())
    np.testing.assert_allclose(stored.cell.array[:2], large.cell.array[:2], atol=1e-8)


def test_an_unconverged_relaxation_is_a_document(project, store, argon_level):
    atoms = bulk("Ar", "fcc", a=5.3, cubic=True)
    atoms.rattle(0.2, rng=np.random.default_rng(1))
    settings = ReferenceSettings(max_steps=1, force_tolerance_eV_A=1e-4)
    (document,) = run(store, {"metal": (atoms, "bulk", "none", True)}, argon_level, settings)
    assert (document.converged, document.n_steps) == (False, 1)


def test_what_the_engine_cannot_do_is_refused_before_anything_is_computed(project, store):
    polonium = bulk("Po", "sc", a=3.4)
    with pytest.raises(UserInputError, match="bulk metal: the engine 'chgnet' does not know Po"):
        run(store, {"metal": (polonium, "bulk", "all", True)}, load_level_of_theory("chgnet"))


def test_a_relaxation_that_gives_nothing_is_named(project, store, argon_level):
    coinciding = bulk("Ar", "fcc", a=5.3, cubic=True)
    coinciding.positions[1] = coinciding.positions[0]
    with pytest.raises(CalculationError, match=r"1 of 1 relaxations gave nothing: bulk metal: .*not finite"):
        run(store, {"metal": (coinciding, "bulk", "none", True)}, argon_level)
