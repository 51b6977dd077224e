import numpy as np
import pytest
from scipy.optimize import brentq

from interfaceflow.core.errors import UserInputError
from interfaceflow.reference.electronic.bader import bader_charges, bader_electrons

CELLS = {
    "cubic": np.eye(3) * 5.0,
    "skewed": np.array([[5.0, 0, 0], [1.5, 5.0, 0], [0.7, 1.2, 5.0]]),
    "fcc": 3.5 * (np.ones((3, 3)) - np.eye(3)),
}


def grid(shape):
    return np.stack(np.meshgrid(*(np.arange(n) / n for n in shape), indexing="ij"), axis=-1)


def gaussians(cell, positions, amounts, width, shape):
    """Return a periodic sum of normalised Gaussians, electrons per Å3."""
    density = np.zeros(shape)
    for position, amount in zip(positions, amounts, strict=True):
        for image in np.ndindex(3, 3, 3):
            offset = grid(shape) @ cell - position - (np.array(image) - 1) @ cell
            density += amount * np.exp(-(offset**2).sum(axis=-1) / (2 * width**2))
    return density / (2 * np.pi * width**2) ** 1.5


@pytest.mark.parametrize("cell", CELLS.values(), ids=CELLS)
def test_like_atoms_share_alike(cell):
    positions = np.array([[0.02, 0.01, 0.03], [0.52, 0.51, 0.53]]) @ cell
    density = gaussians(cell, positions, [3.0, 3.0], 0.45, (30, 30, 34))
    basins = bader_electrons(density, density, cell, positions)
    np.testing.assert_allclose(basins.electrons, 3.0, atol=0.02)
    assert basins.electrons_off_atoms == 0


@pytest.mark.parametrize("cell", CELLS.values(), ids=CELLS)
def test_no_electron_is_lost(cell):
    generator = np.random.default_rng(3)
    positions = generator.random((4, 3)) @ cell
    reference = gaussians(cell, positions, [2.0, 5.0, 1.0, 3.0], 0.5, (24, 26, 22))
    density = generator.random(reference.shape)
    basins = bader_electrons(density, reference, cell, positions)
    assert basins.electrons.sum() == pytest.approx(density.mean() * abs(np.linalg.det(cell)), rel=1e-9)


def wave(fraction):
    return 3 + np.cos(2 * np.pi * fraction) + 0.9 * np.cos(4 * np.pi * fraction + 0.7)


def slope(fraction):
    return -np.sin(2 * np.pi * fraction) - 1.8 * np.sin(4 * np.pi * fraction + 0.7)


def extrema():
    """Return the two maxima and two minima of the wave as fractions."""
    points = np.linspace(0, 1, 2001)
    signs = np.sign(slope(points))
    roots = [brentq(slope, points[i], points[i + 1]) for i in np.nonzero(np.diff(signs))[0]]
    maxima = sorted(root for root in roots if wave(root) > wave(root + 1e-3))
    return maxima, sorted(set(roots) - set(maxima))


@pytest.mark.parametrize("direction", [(1, 0, 0), (1, 1, 0), (1, -1, 1)])
@pytest.mark.parametrize("cell", [CELLS["cubic"], CELLS["skewed"]], ids=["cubic", "skewed"])
def test_basins_end_where_the_gradient_has_no_flux(cell, direction):
    # A wave along a reciprocal vector, oblique to the grid: its basins are slabs between its minima, whose share of a
    # constant density is the distance of the minima. A weak ripple across gives each slab a few maxima, the "atoms".
    shape = (60, 60, 60)
    phase = grid(shape) @ np.array(direction)
    shifts = (0.12345, 0.28713, 0.41937)  # off the grid, so that no two points are equally high
    ripple = 0.05 * sum(np.cos(2 * np.pi * (grid(shape)[..., axis] + shifts[axis])) for axis in range(3))
    reference = wave(phase) + ripple
    maxima, minima = extrema()
    atoms = local_maxima(reference)
    basins = bader_electrons(np.ones(shape), reference, cell, atoms @ cell)
    offsets = (atoms @ np.array(direction))[:, None] - np.array(maxima)
    slab = np.abs(offsets - np.round(offsets)).argmin(axis=1)
    found = np.bincount(slab, weights=basins.electrons) / abs(np.linalg.det(cell))
    inner = minima[1] - minima[0]
    expected = [inner, 1 - inner] if minima[0] < maxima[0] < minima[1] else [1 - inner, inner]
    np.testing.assert_allclose(found, expected, atol=0.01)


def local_maxima(values):
    """Return the grid points, in fractions, that are higher than their 26 neighbours."""
    neighbours = [step for step in np.ndindex(3, 3, 3) if step != (1, 1, 1)]
    highest = np.all([values > np.roll(values, np.array(step) - 1, axis=(0, 1, 2)) for step in neighbours], axis=0)
    return np.argwhere(highest) / np.array(values.shape)


def test_the_result_does_not_hang_on_the_grid():
    cell = CELLS["skewed"]
    positions = np.array([[0.1, 0.1, 0.1], [0.57, 0.6, 0.55]]) @ cell
    found = []
    for n in (20, 30, 44):
        density = gaussians(cell, positions, [1.0, 7.0], 0.6, (n, n, n))
        found.append(bader_electrons(density, density, cell, positions).electrons)
    np.testing.assert_allclose(found[1], found[2], atol=0.02)
    np.testing.assert_allclose(found[0], found[2], atol=0.05)


def test_electrons_away_from_atoms_are_counted():
    cell = CELLS["cubic"]
    atoms, lone = np.array([[0.0, 0, 0]]), np.array([[2.5, 2.5, 2.5]])
    density = gaussians(cell, np.vstack([atoms, lone]), [3.0, 1.0], 0.5, (30, 30, 30))
    basins = bader_electrons(density, density, cell, atoms)
    assert basins.electrons_off_atoms == pytest.approx(1, abs=0.05)
    assert basins.electrons.sum() == pytest.approx(4, rel=1e-6)


def test_charges_are_against_the_neutral_atom():
    np.testing.assert_allclose(bader_charges(np.array([0.1, 7.9]), np.array([1.0, 7.0])), [0.9, -0.9])


def test_unlike_grids_are_refused():
    with pytest.raises(UserInputError, match=r"grid of .* and its reference one of"):
        bader_electrons(np.ones((4, 4, 4)), np.ones((4, 4, 5)), np.eye(3), np.zeros((1, 3)))
    with pytest.raises(UserInputError, match="not finite, or none that is positive"):
        bader_electrons(np.ones((4, 4, 4)), np.zeros((4, 4, 4)), np.eye(3), np.zeros((1, 3)))
