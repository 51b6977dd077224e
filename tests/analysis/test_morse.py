import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interfaceflow.analysis.morse import fit_morse, morse_energy
from interfaceflow.core.errors import CalculationError


@settings(max_examples=40, deadline=None)
@given(depth=st.floats(0.5, 15), stiffness=st.floats(1.0, 3.0), r0=st.floats(0.7, 2.2), offset=st.floats(-2000, 2000))
def test_known_parameters_come_back(depth, stiffness, r0, offset):
    distances = r0 + np.linspace(-0.2, 0.5, 11)
    fit = fit_morse(distances[::-1], (offset + morse_energy(distances, depth, stiffness, r0))[::-1])
    assert fit.well_depth_eV == pytest.approx(depth, rel=1e-4)
    assert fit.stiffness_per_A == pytest.approx(stiffness, rel=1e-4)
    assert fit.equilibrium_distance_A == pytest.approx(r0, abs=1e-5)
    assert fit.force_constant_eV_A2 == pytest.approx(2 * depth * stiffness**2, rel=1e-4)
    assert fit.residual_meV < 0.01


def test_the_force_constant_is_the_second_derivative_at_the_minimum():
    step = 1e-4
    bent = morse_energy([1.0 - step, 1.0, 1.0 + step], 3.0, 1.7, 1.0)
    curvature = (bent[0] - 2 * bent[1] + bent[2]) / step**2
    fit = fit_morse(1.0 + np.linspace(-0.2, 0.4, 9), morse_energy(1.0 + np.linspace(-0.2, 0.4, 9), 3.0, 1.7, 1.0))
    assert fit.force_constant_eV_A2 == pytest.approx(curvature, rel=1e-5)


def test_errors_are_those_of_the_noise():
    """Over many noisy scans, the truth is within two standard errors nearly always, but not always."""
    rng = np.random.default_rng(1)
    distances = 1.24 + np.linspace(-0.2, 0.5, 15)
    exact = morse_energy(distances, 3.0, 1.8, 1.24)
    fits = [fit_morse(distances, exact + rng.normal(scale=0.003, size=15)) for _ in range(200)]
    for value, error, truth in (
        ([f.well_depth_eV for f in fits], [f.well_depth_error_eV for f in fits], 3.0),
        ([f.force_constant_eV_A2 for f in fits], [f.force_constant_error_eV_A2 for f in fits], 2 * 3.0 * 1.8**2),
    ):
        deviations = (np.array(value) - truth) / np.array(error)
        assert 0.9 < np.mean(np.abs(deviations) < 2) < 0.99
        assert abs(deviations.mean()) < 0.3


def test_scans_that_say_too_little_are_refused():
    def energies(distances):
        return morse_energy(distances, 3.0, 1.8, 1.24)

    with pytest.raises(CalculationError, match="give at least 6 points"):
        fit_morse([1.1, 1.2, 1.3], [0.1, 0.0, 0.1])
    outside = np.linspace(1.3, 1.8, 8)
    with pytest.raises(CalculationError, match=r"lowest energy is at the end of the scan, at 1\.300 Å; scan further"):
        fit_morse(outside, energies(outside))
    with pytest.raises(CalculationError, match="not a finite number"):
        fit_morse(np.linspace(1.0, 1.6, 8), [*energies(np.linspace(1.0, 1.6, 8))[:-1], np.nan])
    near = 1.24 + np.linspace(-0.02, 0.02, 9)
    noisy = energies(near) + np.random.default_rng(0).normal(scale=0.003, size=9)
    with pytest.raises(CalculationError, match=r"does not tell how deep the well is|no Morse potential fits"):
        fit_morse(near, noisy)
