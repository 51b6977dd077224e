"""The command ``train`` of ``interfaceflow-mlp``."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from interfaceflow.potentials.mtp._native import Potential
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
from interfaceflow.potentials.mtp.loss import LossWeights
from interfaceflow.potentials.mtp.row_pool import MEMORY_LIMIT_MB, SelectionMode
from interfaceflow.potentials.mtp.selection import build_active_set
from interfaceflow.potentials.mtp.training import PRETRAINING_ITERATIONS, TrainingSettings, TrainingStep, train

_CHECKPOINT_INTERVAL_S = 20.0


class _TrainingReporter:
    """Prints iterations, shows the time left on a terminal, and saves checkpoints."""

    def __init__(self, log: TextIO | None, save_to: Path, settings: TrainingSettings) -> None:
        self._log = log
        self._save_to = save_to
        self._settings = settings
        self._created = self._started = self._saved = self._shown = time.monotonic()
        self._pretraining: bool | None = None
        self.last: TrainingStep | None = None

    def __call__(self, step: TrainingStep) -> None:
        now = time.monotonic()
        self.last = step
        if step.pretraining != self._pretraining:
            if self._pretraining or step.pretraining:
                self.line("Pre-training started" if step.pretraining else "Pre-training ended")
            self._pretraining, self._started = step.pretraining, now
        self.line(f"BFGS iter {step.iteration}: f={step.loss:.8g}")
        if now - self._saved >= _CHECKPOINT_INTERVAL_S:
            self._saved = now
            write_output(self._save_to, step.potential.serialise())
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
        rate = step.iteration / elapsed if elapsed > 0 else 0.0
        left = f", at most {(total - step.iteration) / rate:.0f} s left" if rate > 0 else ""
        sys.stderr.write(f"\r{step.iteration} of {total} iterations, {rate:.1f} per second{left}   ")
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
TOLERANCE = number("tolerance", 1e-8, "end when the loss falls by less than this fraction in 50 iterations.")
SKIP_PREINIT = flag("skip_preinit", False, "skip pre-training: one random start instead of the best of several.")  # noqa: FBT003
NO_MINDIST_UPDATE = flag("no_mindist_update", False, "keep min_dist of the potential.")  # noqa: FBT003
MEMORY_LIMIT = number("memory_limit", MEMORY_LIMIT_MB, "memory for the rows that a selection chooses from, in MB.")
AL_MODE = choice("al_mode", ("nbh", "cfg"), "nbh", "rows of a new active set: neighbourhoods or configurations.")


def _seed(given: str) -> int:
    words = {"false": 0, "true": 1}
    value = words[given.lower()] if given.lower() in words else int(given)
    if value < 0:
        raise ValueError
    return value


INIT_RANDOM = Option(
    "init_random", _seed, "false, true or a seed from 0 up", 0, "seed of the random starts (false is 0, true is 1)."
)


def _train(arguments: Sequence[str], values: Values) -> None:
    potential = Potential.read(arguments[0])
    configurations = read_set(arguments[1])
    save_to = Path(values[SAVE_TO] or arguments[0])
    refuse_unwritable(save_to)
    settings = TrainingSettings(
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
        pretraining_iterations=0 if values[SKIP_PREINIT] else PRETRAINING_ITERATIONS,
        seed=values[INIT_RANDOM],
        update_min_dist=not values[NO_MINDIST_UPDATE],
        n_threads=values[THREADS],
    )
    mode = SelectionMode(values[AL_MODE]) if potential.selection is None else SelectionMode.of(potential.selection)
    with opened_log(values[LOG]) as log:
        reporter = _TrainingReporter(log, save_to, settings)
        reporter.line(f"{len(configurations)} configurations found in the training set")
        try:
            result = train(potential, configurations, settings, on_step=reporter)
        except (KeyboardInterrupt, SystemExit):
            if reporter.last is not None:
                write_output(save_to, reporter.last.potential.serialise())
                say(f"interrupted; the potential so far is in {save_to}")
            raise
        reporter.finish()
        reporter.line(f"training ended after {result.iterations} iterations: {result.reason}")
        trained = result.potential
        reporter.line(check_errors(trained, configurations, n_threads=settings.n_threads).text())
    trained.selection = build_active_set(trained, configurations, mode=mode, n_threads=settings.n_threads)
    write_output(save_to, trained.serialise())
    say("training complete")


TRAIN = Command(
    "train",
    "fit a potential to a training set and store its active set",
    ("POTENTIAL", "TRAIN.cfg"),
    (
        *(SAVE_TO, ENERGY_WEIGHT, FORCE_WEIGHT, STRESS_WEIGHT, WEIGHT_SCALING, WEIGHT_SCALING_FORCES),
        *(SCALE_BY_FORCE, PENALTY_WEIGHT, ITERATION_LIMIT, TOLERANCE, INIT_RANDOM, SKIP_PREINIT),
        *(NO_MINDIST_UPDATE, AL_MODE, LOG, THREADS),
    ),
    _train,
)
