"""Random walks whose diffusivity is known: values are recovered, intervals cover, limits hold."""

from collections.abc import Callable

import numpy as np
import pytest

from interfaceflow.analysis.diffusivity import estimate_diffusivity
from interfaceflow.analysis.msd import DriftGroup, stream_msd
from interfaceflow.schemas.settings import AnalysisSettings
from interfaceflow.schemas.transport import DiffusivityEstimate, Direction

pytestmark = pytest.mark.physics

CUBIC = np.diag([40.0, 40.0, 40.0])
TRICLINIC = np.array([[40.0, 0, 0], [-15.0, 38.0, 0], [10.0, 12.0, 45.0]])
FRAME_INTERVAL_PS = 0.25
HOP_A = 2.5
VIBRATION_A = 0.25
A2_PS_IN_CM2_S = 1e-4


def _brownian(rng: np.random.Generator, n_frames: int, n_atoms: int, d_A2_ps: tuple[float, float, float]) -> np.ndarray:
    steps = rng.normal(size=(n_frames, n_atoms, 3)) * np.sqrt(2 * np.array(d_A2_ps) * FRAME_INTERVAL_PS)
    return np.cumsum(steps, axis=0)


def _hopping(rng: np.random.Generator, n_frames: int, n_atoms: int, hops_per_ps: float) -> np.ndarray:
    """Walk along three axes by single hops at a constant rate, with thermal vibration on top: D = rate a^2 / 6."""
    path = np.zeros((n_frames, n_atoms, 3))
    n_hops = rng.poisson(hops_per_ps * n_frames * FRAME_INTERVAL_PS * n_atoms)
    frames, atoms, axes = (rng.integers(0, size, n_hops) for size in (n_frames, n_atoms, 3))
    np.add.at(path, (frames, atoms, axes), HOP_A * rng.choice([-1.0, 1.0], n_hops))
    return np.cumsum(path, axis=0) + rng.normal(scale=VIBRATION_A, size=path.shape)


def _estimate(
    path: np.ndarray,
    direction: Direction = "in-plane",
    *,
    confidence: float = 0.68,
    cell: np.ndarray = CUBIC,
    drift: tuple[DriftGroup, ...] = (),
) -> DiffusivityEstimate:
    atoms = np.arange(path.shape[1])
    msd = stream_msd(((frame, cell) for frame in path), selected=atoms, drift_groups=drift, normal_axis=2)
    return estimate_diffusivity(
        msd,
        atoms,
        label="metal-Li",
        direction=direction,
        frame_interval_ps=FRAME_INTERVAL_PS,
        settings=AnalysisSettings(hop_length_A=HOP_A, confidence=confidence),
    )


def _coverage(make: Callable[[np.random.Generator], np.ndarray], truth_cm2_s: float, n_seeds: int, **options) -> float:
    """Return how often the interval holds the truth."""
    covered = []
    for seed in range(n_seeds):
        estimate = _estimate(make(np.random.default_rng(seed)), **options)
        assert estimate.tracer_diffusivity_cm2_s is not None, estimate.reason
        covered.append(estimate.lower_cm2_s <= truth_cm2_s <= estimate.upper_cm2_s)
    return float(np.mean(covered))


@pytest.mark.parametrize("direction", ["in-plane", "out-of-plane"])
def test_brownian_walk_is_recovered_in_both_directions(direction: Direction) -> None:
    path = _brownian(np.random.default_rng(7), 1000, 300, (0.3, 0.3, 0.05))
    truth = (0.3 if direction == "in-plane" else 0.05) * A2_PS_IN_CM2_S
    estimate = _estimate(path, direction, confidence=0.95)
    assert estimate.lower_cm2_s < truth < estimate.upper_cm2_s
    assert estimate.tracer_diffusivity_cm2_s == pytest.approx(truth, rel=0.05)
    assert estimate.reason is None


# Binomial standard error of a coverage of 0.68 from 60 walks is 0.06; the bounds are 2.5 of them wide.
@pytest.mark.parametrize("direction", ["in-plane", "out-of-plane"])
def test_interval_covers_for_brownian_walks(direction: Direction) -> None:
    truth = 0.2 * A2_PS_IN_CM2_S
    coverage = _coverage(lambda rng: _brownian(rng, 240, 60, (0.2,) * 3), truth, 60, direction=direction)
    assert 0.53 <= coverage <= 0.83


def test_interval_covers_at_a_higher_confidence() -> None:
    truth = 0.2 * A2_PS_IN_CM2_S
    assert _coverage(lambda rng: _brownian(rng, 240, 60, (0.2,) * 3), truth, 60, confidence=0.95) >= 0.87


