"""Parts of the diffusivity estimate; its coverage is in tests/physics/test_random_walk.py."""

import numpy as np
import pytest

from interfaceflow.analysis.diffusivity import (
    brownian_covariance,
    empirical_relative_error,
    estimate_diffusivity,
    slope_weights,
)
from interfaceflow.analysis.msd import AtomicMsd
from interfaceflow.schemas.settings import AnalysisSettings


def test_covariance_against_sampled_walks() -> None:
    lags, n_frames = np.array([3, 5, 12, 20]), 40
    walks = np.cumsum(np.random.default_rng(0).normal(size=(n_frames, 60_000)), axis=0)
    msd = np.array([np.mean((walks[lag:] - walks[:-lag]) ** 2, axis=0) for lag in lags])
    np.testing.assert_allclose(brownian_covariance(lags, n_frames), np.cov(msd), rtol=0.04)


def test_variance_of_one_step_is_that_of_independent_steps() -> None:
    # n - 1 independent squared unit normals: the variance of their mean is 2 / (n - 1).
    assert brownian_covariance(np.array([1]), 101)[0, 0] == pytest.approx(2 / 100)


def test_weights_give_the_slope_of_a_line_whatever_its_intercept() -> None:
    lags = np.array([10, 12, 14, 18, 24, 30])
    weights = slope_weights(lags, brownian_covariance(lags, 60))
    assert weights @ (7.0 + 0.3 * lags) == pytest.approx(0.3)
    assert weights.sum() == pytest.approx(0, abs=1e-12)


def test_empirical_error_by_hand() -> None:
    # The paper's own rule of thumb: about 47 % at 64 effective hops.
    assert empirical_relative_error(64) == pytest.approx(3.43 / 8 + 0.04)


def _straight_msd(slope_A2_ps: float, n_atoms: int = 400, spread: float = 1.5) -> AtomicMsd:
    """Make atoms whose MSD grows linearly, each with its own slope, plus a vibration of 0.2 Å2."""
    lags = np.arange(1, 500, 10)
    slopes = slope_A2_ps * np.random.default_rng(3).normal(1, spread, size=n_atoms)
    squared = 0.2 / 3 + 0.1 * lags[:, None, None] * slopes[None, :, None] * np.ones((1, 1, 3))
    return AtomicMsd(lags, 500 - lags, squared, 500)


def test_units_dimensions_and_window() -> None:
    # MSD per axis 0.4 Å2/ps = 2 D, so D = 0.2 Å2/ps = 2e-5 cm2/s in the plane and along the normal alike.
    for direction in ("in-plane", "out-of-plane"):
        estimate = estimate_diffusivity(
            _straight_msd(0.4),
            np.arange(400),
            label="metal-Li",
            direction=direction,
            frame_interval_ps=0.1,
            settings=AnalysisSettings(),
        )
        assert estimate.tracer_diffusivity_cm2_s == pytest.approx(2e-5, rel=0.15)
        assert estimate.lower_cm2_s < estimate.tracer_diffusivity_cm2_s < estimate.upper_cm2_s
        # 150 % scatter over 400 atoms: 7.5 % standard error.
        half_width = (estimate.upper_cm2_s - estimate.lower_cm2_s) / 2
        assert half_width == pytest.approx(0.075 * 2e-5, rel=0.15)
        assert estimate.reason is None
        start, end = estimate.fit_window_ps
        in_plane = direction == "in-plane"
        assert start == pytest.approx(0.5 * 2.5**2 / (0.8 if in_plane else 0.4), abs=2.0)
        assert end == pytest.approx(0.7 * 49.9, abs=1.0)
        growth = (0.8 if in_plane else 0.4) * (end - start) * 400 / 2.5**2
        assert estimate.effective_hops == pytest.approx(growth, rel=0.15)


def test_short_run_gives_a_limit() -> None:
    msd = AtomicMsd(np.array([1, 2]), np.array([2, 1]), np.full((2, 20, 3), 0.1), 3)
    estimate = estimate_diffusivity(
        msd,
        np.arange(20),
        label="metal-Li",
        direction="in-plane",
        frame_interval_ps=0.1,
        settings=AnalysisSettings(),
    )
    assert estimate.tracer_diffusivity_cm2_s is None
    assert estimate.upper_cm2_s > 0
    assert "too short" in estimate.reason


def test_no_hop_at_all_gives_the_poisson_limit() -> None:
    # Zero hops: the upper end of the central 68 % interval is -ln(0.16) = 1.833 hops, in 400 atoms and two dimensions.
    msd = _straight_msd(0.0)
    estimate = estimate_diffusivity(
        msd,
        np.arange(400),
        label="metal-Li",
        direction="in-plane",
        frame_interval_ps=0.1,
        settings=AnalysisSettings(confidence=0.68),
    )
    assert estimate.effective_hops == pytest.approx(0, abs=1e-9)
    assert estimate.tracer_diffusivity_cm2_s is None
    assert estimate.lower_cm2_s is None
    start, end = estimate.fit_window_ps
    assert start == pytest.approx(0.2 * 49.9, abs=1.0)  # nothing hops, so it starts at a fifth of the run
    expected = -np.log(0.16) * 2.5**2 / (2 * 2 * 400 * (end - start)) * 1e-4
    assert estimate.upper_cm2_s == pytest.approx(expected, rel=1e-6)
    assert "too few hops" in estimate.reason


def test_few_atoms_give_a_limit() -> None:
    estimate = estimate_diffusivity(
        _straight_msd(2.0, n_atoms=3),
        np.arange(3),
        label="binary-Li",
        direction="in-plane",
        frame_interval_ps=0.1,
        settings=AnalysisSettings(),
    )
    assert estimate.tracer_diffusivity_cm2_s is None
    assert "too few atoms" in estimate.reason
