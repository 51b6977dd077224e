"""Electronic structure through its jobs, with the stand-in for VASP: gap of 3 eV, mass of one half, given charges."""

import re
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk
from ase.io import write
from atomate2 import SETTINGS as ATOMATE2
from fake_vasp import BAND_GAP_EV, CONDUCTION_MASS
from jobflow.core.flow import Flow
from jobflow.core.store import JobStore
from jobflow.managers.local import run_locally
from maggma.stores import MemoryStore
from pymatgen.core import SETTINGS
from run_relaxations import take
from stand_in import COMMAND, vasp_settings, write_potcars
from stored import store_structure

from interfaceflow.core.errors import CalculationError, UserInputError
from interfaceflow.core.files import PROJECT_ROOT_VARIABLE
from interfaceflow.flows.electronic import CrystalElectronicMaker
from interfaceflow.jobs.electronic import (
    average_bader_charges,
    compute_bader_charges,
    compute_density_of_states,
    compute_effective_mass,
)
from interfaceflow.jobs.reference import vasp
from interfaceflow.reference.levels_of_theory import load_level_of_theory
from interfaceflow.schemas.base import Provenance
from interfaceflow.schemas.electronic import BaderSettings, SnapshotChargesDoc
from interfaceflow.schemas.level_of_theory import LevelOfTheory
from interfaceflow.schemas.settings import ReferenceSettings
from interfaceflow.schemas.vasp import BandCurvatureCalculation, DosCalculation

# What third parties say of potentials without content, of made-up densities of states, and of runs that end early.
pytestmark = [
    pytest.mark.filterwarnings("ignore::pymatgen.io.vasp.inputs.UnknownPotcarWarning"),
    pytest.mark.filterwarnings("ignore::pymatgen.io.vasp.outputs.UnconvergedVASPWarning"),
    pytest.mark.filterwarnings("ignore:invalid value encountered in scalar divide:RuntimeWarning"),
    pytest.mark.filterwarnings("ignore:Set OLD_ERROR_HANDLING:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Pydantic serializer warnings:UserWarning"),
]
# The Gaussians' tails beyond the basins of two ions 2.55 Å apart hold this many electrons.
TAILS_E = 0.03


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setenv(PROJECT_ROOT_VARIABLE, str(tmp_path))
    monkeypatch.chdir(tmp_path)
    store = JobStore(MemoryStore())
    store.connect()
    return store


@pytest.fixture
def level(store, tmp_path, monkeypatch):
    monkeypatch.setitem(SETTINGS, "PMG_VASP_PSP_DIR", str(write_potcars(tmp_path / "potentials")))
    monkeypatch.setattr(ATOMATE2, "VASP_CMD", COMMAND)
    monkeypatch.setattr(ATOMATE2, "VASP_GAMMA_CMD", COMMAND)
    monkeypatch.setattr(vasp, "_POLL_S", 0.05)
    return LevelOfTheory(name="test", description="For tests", physics=vasp_settings())


def salt(length_A=5.1):
    return bulk("LiCl", "rocksalt", a=length_A)


def column():
    """Two layers of LiCl in an order that no input file has, the lower of which is called a metal."""
    atoms = bulk("LiCl", "rocksalt", a=5.1, cubic=True)[[7, 0, 5, 2, 3, 1, 4, 6]]
    atoms.positions[:, 2] += 0.6  # away from the edges of the layers
    low = atoms.get_scaled_positions()[:, 2] < 0.25
    atoms.set_array("phase", np.where(low, "metal", "binary"))
    atoms.set_array("region", np.where(low, "interface", "interior"))
    atoms.set_array("origin_index", np.arange(8))
    return atoms


def run(job, store):
    """Run a job, or jobs that take its place, and return the document that what comes after sees."""
    taken = take(job.output)
    flow = Flow([job, taken])
    responses = run_locally(flow, store=store, ensure_success=True, raise_immediately=True, log=False)
    return responses[taken.uuid][1].output


@pytest.mark.slow
def test_a_density_of_states(level, store):
    calculation = DosCalculation(n_energies=501)
    doc = run(compute_density_of_states(store_structure(salt()), "LiCl", calculation, level), store)
    assert doc.gap_eV == pytest.approx(BAND_GAP_EV)
    assert (doc.is_metal, doc.spin_polarised, doc.species) == (False, True, ("Cl", "Li"))
    assert doc.conduction_k_point == (0, 0, 0)
    assert doc.valence_maximum_eV < doc.fermi_energy_eV < doc.conduction_minimum_eV
    with np.load(doc.arrays.path()) as arrays:
        assert set(arrays) == {"energies_eV", "total", "by_species_Cl", "by_species_Li"}
        assert arrays["total"].shape == (2, 501)
        np.testing.assert_allclose(arrays["by_species_Cl"] + arrays["by_species_Li"], arrays["total"], atol=2e-5)


