"""What each command of ``interfaceflow-mlp`` does: files in, files and a last line out, as MLIP-3's ``mlp`` does it."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np

from interfaceflow.core.errors import UserInputError
from interfaceflow.potentials.mtp._native import (
    ConfigurationSet,
    Potential,
    format_configurations,
    read_configurations,
)
from interfaceflow.potentials.mtp.command_files import opened_log, read_set, refuse_unwritable, say, write_output
from interfaceflow.potentials.mtp.command_line import LOG, THREADS, Command, Values, choice, flag, integer, number, text
from interfaceflow.potentials.mtp.errors_report import check_errors
from interfaceflow.potentials.mtp.levels import untrained_potential
from interfaceflow.potentials.mtp.row_pool import SelectionMode
from interfaceflow.potentials.mtp.selection import select_additions
from interfaceflow.potentials.mtp.train_command import MEMORY_LIMIT, TRAIN

SWAP_LIMIT = integer("swap_limit", 0, "largest number of rows exchanged; 0 for no limit.")
THRESHOLD = number("threshold", 1.001, "grade from which on a candidate is taken.")
SELECTION_LOG = text("log", "none", "file for the grades of the candidates; stdout, stderr or none.")


def _log_lines(name: str, lines: Sequence[str]) -> None:
    with opened_log(name) as log:
        if log is not None:
            log.writelines(lines)


def _select_add(arguments: Sequence[str], values: Values) -> None:
    potential = Potential.read(arguments[0])
    training_set, candidates = read_configurations(arguments[1]), read_set(arguments[2])
    target = Path(arguments[3])
    refuse_unwritable(target)
    additions = select_additions(
        potential,
        training_set,
        candidates,
        threshold=values[THRESHOLD],
        swap_limit=values[SWAP_LIMIT] or None,
        memory_limit_MB=values[MEMORY_LIMIT],
        n_threads=values[THREADS],
    )
    lines = [
        f"Selection: cfg# {index + 1}\tgrade: {grade:.6g}\n" for index, grade in enumerate(additions.candidate_grades)
    ]
    _log_lines(values[SELECTION_LOG], lines)
    content = format_configurations([candidates[index] for index in additions.selected], lossless=True)
    write_output(target, content)
    say(f"Training set was increased by {len(additions.selected)} configurations")


def _calculate_grade(arguments: Sequence[str], values: Values) -> None:
    potential = Potential.read(arguments[0])
    if potential.selection is None:
        raise UserInputError(f"{arguments[0]}: there is no active set in this potential; train it first")
    configurations = read_set(arguments[1])
    target = Path(arguments[2])
    refuse_unwritable(target)
    atoms = ConfigurationSet.of(configurations, potential.max_dist)
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
    lines = [f"Sampling: cfg# {index + 1}\tgrade: {grade:.6g}\n" for index, grade in enumerate(grades)]
    _log_lines(values[LOG], lines)
    write_output(target, format_configurations(configurations))
    say("Grade evaluation complete")


OUTPUT_FILENAME = text("output_filename", "", "file for the results. Without it the input is replaced.")


def _calculate_efs(arguments: Sequence[str], values: Values) -> None:
    potential = Potential.read(arguments[0])
    configurations = read_set(arguments[1])
    target = Path(values[OUTPUT_FILENAME] or arguments[1])
    refuse_unwritable(target)
    atoms = ConfigurationSet.of(configurations, potential.max_dist)
    found = atoms.evaluate(potential, n_threads=values[THREADS])
    for index, configuration in enumerate(configurations):
        configuration.energy = float(found.energies[index])
        configuration.forces = found.forces[atoms.offsets[index] : atoms.offsets[index + 1]]
        configuration.plus_stress = found.plus_stresses[index]
        configuration.features = {**configuration.features, "EFS_by": potential.name}
    write_output(target, format_configurations(configurations))
    say("EFS calculation complete")


REPORT_TO = text("report_to", "stdout", "file for the report; stdout or stderr.")
ERRORS_LOG = text("log", "none", "file for a line per configuration; stdout, stderr or none.")


def _check_errors(arguments: Sequence[str], values: Values) -> None:
    potential = Potential.read(arguments[0])
    report = check_errors(potential, read_set(arguments[1]), n_threads=values[THREADS])
    _log_lines(values[ERRORS_LOG], [f"{line}\n" for line in report.lines])
    match values[REPORT_TO]:
        case "stdout":
            say(report.text())
        case "stderr":
            sys.stderr.write(report.text() + "\n")
        case name:
            write_output(Path(name), report.text() + "\n")


NO_OVERWRITE = flag("no_overwrite", False, "leave the file as it is, only print.")  # noqa: FBT003
NO_TYPES = flag("no_types", False, "one distance for all types.")  # noqa: FBT003
_LONGEST_DISTANCE = 8.0


def _mindist(arguments: Sequence[str], values: Values) -> None:
    configurations = read_set(arguments[0])
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
        write_output(Path(arguments[0]), format_configurations(configurations, lossless=True))
    say(f"Global mindist: {min(smallest.values(), default=np.inf):g}")
    for (first, second), distance in sorted(smallest.items()):
        say(f"mindist({first}, {second}) = {distance:g}")


FORMATS = ("txt",)
INPUT_FORMAT = choice("input_format", FORMATS, "txt", "MLIP's text format.")
OUTPUT_FORMAT = choice("output_format", FORMATS, "txt", "MLIP's text format.")
APPEND = flag("append", False, "add to the output instead of replacing it.")  # noqa: FBT003
LAST = flag("last", False, "only the last configuration.")  # noqa: FBT003


def _convert(arguments: Sequence[str], values: Values) -> None:
    configurations = read_set(arguments[0])
    target = Path(arguments[1])
    refuse_unwritable(target)
    before = target.read_bytes() if values[APPEND] and target.exists() else b""
    chosen = configurations[-1:] if values[LAST] else configurations
    write_output(target, before + format_configurations(chosen, lossless=True))
    say(f"{len(chosen)} configurations written to {target}")


SPECIES_COUNT = integer("species_count", 1, "number of species.", low=1, high=100)
MIN_DIST = number("min_dist", 2.0, "where the radial basis starts, in Angstrom; training moves it.")
CUTOFF = number("cutoff", 5.0, "cutoff radius in Angstrom.")
RADIAL_BASIS_SIZE = integer("radial_basis_size", 8, "Chebyshev polynomials per radial function.", low=2, high=64)


def _template(arguments: Sequence[str], values: Values) -> None:
    target = Path(arguments[1])
    refuse_unwritable(target)
    if not re.fullmatch(r"\d+", arguments[0]):
        raise UserInputError(f"template: level {arguments[0]!r}: allowed are the even numbers from 2 to 28")
    level = int(arguments[0])
    content = untrained_potential(
        level,
        species_count=values[SPECIES_COUNT],
        min_dist=values[MIN_DIST],
        cutoff_radius=values[CUTOFF],
        radial_basis_size=values[RADIAL_BASIS_SIZE],
    )
    write_output(target, content)
    say(f"untrained potential of level {level} written to {target}")


COMMANDS: tuple[Command, ...] = (
    TRAIN,
    Command(
        "select_add",
        "select the candidates that the training set needs",
        ("POTENTIAL", "TRAIN.cfg", "CANDIDATES.cfg", "SELECTED.cfg"),
        (SWAP_LIMIT, THRESHOLD, MEMORY_LIMIT, SELECTION_LOG, THREADS),
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
