"""Training: the loss is MLIP-3's, its gradient right, and fits are better than its."""

import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from interfaceflow.core.errors import UserInputError
from interfaceflow.potentials.mtp._native import Configuration, ConfigurationSet, Potential, read_configurations
from interfaceflow.potentials.mtp.errors_report import check_errors
from interfaceflow.potentials.mtp.levels import untrained_potential
from interfaceflow.potentials.mtp.loss import Loss, LossWeights, radial_penalty
from interfaceflow.potentials.mtp.minimise import Lbfgs
from interfaceflow.potentials.mtp.starts import moved_radial_coeffs
from interfaceflow.potentials.mtp.training import TrainingSettings, train

LI2S = Path(__file__).parents[1] / "data" / "mtp" / "li2s"
WEIGHT_LINES = [line for line in (LI2S / "level08.weights.txt").read_text().splitlines() if line.startswith("--")]
LOSS_LINES = [line for line in (LI2S / "level08.loss.txt").read_text().splitlines() if line.startswith("--")]


@pytest.fixture(scope="module")
def training_set() -> list[Configuration]:
    return read_configurations(LI2S / "train.cfg")


@pytest.fixture(scope="module")
def held_out() -> list[Configuration]:
    return read_configurations(LI2S / "test.cfg")


def template(level: int = 8) -> Potential:
    return Potential.parse(untrained_potential(level, species_count=2).encode())


def weights_of(options: str) -> LossWeights:
    value = {key: float(number) for key, number in re.findall(r"--(\w+)=([\d.]+)", options)}
    return LossWeights(
        energy=value.get("energy_weight", 1.0),
        force=value.get("force_weight", 0.01),
        stress=value.get("stress_weight", 0.001),
        size_power=int(value.get("weight_scaling", 1)),
        force_size_power=int(value.get("weight_scaling_forces", 0)),
        force_softening=value.get("scale_by_force", 0.0),
        penalty=value.get("penalty_weight", 1e-6),
    )


@pytest.mark.parametrize("line", LOSS_LINES)
def test_loss_is_what_mlp_prints(training_set, line):
    potential = Potential.read(LI2S / "level08.almtp")
    loss = Loss(training_set, potential.max_dist, weights_of(line))
    printed = float(line.split(":")[1])
    assert len(training_set) * loss.data_term(potential) == pytest.approx(printed, abs=6e-7, rel=2e-8)


def printed_by_mlp(line: str) -> tuple[LossWeights, float, Potential]:
    """Return what an option line of the oracle holds: weights, f, and the potential it is of."""
    options, printed, coefficients = line.split(" : ")
    potential = Potential.read(LI2S / "level08.almtp")
    potential.coefficients = np.array(coefficients.split(), dtype=float)
    return weights_of(options), float(printed), potential


@pytest.mark.parametrize("line", [line for line in WEIGHT_LINES if "scale_by_force" not in line])
def test_f_is_what_mlp_prints_for_every_weighting_option(line):
    weights, printed, potential = printed_by_mlp(line)
    value, _ = Loss(read_configurations(LI2S / "mixed.cfg"), 5.0, weights).value_and_gradient(potential)
    assert value == pytest.approx(printed, rel=5e-6)


@pytest.mark.parametrize("line", [line for line in WEIGHT_LINES if "scale_by_force" in line])
def test_softening_is_by_the_label_where_mlp_takes_its_prediction(line):
    weights, printed, potential = printed_by_mlp(line)
    mixed = read_configurations(LI2S / "mixed.cfg")

    def with_forces_softened_by(prediction: bool) -> float:
        rest, _ = Loss(mixed, 5.0, replace(weights, force=0.0)).value_and_gradient(potential)
        terms = []
        for one in mixed:
            predicted = ConfigurationSet.of([one], 5.0).evaluate(potential).forces
            if one.forces is not None:
                softening = np.sum((predicted if prediction else one.forces) ** 2, axis=1) / weights.force_softening
                squares = np.sum((predicted - one.forces) ** 2, axis=1) / (softening + 1)
                terms.append(weights.force * squares.sum() / len(one) ** weights.force_size_power)
        return rest + sum(terms) / len(mixed)

    assert with_forces_softened_by(prediction=True) == pytest.approx(printed, rel=5e-6)
    ours, _ = Loss(mixed, 5.0, weights).value_and_gradient(potential)
    assert ours == pytest.approx(with_forces_softened_by(prediction=False), rel=1e-12)