@pytest.mark.parametrize("hops_per_atom", [0.5, 5.0])
def test_interval_covers_for_vibrating_atoms_that_hop_rarely(hops_per_atom: float) -> None:
    rate = hops_per_atom / (240 * FRAME_INTERVAL_PS)
    truth = rate * HOP_A**2 / 6 * A2_PS_IN_CM2_S
    assert 0.53 <= _coverage(lambda rng: _hopping(rng, 240, 150, rate), truth, 60) <= 0.85


def test_mean_of_many_walks_is_unbiased() -> None:
    rate = 2.0 / 60
    truth = rate * HOP_A**2 / 6 * A2_PS_IN_CM2_S
    values = [
        _estimate(_hopping(np.random.default_rng(seed), 240, 150, rate)).tracer_diffusivity_cm2_s for seed in range(40)
    ]
    error_of_mean = np.std(values, ddof=1) / np.sqrt(len(values))
    assert abs(np.mean(values) - truth) < 3 * error_of_mean


def test_few_hops_give_an_upper_limit_that_holds() -> None:
    # Three hops among 60 atoms: never a value, and the limit lies above the truth at least as often as it says.
    rate = 3.0 / 60 / 60
    truth = rate * HOP_A**2 / 6 * A2_PS_IN_CM2_S
    held = []
    for seed in range(50):
        estimate = _estimate(_hopping(np.random.default_rng(seed), 240, 60, rate))
        assert estimate.tracer_diffusivity_cm2_s is None
        assert estimate.lower_cm2_s is None
        assert "too few hops" in estimate.reason
        held.append(truth <= estimate.upper_cm2_s)
    assert np.mean(held) >= 0.68


def test_pure_vibration_gives_an_upper_limit() -> None:
    for direction in ("in-plane", "out-of-plane"):
        estimate = _estimate(_hopping(np.random.default_rng(1), 800, 300, 0.0), direction)
        assert estimate.tracer_diffusivity_cm2_s is None
        assert estimate.effective_hops < 5
        # a handful of hops of 2.5 Å among 300 atoms in the 100 ps of the window
        assert estimate.upper_cm2_s < 6 * HOP_A**2 / (2 * 300 * 100) * A2_PS_IN_CM2_S
        assert "hops" in estimate.reason


@pytest.mark.parametrize("d_A2_ps", [0.5, 0.1])
def test_walk_confined_to_a_slab_has_a_plateau_and_no_diffusivity(d_A2_ps: float) -> None:
    width = 6.0
    path = _brownian(np.random.default_rng(2), 2000, 150, (0.3, 0.3, d_A2_ps))
    path[..., 2] = np.abs((path[..., 2] + width / 3) % (2 * width) - width)  # reflecting walls
    across, along = _estimate(path, "out-of-plane"), _estimate(path, "in-plane")
    assert across.tracer_diffusivity_cm2_s is None
    assert "plateau" in across.reason
    assert along.tracer_diffusivity_cm2_s == pytest.approx(0.3 * A2_PS_IN_CM2_S, rel=0.15)


def test_rattling_between_two_sites_is_no_diffusion() -> None:
    rng = np.random.default_rng(3)
    switches = np.cumsum(rng.random((1200, 200)) < 0.02, axis=0) % 2
    path = rng.normal(scale=VIBRATION_A, size=(1200, 200, 3))
    path[..., 0] += HOP_A * switches
    estimate = _estimate(path)
    assert estimate.tracer_diffusivity_cm2_s is None
    assert "plateau" in estimate.reason or "too few hops" in estimate.reason


def test_slab_that_slides_without_hops_does_not_diffuse() -> None:
    vibration = np.random.default_rng(4).normal(scale=VIBRATION_A, size=(800, 200, 3))
    path = vibration + np.arange(800)[:, None, None] * np.array([0.05, 0.02, 0.0])
    everyone = np.arange(200)
    assert _estimate(path).tracer_diffusivity_cm2_s is not None  # what it would look like
    estimate = _estimate(path, drift=(DriftGroup(everyone, everyone),))
    assert estimate.tracer_diffusivity_cm2_s is None
    assert "too few hops" in estimate.reason


@pytest.mark.parametrize("cell", [CUBIC, TRICLINIC], ids=["orthorhombic", "triclinic"])
def test_wrapped_walk_gives_the_same_value(cell: np.ndarray) -> None:
    path = _brownian(np.random.default_rng(5), 600, 80, (0.5,) * 3)
    fractional = path @ np.linalg.inv(cell)
    wrapped = (fractional - np.floor(fractional)) @ cell
    assert _estimate(wrapped, cell=cell).tracer_diffusivity_cm2_s == pytest.approx(
        _estimate(path, cell=cell).tracer_diffusivity_cm2_s, rel=1e-9
    )
