"""Averages of charges that were put there by hand."""

import numpy as np
import pytest
from ase import Atoms

from interfaceflow.reference.electronic.charge_averages import average_charge, charges_by_layer, layer_edges

CUBIC = np.diag([4.0, 5.0, 12.0])
TRICLINIC = np.array([[4.0, 0.0, 0.0], [1.0, 5.0, 0.0], [2.0, -1.0, 12.0]])


def test_spread_of_atoms_and_of_frames():
    average = average_charge(np.array([[0.0, 1.0], [1.0, 2.0]]))
    assert average.mean_e == 1.0
    assert average.spread_e == pytest.approx(np.sqrt(0.5))
    assert average.frame_spread_e == pytest.approx(np.sqrt(0.5))
    assert average_charge(np.array([[0.5, 0.7]])).frame_spread_e is None


@pytest.mark.parametrize("cell", [CUBIC, TRICLINIC])
@pytest.mark.parametrize("shift", [0, 1, -2])
def test_layers_follow_the_atoms(cell, shift):
    """Two atoms in the lowest of three layers, one in the highest, which goes to the lowest in the second frame."""
    fractions = np.array([[0.1, 0.2, 0.05], [0.6, 0.9, 0.3], [0.3, 0.3, 0.95]])
    first = Atoms("P3", cell=cell, scaled_positions=fractions + np.array([0, 0, shift]), pbc=True)
    second = first.copy()
    second.set_scaled_positions(fractions + np.array([0, 0, 0.1]))
    edges = layer_edges([first, second], 2, 4.5)
    np.testing.assert_allclose(edges, [0, 4, 8, 12])
    charges = np.array([[1.0, 2.0, 5.0], [1.0, 3.0, 4.0]])
    layers = charges_by_layer([first, second], charges, 2, 3)
    np.testing.assert_array_equal(layers.n_atoms, [[2, 0, 1], [2, 1, 0]])
    np.testing.assert_allclose(layers.charges_e, [[1.5, np.nan, 5.0], [2.5, 3.0, np.nan]])
    np.testing.assert_allclose(layers.mean_e, [2.0, 3.0, 5.0])


def test_a_layer_that_is_always_empty_has_no_charge():
    atoms = Atoms("Li", cell=CUBIC, scaled_positions=[[0, 0, -1e-18]], pbc=True)
    layers = charges_by_layer([atoms], np.array([[0.9]]), 2, 4)
    assert layers.n_atoms.sum() == 1
    assert np.isnan(layers.mean_e).sum() == 3


def test_the_height_is_that_along_the_normal():
    atoms = Atoms("Li", cell=TRICLINIC, pbc=True)
    assert layer_edges([atoms], 2, 1.0)[-1] == pytest.approx(12.0)
    assert layer_edges([atoms], 0, 100.0)[-1] == pytest.approx(240 / np.linalg.norm(np.cross(*TRICLINIC[1:])))
