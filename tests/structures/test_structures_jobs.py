"""The building and energetics jobs, run by jobflow with a real small potential (EMT) as the reference."""

import shutil
from pathlib import Path

import pytest
from ase.calculators.emt import EMT
from ase.io import write
from jobflow.core.flow import Flow
from jobflow.core.job import job
from jobflow.core.store import JobStore
from jobflow.managers.local import run_locally
from maggma.stores import MemoryStore

from interfaceflow.core.errors import CalculationError, UserInputError
from interfaceflow.core.files import FileRef
from interfaceflow.core.labels import has_labels
from interfaceflow.jobs.energetics import compute_energetics, compute_surface_energy
from interfaceflow.jobs.structures import (
    build_interface,
    build_production_cell,
    build_slabs,
    build_strained_references,
    bulk_requests,
    interface_request,
    separate_interface,
)
from interfaceflow.jobs.workspace import Workspace, load_structure
from interfaceflow.schemas.settings import (
    CrystalSettings,
    InterfaceSettings,
    ProductionCellSettings,
    SlabSettings,
    StructuresSettings,
)
from interfaceflow.schemas.structures import InterfaceDoc, ProductionCellDoc, RelaxationDoc, RelaxationRequest

COPPER = CrystalSettings(cif="Cu.cif", miller=(1, 0, 0))
SETTINGS = StructuresSettings(
    metal=COPPER,
    binary=COPPER,
    slabs=SlabSettings(n_layers=(7, 5), vacuum_A=10.0),
    interface=InterfaceSettings(max_area_A2=20, metal_thickness_A=10.0, binary_thickness_A=10.0),
    production_cell=ProductionCellSettings(target_atoms=50, vacancy_species="Cu", vacancy_fraction=0.05),
)

pytestmark = pytest.mark.filterwarnings("ignore:cd is deprecated:FutureWarning")


