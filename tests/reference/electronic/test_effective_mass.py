import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from interfaceflow.reference.electronic.effective_mass import (
    HBAR2_OVER_ELECTRON_MASS_EV_A2,
    N_POINTS,
    conductivity_mass,
    effective_masses,
    inverse_mass_tensor,
    stencil_points,
)

CELL = np.array([[5.0, 0, 0], [1.5, 5.0, 0], [0.7, 1.2, 6.0]])
RECIPROCAL = 2 * np.pi * np.linalg.inv(CELL).T


def band(k_cartesian, inverse_mass, centre):
    """A parabolic band with a quartic part, which finite differences do not see to second order."""
    offset = k_cartesian - centre
    square = np.einsum("ki,ij,kj->k", offset, inverse_mass, offset)
    return 1.3 + HBAR2_OVER_ELECTRON_MASS_EV_A2 / 2 * square


def masses_of(inverse_mass, centre_fraction, step=0.02):
    points = stencil_points(CELL, np.array(centre_fraction), step)
    energies = band(points @ RECIPROCAL, inverse_mass, np.array(centre_fraction) @ RECIPROCAL)
    return inverse_mass_tensor(energies, step)


def test_free_electrons_have_the_mass_of_the_electron():
    found = masses_of(np.eye(3), (0, 0, 0))
    np.testing.assert_allclose(found, np.eye(3), atol=1e-8)
    assert conductivity_mass(found) == pytest.approx(1)


@pytest.mark.parametrize("centre", [(0, 0, 0), (0.5, 0, 0), (0.3, -0.2, 0.1)])
def test_an_anisotropic_turned_tensor_is_recovered_in_a_skewed_cell(centre):
    turn = Rotation.from_rotvec((0.3, -0.7, 1.1)).as_matrix()
    tensor = turn @ np.diag(1 / np.array([0.2, 0.9, 3.0])) @ turn.T
    found = masses_of(tensor, centre)
    np.testing.assert_allclose(found, tensor, atol=1e-7)
    masses, directions = effective_masses(found)
    np.testing.assert_allclose(masses, [0.2, 0.9, 3.0], rtol=1e-6)
    np.testing.assert_allclose(np.abs(np.sum(directions * turn.T, axis=1)), 1, atol=1e-6)
    assert conductivity_mass(found) == pytest.approx(3 / (1 / 0.2 + 1 / 0.9 + 1 / 3))


def test_holes_have_negative_masses():
    masses, _ = effective_masses(masses_of(-2 * np.eye(3), (0, 0, 0)))
    np.testing.assert_allclose(masses, -0.5, rtol=1e-7)


def test_the_error_falls_with_the_square_of_the_step():
    # A tight-binding band: E = -2 t cos(k a) along x, whose mass at 0 is hbar2 / (2 t a2).
    t, a = 0.8, 4.0
    exact = 2 * t * a**2 / HBAR2_OVER_ELECTRON_MASS_EV_A2
    errors = []
    for step in (0.1, 0.05):
        k = stencil_points(CELL, np.zeros(3), step) @ RECIPROCAL
        errors.append(abs(inverse_mass_tensor(-2 * t * np.cos(a * k[:, 0]), step)[0, 0] - exact))
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.05)


def test_the_stencil_has_no_point_twice():
    points = stencil_points(CELL, np.array([0.1, 0.2, 0.3]), 0.02)
    assert points.shape == (N_POINTS, 3)
    assert len(np.unique(points.round(9), axis=0)) == N_POINTS
