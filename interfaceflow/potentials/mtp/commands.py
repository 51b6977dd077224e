"""What each command of ``interfaceflow-mlp`` does: files in, files and a last line out, as MLIP-3's ``mlp`` does it."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import TextIO

import numpy as np

from interfaceflow.core.errors import DataFileError, UserInputError
from interfaceflow.core.files import write_atomically
from interfaceflow.potentials.mtp._native import (
    Configuration,
    ConfigurationSet,
    Potential,
    format_configurations,
    read_configurations,
)
from interfaceflow.potentials.mtp.command_line import (
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
from interfaceflow.potentials.mtp.levels import untrained_potential
from interfaceflow.potentials.mtp.loss import LossWeights
from interfaceflow.potentials.mtp.selection import SelectionMode, build_active_set, select_additions
from interfaceflow.potentials.mtp.training import PRETRAINING_ITERATIONS, TrainingSettings, TrainingStep, train

_CHECKPOINT_INTERVAL_S = 20.0

THREADS = integer("threads", 1, "threads to use; results do not depend on it.", low=1, high=1024)
LOG = text("log", "stdout", "file for the log; stdout, stderr or none.")


def say(line: str) -> None:
    """Write a line to standard output at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _write(path: Path, content: str | bytes) -> None:
    try:
        write_atomically(path, content)
    except OSError as problem:
        raise UserInputError(f"{path}: cannot be written: {problem.strerror}; choose another place") from problem


def _refuse_unwritable(path: Path) -> None:
    """Refuse a place that cannot be written to before anything is computed."""
    if path.is_dir() or not path.parent.is_dir():
        raise UserInputError(f"{path}: cannot be written: {'a folder' if path.is_dir() else 'no such folder'}")


def _read_set(path: str) -> list[Configuration]:
    configurations = read_configurations(path)
    if not any(len(configuration) for configuration in configurations):
        raise DataFileError(f"{path}: there is no configuration in this file")
    return configurations


def _open_log(name: str) -> TextIO | None:
    match name:
        case "stdout":
            return sys.stdout
        case "stderr":
            return sys.stderr
        case "none":
            return None
    try:
        return Path(name).open("w", encoding="utf-8")
    except OSError as problem:
        raise UserInputError(f"--log={name}: cannot be written: {problem.strerror}") from problem


class _TrainingReporter:
    """Prints iterations, shows the time left on a terminal, and saves checkpoints."""

    def __init__(self, log: TextIO | None, save_to: Path, iteration_limit: int) -> None:
        self._log = log
        self._save_to = save_to
        self._iteration_limit = iteration_limit
        self._started = self._saved = self._shown = time.monotonic()
        self._pretraining: bool | None = None
        self._in_phase = 0
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
            _write(self._save_to, step.potential.serialise())
        if sys.stderr.isatty() and self._log is not sys.stderr and now - self._shown >= 1.0:
            self._shown = now
            self._show_time_left(step, now - self._started)

    def line(self, words: str) -> None:
        """Write a line to the log."""
        if self._log is not None:
            self._log.write(words + "\n")
            self._log.flush()

    def _show_time_left(self, step: TrainingStep, elapsed: float) -> None:
        total = PRETRAINING_ITERATIONS if step.pretraining else self._iteration_limit
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
    configurations = _read_set(arguments[1])
    save_to = Path(values[SAVE_TO] or arguments[0])
    _refuse_unwritable(save_to)
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
    reporter = _TrainingReporter(_open_log(values[LOG]), save_to, settings.iteration_limit)
    reporter.line(f"{len(configurations)} configurations found in the training set")
    try:
        result = train(potential, configurations, settings, on_step=reporter)
    except (KeyboardInterrupt, SystemExit):
        if reporter.last is not None:
            _write(save_to, reporter.last.potential.serialise())
            say(f"interrupted; the potential so far is in {save_to}")
        raise
    reporter.line(f"training ended after {result.iterations} iterations: {result.reason}")
    trained = result.potential
    reporter.line(check_errors(trained, configurations, n_threads=settings.n_threads).text())
    trained.selection = build_active_set(trained, configurations, mode=mode, n_threads=settings.n_threads)
    _write(save_to, trained.serialise())
    say("training complete")


SWAP_LIMIT = integer("swap_limit", 0, "largest number of rows exchanged; 0 for no limit.")
THRESHOLD = number("threshold", 1.001, "grade from which on a candidate is taken.")
SELECTION_LOG = text("log", "none", "file for the grades of the candidates; stdout, stderr or none.")


