"""Moment tensor potentials through an ``mlp`` executable: the built-in engine, or a site's own MLIP-3.

Both take the same commands and files. An ``mlp`` may end with status 0 without having done anything, so a run counts
only if its status, its last line and the files it left all say so.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from interfaceflow.core.child_process import run_child
from interfaceflow.core.errors import DataFileError, ExternalProgramError, UserInputError
from interfaceflow.core.files import write_atomically
from interfaceflow.core.formats.cfg import Configuration, read_configurations
from interfaceflow.core.progress import Progress, SilentProgress
from interfaceflow.potentials.mlp_executable import MlpExecutable

_TAIL_CHARACTERS = 1500
_PRETRAINING_ITERATIONS = 75
_PRETRAINING_STARTED = "Pre-training started"
_PRETRAINING_ENDED = "Pre-training ended"
_ITERATION = re.compile(r"BFGS iter (\d+): f=(\S+)(?: validation=(\S+))?")
_KEPT = re.compile(r"^the potential after iteration \d+ is kept: loss (\S+), validation loss (\S+)", re.MULTILINE)
_ADDED = re.compile(r"Training set was increased by (\d+) configurations")


@dataclass(frozen=True)
class MlpTrainingSettings:
    """How ``mlp train`` is called.

    Attributes
    ----------
    energy_weight, force_weight, stress_weight
        Of squared errors, in 1/eV^2, Å^2/eV^2 and 1/eV^2.
    weight_scaling, weight_scaling_forces
        Energy weights and force weights are divided by n_atoms to these powers (stress weights by n_atoms).
    iteration_limit
        Iterations after pre-training.
    tolerance, tolerance_window
        Least relative decrease of the loss in so many iterations; MLIP-3's window is always 50.
    patience
        With a validation set: iterations without a new minimum of the loss on it after which training ends.
    selection_mode
        ``nbh`` (by neighbourhood) or ``cfg`` (by configuration), where the potential has no active set yet.
    seed
        Of the random starts; for the built-in engine only, MLIP-3 has none.
    """

    energy_weight: float = 1.0
    force_weight: float = 0.01
    stress_weight: float = 0.001
    weight_scaling: int = 1
    weight_scaling_forces: int = 0
    iteration_limit: int = 1000
    tolerance: float = 1e-8
    tolerance_window: int = 50
    patience: int = 50
    selection_mode: str = "nbh"
    seed: int = 0


@dataclass(frozen=True)
class TrainingRun:
    """What a training left behind.

    Attributes
    ----------
    potential
        File of the trained potential, with its active set.
    iterations
        Made, pre-training and those before an interruption included.
    loss
        Of the potential on the training set, dimensionless.
    validation_loss
        Of the potential on the validation set, dimensionless; None where there was none.
    wall_time_s
        In s.
    """

    potential: Path
    iterations: int
    loss: float
    validation_loss: float | None
    wall_time_s: float


class Mlp:
    """An ``mlp`` executable.

    Parameters
    ----------
    executable
        Path of a site's ``mlp``; None for the one that ``INTERFACEFLOW_MLP`` names, or the built-in engine.
    n_threads
        Threads for the built-in engine.
    memory_limit_MB
        Memory for the rows that the built-in engine's selections choose from, in MB.

    Raises
    ------
    UserInputError
        If the executable is missing, cannot be executed, is MLIP-2, or is no ``mlp`` at all.

    Examples
    --------
    >>> Mlp().is_built_in
    True
    """

    def __init__(
        self, executable: Path | str | None = None, *, n_threads: int = 1, memory_limit_MB: float = 2000.0
    ) -> None:
        self.executable = MlpExecutable.find(executable)
        self._n_threads = n_threads
        self._memory_limit_MB = memory_limit_MB

    @property
    def is_built_in(self) -> bool:
        """Whether this is the package's own engine."""
        return self.executable.is_built_in

    def train(
        self,
        potential: Path,
        training_set: Path,
        *,
        save_to: Path,
        log: Path,
        settings: MlpTrainingSettings | None = None,
        validation_set: Path | None = None,
        progress: Progress | None = None,
    ) -> TrainingRun:
        """Fit a potential.

        A fit with the built-in engine that was interrupted or killed goes on where it was when it is called again
        with the same input: it leaves ``<save_to>.checkpoint`` until it has ended.

        Parameters
        ----------
        potential
            ``.almtp`` file: untrained, or trained before, which then goes on from its coefficients.
        training_set
            ``.cfg`` file.
        save_to
            File for the result; replaced only by a potential that is complete and finite.
        log
            File for what the program prints.
        settings
            How to train.
        validation_set
            ``.cfg`` file that decides when to end and which potential is kept; for the built-in engine only.
        progress
            Is told about iterations and the loss.

        Raises
        ------
        UserInputError
            If the built-in engine refuses its input, or MLIP-3 is asked to watch a validation set.
        ExternalProgramError
            If the run failed or left something that cannot be trusted.
        """
        if validation_set is not None and not self.is_built_in:
            raise UserInputError(
                f"{self.executable.named_by} cannot end a fit by a validation set, only the built-in engine can: "
                "leave the validation set out, or the executable"
            )
        given = settings or MlpTrainingSettings()
        options = {
            "energy_weight": f"{given.energy_weight:g}",
            "force_weight": f"{given.force_weight:g}",
            "stress_weight": f"{given.stress_weight:g}",
            "weight_scaling": str(given.weight_scaling),
            "weight_scaling_forces": str(given.weight_scaling_forces),
            "iteration_limit": str(given.iteration_limit),
            "tolerance": f"{given.tolerance:g}",
            "al_mode": given.selection_mode,
            "log": "stdout",
        }
        if self.is_built_in:
            options["init_random"] = str(given.seed)
            options["memory_limit"] = f"{self._memory_limit_MB:g}"
            options["tolerance_window"] = str(given.tolerance_window)
            options["checkpoint"] = str(save_to.resolve().with_name(f"{save_to.name}.checkpoint"))
        if validation_set is not None:
            options["validation_set"] = str(validation_set.resolve())
            options["patience"] = str(given.patience)
        started = time.monotonic()
        watcher = _IterationWatcher(log, progress or SilentProgress())
        watcher.start(given.iteration_limit, 0 if _is_trained(potential) else _PRETRAINING_ITERATIONS)
        with _replacing(save_to) as part:
            options["save_to"] = str(part)
            text = self._run("train", [potential, training_set], options, log, watch=watcher)
            self._expect_last_line(text, "train", "training complete", log)
            self._check_potential(part, log)
        watcher()
        kept = _KEPT.search(text)
        return TrainingRun(
            potential=save_to,
            iterations=watcher.iterations,
            loss=watcher.loss if kept is None else float(kept[1]),
            validation_loss=None if kept is None else float(kept[2]),
            wall_time_s=time.monotonic() - started,
        )

    def select_add(self, potential: Path, training_set: Path, candidates: Path, *, selected: Path, log: Path) -> int:
        """Write the candidates that the training set needs to ``selected``; return how many they are.

        Raises
        ------
        UserInputError
            If the built-in engine refuses its input.
        ExternalProgramError
            If the run failed or left something that cannot be trusted.
        """
        with _replacing(selected) as part:
            options = {"memory_limit": f"{self._memory_limit_MB:g}"} if self.is_built_in else {}
            text = self._run("select_add", [potential, training_set, candidates, part], options, log)
            found = _ADDED.search(_last_line(text))
            if found is None:
                raise self._failure("select_add", "did not print how many configurations it selected", text, log)
            written = self._read_output("select_add", part, text, log, may_be_empty=True)
            if len(written) != int(found[1]):
                raise self._failure(
                    "select_add", f"announced {found[1]} configurations and wrote {len(written)}", text, log
                )
        return len(written)

    def calculate_grade(self, potential: Path, configurations: Path, *, output: Path, log: Path) -> None:
        """Write configurations with the feature ``MV_grade`` and, by neighbourhood, the column ``nbh_grades``.

        Raises
        ------
        UserInputError
            If the built-in engine refuses its input.
        ExternalProgramError
            If the run failed or left something that cannot be trusted.
        """
        with _replacing(output) as part:
            text = self._run("calculate_grade", [potential, configurations, part], {"log": os.devnull}, log)
            self._expect_last_line(text, "calculate_grade", "Grade evaluation complete", log)
            for index, configuration in enumerate(self._read_output("calculate_grade", part, text, log)):
                if configuration.grade is None:
                    raise self._failure("calculate_grade", f"wrote no grade for configuration {index}", text, log)

    def calculate_efs(self, potential: Path, configurations: Path, *, output: Path, log: Path) -> None:
        """Write configurations with the potential's energies, forces and stresses.

        Raises
        ------
        UserInputError
            If the built-in engine refuses its input.
        ExternalProgramError
            If the run failed or left something that cannot be trusted.
        """
        with _replacing(output) as part:
            text = self._run("calculate_efs", [potential, configurations], {"output_filename": str(part)}, log)
            self._expect_last_line(text, "calculate_efs", "EFS calculation complete", log)
            for index, configuration in enumerate(self._read_output("calculate_efs", part, text, log)):
                if configuration.energy is None or configuration.forces is None:
                    raise self._failure("calculate_efs", f"wrote no energy for configuration {index}", text, log)

    def _run(
        self,
        command: str,
        arguments: Sequence[Path],
        options: Mapping[str, str],
        log: Path,
        *,
        watch: Callable[[], None] | None = None,
    ) -> str:
        """Run one command and return what it printed, after checking its status."""
        for path in arguments[:-1] if command in ("select_add", "calculate_grade") else arguments:
            if not path.is_file():
                raise DataFileError(f"{path}: no such file (needed by '{command}')")
        _make_folder(log.parent)
        words = [*self.executable.command, command, *(str(path.resolve()) for path in arguments)]
        words += [f"--{name}={value}" for name, value in options.items()]
        if self.is_built_in:
            words.append(f"--threads={self._n_threads}")
        environment = {**os.environ, "OMP_NUM_THREADS": str(self._n_threads), "OPENBLAS_NUM_THREADS": "1"}
        status = run_child(
            words, folder=log.parent.resolve(), environment=environment, output=log.resolve(), watch=watch
        )
        text = log.read_text(encoding="utf-8", errors="replace")
        if status == 2 and self.is_built_in:
            raise UserInputError(
                _last_line(text).removeprefix("ERROR: ") or f"'{command}' refused its input; see {log}"
            )
        if status != 0:
            raise self._failure(command, f"ended with status {status}", text, log)
        return text

    def _failure(self, command: str, what: str, text: str, log: Path) -> ExternalProgramError:
        tail = text.strip()[-_TAIL_CHARACTERS:] or "(nothing)"
        return ExternalProgramError(
            f"'{' '.join(self.executable.command)} {command}' {what}. Its output ended with:\n{tail}\n"
            f"All of it is in {log}. Check that {self.executable.named_by} is MLIP-3 and its input what it expects"
        )

    def _expect_last_line(self, text: str, command: str, expected: str, log: Path) -> None:
        if _last_line(text) != expected:
            raise self._failure(command, f"returned 0 but did not end with {expected!r}", text, log)

    def _read_output(
        self, command: str, path: Path, text: str, log: Path, *, may_be_empty: bool = False
    ) -> list[Configuration]:
        if not path.is_file():
            raise self._failure(command, "returned 0 but did not write its output", text, log)
        try:
            configurations = read_configurations(path)
        except DataFileError as problem:
            raise self._failure(command, f"wrote a file that cannot be used ({problem})", text, log) from problem
        if not configurations and not may_be_empty:
            raise self._failure(command, "returned 0 but wrote no configuration", text, log)
        return configurations

    def _check_potential(self, path: Path, log: Path) -> None:
        from interfaceflow.potentials.mtp._native import Potential

        text = log.read_text(encoding="utf-8", errors="replace")
        if not path.is_file():
            raise self._failure("train", "returned 0 but did not write the potential", text, log)
        try:
            potential = Potential.read(path)
        except DataFileError as problem:
            raise self._failure(
                "train",
                f"wrote a potential that cannot be used ({problem}); training has diverged or broken off",
                text,
                log,
            ) from problem
        if not potential.initialised or potential.selection is None:
            raise self._failure("train", "wrote a potential without coefficients or active set", text, log)