def test_loss_of_the_trained_coefficients_is_the_last_in_the_log(training_set):
    # After its last line mlp solves for the linear coefficients once more, so that the loss is a little lower.
    log = (LI2S / "level08.train.log").read_text()
    last = float(re.findall(r"BFGS iter \d+: f=(\S+)", log)[-1])
    potential = Potential.read(LI2S / "level08.almtp")
    found = Loss(training_set, potential.max_dist, LossWeights()).data_term(potential)
    assert 0.98 * last < found < last


def test_gradient_is_the_derivative_of_the_loss(training_set):
    potential = Potential.read(LI2S / "level08.almtp")
    loss = Loss(training_set[:4], potential.max_dist, LossWeights(penalty=0.1))
    coefficients = potential.coefficients
    direction = np.random.default_rng(1).normal(size=coefficients.size) * np.abs(coefficients)
    _, gradient = loss.value_and_gradient(potential)
    values = []
    for sign in (1, -1):
        potential.coefficients = coefficients + sign * 1e-6 * direction
        values.append(loss.value_and_gradient(potential)[0])
    assert (values[0] - values[1]) / 2e-6 == pytest.approx(float(gradient @ direction), rel=1e-5)


def test_penalty_gradient_is_its_derivative():
    rng = np.random.default_rng(2)
    coeffs, direction = rng.normal(size=(2, 2, 3, 4)), rng.normal(size=(2, 2, 3, 4))
    above, below = (radial_penalty(coeffs + sign * 1e-6 * direction)[0] for sign in (1, -1))
    assert (above - below) / 2e-6 == pytest.approx(float(np.sum(radial_penalty(coeffs)[1] * direction)), rel=1e-7)


def test_no_penalty_on_orthonormal_functions():
    coeffs = np.zeros((1, 1, 2, 3))
    coeffs[0, 0, 0, 0] = coeffs[0, 0, 1, 2] = 1.0
    assert radial_penalty(coeffs)[0] == 0


def test_linear_coefficients_are_at_the_minimum(training_set):
    potential = Potential.read(LI2S / "level08.almtp")
    loss = Loss(training_set[:6], potential.max_dist, LossWeights())
    loss.solve_linear(potential)
    _, gradient = loss.value_and_gradient(potential)
    linear = potential.coefficients[potential.n_radial_coefficients :]
    assert np.abs(gradient[potential.n_radial_coefficients :] * linear).max() < 1e-9


def test_fit_is_better_than_that_of_mlp(training_set, held_out):
    # mlp: 75 + 100 iterations gave a loss of 0.01464, held-out errors of 1.524 meV/atom and 0.1285 eV/Å.
    result = train(template(), training_set, TrainingSettings(iteration_limit=100))
    report = check_errors(result.potential, held_out)
    assert result.loss < 0.01464
    assert report.energy_per_atom.root_mean_square < 1.524e-3
    assert report.forces.root_mean_square < 0.1285


def test_loss_never_rises_and_the_seed_decides(training_set):
    losses: list[list[float]] = [[], [], []]
    for run, seed in enumerate((3, 3, 4)):
        settings = TrainingSettings(iteration_limit=5, pretraining_iterations=10, seed=seed)
        train(template(6), training_set[:3], settings, on_step=lambda step, run=run: losses[run].append(step.loss))
    assert losses[0] == losses[1] != losses[2]
    assert all(after <= before for before, after in pairwise(losses[0]))


def test_a_grown_set_needs_fewer_iterations_than_a_new_start(training_set):
    settings = TrainingSettings(iteration_limit=20)
    from_scratch: list[float] = []
    result = train(template(), training_set[:12], settings, on_step=lambda step: from_scratch.append(step.loss))
    before = train(template(), training_set[:10], settings).potential
    warm: list[float] = []
    train(before, training_set[:12], settings, on_step=lambda step: warm.append(step.loss))
    reached = next(index for index, value in enumerate(warm) if value <= result.loss)
    assert reached < len(from_scratch) / 4


def test_a_fit_that_goes_on_ends_when_little_is_gained(training_set):
    before = train(template(), training_set[:20], TrainingSettings(iteration_limit=60)).potential
    settings = TrainingSettings(iteration_limit=60, tolerance=0.05, tolerance_window=10)
    losses: list[float] = []
    result = train(before, training_set[:22], settings, on_step=lambda step: losses.append(step.loss))
    assert result.iterations < 60
    assert "less than 0.05 of itself in 10 iterations" in result.reason
    assert losses[-11] - losses[-1] < 0.05 * losses[-1]
    assert losses[-12] - losses[-2] >= 0.05 * losses[-2] or result.iterations == 10


