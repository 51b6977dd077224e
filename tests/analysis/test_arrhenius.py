"""Arrhenius fits."""

from dataclasses import replace

import numpy as np
import pytest

from interfaceflow.analysis.arrhenius import ArrheniusPoint, fit_activation_energy
from interfaceflow.core.units import BOLTZMANN_EV_PER_K
from interfaceflow.schemas.transport import DiffusivityEstimate

ACTIVATION_ENERGY_EV = 0.30
LOG10_D0 = -3.0


def _point(temperature_K: float, relative_error: float = 0.1, noise: float = 0.0, solid: bool = True) -> ArrheniusPoint:
    value = 10**LOG10_D0 * np.exp(-ACTIVATION_ENERGY_EV / (BOLTZMANN_EV_PER_K * temperature_K) + noise)
    return ArrheniusPoint(
        temperature_K,
        solid,
        DiffusivityEstimate(
            label="metal-Li",
            direction="in-plane",
            n_atoms=100,
            tracer_diffusivity_cm2_s=value,
            lower_cm2_s=value * np.exp(-relative_error),
            upper_cm2_s=value * np.exp(relative_error),
            confidence=0.6826894921370859,  # one standard deviation
            effective_hops=100.0,
        ),
    )


def _limit(temperature_K: float) -> ArrheniusPoint:
    estimate = DiffusivityEstimate(
        label="metal-Li",
        direction="in-plane",
        n_atoms=100,
        upper_cm2_s=1e-8,
        confidence=0.68,
        effective_hops=1.0,
        reason="too few hops",
    )
    return ArrheniusPoint(temperature_K, True, estimate)


def _fit(points: list[ArrheniusPoint]):
    return fit_activation_energy(points, label="metal-Li", direction="in-plane")


def test_exact_line_is_recovered() -> None:
    fit = _fit([_point(t) for t in (300, 350, 420)])
    assert fit.activation_energy_eV == pytest.approx(ACTIVATION_ENERGY_EV, rel=1e-9)
    assert fit.log10_prefactor_cm2_s == pytest.approx(LOG10_D0, rel=1e-9)
    assert fit.n_points == 3


def test_error_of_two_end_points_by_hand() -> None:
    # With the middle point's weight near zero, E_a = ln(D2/D1) / (1/kT1 - 1/kT2), so its error is sqrt(2) s / that.
    fit = _fit([_point(300, 0.2), _point(350, 100.0), _point(420, 0.2)])
    lever = (1 / 300 - 1 / 420) / BOLTZMANN_EV_PER_K
    assert fit.activation_energy_error_eV == pytest.approx(np.sqrt(2) * 0.2 / lever, rel=1e-3)


def test_poor_points_weigh_little() -> None:
    good = [_point(t, 0.02) for t in (300, 350, 420)]
    fit = _fit([*good, _point(600, relative_error=3.0, noise=2.0)])
    assert fit.activation_energy_eV == pytest.approx(ACTIVATION_ENERGY_EV, abs=0.01)


def test_error_holds_over_many_noisy_sets() -> None:
    rng = np.random.default_rng(0)
    pulls = []
    for _ in range(300):
        fit = _fit([_point(t, 0.2, 0.2 * rng.normal()) for t in (300, 330, 360, 390, 420)])
        pulls.append((fit.activation_energy_eV - ACTIVATION_ENERGY_EV) / fit.activation_energy_error_eV)
    # The error is never scaled down, so it covers at least as often as one standard deviation should.
    assert 0.62 < np.mean(np.abs(pulls) < 1) < 0.85


def test_error_grows_where_points_scatter_more_than_their_errors() -> None:
    calm = _fit([_point(t, 0.01) for t in (300, 340, 380, 420)])
    wild = _fit([_point(t, 0.01, n) for t, n in ((300, 0.3), (340, -0.3), (380, 0.3), (420, -0.3))])
    assert wild.activation_energy_error_eV > 10 * calm.activation_energy_error_eV


def test_a_run_that_extrapolated_is_left_out() -> None:
    good = [_point(t) for t in (300, 350, 420)]
    wild = replace(_point(390, noise=2.0), extrapolated=True)
    assert _fit([*good, wild]) == _fit(good)
    fit = _fit([*good[:2], wild])
    assert fit.activation_energy_eV is None
    assert "1 from a run that left what the potential knows" in str(fit.reason)


def test_molten_metal_is_left_out() -> None:
    fit = _fit([_point(t) for t in (300, 350, 420)] + [_point(480, noise=4.0, solid=False)])
    assert fit.activation_energy_eV == pytest.approx(ACTIVATION_ENERGY_EV, rel=1e-9)
    assert fit.n_points == 3


@pytest.mark.parametrize(
    ("points", "text"),
    [
        ([_point(300), _point(350)], "2 temperatures with a value, 3 are needed"),
        ([_point(300), _limit(350), _limit(400)], "2 with an upper limit only"),
        ([_point(300), _point(350), _point(480, solid=False)], "1 with molten metal"),
        ([_point(300), _point(300), _point(300)], "1 temperature with a value"),
    ],
)
def test_no_fit_without_three_temperatures(points: list[ArrheniusPoint], text: str) -> None:
    fit = _fit(points)
    assert fit.activation_energy_eV is None
    assert text in fit.reason
