"""Selection: CPU time of ``select_add`` on many candidates.

`README.md` beside this file says what exactly is timed.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from command import parser_of, print_table, run_command
from contest import Measured, cpu_seconds
from mlip import MLIP, run_counting_cpu
from motep_peer import MOTEP, has_motep, motep_grader
from start import TRAINING_SET, atoms_of, potential_of_level, rattled_candidates, write_potential

from interfaceflow.potentials.mtp._native import (
    Configuration,
    ConfigurationSet,
    Potential,
    format_configurations,
    read_configurations,
)
from interfaceflow.potentials.mtp.selection import select_additions

OURS = "interfaceflow"
OURS_PROGRAM = "interfaceflow-mlp, with its files"
_PROGRAM_MODULE = "interfaceflow.potentials.mtp.mlp_command"
_DONE = re.compile(r"Training set was increased by (\d+) configurations")
_FIRST_SEED = 1000


@dataclass(frozen=True)
class Selection:
    """Time of a selection at one level.

    Attributes
    ----------
    level
        Of the potential.
    n_candidates
        Of 96 atoms each.
    cpu_s
        Of each contestant: ours called from Python, our program, and ``mlp`` where it was named.
    n_selected
        By each, in the same order.
    over_ours
        CPU time of each over that of our program, round by round, the median.
    """

    level: int
    n_candidates: int
    cpu_s: list[Measured]
    n_selected: list[int]
    over_ours: list[float]


@dataclass(frozen=True)
class Grading:
    """Time of the candidates' grades alone, which is what motep can compute.

    Attributes
    ----------
    level
        Of the potential.
    n_candidates
        Of 96 atoms each.
    cpu_s
        Ours, then motep's.
    ratio
        Motep's time over ours, round by round, the median.
    """

    level: int
    n_candidates: int
    cpu_s: list[Measured]
    ratio: float


@dataclass(frozen=True)
class Result:
    """All that was measured; ``gradings`` is empty where motep is not installed."""

    selections: list[Selection]
    gradings: list[Grading]


def measure(options: argparse.Namespace) -> Result:
    """Measure what the options ask for, and print it."""
    with_motep = has_motep()
    candidates = rattled_candidates(options.candidates, first_seed=_FIRST_SEED)
    selections, gradings = [], []
    with TemporaryDirectory() as folder:
        for level in options.levels:
            potential = potential_of_level(level)
            selections.append(_selection(level, potential, candidates, Path(folder), options))
            if with_motep:
                some = candidates[:: max(1, len(candidates) // options.motep_candidates)]
                gradings.append(_grading(level, potential, some, Path(folder), options.rounds))
    return Result(selections, gradings)


def _selection(
    level: int, potential: Potential, candidates: Sequence[Configuration], folder: Path, options: argparse.Namespace
) -> Selection:
    path = write_potential(potential, folder / f"level{level:02d}.almtp")
    (folder / "candidates.cfg").write_bytes(format_configurations(candidates))
    training_set = read_configurations(TRAINING_SET)
    files: list[str | Path] = ["select_add", path, TRAINING_SET, folder / "candidates.cfg", folder / "selected.cfg"]
    programs = {OURS_PROGRAM: [sys.executable, "-m", _PROGRAM_MODULE, *files]}
    if options.mlp is not None:
        programs[MLIP] = [options.mlp, *files]
    times: dict[str, list[float]] = {name: [] for name in (OURS, *programs)}
    selected: dict[str, int] = {}

    def select() -> None:
        selected[OURS] = len(select_additions(potential, training_set, candidates).selected)

    for _ in range(options.rounds):
        times[OURS].append(cpu_seconds(select))
        for name, command in programs.items():
            taken, printed = run_counting_cpu(command, "Training set was increased by")
            times[name].append(taken)
            (selected[name],) = map(int, _DONE.findall(printed))
    measured = {name: Measured.of(name, found) for name, found in times.items()}
    found = Selection(
        level=level,
        n_candidates=len(candidates),
        cpu_s=list(measured.values()),
        n_selected=[selected[name] for name in measured],
        over_ours=[one.ratio_to(measured[OURS_PROGRAM]) for one in measured.values()],
    )
    print_table(
        f"level {level}: select_add, {len(candidates)} candidates of {len(candidates[0])} atoms, "
        f"{options.rounds} rounds",
        ["", "CPU s", "lowest", "highest", "selected", "over our program"],
        [
            [
                one.name,
                f"{one.median:.2f}",
                f"{min(one.rounds):.2f}",
                f"{max(one.rounds):.2f}",
                str(n_selected),
                f"{ratio:.2f}",
            ]
            for one, n_selected, ratio in zip(found.cpu_s, found.n_selected, found.over_ours, strict=True)
        ],
    )
    return found


def _grading(
    level: int, potential: Potential, candidates: Sequence[Configuration], folder: Path, rounds: int
) -> Grading:
    text = write_potential(potential, folder / f"level{level:02d}.mtp", with_active_set=False)
    grader = motep_grader(text)
    images = [atoms_of(one) for one in candidates]

    def ours() -> None:
        ConfigurationSet.of(candidates, potential.max_dist).site_grades(potential)

    times: dict[str, list[float]] = {OURS: [], MOTEP: []}
    for _ in range(rounds):
        times[OURS].append(cpu_seconds(ours))
        times[MOTEP].append(cpu_seconds(lambda: grader.grade(images)))
    mine, motep = (Measured.of(name, found) for name, found in times.items())
    grading = Grading(level, len(candidates), [mine, motep], motep.ratio_to(mine))
    print_table(
        f"level {level}: grades of {len(candidates)} candidates of {len(candidates[0])} atoms",
        ["", "CPU s", "over ours"],
        [[mine.name, f"{mine.median:.4f}", "1.0"], [motep.name, f"{motep.median:.4f}", f"{grading.ratio:.1f}"]],
    )
    return grading


def main() -> None:
    """Run the command line."""
    parser = parser_of(__doc__)
    parser.set_defaults(levels=(16,), rounds=3)
    add = parser.add_argument
    add("--candidates", type=int, default=1000, help="of 96 atoms each (default 1000)")
    add("--motep-candidates", type=int, default=20, help="how many of them motep grades (default 20)")
    add("--mlp", type=Path, metavar="PATH", help="MLIP-3's program, to compare with; it takes minutes")
    quick = {"levels": [8], "rounds": 1, "candidates": 3, "motep_candidates": 1}
    run_command(parser, measure, quick=quick)


if __name__ == "__main__":
    main()