class _IterationWatcher:
    """Follows a log and tells a progress reporter about iterations and losses.

    Attributes
    ----------
    iterations
        Made so far, pre-training included.
    loss
        After the last of them.
    """

    def __init__(self, log: Path, progress: Progress) -> None:
        self._log = log
        self._progress = progress
        self._offset = 0
        self._rest = ""
        self._pretraining_iterations = self._before = 0
        self.iterations = 0
        self.loss = float("nan")

    def start(self, iteration_limit: int, pretraining_iterations: int) -> None:
        """Say how many iterations there are at most."""
        self._before = self._pretraining_iterations = pretraining_iterations
        self._progress.start(iteration_limit + pretraining_iterations, "iteration", "Training the potential")

    def __call__(self) -> None:
        """Read what the log has got since the last call."""
        try:
            with self._log.open("rb") as stream:
                stream.seek(self._offset)
                new = stream.read()
        except OSError:
            return
        self._offset += len(new)
        text = self._rest + new.decode("utf-8", errors="replace")
        whole, _, self._rest = text.rpartition("\n")
        for line in whole.splitlines():
            self._take(line.strip())

    def _take(self, line: str) -> None:
        if line == _PRETRAINING_STARTED:
            self._before = 0
        elif line == _PRETRAINING_ENDED:
            self._before = self._pretraining_iterations
        found = _ITERATION.match(line)
        if found is None:
            return
        self.loss = float(found[2])
        self._progress.status(f"loss {self.loss:.4g}" + (f", validation {float(found[3]):.4g}" if found[3] else ""))
        done = self._before + int(found[1])
        if done > self.iterations:
            self._progress.advance(done - self.iterations)
            self.iterations = done


