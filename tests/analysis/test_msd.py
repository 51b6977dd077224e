"""Streaming mean squared displacement, against tidynamics and by hand."""

import numpy as np
import pytest
import tidynamics

from interfaceflow.analysis.msd import AtomicMsd, DriftGroup, plane_axes, stream_msd
from interfaceflow.core.errors import CalculationError

CUBIC = np.diag([12.0, 14.0, 16.0])
TRICLINIC = np.array([[12.0, 0, 0], [-5.0, 11.0, 0], [3.0, 4.0, 15.0]])


def _walk(n_frames: int = 400, n_atoms: int = 12, step: float = 0.2, seed: int = 0) -> np.ndarray:
    return np.cumsum(np.random.default_rng(seed).normal(scale=step, size=(n_frames, n_atoms, 3)), axis=0)


def _msd(path: np.ndarray, cell: np.ndarray = CUBIC, drift: tuple[DriftGroup, ...] = (), normal: int = 2) -> AtomicMsd:
    frames = ((positions, cell) for positions in path)
    return stream_msd(frames, selected=np.arange(path.shape[1]), drift_groups=drift, normal_axis=normal)


def test_short_lags_agree_with_tidynamics_to_the_last_digits() -> None:
    path = _walk()
    msd = _msd(path)
    for atom in range(path.shape[1]):
        expected = tidynamics.msd(path[:, atom])
        np.testing.assert_allclose(msd.squared[:16, atom].sum(axis=1), expected[msd.lags[:16]], rtol=1e-10)


def test_every_lag_agrees_with_tidynamics_within_the_noise_of_the_skipped_origins() -> None:
    path = _walk(n_frames=3000, n_atoms=40)
    msd = _msd(path)
    expected = np.mean([tidynamics.msd(path[:, atom]) for atom in range(40)], axis=0)
    np.testing.assert_allclose(msd.squared.sum(axis=2).mean(axis=1), expected[msd.lags], rtol=0.05)


def test_long_lags_are_exact_over_their_own_origins() -> None:
    path = _walk(n_frames=333, n_atoms=3)
    msd = _msd(path)
    for lag, count, squared in zip(msd.lags, msd.n_origins, msd.squared, strict=True):
        stride = 1 if lag <= 16 else int(lag & -lag)
        while stride > 1 and lag // stride < 9:
            stride //= 2
        origins = np.arange(0, len(path) - lag, stride)
        assert count == len(origins)
        np.testing.assert_allclose(squared, np.mean((path[origins + lag] - path[origins]) ** 2, axis=0), rtol=1e-9)


def test_lags_are_eight_an_octave() -> None:
    lags = _msd(_walk(n_frames=200, n_atoms=1)).lags
    assert list(lags[:20]) == [*range(1, 17), 18, 20, 22, 24]
    assert np.all(np.diff(lags) > 0)
    assert lags[-1] < 200


@pytest.mark.parametrize("cell", [CUBIC, TRICLINIC], ids=["orthorhombic", "triclinic"])
def test_wrapped_and_unwrapped_positions_give_the_same(cell: np.ndarray) -> None:
    path = _walk(n_frames=3000, n_atoms=4, step=0.5)
    fractional = path @ np.linalg.inv(cell)
    assert np.abs(np.floor(fractional)).max() >= 2  # several box crossings
    wrapped = (fractional - np.floor(fractional)) @ cell
    np.testing.assert_allclose(_msd(wrapped, cell).squared, _msd(path, cell).squared, rtol=1e-8)


def test_breathing_cell_does_not_rescale_old_displacements() -> None:
    # A walker that has crossed the cell more than ten times: its wrapped position follows the cell, its path must not.
    n_frames, speed = 600, 0.5
    sides = 20.0 * (1 + 0.02 * np.sin(np.arange(n_frames)))
    position, wrapped = 0.0, []
    for side in sides:
        wrapped.append(position % side)
        position += speed
    cells = [np.diag([side, 20.0, 20.0]) for side in sides]
    assert position > 10 * 20
    positions = np.zeros((n_frames, 1, 3))
    total, image_path = 0.0, []
    for i in range(n_frames):  # the walker as a periodic code sees it: moved by its step in the current cell
        if i:
            total = (total + speed) % sides[i]
        image_path.append(total)
    positions[:, 0, 0] = image_path
    msd = stream_msd(zip(positions, cells, strict=True), selected=np.array([0]), drift_groups=(), normal_axis=2)
    np.testing.assert_allclose(msd.squared[:, 0, 0], (speed * msd.lags) ** 2, rtol=1e-6)


@pytest.mark.parametrize("normal", [0, 1, 2])
def test_normal_is_the_cross_product_of_the_other_two_vectors(normal: int) -> None:
    axes = plane_axes(TRICLINIC, normal)
    np.testing.assert_allclose(axes @ axes.T, np.eye(3), atol=1e-12)
    others = [TRICLINIC[i] for i in range(3) if i != normal]
    np.testing.assert_allclose([axes[2] @ others[0], axes[2] @ others[1]], 0, atol=1e-12)
    moves_in_plane = np.arange(50)[:, None, None] * 0.05 * (others[0] + others[1]) / np.linalg.norm(others[1])
    msd = _msd(moves_in_plane, TRICLINIC, normal=normal)
    np.testing.assert_allclose(msd.out_of_plane(), 0, atol=1e-20)
    assert msd.in_plane()[-1, 0] > 1


def test_sliding_slabs_do_not_diffuse() -> None:
    sites = np.random.default_rng(1).uniform(0, 12, size=(40, 3))
    metal, binary = np.arange(25), np.arange(25, 40)
    framework = np.arange(32, 40)
    slide = np.zeros((500, 40, 3))
    slide[:, metal] = np.arange(500)[:, None, None] * np.array([0.03, -0.02, 0.01])
    slide[:, binary] = np.arange(500)[:, None, None] * np.array([-0.05, 0.04, -0.02])
    drift = (DriftGroup(metal, metal), DriftGroup(binary, framework))
    assert _msd(sites + slide).squared.max() > 10
    np.testing.assert_allclose(_msd(sites + slide, drift=drift).squared, 0, atol=1e-18)


def test_framework_of_the_binary_carries_its_mobile_ions() -> None:
    # Chlorine drifts, lithium hops on top of it: only the hop is left.
    path = np.zeros((100, 2, 3))
    path[:, :, 0] = np.arange(100)[:, None] * 0.1
    path[50:, 0, 1] += 2.5
    drift = (DriftGroup(np.array([0, 1]), np.array([1])),)
    msd = _msd(path, drift=drift)
    np.testing.assert_allclose(msd.squared[:, 1], 0, atol=1e-20)
    np.testing.assert_allclose(msd.squared[:, 0, 0], 0, atol=1e-20)
    assert msd.squared[0, 0, 1] == pytest.approx(2.5**2 / 99)


def test_ambiguous_path_is_refused() -> None:
    path = np.zeros((3, 1, 3))
    path[1, 0, 0] = 5.5
    with pytest.raises(CalculationError, match="frame_interval_ps"):
        _msd(path)


@pytest.mark.parametrize("n_frames", [0, 1, 2])
def test_no_frames_no_lags(n_frames: int) -> None:
    assert len(_msd(_walk(n_frames=n_frames or 1)[:n_frames]).lags) == max(0, n_frames - 1)
