import numpy as np
import pytest
from ase.build import bulk
from jobflow.core.flow import Flow
from run_relaxations import documents_of, take
from small_project import QuietObserver, add_test_flow
from stored import store_structure

from interfaceflow.core.formats.structure_file import read_structure
from interfaceflow.jobs.reference import relax
from interfaceflow.jobs.wiring import wire
from interfaceflow.launch.backend import own_project
from interfaceflow.launch.rerun import plan_failed, rerun
from interfaceflow.launch.runner import run_jobs
from interfaceflow.schemas.settings import ReferenceSettings
from interfaceflow.schemas.structures import RelaxationDoc, RelaxationRequest


@pytest.mark.slow
def test_documents_are_those_of_a_relaxation_in_this_process(project, fake_cp2k, cp2k_level, argon_level):
    mixed = bulk("Cl", "fcc", a=5.3, cubic=True)
    mixed.symbols[[0, 2]] = "Li"
    mixed.set_array("phase", np.array(["metal", "binary", "metal", "binary"]))
    mixed.set_array("origin_index", np.array([7, 5, 3, 1]))
    mixed.rattle(0.05, rng=np.random.default_rng(1))
    mixed.rotate(37, (1, 2, 3), rotate_cell=True)
    cells = [("metal", mixed, "all", True), ("binary", mixed, "normal", True), ("fixed", mixed, "none", False)]
    here = documents_of(cells, argon_level)
    in_jobs = documents_of(cells, cp2k_level)
    for one, other in zip(here, in_jobs, strict=True):
        assert (one.name, one.converged, one.free_axes) == (other.name, other.converged, other.free_axes)
        # The entropy that the fake program states is half taken off.
        assert other.energy_eV == pytest.approx(one.energy_eV + 0.5e-4 * 27.2114, abs=2e-4)
        assert other.physics_hash == cp2k_level.physics_hash
        relaxed = read_structure(other.structure.file.path())
        expected = read_structure(one.structure.file.path())
        np.testing.assert_allclose(relaxed.cell.array, expected.cell.array, atol=0.02)
        np.testing.assert_allclose(relaxed.get_all_distances(mic=True), expected.get_all_distances(mic=True), atol=0.02)
        assert list(relaxed.arrays["phase"]) == ["metal", "binary", "metal", "binary"]
        assert list(relaxed.arrays["origin_index"]) == [7, 5, 3, 1]
        assert relaxed.get_chemical_symbols() == mixed.get_chemical_symbols()
    np.testing.assert_allclose(
        read_structure(in_jobs[1].structure.file.path()).cell.array[:2], mixed.cell.array[:2], atol=1e-10
    )
    assert "custodian" in in_jobs[0].provenance.package_versions


def test_a_relaxation_that_failed_is_run_again_alone(project, fake_cp2k, cp2k_level, monkeypatch):
    monkeypatch.setenv("FAKE_CP2K_MAX_ATOMS", "1")
    requests = [
        RelaxationRequest(kind="bulk", name=name, structure=store_structure(atoms), free_axes="none", relax_ions=False)
        for name, atoms in (("metal", bulk("Li", a=3.7)), ("binary", bulk("LiCl", "rocksalt", a=7.0)))
    ]
    relaxations = wire(relax(requests, cp2k_level, ReferenceSettings()), "relax bulk", "dft")
    after = wire(take(relaxations.output[1]), "take", "light")
    with own_project(project) as backend:
        record = add_test_flow(backend, Flow([relaxations, after]))
        observer = QuietObserver()
        outcome = run_jobs(backend, record.flow_uuid, observer)
        assert outcome.status == "failed"
        assert [job.name for job in outcome.state.in_state("FIZZLED")] == ["relax bulk binary"]
        assert "too many atoms for a fake" in observer.errors[0]
        (done,) = [job for job in outcome.state.jobs.values() if job.name == "relax bulk metal"]

        monkeypatch.delenv("FAKE_CP2K_MAX_ATOMS")
        rerun(backend, plan_failed(backend, record.flow_uuid))
        outcome = run_jobs(backend, record.flow_uuid, observer)
        assert outcome.status == "completed"
        assert outcome.state.jobs[done.fw_id].launches == 1
        documents = backend.store.load_results(record.flow_uuid).all_of(RelaxationDoc)
    assert [document.name for document in documents] == ["metal", "binary", "binary"]
