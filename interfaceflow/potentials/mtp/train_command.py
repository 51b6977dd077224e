"""The command ``train`` of ``interfaceflow-mlp``."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

import numpy as np

from interfaceflow.core.errors import DataFileError
from interfaceflow.potentials.mtp._native import Configuration, Potential
from interfaceflow.potentials.mtp.command_files import opened_log, read_set, refuse_unwritable, say, write_output
from interfaceflow.potentials.mtp.command_line import (
    LOG,
    THREADS,
    Command,
    Option,
    Values,
    choice,
    flag,
    integer,
    number,
    text,
)
from interfaceflow.potentials.mtp.errors_report import check_errors
from interfaceflow.potentials.mtp.loss import MEMORY_LIMIT_MB, LossWeights
from interfaceflow.potentials.mtp.row_pool import SelectionMode, refuse_memory_limit
from interfaceflow.potentials.mtp.selection import build_active_set
from interfaceflow.potentials.mtp.training import (
    PATIENCE,
    PRETRAINING_ITERATIONS,
    TOLERANCE_WINDOW,
    TrainingSettings,
    TrainingStep,
    train,
)
from interfaceflow.potentials.mtp.training_state import (
    TrainingState,
    identity_of,
    read_checkpoint,
    write_checkpoint,
)

_NO_CHECKPOINT = "none"
_BESIDE_RESULT = "<save_to>.checkpoint"


class _Checkpoint:
    """The file that an interrupted fit goes on from; nowhere if ``path`` is None."""

    def __init__(self, path: Path | None, identity: str, interval_s: float) -> None:
        self.path = path
        self._identity = identity
        self._interval_s = interval_s
        self._written = time.monotonic()

    def read(self) -> TrainingState | None:
        """Return the state to go on from, if there is one."""
        if self.path is None:
            return None
        try:
            return read_checkpoint(self.path, self._identity)
        except DataFileError as problem:
            sys.stderr.write(f"WARNING: {problem}; it is not used, and will be replaced\n")
            return None

    def keep(self, state: TrainingState, *, now: bool = False) -> None:
        """Write a state, unless one was written a short time ago. A fit goes on where that cannot be done."""
        if self.path is not None and (now or time.monotonic() - self._written >= self._interval_s):
            try:
                write_checkpoint(self.path, self._identity, state)
            except OSError as problem:
                sys.stderr.write(f"WARNING: {self.path}: no checkpoint written: {problem.strerror}\n")
            self._written = time.monotonic()

    def remove(self) -> None:
        """Remove the file: the fit has ended."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)


class _TrainingReporter:
    """Prints iterations, shows the time left on a terminal, and keeps the checkpoint."""

    def __init__(self, log: TextIO | None, checkpoint: _Checkpoint, settings: TrainingSettings) -> None:
        self._log = log
        self._checkpoint = checkpoint
        self._settings = settings
        self._created = self._started = self._shown = time.monotonic()
        self._started_at = 0
        self._pretraining: bool | None = None
        self.last: TrainingState | None = None

    def __call__(self, step: TrainingStep) -> None:
        now = time.monotonic()
        self.last = step.state
        if step.pretraining != self._pretraining:
            if self._pretraining or step.pretraining:
                self.line("Pre-training started" if step.pretraining else "Pre-training ended")
            self._pretraining, self._started, self._started_at = step.pretraining, now, step.iteration
        validation = "" if step.validation_loss is None else f" validation={step.validation_loss:.8g}"
        self.line(f"BFGS iter {step.iteration}: f={step.loss:.8g}{validation}")
        self._checkpoint.keep(step.state)
        if sys.stderr.isatty() and self._log is not sys.stderr and now - self._shown >= 1.0:
            self._shown = now
            self._show_time_left(step, now - self._started)

    def line(self, words: str) -> None:
        """Write a line to the log."""
        if self._log is not None:
            self._log.write(words + "\n")
            self._log.flush()

    def finish(self) -> None:
        """Leave the line of the time left, if there is one."""
        if self._shown > self._created:
            sys.stderr.write("\n")

    def _show_time_left(self, step: TrainingStep, elapsed: float) -> None:
        settings = self._settings
        total = settings.pretraining_iterations if step.pretraining else settings.iteration_limit
        rate = (step.iteration - self._started_at) / elapsed if elapsed > 0 else 0.0
        left = f", at most {(total - step.iteration) / rate:.0f} s left" if rate > 0 else ""
        sys.stderr.write(
            f"\r{step.iteration} of {total} iterations, loss {step.loss:.5g}, {rate:.1f} per second{left}   "
        )
        sys.stderr.flush()