@job
def label_with_emt(requests: list[RelaxationRequest]) -> list[RelaxationDoc]:
    """Label, without moving anything: the crystal comes at its lowest energy."""
    workspace = Workspace()
    docs = []
    for request in requests:
        atoms = load_structure(request.structure)
        atoms.calc = EMT()
        docs.append(
            RelaxationDoc(
                kind=request.kind,
                name=request.name,
                structure=request.structure,
                free_axes=request.free_axes,
                energy_eV=atoms.get_potential_energy(),
                max_force_eV_A=0.0,
                n_steps=0,
                converged=True,
                n_layers=request.n_layers,
                area_A2=request.area_A2,
                level_of_theory="emt",
                physics_hash="0" * 64,
                provenance=workspace.provenance("ase"),
            )
        )
    return docs


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("INTERFACEFLOW_PROJECT", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def copper_cif(project) -> FileRef:
    from ase.build import bulk
    from scipy.optimize import minimize_scalar

    def energy(a: float) -> float:
        crystal = bulk("Cu", "fcc", a=a)
        crystal.calc = EMT()
        return float(crystal.get_potential_energy())

    best = minimize_scalar(energy, bounds=(3.4, 3.8), options={"xatol": 1e-8})
    write(project / "Cu.cif", bulk("Cu", "fcc", a=float(best.x), cubic=True))
    return FileRef.of(project / "Cu.cif")


def run(*jobs, output):
    store = JobStore(MemoryStore(), additional_stores={})
    responses = run_locally(Flow(list(jobs)), store=store, log=False, ensure_success=True)
    return [responses[single.uuid][1].output for single in output]


def test_from_two_crystals_to_energetics_and_a_production_cell(copper_cif):
    crystals = bulk_requests({"metal": copper_cif, "binary": copper_cif})
    bulk = label_with_emt(crystals.output)
    metal, binary = bulk.output[0], bulk.output[1]
    slabs = [build_slabs(side, COPPER, SETTINGS.slabs) for side in (metal, binary)]
    labelled_slabs = [label_with_emt(built.output) for built in slabs]
    surfaces = [
        compute_surface_energy(side, labelled.output, COPPER)
        for side, labelled in zip((metal, binary), labelled_slabs, strict=True)
    ]
    interface = build_interface(metal, binary, SETTINGS)
    request = interface_request(interface.output)
    relaxed = label_with_emt(request.output)
    references = build_strained_references(interface.output, relaxed.output[0], metal, binary, SETTINGS)
    strained = label_with_emt(references.output)
    apart = separate_interface(interface.output, relaxed.output[0], 10.0)
    separated = label_with_emt(apart.output)
    energetics = compute_energetics(
        interface.output,
        relaxed.output[0],
        metal,
        binary,
        strained.output,
        separated.output,
        [surface.output for surface in surfaces],
    )
    cell = build_production_cell(interface.output, relaxed.output[0], SETTINGS.production_cell, 11)
    interface_doc, request_docs, surface_doc, energy, cell_doc, separate_requests = run(
        *(crystals, bulk, *slabs, *labelled_slabs, *surfaces, interface, request, relaxed),
        *(references, strained, apart, separated, energetics, cell),
        output=[interface, request, surfaces[0], energetics, cell, apart],
    )

    assert isinstance(interface_doc, InterfaceDoc)
    assert interface_doc.interfaces_equivalent
    assert interface_doc.match.strained_matrix == interface_doc.match.kept_matrix
    assert has_labels(load_structure(interface_doc.structure))
    assert request_docs[0].free_axes == "all"
    assert [(part.name, part.relax_ions) for part in separate_requests] == [("metal", False), ("binary", False)]

    assert surface_doc.n_layers == (5, 7)
    assert surface_doc.formula == "Cu"
    # Cut and rejoined: nothing is gained or lost, and parting it makes two surfaces.
    assert energy.interface_formation_energy_J_m2 == pytest.approx(0, abs=1e-6)
    assert energy.elastic_energy_J_m2 == pytest.approx(0, abs=1e-6)
    assert energy.work_of_adhesion_J_m2 == pytest.approx(2 * surface_doc.surface_energy_J_m2)
    assert energy.work_of_separation_J_m2 == pytest.approx(2 * surface_doc.surface_energy_J_m2, abs=0.01)
    assert energy.n_interfaces == 2
    assert energy.area_A2 == pytest.approx(interface_doc.match.area_A2)

    assert isinstance(cell_doc, ProductionCellDoc)
    assert cell_doc.provenance.seed == 11
    atoms = load_structure(cell_doc.structure)
    repeats = cell_doc.repeats[0] * cell_doc.repeats[1]
    assert len(atoms) == repeats * interface_doc.structure.n_atoms - cell_doc.n_vacancies
    assert cell_doc.n_vacancies > 0


def relaxation(name: str, physics_hash: str, structure) -> RelaxationDoc:
    return RelaxationDoc(
        kind="bulk",
        name=name,
        structure=structure,
        free_axes="all",
        energy_eV=-1.0,
        max_force_eV_A=0.0,
        n_steps=0,
        converged=True,
        level_of_theory="emt",
        physics_hash=physics_hash,
        provenance={"package_versions": {}, "host": "test", "wall_time_s": 0.0},
    )


def test_energies_of_different_physics_are_not_subtracted(copper_cif):
    crystals = bulk_requests({"metal": copper_cif, "binary": copper_cif})
    ((request, _),) = run(crystals, output=[crystals])
    bulk, slab = (relaxation("metal", letter * 64, request.structure) for letter in "ab")
    with pytest.raises(CalculationError, match="energies of 2 levels of theory"):
        run_original(compute_surface_energy, bulk, [slab, slab], COPPER)


def test_a_bad_crystal_stops_at_the_first_job(project, copper_cif):
    shutil.copy(copper_cif.path(), project / "bad.cif")
    text = (project / "bad.cif").read_text().replace("1.0000\n", "0.5000\n")
    (project / "bad.cif").write_text(text)
    with pytest.raises(UserInputError, match="ordered cell"):
        run_original(bulk_requests, {"metal": FileRef.of(project / "bad.cif"), "binary": copper_cif})


def run_original(job_function, *arguments):
    """Call what a job wraps, inside a job's context, so that its own error comes out."""
    from jobflow import CURRENT_JOB

    CURRENT_JOB.job = job_function(*arguments)
    try:
        return job_function.original(*arguments)
    finally:
        CURRENT_JOB.reset()
