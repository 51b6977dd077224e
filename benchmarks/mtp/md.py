"""Molecular dynamics: atom-steps per CPU-second of ours and of the peers, on the same potential and start.

Also two MPI ranks against one, and the memory of an atom. `README.md` beside this file says what exactly is timed.
"""

from __future__ import annotations

import argparse
import re
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from command import add_dynamics_options, parser_of, print_table, run_command
from contest import Agreement, Dynamics, Measured, atom_steps_per_cpu_second, check_agreement
from in_ase import AseDynamics
from in_lammps import OURS, OURS_MIXED, LammpsDynamics, MtpStyle, nve_script, write_start
from motep_peer import MOTEP, has_motep, motep_calculator
from processes import in_fresh_process, peak_resident_bytes
from start import SPECIES, moving_lithium_sulfide, potential_of_level, write_potential

from interfaceflow.dynamics.lammps_run import run_lammps
from interfaceflow.potentials.mtp.calculator import MTPCalculator

_LOOP_TIME = re.compile(r"^Loop time of ([0-9.e+-]+) on (\d+) procs for (\d+) steps with (\d+) atoms", re.MULTILINE)
_WARM_UP_STEPS = 20


@dataclass(frozen=True)
class Throughput:
    """Rates of all contestants at one level.

    Attributes
    ----------
    level
        Of the potential.
    n_atoms
        Of the cell.
    temperature_K
        At the end of our run.
    agreements
        Of energies and forces with ours.
    rates
        In atom-steps per CPU-second; ours comes first.
    ours_over
        Our rate over each contestant's, round by round, the median; in the order of ``rates``.
    """

    level: int
    n_atoms: int
    temperature_K: float
    agreements: list[Agreement]
    rates: list[Measured]
    ours_over: list[float]


@dataclass(frozen=True)
class Ranks:
    """Two MPI ranks against one.

    Attributes
    ----------
    level
        Of the potential.
    n_atoms
        Of the cell.
    wall_s
        LAMMPS' loop times for the same steps, one rank and two.
    speed_up
        Time of one rank over that of two in the same round, the median.
    best_speed_up
        The shortest time of one rank over the shortest of two: what other users of the machine disturbed least.
    """

    level: int
    n_atoms: int
    wall_s: list[Measured]
    speed_up: float
    best_speed_up: float


@dataclass(frozen=True)
class Memory:
    """Peak memory of a run, against one with Lennard-Jones of the same cutoff.

    Attributes
    ----------
    level
        Of the potential.
    n_atoms
        Of the cell.
    ours_bytes, lennard_jones_bytes
        Largest resident memory of the processes.
    bytes_per_atom
        Of the difference.
    """

    level: int
    n_atoms: int
    ours_bytes: int
    lennard_jones_bytes: int
    bytes_per_atom: float


@dataclass(frozen=True)
class Result:
    """All that was measured; ``ranks`` and ``memory`` are empty where they were left out."""

    throughput: list[Throughput]
    ranks: list[Ranks]
    memory: list[Memory]


def measure(options: argparse.Namespace) -> Result:
    """Measure what the options ask for, and print it."""
    with_motep = has_motep()
    with TemporaryDirectory() as folder:
        potentials = {
            level: write_potential(potential_of_level(level), Path(folder) / f"level{level:02d}.almtp")
            for level in options.levels
        }
        throughput = [_throughput(level, path, options, with_motep=with_motep) for level, path in potentials.items()]
        ranks = [_ranks(level, path, options) for level, path in potentials.items() if options.rank_repeats[0]]
        memory = [_memory(level, path, options) for level, path in potentials.items() if options.memory_repeats[0]]
    return Result(throughput, ranks, memory)


def _throughput(level: int, potential: Path, options: argparse.Namespace, *, with_motep: bool) -> Throughput:
    atoms = moving_lithium_sulfide(tuple(options.repeats))
    styles: list[MtpStyle] = [OURS, *([OURS_MIXED] if options.mixed else []), *options.peer]
    ours = LammpsDynamics(f"{OURS.name}, LAMMPS", OURS.commands(potential), atoms)
    contestants: list[Dynamics] = [ours]
    contestants += [LammpsDynamics(f"{one.name}, LAMMPS", one.commands(potential), atoms) for one in styles[1:]]
    contestants.append(AseDynamics("interfaceflow, ASE", MTPCalculator(potential, SPECIES), atoms))
    if with_motep:
        text = write_potential(potential_of_level(level), potential.with_suffix(".mtp"), with_active_set=False)
        contestants.append(AseDynamics(f"{MOTEP}, ASE", motep_calculator(text), atoms))
    tolerances = [one.force_tolerance_eV_A for one in styles]
    tolerances += [OURS.force_tolerance_eV_A] * (len(contestants) - len(tolerances))
    agreements = check_agreement(contestants, tolerances)
    rates = atom_steps_per_cpu_second(contestants, len(atoms), rounds=options.rounds, seconds=options.seconds)
    found = Throughput(
        level=level,
        n_atoms=len(atoms),
        temperature_K=ours.temperature_K(),
        agreements=agreements,
        rates=rates,
        ours_over=[rates[0].ratio_to(rate) for rate in rates],
    )
    print_table(
        f"level {level}: {found.n_atoms} atoms, NVE at {found.temperature_K:.0f} K, {options.rounds} rounds",
        ["", "atom-steps per CPU-second", "lowest", "highest", "ours over it", "max |dF| eV/A"],
        [
            [
                rate.name,
                f"{rate.median:,.0f}",
                f"{min(rate.rounds):,.0f}",
                f"{max(rate.rounds):,.0f}",
                f"{ratio:.2f}",
                f"{agreement.force_eV_A:.0e}",
            ]
            for rate, ratio, agreement in zip(rates, found.ours_over, agreements, strict=True)
        ],
    )
    return found