def _select_add(arguments: Sequence[str], values: Values) -> None:
    potential = Potential.read(arguments[0])
    training_set, candidates = read_configurations(arguments[1]), _read_set(arguments[2])
    target = Path(arguments[3])
    _refuse_unwritable(target)
    additions = select_additions(
        potential,
        training_set,
        candidates,
        threshold=values[THRESHOLD],
        swap_limit=values[SWAP_LIMIT] or None,
        n_threads=values[THREADS],
    )
    log = _open_log(values[SELECTION_LOG])
    if log is not None:
        for index, grade in enumerate(additions.candidate_grades):
            log.write(f"Selection: cfg# {index + 1}\tgrade: {grade:.6g}\n")
    content = format_configurations([candidates[index] for index in additions.selected], lossless=True)
    _write(target, content)
    say(f"Training set was increased by {len(additions.selected)} configurations")


def _calculate_grade(arguments: Sequence[str], values: Values) -> None:
    potential = Potential.read(arguments[0])
    if potential.selection is None:
        raise UserInputError(f"{arguments[0]}: there is no active set in this potential; train it first")
    configurations = _read_set(arguments[1])
    target = Path(arguments[2])
    _refuse_unwritable(target)
    atoms = ConfigurationSet.of(configurations, potential.max_dist)
    log = _open_log(values[LOG])
    if SelectionMode.of(potential.selection) is SelectionMode.NEIGHBOURHOODS:
        site_grades = atoms.site_grades(potential, n_threads=values[THREADS])
        bounds = pairwise(atoms.offsets.tolist())
        grades = np.array([site_grades[start:stop].max(initial=0.0) for start, stop in bounds])
        for index, configuration in enumerate(configurations):
            configuration.grades = site_grades[atoms.offsets[index] : atoms.offsets[index + 1]]
    else:
        grades = atoms.configuration_grades(potential, n_threads=values[THREADS])
    for index, (configuration, grade) in enumerate(zip(configurations, grades, strict=True)):
        configuration.features = {**configuration.features, "ID": str(index), "MV_grade": f"{grade:.6f}"}
        if log is not None:
            log.write(f"Sampling: cfg# {index + 1}\tgrade: {grade:.6g}\n")
    _write(target, format_configurations(configurations))
    say("Grade evaluation complete")


OUTPUT_FILENAME = text("output_filename", "", "file for the results. Without it the input is replaced.")


def _calculate_efs(arguments: Sequence[str], values: Values) -> None:
    potential = Potential.read(arguments[0])
    configurations = _read_set(arguments[1])
    target = Path(values[OUTPUT_FILENAME] or arguments[1])
    _refuse_unwritable(target)
    atoms = ConfigurationSet.of(configurations, potential.max_dist)
    found = atoms.evaluate(potential, n_threads=values[THREADS])
    for index, configuration in enumerate(configurations):
        configuration.energy = float(found.energies[index])
        configuration.forces = found.forces[atoms.offsets[index] : atoms.offsets[index + 1]]
        configuration.plus_stress = found.plus_stresses[index]
        configuration.features = {**configuration.features, "EFS_by": potential.name}
    _write(target, format_configurations(configurations))
    say("EFS calculation complete")


REPORT_TO = text("report_to", "stdout", "file for the report; stdout or stderr.")
ERRORS_LOG = text("log", "none", "file for a line per configuration; stdout, stderr or none.")


def _check_errors(arguments: Sequence[str], values: Values) -> None:
    potential = Potential.read(arguments[0])
    report = check_errors(potential, _read_set(arguments[1]), n_threads=values[THREADS])
    log = _open_log(values[ERRORS_LOG])
    if log is not None:
        log.write("\n".join(report.lines) + "\n")
    match values[REPORT_TO]:
        case "stdout":
            say(report.text())
        case "stderr":
            sys.stderr.write(report.text() + "\n")
        case name:
            _write(Path(name), report.text() + "\n")


NO_OVERWRITE = flag("no_overwrite", False, "leave the file as it is, only print.")  # noqa: FBT003
NO_TYPES = flag("no_types", False, "one distance for all types.")  # noqa: FBT003
_LONGEST_DISTANCE = 8.0


def _mindist(arguments: Sequence[str], values: Values) -> None:
    configurations = _read_set(arguments[0])
    smallest: dict[tuple[int, int], float] = {}
    for configuration in configurations:
        types, distances = ConfigurationSet.of([configuration], _LONGEST_DISTANCE).minimum_distances()
        of_pairs = {
            (first, second): float(distances[i, j])
            for i, first in enumerate(types)
            for j, second in enumerate(types)
            if first <= second and np.isfinite(distances[i, j])
        }
        for pair, distance in of_pairs.items():
            smallest[pair] = min(distance, smallest.get(pair, np.inf))
        words = ",".join(f"({first},{second}):{distance:.6f}" for (first, second), distance in of_pairs.items())
        overall = min(of_pairs.values(), default=np.inf)
        configuration.features = {
            **configuration.features,
            "mindists": f"{overall:.6f}" if values[NO_TYPES] else f"{{{words}}}",
        }
    if not values[NO_OVERWRITE]:
        _write(Path(arguments[0]), format_configurations(configurations, lossless=True))
    say(f"Global mindist: {min(smallest.values(), default=np.inf):g}")
    for (first, second), distance in sorted(smallest.items()):
        say(f"mindist({first}, {second}) = {distance:g}")


