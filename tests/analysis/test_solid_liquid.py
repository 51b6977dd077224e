"""Solid-like and liquid-like atoms."""

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.io import read
from scipy.special import sph_harm_y

from interfaceflow.analysis.solid_liquid import (
    _nearest_neighbours,
    averaged_bond_order,
    solid_fraction,
    solid_like,
)
from interfaceflow.core.errors import CalculationError

DATA = Path(__file__).parents[1] / "data" / "solid_liquid"


def _snapshot(name: str) -> Atoms:
    return read(DATA / f"{name}.xyz")


def _bond_order_by_hand(atoms: Atoms) -> np.ndarray:
    """The definition, with SciPy's spherical harmonics and all thirteen components."""
    neighbours, bonds = _nearest_neighbours(atoms)
    polar = np.arccos(bonds[..., 2] / np.linalg.norm(bonds, axis=-1))
    azimuth = np.arctan2(bonds[..., 1], bonds[..., 0])
    squared = np.zeros(len(atoms))
    for m in range(-6, 7):
        per_atom = sph_harm_y(6, m, polar, azimuth).mean(axis=1)
        averaged = (per_atom + per_atom[neighbours].sum(axis=1)) / 15
        squared += np.abs(averaged) ** 2
    return np.sqrt(4 * np.pi / 13 * squared)


@pytest.mark.parametrize("name", ["lithium_bcc_300K", "lj_fcc_T0.65"])
def test_hot_crystals_are_solid(name: str) -> None:
    assert solid_fraction(_snapshot(name)) > 0.97


@pytest.mark.parametrize("name", ["lithium_melt_350K", "lj_melt_T0.65"])
def test_undercooled_melts_are_liquid(name: str) -> None:
    assert solid_fraction(_snapshot(name)) < 0.03


def test_half_molten_cell_is_split_where_it_is_cut() -> None:
    solid, melt = _snapshot("lithium_bcc_300K"), _snapshot("lithium_melt_350K")
    solid.wrap()
    melt.wrap()
    both = solid.copy()
    both.set_cell(solid.cell.array * [[1], [1], [2]])
    melt.set_cell(solid.cell, scale_atoms=True)
    melt.positions[:, 2] += solid.cell[2, 2]
    both += melt
    found = solid_like(both)
    assert 0.4 < found.mean() < 0.55
    depth = both.positions[:, 2] % both.cell[2, 2] / both.cell[2, 2]
    assert found[(depth > 0.1) & (depth < 0.4)].mean() > 0.97
    assert found[(depth > 0.6) & (depth < 0.9)].mean() < 0.03


@pytest.mark.parametrize("crystal", ["bcc", "fcc"])
@pytest.mark.parametrize("seed", [1, 2])
def test_thermal_crystals_at_lindemann_limit_are_solid(crystal: str, seed: int) -> None:
    # Lindemann: a crystal melts when the root mean square displacement nears 15 % of the nearest-neighbour distance.
    atoms = bulk("Li", crystal, a=3.51, cubic=True) * (5, 5, 5)
    nearest = np.linalg.norm(_nearest_neighbours(atoms)[1][0, 0])
    atoms.rattle(0.15 * nearest / np.sqrt(3), seed=seed)
    assert solid_fraction(atoms) > 0.99


def test_bond_order_follows_its_definition() -> None:
    atoms = _snapshot("lithium_melt_350K")
    np.testing.assert_allclose(averaged_bond_order(atoms), _bond_order_by_hand(atoms), atol=1e-12)


def test_bond_order_of_perfect_bcc() -> None:
    # 8 neighbours along <111> and 6 along <100>: P6(cos) summed over all pairs gives 0.5107.
    corners = np.array([[i, j, k] for i in (-1, 1) for j in (-1, 1) for k in (-1, 1)]) / np.sqrt(3)
    directions = np.vstack([corners, np.eye(3), -np.eye(3)])
    by_addition_theorem = np.sqrt(np.polynomial.legendre.legval(directions @ directions.T, [0] * 6 + [1]).mean())
    np.testing.assert_allclose(averaged_bond_order(bulk("Li", "bcc", a=3.51)), by_addition_theorem, atol=1e-12)


@pytest.mark.parametrize("scale", [0.5, 1.0, 3.0])
def test_any_density_cell_shape_rotation_and_wrapping(scale: float) -> None:
    cubic = _snapshot("lithium_bcc_300K")
    expected = averaged_bond_order(cubic)
    skewed = cubic.copy()
    skewed.set_cell(np.array([[1, 0, 0], [1, 1, 0], [-1, 1, 1]]) @ cubic.cell.array)  # the same lattice
    skewed.positions += [137.0, -55.0, 21.0]
    skewed.rotate(37.0, (1, 2, 3), rotate_cell=True)
    skewed.set_cell(skewed.cell * scale, scale_atoms=True)
    np.testing.assert_allclose(averaged_bond_order(skewed), expected, atol=1e-9)


def test_small_cells_see_their_images() -> None:
    primitive = bulk("Li", "bcc", a=3.51)
    np.testing.assert_allclose(
        averaged_bond_order(primitive * (4, 4, 4)), averaged_bond_order(primitive)[0], atol=1e-12
    )


def test_phases_are_looked_at_separately() -> None:
    metal = bulk("Li", "bcc", a=3.5, cubic=True) * (4, 4, 6)
    salt = bulk("LiCl", "rocksalt", a=5.14, cubic=True) * (3, 3, 2)
    cell = np.diag([14.0, 14.0, metal.cell[2, 2] + salt.cell[2, 2] + 2.0])
    salt.set_cell(np.diag([14.0, 14.0, salt.cell[2, 2]]), scale_atoms=True)
    metal.set_array("phase", np.array(["metal"] * len(metal)))
    salt.set_array("phase", np.array(["binary"] * len(salt)))
    salt.positions[:, 2] += metal.cell[2, 2] + 1.0
    both = metal + salt
    both.set_cell(cell)
    is_metal = both.arrays["phase"] == "metal"
    assert solid_fraction(both, is_metal) == 1.0


def test_bad_input_is_refused() -> None:
    atoms = bulk("Li", "bcc", a=3.51, cubic=True)
    with pytest.raises(CalculationError, match="selects no atom"):
        solid_fraction(atoms, np.zeros(2, dtype=bool))
    with pytest.raises(CalculationError, match="too few"):
        solid_like(Atoms("Li2", positions=[[0, 0, 0], [0, 0, 3]]))