@pytest.mark.slow
def test_a_metal_has_no_gap_and_no_edges(level, store):
    """Three electrons an atom, so that one band is half filled."""
    structure = store_structure(bulk("Li", "fcc", a=3.6))
    semicore = vasp_settings(potcars={"family": "PBE_54", "symbols": {"Li": "Li_sv"}})
    level = level.model_copy(update={"physics": semicore})
    doc = run(compute_density_of_states(structure, "Li", DosCalculation(n_energies=301, mesh_factor=1), level), store)
    assert (doc.gap_eV, doc.is_metal, doc.valence_k_point, doc.conduction_k_point) == (0, True, None, None)


@pytest.mark.slow
def test_an_effective_mass(level, store):
    calculation = BandCurvatureCalculation(step_per_A=0.05)
    structure = store_structure(salt())
    doc = run(compute_effective_mass(structure, "LiCl", "conduction", calculation, level), store)
    # Eigenvalues have six digits, see the tests of the reader.
    np.testing.assert_allclose(doc.principal_masses_me, CONDUCTION_MASS, rtol=1e-3)
    assert doc.conductivity_mass_me == pytest.approx(CONDUCTION_MASS, rel=1e-3)
    assert doc.is_extremum
    np.testing.assert_allclose(np.linalg.norm(doc.principal_directions, axis=1), 1)
    flat = run(compute_effective_mass(structure, "LiCl", "valence", calculation, level), store)
    assert flat.principal_masses_me == (None, None, None)
    assert (flat.conductivity_mass_me, flat.is_extremum) == (None, False)


@pytest.mark.slow
def test_bader_charges_of_a_trajectory(level, store, monkeypatch):
    monkeypatch.setenv("FAKE_VASP_CHARGES", "Li=0.8,Cl=-0.8")
    first = column()
    second = first.copy()
    # A lithium ion of the lower layer and a chloride ion of the upper one change places.
    low = first.positions[:, 2] < 1
    down, up = np.nonzero(low & (first.symbols == "Li"))[0][0], np.nonzero(~low & (first.symbols == "Cl"))[0][0]
    second.positions[[down, up]] = first.positions[[up, down]]
    snapshots = [store_structure(first), store_structure(second)]
    doc = run(compute_bader_charges(snapshots, "joint", BaderSettings(normal_axis=2, layer_width_A=2.5), level), store)
    assert (doc.n_frames, doc.quarantined) == (2, ())
    assert doc.frames == ("joint, snapshot 0", "joint, snapshot 1")
    exact = np.where(first.symbols == "Li", 0.8, -0.8)
    with np.load(doc.arrays.path()) as arrays:
        np.testing.assert_allclose(arrays["charges_e"], [exact, exact], atol=TAILS_E)
        np.testing.assert_allclose(arrays["mean_charges_e"], exact, atol=TAILS_E)
        np.testing.assert_allclose(arrays["layer_charges_Li"], 0.8, atol=TAILS_E)
        np.testing.assert_allclose(arrays["layer_edges_A"], [0, 2.55, 5.1])
    assert doc.total_charge_e == pytest.approx(0, abs=1e-4)
    groups = {(group.by, group.name, group.element): group for group in doc.groups}
    metal = groups["phase and element", "metal", "Li"]
    assert (metal.n_atoms, metal.mean_charge_e) == (2, pytest.approx(0.8, abs=TAILS_E))
    assert metal.spread_e < TAILS_E
    assert metal.frame_spread_e < TAILS_E
    region = groups["region", "metal interface", None]
    assert (region.n_atoms, region.mean_charge_e) == (4, pytest.approx(0, abs=TAILS_E))
    assert region.spread_e == pytest.approx(0.8, abs=TAILS_E)
    assert ("region and element", "binary interior", "Cl") in groups
    counts = {(round(layer.lower_A, 6), layer.element): layer.mean_n_atoms for layer in doc.layers}
    assert counts == {(0, "Li"): 1.5, (0, "Cl"): 2.5, (2.55, "Li"): 2.5, (2.55, "Cl"): 1.5}