FORMATS = ("txt",)
INPUT_FORMAT = choice("input_format", FORMATS, "txt", "MLIP's text format.")
OUTPUT_FORMAT = choice("output_format", FORMATS, "txt", "MLIP's text format.")
APPEND = flag("append", False, "add to the output instead of replacing it.")  # noqa: FBT003
LAST = flag("last", False, "only the last configuration.")  # noqa: FBT003


def _convert(arguments: Sequence[str], values: Values) -> None:
    configurations = _read_set(arguments[0])
    target = Path(arguments[1])
    _refuse_unwritable(target)
    before = target.read_bytes() if values[APPEND] and target.exists() else b""
    chosen = configurations[-1:] if values[LAST] else configurations
    _write(target, before + format_configurations(chosen, lossless=True))
    say(f"{len(chosen)} configurations written to {target}")


SPECIES_COUNT = integer("species_count", 1, "number of species.", low=1, high=100)
MIN_DIST = number("min_dist", 2.0, "where the radial basis starts, in Angstrom; training moves it.")
CUTOFF = number("cutoff", 5.0, "cutoff radius in Angstrom.")
RADIAL_BASIS_SIZE = integer("radial_basis_size", 8, "Chebyshev polynomials per radial function.", low=2, high=64)


def _template(arguments: Sequence[str], values: Values) -> None:
    target = Path(arguments[1])
    _refuse_unwritable(target)
    if not re.fullmatch(r"\d+", arguments[0]):
        raise UserInputError(
            f"template: level {arguments[0]!r} is not a number; allowed are the even ones from 2 to 28"
        )
    level = int(arguments[0])
    content = untrained_potential(
        level,
        species_count=values[SPECIES_COUNT],
        min_dist=values[MIN_DIST],
        cutoff_radius=values[CUTOFF],
        radial_basis_size=values[RADIAL_BASIS_SIZE],
    )
    _write(target, content)
    say(f"untrained potential of level {level} written to {target}")


COMMANDS: tuple[Command, ...] = (
    Command(
        "train",
        "fit a potential to a training set and store its active set",
        ("POTENTIAL", "TRAIN.cfg"),
        (
            *(SAVE_TO, ENERGY_WEIGHT, FORCE_WEIGHT, STRESS_WEIGHT, WEIGHT_SCALING, WEIGHT_SCALING_FORCES),
            *(SCALE_BY_FORCE, PENALTY_WEIGHT, ITERATION_LIMIT, TOLERANCE, INIT_RANDOM, SKIP_PREINIT),
            *(NO_MINDIST_UPDATE, AL_MODE, LOG, THREADS),
        ),
        _train,
    ),
    Command(
        "select_add",
        "select the candidates that the training set needs",
        ("POTENTIAL", "TRAIN.cfg", "CANDIDATES.cfg", "SELECTED.cfg"),
        (SWAP_LIMIT, THRESHOLD, SELECTION_LOG, THREADS),
        _select_add,
    ),
    Command(
        "calculate_grade",
        "write configurations with their extrapolation grades",
        ("POTENTIAL", "IN.cfg", "OUT.cfg"),
        (LOG, THREADS),
        _calculate_grade,
    ),
    Command(
        "calculate_efs",
        "calculate energies, forces and stresses",
        ("POTENTIAL", "IN.cfg"),
        (OUTPUT_FILENAME, THREADS),
        _calculate_efs,
    ),
    Command(
        "check_errors",
        "compare a potential with the labels of a set",
        ("POTENTIAL", "DB.cfg"),
        (REPORT_TO, ERRORS_LOG, THREADS),
        _check_errors,
    ),
    Command(
        "mindist",
        "print smallest distances and write them into the file",
        ("DB.cfg",),
        (NO_OVERWRITE, NO_TYPES),
        _mindist,
    ),
    Command(
        "convert",
        "copy configurations from one file to another",
        ("IN.cfg", "OUT.cfg"),
        (INPUT_FORMAT, OUTPUT_FORMAT, APPEND, LAST),
        _convert,
    ),
    Command(
        "template",
        "write an untrained potential of a level",
        ("LEVEL", "OUT.almtp"),
        (SPECIES_COUNT, MIN_DIST, CUTOFF, RADIAL_BASIS_SIZE),
        _template,
    ),
)