SAVE_TO = text("save_to", "", "file for the trained potential. Without it the input is replaced.")
ENERGY_WEIGHT = number("energy_weight", 1.0, "weight of energies.")
FORCE_WEIGHT = number("force_weight", 0.01, "weight of forces.")
STRESS_WEIGHT = number("stress_weight", 0.001, "weight of stresses.")
WEIGHT_SCALING = integer("weight_scaling", 1, "energy weights over n_atoms^this.", high=2)
WEIGHT_SCALING_FORCES = integer("weight_scaling_forces", 0, "force weights over n_atoms^this.", high=2)
SCALE_BY_FORCE = number("scale_by_force", 0.0, "above 0, larger forces weigh less: w s / (F^2 + s).")
PENALTY_WEIGHT = number("penalty_weight", 1e-6, "weight of radial functions that are not orthonormal.")
ITERATION_LIMIT = integer("iteration_limit", 1000, "iterations after pre-training.")
TOLERANCE = number("tolerance", 1e-8, "end when the loss falls by less than this fraction in a window of iterations.")
TOLERANCE_ITERATIONS = integer("tolerance_window", TOLERANCE_WINDOW, "iterations in that window.", low=1)
VALIDATION_SET = text(
    "validation_set", "", "labelled configurations that decide when to end and which potential is kept."
)
PATIENCE_ITERATIONS = integer(
    "patience", PATIENCE, "end when the validation loss has had no new minimum in so many iterations.", low=1
)
CHECKPOINT = text(
    "checkpoint", _BESIDE_RESULT, "file from which the same command goes on after an interruption, or none."
)
SKIP_PREINIT = flag("skip_preinit", False, "skip pre-training: one random start instead of the best of several.")  # noqa: FBT003
NO_MINDIST_UPDATE = flag("no_mindist_update", False, "keep min_dist of the potential.")  # noqa: FBT003
MEMORY_LIMIT = number(
    "memory_limit",
    MEMORY_LIMIT_MB,
    "memory for neighbour lists, and for the rows of a selection, in MB.",
)
AL_MODE = choice("al_mode", ("nbh", "cfg"), "nbh", "rows of a new active set: neighbourhoods or configurations.")


CHECKPOINT_INTERVAL = number("checkpoint_interval", 20.0, "seconds from one checkpoint to the next.")


def _seed(given: str) -> int:
    words = {"false": 0, "true": 1}
    value = words[given.lower()] if given.lower() in words else int(given)
    if value < 0:
        raise ValueError
    return value


INIT_RANDOM = Option(
    "init_random", _seed, "false, true or a seed from 0 up", 0, "seed of the random starts (false is 0, true is 1)."
)


def _settings(values: Values) -> TrainingSettings:
    return TrainingSettings(
        weights=LossWeights(
            energy=values[ENERGY_WEIGHT],
            force=values[FORCE_WEIGHT],
            stress=values[STRESS_WEIGHT],
            size_power=values[WEIGHT_SCALING],
            force_size_power=values[WEIGHT_SCALING_FORCES],
            force_softening=values[SCALE_BY_FORCE],
            penalty=values[PENALTY_WEIGHT],
        ),
        iteration_limit=values[ITERATION_LIMIT],
        tolerance=values[TOLERANCE],
        tolerance_window=values[TOLERANCE_ITERATIONS],
        pretraining_iterations=0 if values[SKIP_PREINIT] else PRETRAINING_ITERATIONS,
        patience=values[PATIENCE_ITERATIONS],
        seed=values[INIT_RANDOM],
        update_min_dist=not values[NO_MINDIST_UPDATE],
        memory_limit_MB=values[MEMORY_LIMIT],
        n_threads=values[THREADS],
    )


