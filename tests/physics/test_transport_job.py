"""From a DCD file with its sidecar to a TransportDoc and an ArrheniusDoc, through the jobs."""

import struct
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from jobflow import JobStore
from maggma.stores import MemoryStore

from interfaceflow.core.errors import CalculationError, DataFileError
from interfaceflow.core.files import PROJECT_ROOT_VARIABLE, FileRef
from interfaceflow.core.formats.structure_file import read_structure, write_structure
from interfaceflow.jobs.transport import analyse_transport, fit_arrhenius
from interfaceflow.schemas.base import Provenance
from interfaceflow.schemas.dynamics import ProductionDoc, SegmentDoc
from interfaceflow.schemas.settings import AnalysisSettings
from interfaceflow.schemas.transport import ArrheniusDoc, TransportDoc

pytestmark = pytest.mark.physics

FRAME_INTERVAL_PS = 0.2
N_FRAMES = 400
HOP_A = 2.5


def _write_dcd(path: Path, positions: np.ndarray, lengths: np.ndarray, first_step: int) -> None:
    """Write frames as LAMMPS does: positions of shape (n_frames, n_atoms, 3), an orthorhombic cell."""
    control = [0] * 20
    control[0], control[1], control[2], control[10], control[19] = len(positions), first_step, 100, 1, 24
    data = [struct.pack("<i4s20ii", 84, b"CORD", *control, 84)]
    data += [struct.pack("<iii", 4, 0, 4), struct.pack("<3i", 4, positions.shape[1], 4)]
    for frame in positions.astype("<f4"):
        a, b, c = lengths
        data.append(struct.pack("<i6di", 48, a, 0.0, b, 0.0, 0.0, c, 48))
        for axis in range(3):
            record = frame[:, axis].tobytes()
            data.append(struct.pack("<i", len(record)) + record + struct.pack("<i", len(record)))
    path.write_bytes(b"".join(data))


def _cell() -> Atoms:
    metal = bulk("Li", "bcc", a=3.5, cubic=True) * (4, 4, 4)
    salt = bulk("LiCl", "rocksalt", a=5.0, cubic=True) * (3, 3, 2)
    metal.set_array("phase", np.array(["metal"] * len(metal), dtype="<U6"))
    salt.set_array("phase", np.array(["binary"] * len(salt)))
    salt.positions[:, 2] += 15
    atoms = metal + salt
    atoms.set_cell([15.0, 15.0, 27.0])
    atoms.pbc = True
    atoms.set_array("region", np.array(["interior"] * len(atoms)))
    atoms.set_array("origin_index", np.arange(len(atoms)))
    return atoms


def _production(folder: Path, temperature_K: float, hops_per_ps: float, solid: float = 1.0) -> ProductionDoc:
    """Make a run in two segments: metal-Li hops in the plane and slides as a slab, binary-Li only vibrates."""
    atoms = _cell()
    rng = np.random.default_rng(int(temperature_K))
    hops = np.zeros((N_FRAMES, len(atoms), 3))
    metal = np.flatnonzero(atoms.arrays["phase"] == "metal")
    n_hops = rng.poisson(hops_per_ps * N_FRAMES * FRAME_INTERVAL_PS * len(metal))
    where = (rng.integers(0, N_FRAMES, n_hops), rng.choice(metal, n_hops), rng.integers(0, 2, n_hops))
    hops[where] = HOP_A * rng.choice([-1.0, 1.0], n_hops)
    path = atoms.positions + np.cumsum(hops, axis=0) + rng.normal(scale=0.15, size=hops.shape)
    path[:, metal, 0] += np.linspace(0, 30, N_FRAMES)[:, None]
    stem = f"{temperature_K:.0f}"
    write_structure(atoms, folder / f"{stem}.xyz")
    (folder / f"{stem}.restart").write_bytes(b"restart")
    segments = []
    for index, part in enumerate((path[:201], path[200:])):
        dcd = folder / f"{stem}-{index}.dcd"
        _write_dcd(dcd, part, np.array([15.0, 15.0, 27.0]), first_step=index * 20_000)
        segments.append(
            SegmentDoc(
                index=index,
                trajectory=FileRef.of(dcd),
                restart=FileRef.of(folder / f"{stem}.restart"),
                n_frames=len(part),
                largest_grade=1.2,
            )
        )
    return ProductionDoc(
        status="completed",
        temperature_K=temperature_K,
        mean_temperature_K=temperature_K,
        production_ps=N_FRAMES * FRAME_INTERVAL_PS,
        frame_interval_ps=FRAME_INTERVAL_PS,
        timestep_fs=2.0,
        segments=tuple(segments),
        sidecar=FileRef.of(folder / f"{stem}.xyz"),
        largest_grade=1.3,
        normal_axis=2,
        residual_normal_stress_GPa=0.01,
        metal_solid_fraction=solid,
        energy_drift_meV_atom_ps=0.0,
        n_atoms=len(atoms),
        atom_steps_per_s=1e5,
        potential_sha256="0" * 64,
        provenance=Provenance(package_versions={}, host="here", wall_time_s=1.0),
    )


