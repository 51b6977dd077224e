"""Training of moment tensor potentials.

At given radial functions the loss is quadratic in all other coefficients, and the compiled core solves for them at
little cost. So only the radial coefficients are searched, on the loss that is left when the others are at their best
(variable projection, G. H. Golub and V. Pereyra, doi:10.1137/0710036), with L-BFGS. An iteration then gains several
times what one over all coefficients does.

From scratch, several random starts race for some iterations and the best goes on: early and final losses correlate,
and an unlucky start costs more than the race. A trained potential goes on from where it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from interfaceflow.core.errors import CalculationError, UserInputError
from interfaceflow.potentials.mtp._native import Configuration, Potential
from interfaceflow.potentials.mtp.loss import Loss, LossWeights
from interfaceflow.potentials.mtp.minimise import Lbfgs

FloatArray = NDArray[np.float64]

PRETRAINING_ITERATIONS = 75
_STARTS = 5
_START_ITERATIONS = 10
_TOLERANCE_WINDOW = 50
# Below the smallest distance of the training set, as MLIP-3 does, so that the Chebyshev variable stays in bounds.
_MIN_DIST_FACTOR = 0.99


@dataclass(frozen=True)
class TrainingSettings:
    """How to train.

    Attributes
    ----------
    weights
        Of the terms of the loss.
    iteration_limit
        Largest number of iterations after pre-training.
    tolerance
        Training ends when the loss falls by less than this fraction of itself in 50 iterations.
    pretraining_iterations
        Iterations spent on random starts and the best of them, for a potential without coefficients.
    seed
        Of the random starts.
    update_min_dist
        Whether the radial basis is moved to the smallest distance of the training set.
    n_threads
        Threads to use; results do not depend on it.
    """

    weights: LossWeights = field(default_factory=LossWeights)
    iteration_limit: int = 1000
    tolerance: float = 1e-8
    pretraining_iterations: int = PRETRAINING_ITERATIONS
    seed: int = 0
    update_min_dist: bool = True
    n_threads: int = 1


@dataclass(frozen=True, kw_only=True)
class TrainingStep:
    """What is known after an iteration.

    Attributes
    ----------
    iteration
        From 0, which is the start.
    loss
        Dimensionless.
    pretraining
        Whether this is pre-training.
    potential
        With the best coefficients so far; valid until the next iteration.
    """

    iteration: int
    loss: float
    pretraining: bool
    potential: Potential


@dataclass(frozen=True)
class TrainingResult:
    """A trained potential.

    Attributes
    ----------
    potential
        Without an active set.
    loss
        At the end, dimensionless.
    iterations
        Made after pre-training.
    reason
        Why training ended, in words.
    """

    potential: Potential
    loss: float
    iterations: int
    reason: str


class _ProjectedLoss:
    """The loss as a function of the radial coefficients, all others at their best."""

    def __init__(self, loss: Loss, potential: Potential) -> None:
        self._loss = loss
        self._potential = potential
        self._at: FloatArray | None = None

    def __call__(self, radial: FloatArray) -> tuple[float, FloatArray]:
        self._set(radial)
        value, gradient = self._loss.value_and_gradient(self._potential)
        return value, gradient[: len(radial)]

    def potential_at(self, radial: FloatArray) -> Potential:
        """Return the potential with these radial coefficients."""
        if self._at is None or not np.array_equal(self._at, radial):
            self._set(radial)
        return self._potential

    def _set(self, radial: FloatArray) -> None:
        coefficients = self._potential.coefficients
        coefficients[: len(radial)] = radial
        self._potential.coefficients = coefficients
        self._loss.solve_linear(self._potential)
        self._at = radial.copy()


class _Search:
    """A minimisation of the projected loss, and the potential it is about."""

    def __init__(self, loss: Loss, start: Potential) -> None:
        self._projected = _ProjectedLoss(loss, start)
        self._minimiser = Lbfgs(self._projected, start.coefficients[: start.n_radial_coefficients])

    @property
    def value(self) -> float:
        return self._minimiser.value

    @property
    def potential(self) -> Potential:
        return self._projected.potential_at(self._minimiser.point)

    def iterate(self) -> bool:
        return self._minimiser.iterate()

    def step(self, iteration: int, *, pretraining: bool = False) -> TrainingStep:
        return TrainingStep(iteration=iteration, loss=self.value, pretraining=pretraining, potential=self.potential)


def train(
    potential: Potential,
    configurations: Sequence[Configuration],
    settings: TrainingSettings,
    *,
    on_step: Callable[[TrainingStep], None] | None = None,
) -> TrainingResult:
    """Fit a potential to labelled configurations.

    Parameters
    ----------
    potential
        Untrained (its species are then those of the set), or trained before: then its coefficients are the start, and
        species that are new in the set are added. It is not changed.
    configurations
        The training set.
    settings
        How to train.
    on_step
        Called after every iteration.

    Raises
    ------
    UserInputError
        If the set is empty or has no labels that count, or a species of a trained potential does not occur in it.
    CalculationError
        If the loss is not a finite number.
    """
    loss = Loss(configurations, potential.max_dist, settings.weights, n_threads=settings.n_threads)
    present, distances = loss.atoms.minimum_distances()
    min_dist = _MIN_DIST_FACTOR * float(distances.min()) if settings.update_min_dist else potential.min_dist
    if not 0 < min_dist < potential.max_dist:
        raise UserInputError(
            f"the smallest distance of the training set does not lie inside the cutoff of {potential.max_dist:g} Å: "
            "there is nothing to learn from; raise the cutoff"
        )
    report = on_step or (lambda step: None)
    if potential.initialised:
        search = _Search(loss, _continued(potential, present, min_dist, settings.seed))
    else:
        search = _pretrained(potential, present, min_dist, loss, settings, report)
    if not np.isfinite(search.value):
        raise CalculationError("the loss is not a finite number at the start of training: check the labels of the set")
    history = [search.value]
    report(search.step(0))
    reason = "iteration limit reached"
    while len(history) <= settings.iteration_limit:
        if not search.iterate():
            reason = "no descent is left"
            break
        history.append(search.value)
        report(search.step(len(history) - 1))
        if _has_converged(history, settings.tolerance):
            reason = f"the loss fell by less than {settings.tolerance:g} of itself in {_TOLERANCE_WINDOW} iterations"
            break
    return TrainingResult(search.potential, search.value, len(history) - 1, reason)


def _has_converged(history: Sequence[float], tolerance: float) -> bool:
    if len(history) <= _TOLERANCE_WINDOW:
        return False
    return history[-1 - _TOLERANCE_WINDOW] - history[-1] < tolerance * history[-1]


def _pretrained(
    template: Potential,
    types: Sequence[int],
    min_dist: float,
    loss: Loss,
    settings: TrainingSettings,
    report: Callable[[TrainingStep], None],
) -> _Search:
    """Return the best of several random starts, after the iterations of pre-training."""
    generator = np.random.default_rng(settings.seed)
    n_starts = max(1, min(_STARTS, settings.pretraining_iterations // _START_ITERATIONS))
    race_iterations = _START_ITERATIONS if n_starts > 1 else 0
    searches: list[_Search] = []
    done = 0
    for _ in range(n_starts):
        search = _Search(loss, _random_start(template, types, min_dist, generator))
        searches.append(search)
        for _ in range(race_iterations):
            if not search.iterate():
                break
            done += 1
            report(search.step(done, pretraining=True))
    best = min(searches, key=lambda search: search.value if np.isfinite(search.value) else np.inf)
    while done < settings.pretraining_iterations and best.iterate():
        done += 1
        report(best.step(done, pretraining=True))
    return best


def _random_start(
    template: Potential, types: Sequence[int], min_dist: float, generator: np.random.Generator
) -> Potential:
    """Return the template with random radial functions of unit norm."""
    shape = (len(types), len(types), template.radial_funcs_count, template.radial_basis_size)
    return _rebuilt(
        template,
        types,
        min_dist,
        radial_coeffs=_normalised(generator.normal(size=shape)),
        species_coeffs=np.zeros(len(types)),
        moment_coeffs=np.zeros(len(template.alpha_moment_mapping)),
        # The basis function T_b(r) (r - cutoff)^2 is then of order one.
        scaling=1.0 / (template.max_dist - min_dist) ** 2,
    )


def _continued(potential: Potential, types: Sequence[int], min_dist: float, seed: int) -> Potential:
    """Return a trained potential on the basis of the new set: same functions, more species where there are more."""
    known = potential.species_types
    absent = [kind for kind in known if kind not in types]
    if absent:
        raise UserInputError(
            f"the potential's species {', '.join(map(str, absent))} do not occur in the training set (types "
            f"{', '.join(map(str, types))}): train a new potential, or add configurations with them"
        )
    everything = [*known, *(kind for kind in types if kind not in known)]
    old, new = len(known), len(everything)
    generator = np.random.default_rng(seed)
    radial = generator.normal(size=(new, new, potential.radial_funcs_count, potential.radial_basis_size))
    radial *= 0.1 * np.sqrt(np.mean(potential.radial_coeffs**2))
    radial[:old, :old] = moved_radial_coeffs(potential.radial_coeffs, potential.min_dist, min_dist, potential.max_dist)
    return _rebuilt(
        potential,
        everything,
        min_dist,
        radial_coeffs=_normalised(radial),
        species_coeffs=np.concatenate([potential.species_coeffs, np.zeros(new - old)]),
        moment_coeffs=potential.moment_coeffs,
        scaling=potential.scaling,
    )


def moved_radial_coeffs(radial_coeffs: FloatArray, old_min_dist: float, min_dist: float, max_dist: float) -> FloatArray:
    """Return the coefficients of the same radial functions on a basis with another ``min_dist``.

    The change is exact: both bases span the polynomials of the same degree.

    Parameters
    ----------
    radial_coeffs
        Shape (S, S, F, B).
    old_min_dist, min_dist
        Where the basis starts before and after, in Å.
    max_dist
        Cutoff radius, in Å.
    """
    degree = radial_coeffs.shape[-1] - 1
    nodes = np.cos(np.pi * (np.arange(degree + 1) + 0.5) / (degree + 1))
    distances = 0.5 * (min_dist + max_dist) + 0.5 * (max_dist - min_dist) * nodes
    old_variable = (2 * distances - (old_min_dist + max_dist)) / (max_dist - old_min_dist)
    old_basis = np.polynomial.chebyshev.chebvander(old_variable, degree)
    new_basis = np.polynomial.chebyshev.chebvander(nodes, degree)
    return np.asarray(radial_coeffs @ np.linalg.solve(new_basis, old_basis).T, dtype=float)


def _normalised(radial_coeffs: FloatArray) -> FloatArray:
    """Return the coefficients with each radial function of unit norm over all pairs of species."""
    norms = np.sqrt(np.sum(radial_coeffs**2, axis=(0, 1, 3)))
    return np.asarray(radial_coeffs / np.where(norms > 0, norms, 1.0)[None, None, :, None], dtype=float)


def _rebuilt(
    potential: Potential,
    types: Sequence[int],
    min_dist: float,
    *,
    radial_coeffs: FloatArray,
    species_coeffs: FloatArray,
    moment_coeffs: FloatArray,
    scaling: float,
) -> Potential:
    return Potential(
        species_types=list(types),
        min_dist=min_dist,
        max_dist=potential.max_dist,
        alpha_moments_count=potential.alpha_moments_count,
        alpha_index_basic=potential.alpha_index_basic,
        alpha_index_times=potential.alpha_index_times,
        alpha_moment_mapping=potential.alpha_moment_mapping,
        radial_coeffs=radial_coeffs,
        species_coeffs=species_coeffs,
        moment_coeffs=moment_coeffs,
        scaling=scaling,
        name=potential.name,
        tag=potential.tag,
    )
