"""What the extrapolation grade costs in molecular dynamics: without it, every step, every tenth step.

`README.md` beside this file says what exactly is timed.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from ase import Atoms
from command import add_dynamics_options, parser_of, print_table, run_command
from contest import Dynamics, Measured, atom_steps_per_cpu_second, check_agreement, cpu_seconds
from in_lammps import OURS, LammpsDynamics, MtpStyle
from motep_peer import MOTEP, has_motep, motep_grader
from start import SPECIES, moving_lithium_sulfide, potential_of_level, write_potential

from interfaceflow.potentials.mtp.calculator import MTPCalculator

# Of grades, and of forces where one contestant computes grades and the other does not.
_TOLERANCE = 1e-6
_INTERVALS = (1, 10)


@dataclass(frozen=True)
class GradeCost:
    """Rates of one pair style at one level.

    Attributes
    ----------
    level
        Of the potential.
    n_atoms
        Of the cell.
    name
        Of the contestant.
    without, every_step, every_tenth_step
        Rates in atom-steps per CPU-second.
    extra_every_step, extra_every_tenth_step
        Additional CPU time as a fraction of that without grades, round by round, the median.
    largest_grade
        Of the start.
    """

    level: int
    n_atoms: int
    name: str
    without: Measured
    every_step: Measured
    every_tenth_step: Measured
    extra_every_step: float
    extra_every_tenth_step: float
    largest_grade: float


@dataclass(frozen=True)
class GradeCall:
    """Grades of one structure, called from Python.

    Attributes
    ----------
    level
        Of the potential.
    n_atoms
        Of the structure.
    cpu_s
        Of one call: ours, then motep's, whose active set is its own.
    ratio
        Motep's time over ours, round by round, the median.
    """

    level: int
    n_atoms: int
    cpu_s: list[Measured]
    ratio: float


@dataclass(frozen=True)
class Result:
    """All that was measured; ``calls`` is empty where motep is not installed."""

    dynamics: list[GradeCost]
    calls: list[GradeCall]


def measure(options: argparse.Namespace) -> Result:
    """Measure what the options ask for, and print it."""
    with_motep = has_motep()
    costs, calls = [], []
    with TemporaryDirectory() as folder:
        for level in options.levels:
            path = write_potential(potential_of_level(level), Path(folder) / f"level{level:02d}.almtp")
            costs += _dynamics(level, path, options)
            if with_motep:
                calls.append(_calls(level, path, options))
    return Result(costs, calls)


def _dynamics(level: int, potential: Path, options: argparse.Namespace) -> list[GradeCost]:
    atoms = moving_lithium_sulfide(tuple(options.repeats))
    styles: list[MtpStyle] = [OURS, *options.peer]
    contestants: list[Dynamics] = []
    grades = []
    for style in styles:
        contestants.append(LammpsDynamics(style.name, style.commands(potential), atoms))
        for every in _INTERVALS:
            graded = LammpsDynamics(
                f"{style.name}, grade every {every}", style.commands(potential, grade_every=every), atoms
            )
            contestants.append(graded)
            grades.append(graded.grades())
    check_agreement(contestants, [_TOLERANCE] * len(contestants))
    furthest = max(float(np.abs(found - grades[0]).max()) for found in grades)
    if not furthest <= _TOLERANCE:
        raise SystemExit(f"grades of the contestants differ by {furthest:.1e}: they do not compute the same grade")
    rates = atom_steps_per_cpu_second(contestants, len(atoms), rounds=options.rounds, seconds=options.seconds)
    costs = [
        _cost(level, atoms, style, rates[3 * at : 3 * at + 3], float(grades[0].max()))
        for at, style in enumerate(styles)
    ]
    print_table(
        f"level {level}: {len(atoms)} atoms, {options.rounds} rounds, atom-steps per CPU-second",
        ["", "no grade", "every step", "every tenth", "extra every step", "extra every tenth"],
        [
            [
                cost.name,
                f"{cost.without.median:,.0f}",
                f"{cost.every_step.median:,.0f}",
                f"{cost.every_tenth_step.median:,.0f}",
                f"{cost.extra_every_step:.1%}",
                f"{cost.extra_every_tenth_step:.1%}",
            ]
            for cost in costs
        ],
    )
    return costs


def _cost(level: int, atoms: Atoms, style: MtpStyle, rates: list[Measured], largest_grade: float) -> GradeCost:
    without, every_step, every_tenth_step = rates
    return GradeCost(
        level=level,
        n_atoms=len(atoms),
        name=style.name,
        without=without,
        every_step=every_step,
        every_tenth_step=every_tenth_step,
        extra_every_step=without.ratio_to(every_step) - 1,
        extra_every_tenth_step=without.ratio_to(every_tenth_step) - 1,
        largest_grade=largest_grade,
    )


def _calls(level: int, potential: Path, options: argparse.Namespace) -> GradeCall:
    atoms = moving_lithium_sulfide(tuple(options.repeats))
    calculator = MTPCalculator(potential, SPECIES)
    text = write_potential(potential_of_level(level), potential.with_suffix(".mtp"), with_active_set=False)
    grader = motep_grader(text)

    def ours() -> None:
        calculator.calculate(atoms, ["extrapolation_grades"])

    def theirs() -> None:
        grader.grade([atoms])

    found: dict[str, list[float]] = {OURS.name: [], MOTEP: []}
    for _ in range(options.rounds):
        found[OURS.name].append(cpu_seconds(ours))
        found[MOTEP].append(cpu_seconds(theirs))
    mine, motep = (Measured.of(name, rounds) for name, rounds in found.items())
    call = GradeCall(level, len(atoms), [mine, motep], motep.ratio_to(mine))
    print_table(
        f"level {level}: energies, forces and grades of {len(atoms)} atoms, called from Python",
        ["", "CPU s", "over ours"],
        [[mine.name, f"{mine.median:.4f}", "1.00"], [motep.name, f"{motep.median:.4f}", f"{call.ratio:.2f}"]],
    )
    return call


def main() -> None:
    """Run the command line."""
    parser = parser_of(__doc__)
    add_dynamics_options(parser)
    run_command(parser, measure, quick={"levels": [8], "rounds": 1, "seconds": 0.02, "repeats": (2, 2, 2)})


if __name__ == "__main__":
    main()
