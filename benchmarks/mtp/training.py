"""Training: CPU time until our loss is the one that ``mlp train`` ends with; two threads against one; memory.

`README.md` beside this file says what exactly is timed.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from command import parser_of, print_table, run_command
from contest import Measured, cpu_seconds, wall_seconds
from mlip import MLIP, MlpTraining, mlp_train
from motep_peer import MOTEP, has_motep, motep_loss_and_gradient
from processes import in_fresh_process, peak_resident_bytes
from start import (
    RECORDED_TRAINING_LOG,
    TRAINED_LEVEL,
    TRAINING_SET,
    potential_of_level,
    untrained_content,
    untrained_potential,
    write_potential,
)

from interfaceflow.potentials.mtp._native import Configuration, Potential, read_configurations
from interfaceflow.potentials.mtp.loss import Loss, LossWeights
from interfaceflow.potentials.mtp.training import TrainingSettings, TrainingStep, train

OURS = "interfaceflow"
_RECORDED = "MLIP-3, from the test data"
# Of losses that two engines compute for the same potential, relative.
_LOSS_TOLERANCE = 1e-6


@dataclass(frozen=True)
class TimeToLoss:
    """CPU time to the loss that another engine ended with.

    Attributes
    ----------
    level
        Of the potential.
    reference
        Which engine.
    reference_loss
        Data term of the loss of the potential it made.
    reference_cpu_s
        What it took; None where it was run elsewhere and its time says nothing here.
    reference_iterations
        It made, with its pre-training.
    ours_cpu_s
        Until our loss, penalty included, is no larger; each round starts from other random coefficients.
    ours_iterations
        In each round, with pre-training.
    ratio
        Its CPU time over the median of ours, or None.
    """

    level: int
    reference: str
    reference_loss: float
    reference_cpu_s: float | None
    reference_iterations: int
    ours_cpu_s: Measured
    ours_iterations: tuple[int, ...]
    ratio: float | None


@dataclass(frozen=True)
class Evaluation:
    """One loss of the training set with its gradient in all coefficients.

    Attributes
    ----------
    level
        Of the potential.
    n_atoms
        Of the training set.
    cpu_s
        Ours, then motep's.
    ratio
        Motep's time over ours, round by round, the median.
    loss_difference
        Of the two losses, relative.
    """

    level: int
    n_atoms: int
    cpu_s: list[Measured]
    ratio: float
    loss_difference: float


@dataclass(frozen=True)
class FullTraining:
    """A whole training of a fixed number of iterations.

    Attributes
    ----------
    level
        Of the potential.
    n_iterations
        With pre-training.
    loss
        At the end.
    cpu_s
        On one thread.
    wall_s
        On one thread and on two.
    speed_up
        Of two threads: the ratio of wall times, round by round, the median.
    best_speed_up
        The shortest time on one thread over the shortest on two.
    peak_bytes
        Largest resident memory of a process that trains.
    training_bytes
        What training added to its memory.
    mlp_peak_bytes
        Largest resident memory of ``mlp train``; 0 where it was not run.
    """

    level: int
    n_iterations: int
    loss: float
    cpu_s: Measured
    wall_s: list[Measured]
    speed_up: float
    best_speed_up: float
    peak_bytes: int
    training_bytes: int
    mlp_peak_bytes: int


@dataclass(frozen=True)
class Result:
    """All that was measured; lists are empty where a peer was not there."""

    time_to_loss: list[TimeToLoss]
    evaluations: list[Evaluation]
    trainings: list[FullTraining]


class _ReachedError(Exception):
    """The loss asked for is reached."""


def measure(options: argparse.Namespace) -> Result:
    """Measure what the options ask for, and print it."""
    with_motep = has_motep()
    training_set = read_configurations(TRAINING_SET)
    races, evaluations, trainings = [], [], []
    with TemporaryDirectory() as folder:
        for level in options.levels:
            peer = None
            if options.mlp is not None:
                race, peer = _race_with_mlp(level, training_set, Path(folder), options)
                races.append(race)
            elif level == TRAINED_LEVEL:
                races.append(_race_with_record(training_set, options))
            if with_motep:
                evaluations.append(_evaluations(level, training_set, Path(folder), options))
            trainings.append(_full_training(level, training_set, peer, options))
    return Result(races, evaluations, trainings)


def _race_with_mlp(
    level: int, training_set: Sequence[Configuration], folder: Path, options: argparse.Namespace
) -> tuple[TimeToLoss, MlpTraining]:
    template, trained = folder / f"untrained{level:02d}.almtp", folder / f"trained{level:02d}.almtp"
    template.write_bytes(untrained_content(level))
    peer = mlp_train(options.mlp, template, TRAINING_SET, trained, iteration_limit=options.iterations)
    race = _race(level, training_set, Potential.read(trained), MLIP, peer.cpu_s, peer.n_iterations, options.rounds)
    return race, peer


def _race_with_record(training_set: Sequence[Configuration], options: argparse.Namespace) -> TimeToLoss:
    n_iterations = RECORDED_TRAINING_LOG.read_text().count("BFGS iter")
    trained = potential_of_level(TRAINED_LEVEL)
    return _race(TRAINED_LEVEL, training_set, trained, _RECORDED, None, n_iterations, options.rounds)


def _race(
    level: int,
    training_set: Sequence[Configuration],
    trained: Potential,
    reference: str,
    reference_cpu_s: float | None,
    reference_iterations: int,
    rounds: int,
) -> TimeToLoss:
    target = Loss(training_set, trained.max_dist, LossWeights()).data_term(trained)
    template = untrained_potential(level)
    iterations: list[int] = []

    def until_reached(seed: int) -> None:
        made = 0

        def stop_there(step: TrainingStep) -> None:
            nonlocal made
            made += step.iteration > 0
            if step.loss <= target:
                raise _ReachedError

        try:
            train(template, training_set, TrainingSettings(seed=seed, iteration_limit=5000), on_step=stop_there)
        except _ReachedError:
            iterations.append(made)
            return
        raise SystemExit(f"level {level}: our training from seed {seed} never reached the loss of {reference}")

    times = [cpu_seconds(partial(until_reached, seed)) for seed in range(rounds)]
    ours = Measured.of(OURS, times)
    found = TimeToLoss(
        level=level,
        reference=reference,
        reference_loss=target,
        reference_cpu_s=reference_cpu_s,
        reference_iterations=reference_iterations,
        ours_cpu_s=ours,
        ours_iterations=tuple(iterations),
        ratio=None if reference_cpu_s is None else reference_cpu_s / ours.median,
    )
    print_table(
        f"level {level}: time to a loss of {target:.6f}, {len(training_set)} configurations, {rounds} random starts",
        ["", "CPU s", "lowest", "highest", "iterations", "over ours"],
        [
            [
                reference,
                "" if reference_cpu_s is None else f"{reference_cpu_s:.2f}",
                "",
                "",
                str(reference_iterations),
                "" if found.ratio is None else f"{found.ratio:.1f}",
            ],
            [
                OURS,
                f"{ours.median:.3f}",
                f"{min(times):.3f}",
                f"{max(times):.3f}",
                f"{median(iterations):.0f}",
                "1.0",
            ],
        ],
    )
    return found


def _evaluations(
    level: int, training_set: Sequence[Configuration], folder: Path, options: argparse.Namespace
) -> Evaluation:
    potential = potential_of_level(level)
    text = write_potential(potential, folder / f"level{level:02d}.mtp", with_active_set=False)
    loss = Loss(training_set, potential.max_dist, LossWeights())
    theirs = motep_loss_and_gradient(text)
    own_value = loss.data_term(potential)
    difference = abs(theirs()[0] - own_value) / own_value
    if not difference <= _LOSS_TOLERANCE:
        raise SystemExit(f"level {level}: the losses of motep and ours differ by {difference:.1e} of themselves")
    repeats = max(1, round(options.seconds / cpu_seconds(lambda: loss.value_and_gradient(potential))))

    def ours() -> None:
        for _ in range(repeats):
            loss.value_and_gradient(potential)

    found: dict[str, list[float]] = {OURS: [], MOTEP: []}
    for _ in range(options.rounds):
        found[OURS].append(cpu_seconds(ours) / repeats)
        found[MOTEP].append(cpu_seconds(theirs))
    mine, motep = (Measured.of(name, times) for name, times in found.items())
    evaluation = Evaluation(level, loss.atoms.n_atoms, [mine, motep], motep.ratio_to(mine), difference)
    print_table(
        f"level {level}: one loss and its gradient, {loss.atoms.n_atoms} atoms",
        ["", "CPU s", "over ours"],
        [[mine.name, f"{mine.median:.5f}", "1.0"], [motep.name, f"{motep.median:.5f}", f"{evaluation.ratio:.1f}"]],
    )
    return evaluation


def _full_training(
    level: int, training_set: Sequence[Configuration], peer: MlpTraining | None, options: argparse.Namespace
) -> FullTraining:
    template = untrained_potential(level)

    def run(n_threads: int) -> None:
        train(template, training_set, _whole(options.iterations, n_threads))

    cpu: list[float] = []
    wall: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(options.rounds):
        wall[1].append(wall_seconds(lambda: cpu.append(cpu_seconds(lambda: run(1)))))
        wall[2].append(wall_seconds(lambda: run(2)))
    loss, n_iterations, before, peak = in_fresh_process(None, _peak_of_training, level, options.iterations)
    found = FullTraining(
        level=level,
        n_iterations=n_iterations,
        loss=loss,
        cpu_s=Measured.of(OURS, cpu),
        wall_s=[Measured.of("one thread", wall[1]), Measured.of("two threads", wall[2])],
        speed_up=median(one / two for one, two in zip(wall[1], wall[2], strict=True)),
        best_speed_up=min(wall[1]) / min(wall[2]),
        peak_bytes=peak,
        training_bytes=peak - before,
        mlp_peak_bytes=0 if peer is None else peer.peak_bytes,
    )
    print_table(
        f"level {level}: {n_iterations} iterations to a loss of {loss:.6f} in {found.cpu_s.median:.3f} CPU s; "
        f"training adds {found.training_bytes / 1e6:.1f} MB to the {before / 1e6:.0f} MB of Python",
        ["", "wall s", "lowest"],
        [
            *([time.name, f"{time.median:.3f}", f"{min(time.rounds):.3f}"] for time in found.wall_s),
            ["speed-up", f"{found.speed_up:.2f}", f"{found.best_speed_up:.2f}"],
        ],
    )
    if peer is not None:
        print(f"  {MLIP}: {peer.peak_bytes / 1e6:.1f} MB in all")
    return found


def _whole(iterations: int, n_threads: int) -> TrainingSettings:
    return TrainingSettings(iteration_limit=iterations, tolerance=0.0, n_threads=n_threads)


def _peak_of_training(level: int, iterations: int) -> tuple[float, int, int, int]:
    """Return loss, iterations with pre-training, and the largest resident memory before training and after it."""
    training_set = read_configurations(TRAINING_SET)
    template = untrained_potential(level)
    before = peak_resident_bytes()
    settings = _whole(iterations, 1)
    result = train(template, training_set, settings)
    return result.loss, result.iterations + settings.pretraining_iterations, before, peak_resident_bytes()


def main() -> None:
    """Run the command line."""
    parser = parser_of(__doc__)
    add = parser.add_argument
    add("--iterations", type=int, default=100, help="behind the 75 of pre-training, ours and mlp's (default 100)")
    add("--seconds", type=float, default=1.0, help="CPU time of one turn of our loss (default 1)")
    add("--mlp", type=Path, metavar="PATH", help="MLIP-3's program, to race with; it takes minutes a level")
    quick = {"levels": [8], "rounds": 1, "iterations": 3, "seconds": 0.01}
    run_command(parser, measure, quick=quick)


if __name__ == "__main__":
    main()