def test_a_validation_set_with_an_unknown_species_is_refused(training_set, held_out):
    lithium = training_set[0].types == 0
    one = Configuration(
        training_set[0].types[lithium], training_set[0].positions[lithium], training_set[0].cell, energy=-1.0
    )
    with pytest.raises(UserInputError, match="validation set has species 1, which the training set lacks"):
        train(template(), [one], TrainingSettings(), validation_set=held_out[:1])


def test_a_trained_potential_goes_on_where_it_was(training_set):
    first = train(template(), training_set[:6], TrainingSettings(iteration_limit=20))
    steps: list[float] = []
    settings = TrainingSettings(iteration_limit=1)
    train(first.potential, training_set[:6], settings, on_step=lambda step: steps.append(step.loss))
    # The radial functions are normalised again, which takes their penalty away.
    assert steps[0] == pytest.approx(first.loss, rel=2e-3)


def test_moving_min_dist_does_not_change_the_functions(training_set):
    potential = Potential.read(LI2S / "level08.almtp")
    moved = Potential.read(LI2S / "level08.almtp")
    moved.min_dist = 1.3
    moved.radial_coeffs = moved_radial_coeffs(potential.radial_coeffs, potential.min_dist, 1.3, potential.max_dist)
    atoms = Loss(training_set[:2], potential.max_dist, LossWeights()).atoms
    before, after = atoms.evaluate(potential), atoms.evaluate(moved)
    np.testing.assert_allclose(before.energies, after.energies, rtol=1e-11)
    np.testing.assert_allclose(before.forces, after.forces, atol=1e-10)


def test_new_species_are_added(training_set):
    potential = train(template(), training_set[:4], TrainingSettings(iteration_limit=5)).potential
    changed = training_set[0]
    types = changed.types.copy()
    types[:4] = 2
    extra = Configuration(types, changed.positions, changed.cell, energy=changed.energy, forces=changed.forces)
    grown = train(potential, [*training_set[:4], extra], TrainingSettings(iteration_limit=5)).potential
    assert grown.species_types == [0, 1, 2]
    assert np.isfinite(grown.coefficients).all()


def test_min_dist_is_just_below_the_smallest_distance(training_set):
    trained = train(template(), training_set, TrainingSettings(iteration_limit=1, pretraining_iterations=0)).potential
    # "Minimal interatomic distance in the training set is 1.51183" says the log of mlp.
    assert trained.min_dist == pytest.approx(0.99 * 1.51183, abs=1e-5)
    kept = train(
        template(),
        training_set[:2],
        TrainingSettings(iteration_limit=1, pretraining_iterations=0, update_min_dist=False),
    ).potential
    assert kept.min_dist == 2.0


def test_it_stops_when_little_is_gained(training_set):
    result = train(template(6), training_set[:2], TrainingSettings(iteration_limit=1000, tolerance=10.0))
    assert result.iterations == 50
    assert "fell by less than" in result.reason


def test_sets_without_labels_are_refused(training_set):
    bare = Configuration(training_set[0].types, training_set[0].positions, training_set[0].cell)
    with pytest.raises(UserInputError, match="no labels whose weight is above zero"):
        train(template(), [bare], TrainingSettings())
    with pytest.raises(UserInputError, match="is empty"):
        train(template(), [], TrainingSettings())


def test_a_species_that_the_set_lacks_is_refused(training_set):
    potential = train(template(), training_set[:2], TrainingSettings(iteration_limit=1)).potential
    kept = training_set[0].types == 0
    lithium = Configuration(
        training_set[0].types[kept], training_set[0].positions[kept], training_set[0].cell, energy=-1.0
    )
    with pytest.raises(UserInputError, match="species 1 do not occur"):
        train(potential, [lithium], TrainingSettings())


def rosenbrock(x: np.ndarray) -> tuple[float, np.ndarray]:
    step, rest = x[1:] - x[:-1] ** 2, 1 - x[:-1]
    gradient = np.zeros_like(x)
    gradient[1:] += 200 * step
    gradient[:-1] += -400 * step * x[:-1] - 2 * rest
    return float(np.sum(100 * step**2 + rest**2)), gradient


def test_minimiser_finds_a_known_minimum():
    search = Lbfgs(rosenbrock, np.full(6, -0.5))
    while search.iterate():
        assert search.value <= 1e6
    np.testing.assert_allclose(search.point, 1.0, atol=1e-6)


def test_minimiser_steps_back_from_infinity():
    def barrier(x: np.ndarray) -> tuple[float, np.ndarray]:
        if x[0] <= 0:
            return np.inf, np.full(1, np.nan)
        return float(x[0] - np.log(x[0])), 1 - 1 / x

    search = Lbfgs(barrier, np.array([50.0]), first_step=2.0)
    while search.iterate():
        pass
    assert search.point[0] == pytest.approx(1.0, abs=1e-6)