def _ranks(level: int, potential: Path, options: argparse.Namespace) -> Ranks:
    atoms = moving_lithium_sulfide(tuple(options.rank_repeats))
    folder = potential.parent
    start = write_start(atoms, folder / "ranks.data")
    script = nve_script(start, OURS.commands(potential))
    script += [f"run {_WARM_UP_STEPS} post no", f"run {options.rank_steps} pre no"]
    times: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(options.rounds):
        for n_ranks, found in times.items():
            log = run_lammps(script, folder, f"ranks{n_ranks}", n_ranks=n_ranks)
            seconds, said_ranks, said_steps, _ = _LOOP_TIME.findall(log.read_text())[-1]
            if (int(said_ranks), int(said_steps)) != (n_ranks, options.rank_steps):
                raise SystemExit(f"LAMMPS ran on {said_ranks} ranks for {said_steps} steps, asked for were {n_ranks}")
            found.append(float(seconds))
    found_ranks = Ranks(
        level=level,
        n_atoms=len(atoms),
        wall_s=[Measured.of("one rank", times[1]), Measured.of("two ranks", times[2])],
        speed_up=median(one / two for one, two in zip(times[1], times[2], strict=True)),
        best_speed_up=min(times[1]) / min(times[2]),
    )
    print_table(
        f"level {level}: two MPI ranks, {len(atoms)} atoms, {options.rank_steps} steps",
        ["", "wall s", "lowest"],
        [
            *([time.name, f"{time.median:.3f}", f"{min(time.rounds):.3f}"] for time in found_ranks.wall_s),
            ["speed-up", f"{found_ranks.speed_up:.2f}", f"{found_ranks.best_speed_up:.2f}"],
        ],
    )
    return found_ranks


def _memory(level: int, potential: Path, options: argparse.Namespace) -> Memory:
    repeats = tuple(options.memory_repeats)
    cutoff = potential_of_level(level).max_dist
    lennard_jones = [f"pair_style lj/cut {cutoff}", "pair_coeff * * 1e-9 2.0"]
    n_atoms, ours = in_fresh_process(None, _peak_of_run, OURS.commands(potential), repeats)
    _, theirs = in_fresh_process(None, _peak_of_run, lennard_jones, repeats)
    found = Memory(level, n_atoms, ours, theirs, (ours - theirs) / n_atoms)
    print_table(
        f"level {level}: memory, {n_atoms} atoms",
        ["", "peak MB", "bytes per atom beyond lj/cut"],
        [
            ["lj/cut of the same cutoff", f"{theirs / 1e6:.1f}", ""],
            ["interfaceflow", f"{ours / 1e6:.1f}", f"{found.bytes_per_atom:.0f}"],
        ],
    )
    return found


def _peak_of_run(style_commands: list[str], repeats: tuple[int, int, int]) -> tuple[int, int]:
    """Run a few steps; return the number of atoms and the largest resident memory in bytes."""
    atoms = moving_lithium_sulfide(repeats)
    LammpsDynamics("memory", style_commands, atoms).advance(10)
    return len(atoms), peak_resident_bytes()


def main() -> None:
    """Run the command line."""
    parser = parser_of(__doc__)
    add_dynamics_options(parser)
    add = parser.add_argument
    add("--mixed", action="store_true", help="also time `pair_style mtp precision mixed`")
    add("--rank-repeats", type=int, nargs=3, default=(8, 8, 8), help="cell on one and two ranks; 0 0 0 leaves it out")
    add("--rank-steps", type=int, default=100, help="steps on one and two ranks (default 100)")
    add("--memory-repeats", type=int, nargs=3, default=(20, 20, 21), help="cell for memory; 0 0 0 leaves it out")
    quick = {
        "levels": [8],
        "rounds": 1,
        "seconds": 0.02,
        "repeats": (2, 2, 2),
        "rank_repeats": (3, 3, 3),
        "rank_steps": 5,
        "memory_repeats": (4, 4, 4),
    }
    run_command(parser, measure, quick=quick)


if __name__ == "__main__":
    main()