@pytest.fixture
def store() -> JobStore:
    store = JobStore(MemoryStore())
    store.connect()
    return store


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(PROJECT_ROOT_VARIABLE, str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_hopping_metal_and_vibrating_binary(project: Path, store: JobStore) -> None:
    rate = 0.1
    job = analyse_transport(_production(project, 350, rate), AnalysisSettings(hop_length_A=HOP_A, confidence=0.95))
    doc = job.run(store).output
    assert isinstance(doc, TransportDoc)
    by_group = {(e.label, e.direction): e for e in doc.estimates}
    assert set(by_group) == {(g, d) for g in ("metal-Li", "binary-Li") for d in ("in-plane", "out-of-plane")}
    truth = rate * HOP_A**2 / 4 * 1e-4  # hops along two axes: MSD in the plane = rate a^2 t = 4 D t
    along = by_group["metal-Li", "in-plane"]
    assert along.n_atoms == 128
    assert along.lower_cm2_s < truth < along.upper_cm2_s
    for group in (("metal-Li", "out-of-plane"), ("binary-Li", "in-plane"), ("binary-Li", "out-of-plane")):
        assert by_group[group].tracer_diffusivity_cm2_s is None
        assert "too few hops" in by_group[group].reason
    assert doc.trajectory_ps == pytest.approx((N_FRAMES - 1) * FRAME_INTERVAL_PS)
    curves = np.load(doc.msd.path())
    assert set(curves) == {"lag_ps", *(f"msd_{g}_{d}" for g, d in by_group)}
    assert all(len(curves[name]) == len(curves["lag_ps"]) for name in curves)
    # vibration of the binary: 2 u^2 an axis, two axes (its frame of reference adds a little)
    np.testing.assert_allclose(curves["msd_binary-Li_in-plane"][:40], 4 * 0.15**2, rtol=0.1)


def test_motion_by_initial_region_with_the_framework_followed(project: Path, store: JobStore) -> None:
    """Every atom is in one region; where there is no metal, nothing can melt."""
    rate = 0.1
    production = _production(project, 350, rate)
    atoms = read_structure(production.sidecar.path())
    phases = np.where(atoms.arrays["phase"] == "metal", "cathode", "electrolyte")
    height = atoms.positions[:, 2]
    at_interface = np.abs(height - 14.0) < 3.0
    atoms.set_array("phase", None)
    atoms.set_array("phase", phases)
    atoms.set_array("region", None)
    atoms.set_array("region", np.where(at_interface, "interface", "interior"))
    write_structure(atoms, project / "pair.xyz")
    pair = production.model_copy(update={"sidecar": FileRef.of(project / "pair.xyz"), "metal_solid_fraction": None})
    settings = AnalysisSettings(hop_length_A=HOP_A, confidence=0.95, groups="region", framework=True)
    doc = analyse_transport(pair, settings).run(store).output
    assert doc.metal_is_solid is None
    assert not doc.metal_has_melted
    by_group = {(e.label, e.direction): e for e in doc.estimates}
    lithium = atoms.symbols == "Li"
    assert [by_group[f"{region}-Li", "in-plane"].n_atoms for region in ("cathode", "interface", "electrolyte")] == [
        int((lithium & ~at_interface & (phases == "cathode")).sum()),
        int((lithium & at_interface).sum()),
        int((lithium & ~at_interface & (phases == "electrolyte")).sum()),
    ]
    truth = rate * HOP_A**2 / 4 * 1e-4
    assert by_group["cathode-Li", "in-plane"].lower_cm2_s < truth < by_group["cathode-Li", "in-plane"].upper_cm2_s
    assert by_group["electrolyte-Li", "in-plane"].tracer_diffusivity_cm2_s is None
    assert {e.label for e in doc.framework} == {"electrolyte-Cl"}
    assert all(e.tracer_diffusivity_cm2_s is None for e in doc.framework)
    fits = fit_arrhenius([doc], settings).run(store).output.fits
    assert {fit.label for fit in fits} == {"cathode-Li", "interface-Li", "electrolyte-Li"}


def test_molten_metal_has_no_value_and_no_arrhenius_point(project: Path, store: JobStore) -> None:
    settings = AnalysisSettings(hop_length_A=HOP_A)
    runs = [
        analyse_transport(_production(project, t, rate, solid), settings)
        for t, rate, solid in ((300, 0.02, 1.0), (350, 0.05, 0.9), (400, 0.1, 0.9), (450, 0.5, 0.1))
    ]
    fit = fit_arrhenius([run.output for run in runs], settings)
    molten = [run.run(store).output for run in runs][3]
    assert not molten.metal_is_solid
    assert all(e.tracer_diffusivity_cm2_s is None for e in molten.estimates)
    assert "liquid metal" in molten.estimates[0].reason
    doc = fit.run(store).output
    assert isinstance(doc, ArrheniusDoc)
    assert doc.temperatures_K == (300, 350, 400, 450)
    along = next(f for f in doc.fits if (f.label, f.direction) == ("metal-Li", "in-plane"))
    assert along.n_points == 3
    # rates 0.02, 0.05, 0.1 a ps at 300, 350, 400 K: ln(5) over 1/kT1 - 1/kT3
    expected = np.log(5) / ((1 / 300 - 1 / 400) / 8.617333262e-5)
    assert along.activation_energy_eV == pytest.approx(expected, abs=3 * along.activation_energy_error_eV)
    assert all(f.reason for f in doc.fits if f.label == "binary-Li")


def test_unknown_species_is_refused_with_what_there_is(project: Path, store: JobStore) -> None:
    job = analyse_transport(_production(project, 350, 0.1), AnalysisSettings(mobile_species="Na"))
    with pytest.raises(CalculationError, match=r"mobile_species: 'Na' was given.*Cl, Li"):
        job.run(store)


def test_run_that_never_reached_production_has_no_estimates(project: Path, store: JobStore) -> None:
    stopped = _production(project, 350, 0.1).model_copy(update={"segments": (), "status": "extrapolated"})
    doc = analyse_transport(stopped, AnalysisSettings()).run(store).output
    assert doc.status == "extrapolated"
    assert doc.estimates == ()
    assert doc.trajectory_ps == 0
    assert fit_arrhenius([doc], AnalysisSettings()).run(store).output.fits == ()


def test_foreign_sidecar_is_refused(project: Path, store: JobStore) -> None:
    production = _production(project, 350, 0.1)
    write_structure(_cell()[:-1], project / "other.xyz")
    mixed = production.model_copy(update={"sidecar": FileRef.of(project / "other.xyz")})
    with pytest.raises(DataFileError, match="271 atoms, but the trajectory holds 272"):
        analyse_transport(mixed, AnalysisSettings()).run(store)
