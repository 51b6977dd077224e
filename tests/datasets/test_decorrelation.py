import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from interfaceflow.datasets.decorrelation import choose_decorrelated, measure_correlation


def remembering(memory, n, seed=1):
    """Return an autoregressive series, whose rho(t) = memory^t."""
    noise = np.random.default_rng(seed).normal(size=n)
    series = np.zeros(n)
    for step in range(1, n):
        series[step] = memory * series[step - 1] + noise[step]
    return series


@pytest.mark.parametrize("memory", [0.0, 0.5, 0.9, 0.97])
def test_the_time_of_a_series_with_a_known_one(memory):
    # 1/2 + sum of memory^t over t = 1, 2, ... = (1 + memory) / (1 - memory) / 2
    expected = 0.5 * (1 + memory) / (1 - memory)
    measured = [measure_correlation(remembering(memory, 20_000, seed)) for seed in range(4)]
    assert np.mean([one.time for one in measured]) == pytest.approx(expected, rel=0.15)
    assert all(one.is_known for one in measured)


def test_chosen_frames_are_as_good_as_independent():
    energies = remembering(0.9, 20_000)
    indices, correlation = choose_decorrelated(energies)
    assert 16 <= correlation.spacing <= 23
    chosen = energies[indices] - energies.mean()
    assert abs(chosen[1:] @ chosen[:-1] / (chosen @ chosen)) < 0.2
    # The error of the mean is what that many independent values would have.
    means = [
        [series[choose_decorrelated(series)[0]].mean(), series.mean()]
        for series in (remembering(0.9, 2000, seed) for seed in range(60))
    ]
    spreads = np.std(means, axis=0)
    assert spreads[0] < 1.5 * spreads[1]


def test_a_series_shorter_than_its_memory_does_not_pretend_to_know_it():
    drift = np.linspace(0.0, 1.0, 30)
    measured = measure_correlation(drift)
    assert not measured.is_known
    assert measured.time > 3


@pytest.mark.parametrize("series", [[], [1.0], [2.0, 2.0, 2.0], [1e6 + 0.1] * 5])
def test_without_variance_every_frame_is_kept(series):
    indices, correlation = choose_decorrelated(np.array(series))
    assert indices.tolist() == list(range(len(series)))
    assert not correlation.is_known


@given(arrays(float, st.integers(1, 60), elements=st.floats(-1e3, 1e3)))
def test_indices_are_even_and_end_with_the_last(series):
    indices, correlation = choose_decorrelated(series)
    assert indices[-1] == len(series) - 1
    assert (np.diff(indices) == correlation.spacing).all()
    assert 0.5 <= correlation.time <= len(series)
