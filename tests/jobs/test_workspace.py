import numpy as np
import pytest
from ase.build import bulk
from jobflow import Flow, JobStore, job, run_locally
from maggma.stores import MemoryStore

from interfaceflow.core.errors import DataFileError
from interfaceflow.jobs.wiring import wire
from interfaceflow.jobs.workspace import Workspace, load_structure
from interfaceflow.schemas.base import Doc
from interfaceflow.schemas.structures import StructureFile

pytestmark = pytest.mark.filterwarnings("ignore:cd is deprecated:FutureWarning")


class StructureDoc(Doc):
    structure: StructureFile


@job
def store_lithium(scale):
    workspace = Workspace()
    atoms = bulk("Li", cubic=True)
    atoms.set_cell(atoms.cell * scale, scale_atoms=True)
    atoms.set_array("phase", np.array(["metal", "metal"]))
    return StructureDoc(
        structure=workspace.store_structure(atoms, "lithium"), provenance=workspace.provenance("ase", seed=3)
    )


@job
def repeat_lithium(given):
    workspace = Workspace()
    atoms = load_structure(given.structure).repeat(2)
    return StructureDoc(structure=workspace.store_structure(atoms, "repeated"), provenance=workspace.provenance())


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.setenv("INTERFACEFLOW_PROJECT", str(tmp_path))
    return tmp_path


def run_both():
    first = wire(store_lithium(1.1), "store lithium", "light")
    second = wire(repeat_lithium(first.output), "repeat lithium", "light")
    results = run_locally(Flow([first, second]), store=JobStore(MemoryStore()), ensure_success=True, log=False)
    return results[first.uuid][1].output, results[second.uuid][1].output, first


def test_structures_keep_their_labels_and_results_their_parents(project):
    stored, repeated, first = run_both()
    assert list(load_structure(repeated.structure).arrays["phase"]) == ["metal"] * 16
    assert repeated.structure.n_atoms == 16
    assert repeated.provenance.parent_uuids == [first.uuid]
    assert stored.provenance.seed == 3
    assert stored.provenance.package_versions["ase"]
    assert not stored.structure.file.uri.startswith("/")


def test_a_project_can_be_moved_and_a_changed_file_is_noticed(project, monkeypatch):
    stored, _, _ = run_both()
    moved = project.rename(project.with_name("moved"))
    monkeypatch.setenv("INTERFACEFLOW_PROJECT", str(moved))
    assert len(load_structure(stored.structure)) == 2
    (moved / stored.structure.file.uri).write_text("2\n\n")
    with pytest.raises(DataFileError, match="has changed since it was stored"):
        load_structure(stored.structure)
