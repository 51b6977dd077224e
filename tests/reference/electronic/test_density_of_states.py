import numpy as np
import pytest

from interfaceflow.core.errors import UserInputError
from interfaceflow.reference.electronic.density_of_states import (
    DensityOfStates,
    band_edges,
    broaden_levels,
    gap_from_density,
    k_point_of_edge,
    sum_by_species,
)

AXIS = np.linspace(-10, 10, 4001)


def two_bands(gap, n_k_points=21):
    """Two tight-binding bands, 2 eV wide, with a direct gap at k = 0."""
    k = np.linspace(-np.pi, np.pi, n_k_points, endpoint=False)
    conduction = gap + 1 - np.cos(k)
    return np.stack([-1 + np.cos(k), conduction], axis=1)


def test_a_band_s_density_holds_its_states():
    levels = two_bands(3.0)
    density = broaden_levels(levels, np.full(len(levels), 1 / len(levels)), AXIS, 0.05)
    assert np.trapezoid(density, AXIS) == pytest.approx(2, rel=1e-6)
    assert np.trapezoid(density[AXIS < 1.5], AXIS[AXIS < 1.5]) == pytest.approx(1, rel=1e-6)


def test_a_chain_s_density_has_its_edges():
    # One dimension, E = -2t cos k: the density is 1 / (pi sqrt(4 t2 - E2)), 1/(2 pi t) in the middle of the band.
    k = np.linspace(-np.pi, np.pi, 1001)[:-1]
    levels = (-2 * 1.5 * np.cos(k))[:, None]
    density = broaden_levels(levels, np.full(len(k), 1 / len(k)), AXIS, 0.05)
    assert density[len(AXIS) // 2] == pytest.approx(1 / (2 * np.pi * 1.5), rel=1e-3)


@pytest.mark.parametrize("gap", [0.1, 3.0])
def test_gap_of_an_insulator(gap):
    edges = band_edges(two_bands(gap, 20)[None], 2)
    assert edges.gap_eV == pytest.approx(gap)
    assert edges.valence_maximum_eV == pytest.approx(0, abs=1e-12)
    # The same, spin by spin.
    assert band_edges(np.stack([two_bands(gap, 20)] * 2), 2).gap_eV == pytest.approx(gap)


def test_gap_of_a_magnet_is_between_its_channels():
    # One electron, in the lower band of the channel that is 1 eV lower: its gap is to the other channel's lower band.
    channels = np.stack([two_bands(3.0, 20) - 2.5, two_bands(3.0, 20)])
    edges = band_edges(channels, 1)
    assert edges.gap_eV == pytest.approx(channels[1, :, 0].min() - channels[0, :, 0].max())


@pytest.mark.parametrize("n_electrons", [1, 2])
def test_a_metal_has_no_gap(n_electrons):
    k = np.linspace(-np.pi, np.pi, 20, endpoint=False)
    overlapping = np.stack([-1 + np.cos(k), 0.5 + np.cos(k)], axis=1)  # the upper one's bottom is below the lower's top
    assert band_edges(overlapping[None], n_electrons).gap_eV == 0


def test_too_few_bands_are_refused():
    with pytest.raises(UserInputError, match=r"no band is empty; compute more bands \(NBANDS"):
        band_edges(two_bands(3.0)[None], 4)


def test_gap_from_a_density():
    levels = two_bands(3.0, 400)
    density = broaden_levels(levels, np.full(400, 1 / 400), AXIS, 0.02)
    dos = DensityOfStates(AXIS, density[None], {}, fermi_energy_eV=1.0)
    # The broadening eats a few of its widths from each side.
    assert gap_from_density(dos).gap_eV == pytest.approx(3.0, abs=10 * 0.02)
    metal = DensityOfStates(AXIS, density[None], {}, fermi_energy_eV=-1.0)
    assert gap_from_density(metal).gap_eV == 0


def test_an_axis_that_ends_at_the_fermi_level_is_refused():
    dos = DensityOfStates(AXIS, np.where(AXIS < 0, 1.0, 0.0)[None], {}, fermi_energy_eV=1.0)
    with pytest.raises(UserInputError, match="no states on one side of the Fermi level"):
        gap_from_density(dos)


def test_projections_are_added_by_species():
    projections = np.arange(12.0).reshape(3, 1, 4)
    by_species = sum_by_species(projections, ["S", "Li", "S"])
    assert list(by_species) == ["Li", "S"]
    np.testing.assert_array_equal(by_species["S"], projections[0] + projections[2])


def test_where_the_edges_of_an_indirect_gap_are():
    levels = np.array([[[0.0, 3.0], [-1.0, 2.0], [-2.0, 4.0]], [[-1.0, 5.0], [-1.0, 5.0], [-1.0, 5.0]]])
    points = np.array([[0, 0, 0], [0, 0, 0.25], [0, 0, 0.5]])
    edges = band_edges(levels, 2)
    assert edges.gap_eV == 2.0
    np.testing.assert_array_equal(k_point_of_edge(levels, points, edges.valence_maximum_eV), points[0])
    np.testing.assert_array_equal(k_point_of_edge(levels, points, edges.conduction_minimum_eV), points[1])
