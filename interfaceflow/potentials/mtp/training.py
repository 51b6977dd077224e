"""Training of moment tensor potentials.

At given radial functions the loss is quadratic in all other coefficients, and the compiled core solves for them at
little cost. So only the radial coefficients are searched, on the loss that is left when the others are at their best
(variable projection, G. H. Golub and V. Pereyra, doi:10.1137/0710036), with L-BFGS. An iteration then gains several
times what one over all coefficients does.

From scratch, several random starts race for some iterations and the best goes on: early and final losses correlate,
and an unlucky start costs more than the race. A trained potential goes on from where it is.

A fit may watch a second set, which it does not learn from: it then ends when the loss on that set has not improved
for some iterations, and returns the potential that did best there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from interfaceflow.core.errors import CalculationError, UserInputError
from interfaceflow.potentials.mtp._native import Configuration, Potential
from interfaceflow.potentials.mtp.loss import MEMORY_LIMIT_MB, Loss, LossWeights
from interfaceflow.potentials.mtp.minimise import Lbfgs, LbfgsState
from interfaceflow.potentials.mtp.starts import continued_start, random_start
from interfaceflow.potentials.mtp.training_state import BestValidation, Stage, TrainingState

FloatArray = NDArray[np.float64]

PRETRAINING_ITERATIONS = 75
TOLERANCE_WINDOW = 50
VALIDATION_INTERVAL = 5
PATIENCE = 50
_STARTS = 5
_START_ITERATIONS = 10
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
    tolerance, tolerance_window
        Training ends when the loss falls by less than the first, as a fraction of itself, in so many iterations.
    pretraining_iterations
        Iterations spent on random starts and the best of them, for a potential without coefficients.
    validation_interval
        Iterations from one look at the validation set to the next.
    patience
        Training ends when the loss on the validation set has had no new minimum in so many iterations.
    seed
        Of the random starts.
    update_min_dist
        Whether the radial basis is moved to the smallest distance of the training set.
    memory_limit_MB
        For neighbour lists, about a kilobyte an atom; those that do not fit are found anew in every iteration.
    n_threads
        Threads to use; results do not depend on it.
    """

    weights: LossWeights = field(default_factory=LossWeights)
    iteration_limit: int = 1000
    tolerance: float = 1e-8
    tolerance_window: int = TOLERANCE_WINDOW
    pretraining_iterations: int = PRETRAINING_ITERATIONS
    validation_interval: int = VALIDATION_INTERVAL
    patience: int = PATIENCE
    seed: int = 0
    update_min_dist: bool = True
    memory_limit_MB: float = MEMORY_LIMIT_MB
    n_threads: int = 1


@dataclass(frozen=True, kw_only=True)
class TrainingStep:
    """What is known after an iteration.

    Attributes
    ----------
    iteration
        From 0, which is the start; counted anew after pre-training.
    loss
        Dimensionless.
    validation_loss
        On the validation set, where it was looked at after this iteration; dimensionless.
    pretraining
        Whether this is pre-training.
    state
        What `train` needs to go on from here.
    """

    iteration: int
    loss: float
    validation_loss: float | None
    pretraining: bool
    state: TrainingState


@dataclass(frozen=True)
class TrainingResult:
    """A trained potential.

    Attributes
    ----------
    potential
        Without an active set.
    loss
        Of this potential on the training set, dimensionless.
    iterations
        Made after pre-training.
    reason
        Why training ended, in words.
    best
        When the potential was found, and its loss on the validation set; None where there is no such set.
    """

    potential: Potential
    loss: float
    iterations: int
    reason: str
    best: BestValidation | None = None


