"""Bond scans and phonons through their jobs, with an exact pair potential as the reference."""

import numpy as np
import pytest
from ase.build import bulk
from jobflow import JobStore
from jobflow.core.job import job
from maggma.stores import MemoryStore

from interfaceflow.core.errors import CalculationError, UserInputError
from interfaceflow.core.files import PROJECT_ROOT_VARIABLE
from interfaceflow.jobs.reference import relax
from interfaceflow.jobs.stability import check_phonons, scan_bond
from interfaceflow.jobs.workspace import Workspace
from interfaceflow.schemas.level_of_theory import LennardJonesSettings, LevelOfTheory
from interfaceflow.schemas.settings import ReferenceSettings
from interfaceflow.schemas.stability import BondScanSettings, PhononSettings
from interfaceflow.schemas.structures import RelaxationRequest

REFERENCE = ReferenceSettings(force_tolerance_eV_A=1e-4, n_workers=1)


def level(sigma_A: float, epsilon_eV: float, cutoff_A: float) -> LevelOfTheory:
    physics = LennardJonesSettings(engine="lennard-jones", sigma_A=sigma_A, epsilon_eV=epsilon_eV, cutoff_A=cutoff_A)
    return LevelOfTheory(name="pair", description="", physics=physics)


@pytest.fixture
def store(tmp_path, monkeypatch) -> JobStore:
    monkeypatch.setenv(PROJECT_ROOT_VARIABLE, str(tmp_path))
    monkeypatch.chdir(tmp_path)
    store = JobStore(MemoryStore())
    store.connect()
    return store


def test_a_pair_of_atoms_has_the_force_constant_of_its_potential(store):
    sigma, epsilon = 0.66, 0.2
    settings = BondScanSettings(cluster="H2", shortest_A=-0.03, longest_A=0.06, box_A=10)
    doc = scan_bond(settings, level(sigma, epsilon, 4.0), REFERENCE).run(store).output
    assert (doc.cluster, doc.bond, doc.charge_e, len(doc.distances_A)) == ("H2", "H-H", 0, 11)
    assert doc.quarantined == ()
    assert doc.equilibrium_distance_A == pytest.approx(2 ** (1 / 6) * sigma, abs=0.005)
    exact = 36 * 2 ** (2 / 3) * epsilon / sigma**2
    assert doc.force_constant_eV_A2 == pytest.approx(exact, rel=0.05)  # that of Morse and Lennard-Jones differ


def test_an_engine_without_charge_refuses_a_charged_cluster(store):
    with pytest.raises(UserInputError, match=r"charge of -1 e, and the engine 'lennard-jones' knows only neutral"):
        scan_bond(BondScanSettings(cluster="CN-"), level(1.0, 1.0, 4.0), REFERENCE).run(store)


@job
def argon_request(stretch: float):
    workspace = Workspace()
    crystal = bulk("Ar", "fcc", a=stretch * np.sqrt(2) * 2 ** (1 / 6) * 3.4)
    return [
        RelaxationRequest(
            kind="bulk", name="argon", structure=workspace.store_structure(crystal, "argon"), free_axes="none"
        )
    ]


@pytest.mark.parametrize(("stretch", "stable"), [(1.0, True), (1.16, False)])
def test_argon_is_stable_until_it_is_torn(store, stretch, stable):
    pair = level(3.4, 0.0104, 8.5)
    request = argon_request(stretch)
    relaxed = relax(request.output, pair, REFERENCE)
    request.run(store)
    relaxed.run(store)
    settings = PhononSettings(supercell_length_A=6)
    doc = check_phonons(relaxed.output[0], settings, pair, REFERENCE).run(store).output
    assert doc.stable is stable
    assert doc.repeats == (2, 2, 2)
    assert bool(doc.imaginary_modes) is not stable
    assert doc.acoustic_residual_THz < 0.01
    arrays = np.load(doc.arrays.path())
    assert arrays["frequencies_THz"].min() == pytest.approx(doc.lowest_frequency_THz)
    with pytest.raises(CalculationError, match="was relaxed with pair, its phonons are asked for with pair"):
        check_phonons(relaxed.output[0], settings, level(3.3, 0.0104, 8.5), REFERENCE).run(store)