def _checkpoint(values: Values, save_to: Path, inputs: Sequence[Path], settings: TrainingSettings) -> _Checkpoint:
    """Return the checkpoint of a fit, known by its input and by the settings that decide its steps."""
    given = values[CHECKPOINT]
    if given == _NO_CHECKPOINT:
        return _Checkpoint(None, "", 0.0)
    path = save_to.with_name(f"{save_to.name}.checkpoint") if given == _BESIDE_RESULT else Path(given)
    refuse_unwritable(path)
    # What decides only when a fit ends may differ: a fit can be ended early, or prolonged.
    words = f"{settings.weights} {settings.pretraining_iterations} {settings.seed} {settings.update_min_dist}"
    identity = identity_of(words, *(one.read_bytes() for one in inputs))
    return _Checkpoint(path, identity, values[CHECKPOINT_INTERVAL])


def _n_coefficients(potential: Potential, configurations: Sequence[Configuration]) -> int:
    """Return how many coefficients the potential will have with the species of the set."""
    n_species = len({int(kind) for one in configurations for kind in np.unique(one.types)})
    n_radial = n_species**2 * potential.radial_funcs_count * potential.radial_basis_size
    return n_radial + n_species + len(potential.alpha_moment_mapping)


def _train(arguments: Sequence[str], values: Values) -> None:
    potential = Potential.read(arguments[0])
    configurations = read_set(arguments[1])
    validation_set = read_set(values[VALIDATION_SET]) if values[VALIDATION_SET] else []
    save_to = Path(values[SAVE_TO] or arguments[0])
    refuse_unwritable(save_to)
    settings = _settings(values)
    largest = max(len(one) for one in configurations)
    refuse_memory_limit(values[MEMORY_LIMIT], largest, _n_coefficients(potential, configurations))
    inputs = [Path(name) for name in (*arguments, values[VALIDATION_SET]) if name]
    checkpoint = _checkpoint(values, save_to, inputs, settings)
    mode = SelectionMode(values[AL_MODE]) if potential.selection is None else SelectionMode.of(potential.selection)
    state = checkpoint.read()
    with opened_log(values[LOG]) as log:
        reporter = _TrainingReporter(log, checkpoint, settings)
        reporter.line(f"{len(configurations)} configurations found in the training set")
        if validation_set:
            reporter.line(f"{len(validation_set)} configurations found in the validation set")
        if state is not None:
            made = state.iterations + state.pretraining_iterations
            reporter.line(f"training goes on from {checkpoint.path}: {made} iterations are done")
        try:
            result = train(
                potential, configurations, settings, validation_set=validation_set, state=state, on_step=reporter
            )
        except (KeyboardInterrupt, SystemExit):
            if reporter.last is not None and checkpoint.path is not None:
                checkpoint.keep(reporter.last, now=True)
                say(f"interrupted; the same command goes on from {checkpoint.path}")
            raise
        # The active set takes time, too: a kill from here on loses nothing of the fit.
        if reporter.last is not None:
            checkpoint.keep(reporter.last, now=True)
        reporter.finish()
        reporter.line(f"training ended after {result.iterations} iterations: {result.reason}")
        if result.best is not None:
            reporter.line(
                f"the potential after iteration {result.best.iteration} is kept: loss {result.loss:.8g}, "
                f"validation loss {result.best.validation_loss:.8g}"
            )
        trained = result.potential
        reporter.line(check_errors(trained, configurations, n_threads=settings.n_threads).text())
    trained.selection = build_active_set(
        trained, configurations, mode=mode, memory_limit_MB=values[MEMORY_LIMIT], n_threads=settings.n_threads
    )
    write_output(save_to, trained.serialise())
    checkpoint.remove()
    say("training complete")


TRAIN = Command(
    "train",
    "fit a potential to a training set and store its active set",
    ("POTENTIAL", "TRAIN.cfg"),
    (
        *(SAVE_TO, ENERGY_WEIGHT, FORCE_WEIGHT, STRESS_WEIGHT, WEIGHT_SCALING, WEIGHT_SCALING_FORCES),
        *(SCALE_BY_FORCE, PENALTY_WEIGHT, ITERATION_LIMIT, TOLERANCE, TOLERANCE_ITERATIONS, VALIDATION_SET),
        *(PATIENCE_ITERATIONS, INIT_RANDOM, SKIP_PREINIT, NO_MINDIST_UPDATE, CHECKPOINT, AL_MODE, MEMORY_LIMIT),
        *(CHECKPOINT_INTERVAL, LOG, THREADS),
    ),
    _train,
)