class _Search:
    """A minimisation of the loss over the radial coefficients, all others at their best."""

    def __init__(self, loss: Loss, start: Potential, state: LbfgsState | None = None) -> None:
        self._loss = loss
        self._potential = start
        self._at: FloatArray | None = None
        radial = start.coefficients[: start.n_radial_coefficients]
        self._minimiser = Lbfgs(self._value_and_gradient, radial if state is None else state)

    @property
    def state(self) -> LbfgsState:
        return self._minimiser.state

    @property
    def value(self) -> float:
        return self._minimiser.value

    @property
    def potential(self) -> Potential:
        """The best potential so far; valid until the next iteration."""
        if self._at is None or not np.array_equal(self._at, self._minimiser.point):
            self._move_to(self._minimiser.point)
        return self._potential

    def iterate(self) -> bool:
        return self._minimiser.iterate()

    def _value_and_gradient(self, radial: FloatArray) -> tuple[float, FloatArray]:
        self._move_to(radial)
        value, gradient = self._loss.value_and_gradient(self._potential)
        return value, gradient[: len(radial)]

    def _move_to(self, radial: FloatArray) -> None:
        coefficients = self._potential.coefficients
        coefficients[: len(radial)] = radial
        self._potential.coefficients = coefficients
        self._loss.solve_linear(self._potential)
        self._at = radial.copy()