def write_untrained_potential(
    path: Path, level: int, *, species_count: int, min_dist: float = 2.0, cutoff_radius: float = 5.0
) -> None:
    """Write an untrained potential for any ``mlp`` to train.

    Parameters
    ----------
    path
        ``.almtp`` file.
    level
        Even, from 2 to 28.
    species_count
        Number of species.
    min_dist
        Where the radial basis starts, in Å; training moves it.
    cutoff_radius
        In Å.

    Raises
    ------
    UserInputError
        If a value is out of its range.
    """
    from interfaceflow.potentials.mtp.levels import untrained_potential

    write_atomically(
        path,
        untrained_potential(level, species_count=species_count, min_dist=min_dist, cutoff_radius=cutoff_radius),
    )


def _is_trained(potential: Path) -> bool:
    return potential.is_file() and b"radial_coeffs" in potential.read_bytes()


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else ""


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise UserInputError(f"{path}: cannot be made: {problem.strerror}; choose another place") from problem
    if not os.access(path, os.W_OK):
        raise UserInputError(f"{path}: cannot be written to; choose another place, or change its permissions")


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """Yield a path beside ``path`` to write to; it takes the place of ``path`` when nothing was raised."""
    _make_folder(path.parent)
    part = path.resolve().with_name(f".{path.name}.part{path.suffix}")
    part.unlink(missing_ok=True)
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
