"""What the commands share: options, one fresh process per instruction set, tables and the JSON file."""

from __future__ import annotations

import argparse
import json
import os
import platform
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import Field, asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol

from in_lammps import MtpStyle
from processes import in_fresh_process
from start import LEVELS

from interfaceflow.core.files import write_atomically
from interfaceflow.core.provenance import package_versions


class Result(Protocol):
    """What a command measured: a dataclass of numbers and text."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]


@dataclass(frozen=True)
class Machine:
    """What rates depend on.

    Attributes
    ----------
    cpu
        Its name.
    n_cpus
        That this process may use.
    load_average
        Of the last minute when the measurement began: processes that wanted to run, of everybody.
    instruction_set
        Of our kernel.
    versions
        Of the contestants.
    """

    cpu: str
    n_cpus: int
    load_average: float
    instruction_set: str
    versions: dict[str, str]

    @classmethod
    def of_now(cls) -> Machine:
        """Describe this machine."""
        from interfaceflow.potentials.mtp._native import simd_name

        return cls(
            cpu=_cpu_name(),
            n_cpus=len(os.sched_getaffinity(0)),
            load_average=os.getloadavg()[0],
            instruction_set=simd_name(),
            versions=package_versions("lammps", "mpich", "ase", "numpy", "motep"),
        )

    def __str__(self) -> str:
        versions = ", ".join(f"{name} {version}" for name, version in self.versions.items())
        return (
            f"{self.cpu}, {self.n_cpus} CPUs, load {self.load_average:.1f}; "
            f"kernel on {self.instruction_set}; {versions}"
        )


def parser_of(description: str | None) -> argparse.ArgumentParser:
    """Return a parser with the options that every command has."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--json", type=Path, metavar="FILE", help="write everything that was measured")
    add("--levels", type=int, nargs="+", choices=LEVELS, default=LEVELS, help="of the potentials")
    add("--rounds", type=int, default=5, help="how often each contestant has its turn (default 5, at least 1)")
    add("--simd", nargs="+", metavar="SET", help="instruction sets to run our kernel on: avx512, avx2, portable")
    add("--quick", action="store_true", help="see that it works, in seconds; its numbers mean nothing")
    return parser


def add_dynamics_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of commands that run molecular dynamics."""
    add = parser.add_argument
    add("--repeats", type=int, nargs=3, default=(4, 4, 5), help="of the cubic cell of 12 atoms (default 4 4 5)")
    add("--seconds", type=float, default=2.0, help="CPU time of one turn (default 2)")
    add(
        "--peer",
        type=_peer,
        action="append",
        default=[],
        metavar="NAME=PATH.so:STYLE",
        help="a LAMMPS plugin with a pair style that is called as LAMMPS' own MTP package is",
    )


def run_command(
    parser: argparse.ArgumentParser,
    measure: Callable[[argparse.Namespace], Result],
    *,
    quick: Mapping[str, object],
) -> None:
    """Measure on every instruction set that was asked for, and write the JSON file.

    Parameters
    ----------
    parser
        Of the command line.
    measure
        Measures and prints; called in a fresh process.
    quick
        Defaults under ``--quick``.
    """
    options = parser.parse_args()
    if options.quick:
        parser.set_defaults(**quick)
        options = parser.parse_args()
    if options.rounds < 1:
        parser.error(f"--rounds {options.rounds}: at least one is needed")
    runs = []
    for simd in options.simd or [None]:
        machine, result = in_fresh_process(simd, _measure_here, measure, options)
        runs.append({"machine": asdict(machine), "result": asdict(result)})
    if options.json is not None:
        content = {"command": shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]), "runs": runs}
        write_atomically(options.json, json.dumps(content, indent=1) + "\n")
        print(f"\nwritten: {options.json}")


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table whose first column is text and whose other columns are numbers."""
    widths = [max(len(row[at]) for row in (columns, *rows)) for at in range(len(columns))]
    print(f"\n{title}")
    for row in (columns, *rows):
        first, *others = (
            cell.ljust(width) if at == 0 else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        print("  " + "  ".join([first, *others]), flush=True)


def _measure_here(
    measure: Callable[[argparse.Namespace], Result], options: argparse.Namespace
) -> tuple[Machine, Result]:
    machine = Machine.of_now()
    print(machine, flush=True)
    return machine, measure(options)


def _peer(text: str) -> MtpStyle:
    name, _, place = text.partition("=")
    path, _, style = place.rpartition(":")
    plugin = Path(path).expanduser().absolute()
    if not (name and path and style):
        raise argparse.ArgumentTypeError(f"{text!r}: a peer is given as NAME=PATH.so:STYLE")
    if not plugin.is_file():
        raise argparse.ArgumentTypeError(f"{text!r}: there is no file {plugin}")
    return MtpStyle(name, style, plugin)


def _cpu_name() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or "unknown processor")