@pytest.mark.slow
def test_a_snapshot_that_fails_is_quarantined_and_its_batch_goes_on(level, store, monkeypatch):
    monkeypatch.setenv("FAKE_VASP_CHARGES", "Li=0.9,Cl=-0.9")
    limit = salt(5.2).cell.lengths()[0]
    monkeypatch.setenv("FAKE_VASP_FAILS_ABOVE_A", str(limit))
    snapshots = [store_structure(salt()), store_structure(salt(5.3))]
    doc = run(compute_bader_charges(snapshots, "LiCl", BaderSettings(), level), store)
    assert (doc.n_frames, doc.frames, doc.layers) == (1, ("LiCl, snapshot 0",), ())
    (failed,) = doc.quarantined
    assert failed.source == "LiCl, snapshot 1"
    (lithium,) = (group for group in doc.groups if group.element == "Li")
    assert (lithium.name, lithium.frame_spread_e) == ("cells without labels", None)
    assert lithium.mean_charge_e == pytest.approx(0.9, abs=TAILS_E)


def test_charges_of_no_snapshot_are_no_result(store):
    provenance = Provenance(package_versions={}, host="here", wall_time_s=1.0)
    failed = SnapshotChargesDoc(
        source="LiCl", structure=store_structure(salt()), folder="there", reason="no room", provenance=provenance
    )
    level = load_level_of_theory("vasp-pbe")
    with pytest.raises(CalculationError, match="none of 1 snapshots has Bader charges; LiCl: no room"):
        run(average_bader_charges([failed], "LiCl", BaderSettings(), level), store)


@pytest.mark.slow
def test_electrons_that_did_not_converge_are_no_result(level, store, monkeypatch):
    monkeypatch.setenv("FAKE_VASP_FAILS", "unconverged")
    with pytest.raises(CalculationError, match="MaxCorrectionsPerJobError"):
        run(compute_density_of_states(store_structure(salt()), "LiCl", DosCalculation(n_energies=301), level), store)


def test_another_engine_is_refused_with_the_levels_that_can(store):
    structure, chgnet = store_structure(salt()), load_level_of_theory("chgnet")
    jobs = [
        compute_density_of_states(structure, "LiCl", DosCalculation(), chgnet),
        compute_effective_mass(structure, "LiCl", "valence", BandCurvatureCalculation(), chgnet),
        compute_bader_charges([structure], "LiCl", BaderSettings(), chgnet),
    ]
    for job in jobs:
        with pytest.raises(UserInputError, match=r"VASP only, .* 'chgnet' runs chgnet; .*vasp-hse06.*vasp-pbe,"):
            run(job, store)


def test_snapshots_of_two_cells_are_refused_before_anything_runs(level, store, tmp_path):
    turned = salt()[::-1]
    with pytest.raises(UserInputError, match=r"snapshot 1 holds ClLi and the first ClLi, or in another order"):
        run(
            compute_bader_charges([store_structure(salt()), store_structure(turned)], "x", BaderSettings(), level),
            store,
        )
    with pytest.raises(UserInputError, match="there is no snapshot"):
        run(compute_bader_charges([], "x", BaderSettings(), level), store)
    assert not list(tmp_path.rglob("calculation"))


@pytest.mark.slow
def test_a_crystal_from_its_relaxation_to_its_charges(level, store, monkeypatch):
    monkeypatch.setenv("FAKE_VASP_CHARGES", "Li=0.8,Cl=-0.8")
    hybrid = LevelOfTheory(name="hybrid", description="For tests", physics=vasp_settings(functional="hse06"))
    dos = DosCalculation(n_energies=301, mesh_factor=1)
    maker = CrystalElectronicMaker(
        level=level,
        reference=ReferenceSettings(force_tolerance_eV_A=0.05),
        gap_level=hybrid,
        density_of_states=dos,
        gap=dos,
    )
    flow = maker.make(store_structure(salt(5.0)), "LiCl")
    assert [job.name for job in flow.jobs] == [
        "relax LiCl",
        "density of states of LiCl",
        "Bader charges of LiCl",
        "gap of LiCl",
    ]
    taken = [take(flow.output[name]) for name in ("relaxed", "density_of_states", "bader", "gap")]
    responses = run_locally(Flow([flow, *taken]), store=store, ensure_success=True, raise_immediately=True, log=False)
    relaxed, low, charges, high = (responses[one.uuid][1].output for one in taken)
    assert relaxed.converged
    assert low.structure == high.structure == relaxed.structure
    assert (low.level_of_theory, high.level_of_theory) == ("test", "hybrid")
    assert low.gap_eV == high.gap_eV == pytest.approx(BAND_GAP_EV)
    assert charges.n_frames == 1
    (lithium,) = (group for group in charges.groups if group.element == "Li")
    assert lithium.mean_charge_e == pytest.approx(0.8, abs=0.1)  # the pair potential draws the ions nearer


@pytest.mark.slow
def test_the_how_to_page_is_right(level, capsys):
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "vasp-and-clusters.md").read_text()
    (script,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    write("LiCl.cif", salt())
    exec(script, {})
    assert re.search(r"^3\.00 eV, densities of states in .*\.npz$", capsys.readouterr().out, re.MULTILINE)