def train(
    potential: Potential,
    configurations: Sequence[Configuration],
    settings: TrainingSettings,
    *,
    validation_set: Sequence[Configuration] = (),
    state: TrainingState | None = None,
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
    validation_set
        Labelled configurations that decide when to end, and which potential is returned. What is returned is chosen
        by them, so errors on them are no measure of its quality.
    state
        Of the same fit, interrupted earlier: it goes on from there.
    on_step
        Called after every iteration, and first of all with the state that a fit goes on from.

    Raises
    ------
    UserInputError
        If the set is empty or has no labels that count, a species of a trained potential does not occur in it, or the
        validation set has a species that it lacks.
    CalculationError
        If the loss is not a finite number.
    """
    return _Fit(potential, configurations, settings, validation_set, state or TrainingState(), on_step).run()


class _Fit:
    """A fit under way."""

    def __init__(
        self,
        potential: Potential,
        configurations: Sequence[Configuration],
        settings: TrainingSettings,
        validation_set: Sequence[Configuration],
        state: TrainingState,
        on_step: Callable[[TrainingStep], None] | None,
    ) -> None:
        self._settings = settings
        self._report = on_step or (lambda step: None)
        self._loss = Loss(
            configurations,
            potential.max_dist,
            settings.weights,
            ridge=state.ridge,
            memory_limit_MB=settings.memory_limit_MB,
            n_threads=settings.n_threads,
        )
        species, distances = self._loss.atoms.minimum_distances()
        self._validation_loss = _loss_to_watch(validation_set, species, potential, settings)
        min_dist = _MIN_DIST_FACTOR * float(distances.min()) if settings.update_min_dist else potential.min_dist
        if not 0 < min_dist < potential.max_dist:
            raise UserInputError(
                f"the smallest distance of the training set does not lie inside the cutoff of {potential.max_dist:g} "
                "Å: there is nothing to learn from; raise the cutoff"
            )
        if potential.initialised:
            self._pretraining_limit = self._race_limit = 0
            self._starts = [continued_start(potential, species, min_dist, settings.seed)]
        else:
            self._pretraining_limit = settings.pretraining_iterations
            n_starts = max(1, min(_STARTS, self._pretraining_limit // _START_ITERATIONS))
            self._race_limit = _START_ITERATIONS if n_starts > 1 else 0
            generator = np.random.default_rng(settings.seed)
            self._starts = [random_start(potential, species, min_dist, generator) for _ in range(n_starts)]
        self._searches = [
            _Search(self._loss, start, search) for start, search in zip(self._starts, state.searches, strict=False)
        ]
        self._stage = state.stage
        self._pretraining_iterations = state.pretraining_iterations
        self._iterations = state.iterations
        self._losses = state.losses
        self._best = state.best

    def run(self) -> TrainingResult:
        if self._searches:
            pretraining = self._stage is not Stage.FIT
            self._report_step(
                self._searches[-1], self._pretraining_iterations if pretraining else self._iterations, None
            )
        if self._stage is Stage.RACE:
            self._race()
        if self._stage is Stage.PRETRAINING:
            self._pretrain()
        return self._fit()

    def _race(self) -> None:
        """Give every start some iterations, and keep the best."""
        for index, start in enumerate(self._starts):
            if index == len(self._searches):
                self._searches.append(_Search(self._loss, start))
            search = self._searches[index]
            while search.state.iterations < self._race_limit and search.iterate():
                self._count_pretraining(search)
        self._searches = [min(self._searches, key=lambda one: one.value if np.isfinite(one.value) else np.inf)]
        self._stage = Stage.PRETRAINING

    def _pretrain(self) -> None:
        (search,) = self._searches
        while self._pretraining_iterations < self._pretraining_limit and search.iterate():
            self._count_pretraining(search)
        if not np.isfinite(search.value):
            raise CalculationError(
                "the loss is not a finite number at the start of training: check the labels of the set"
            )
        self._stage = Stage.FIT
        self._count(search)

    def _fit(self) -> TrainingResult:
        (search,) = self._searches
        while (reason := self._reason_to_end()) is None:
            if not search.iterate():
                reason = "no descent is left"
                break
            self._iterations += 1
            self._count(search)
        self._look(search)
        if self._best is None:
            return TrainingResult(search.potential, search.value, self._iterations, reason)
        found = search.potential
        found.coefficients = self._best.coefficients
        return TrainingResult(found, self._best.loss, self._iterations, reason, self._best)

    def _reason_to_end(self) -> str | None:
        settings = self._settings
        if self._iterations >= settings.iteration_limit:
            return "iteration limit reached"
        if len(self._losses) > settings.tolerance_window:
            before, now = self._losses[-1 - settings.tolerance_window], self._losses[-1]
            if before - now < settings.tolerance * now:
                return (
                    f"the loss fell by less than {settings.tolerance:g} of itself in "
                    f"{settings.tolerance_window} iterations"
                )
        if self._best is not None and self._iterations - self._best.iteration >= settings.patience:
            return (
                f"the loss on the validation set has been lowest after iteration {self._best.iteration}, "
                f"{settings.patience} iterations ago or more"
            )
        return None

    def _count_pretraining(self, search: _Search) -> None:
        self._pretraining_iterations += 1
        self._report_step(search, self._pretraining_iterations, None)

    def _count(self, search: _Search) -> None:
        self._losses = (*self._losses[-self._settings.tolerance_window :], search.value)
        due = self._iterations % self._settings.validation_interval == 0
        self._report_step(search, self._iterations, self._look(search) if due else None)

    def _look(self, search: _Search) -> float | None:
        """Return the loss on the validation set, where there is one, and keep the potential if it is the best."""
        if self._validation_loss is None:
            return None
        potential = search.potential
        loss = self._validation_loss.data_term(potential)
        if self._best is None or loss < self._best.validation_loss:
            self._best = BestValidation(self._iterations, search.value, loss, potential.coefficients)
        return loss

    def _report_step(self, search: _Search, iteration: int, validation_loss: float | None) -> None:
        state = TrainingState(
            stage=self._stage,
            searches=tuple(one.state for one in self._searches),
            pretraining_iterations=self._pretraining_iterations,
            losses=self._losses,
            iterations=self._iterations,
            ridge=self._loss.ridge,
            best=self._best,
        )
        self._report(
            TrainingStep(
                iteration=iteration,
                loss=search.value,
                validation_loss=validation_loss,
                pretraining=self._stage is not Stage.FIT,
                state=state,
            )
        )


def _loss_to_watch(
    validation_set: Sequence[Configuration], species: Sequence[int], potential: Potential, settings: TrainingSettings
) -> Loss | None:
    """Return the loss on the validation set, None where there is none."""
    if not validation_set:
        return None
    loss = Loss(
        validation_set,
        potential.max_dist,
        settings.weights,
        memory_limit_MB=settings.memory_limit_MB,
        n_threads=settings.n_threads,
    )
    unknown = sorted(set(loss.atoms.types.tolist()) - set(species))
    if unknown:
        raise UserInputError(
            f"the validation set has species {', '.join(map(str, unknown))}, which the training set lacks (types "
            f"{', '.join(map(str, species))}): nothing about them can be learned; leave them out, or train on them, too"
        )
    return loss
