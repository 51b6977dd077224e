"""Any ASE calculator as a potential, by its import string."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Final

import numpy as np
from ase import Atoms
from ase.calculators.calculator import BaseCalculator
from ase.data import atomic_numbers
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from interfaceflow.core.errors import CalculationError, DataFileError, UserInputError, suggest_name
from interfaceflow.core.files import sha256_of, write_atomically
from interfaceflow.potentials.external.evaluator import Evaluation, FloatArray

_NEEDED: Final = ("energy", "forces", "stress")


class CalculatorFile(BaseModel):
    """What the file of such a potential holds: which calculator, and with what.

    It is plain JSON. The calculator is imported from installed packages; nothing in the file is executed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    calculator: str = Field(description="Import string 'package.module:Name'")
    arguments: dict[str, JsonValue] = Field(description="Keyword arguments")
    sha256_of_files: dict[str, str] = Field(description="SHA-256 of each file among the arguments, by argument")

    @classmethod
    def describe(cls, calculator: str, arguments: Mapping[str, JsonValue]) -> CalculatorFile:
        """Describe a calculator as it is now, the content of files among its arguments included."""
        files = {
            name: sha256_of(Path(value))
            for name, value in arguments.items()
            if isinstance(value, str) and Path(value).is_file()
        }
        return cls(calculator=calculator, arguments=dict(arguments), sha256_of_files=files)

    @classmethod
    def read(cls, path: Path) -> CalculatorFile:
        """Read a file that `write` wrote.

        Raises
        ------
        DataFileError
            If it is not such a file, or a file that it names has changed since.
        """
        try:
            found = cls.model_validate_json(path.read_text())
        except (OSError, UnicodeDecodeError, ValidationError) as error:
            raise DataFileError(f"{path}: not a description of an ASE calculator ({error})") from None
        for name, digest in found.sha256_of_files.items():
            file = Path(str(found.arguments[name]))
            if not file.is_file() or sha256_of(file) != digest:
                raise DataFileError(
                    f"{file}: this file of the potential (argument {name}) is gone or has changed since the flow "
                    "began; restore it, or start another flow"
                )
        return found

    def write(self, path: Path) -> None:
        """Write it as JSON."""
        write_atomically(path, json.dumps(self.model_dump(mode="json"), indent=1, sort_keys=True) + "\n")


def load_calculator(calculator: str, arguments: Mapping[str, JsonValue]) -> BaseCalculator:
    """Import a calculator and make it.

    Parameters
    ----------
    calculator
        Import string 'package.module:Name' of a class, or of a function that returns a calculator.
    arguments
        Its keyword arguments.

    Raises
    ------
    UserInputError
        If it cannot be imported or made, is no calculator, or gives no forces or no stress.
    """
    module_name, _, name = calculator.partition(":")
    try:
        module = import_module(module_name)
    except Exception as error:  # a package may fail in any way while it is imported
        raise UserInputError(
            f"{calculator}: the module {module_name} cannot be imported ({type(error).__name__}: {error}); install the "
            "package into this Python environment, or correct the name"
        ) from error
    factory = getattr(module, name, None)
    if not callable(factory):
        there = [entry for entry in dir(module) if not entry.startswith("_")]
        raise UserInputError(f"{calculator}: {module_name} has no {name!r} to call.{suggest_name(name, there)}")
    try:
        made = factory(**arguments)
    except Exception as error:  # whatever a calculator raises when it cannot be made
        raise UserInputError(
            f"{calculator}: it cannot be made with {dict(arguments)} ({type(error).__name__}: {error}); correct the "
            "arguments"
        ) from error
    if not isinstance(made, BaseCalculator):
        raise UserInputError(
            f"{calculator}: this gives a {type(made).__name__}, not an ASE calculator; name a calculator's class, or a "
            "function that returns one"
        )
    lacking = [what for what in _NEEDED if what not in made.implemented_properties]
    if lacking:
        raise UserInputError(
            f"{calculator}: it gives no {' and no '.join(lacking)}; MD that relaxes the pressure needs "
            f"{', '.join(_NEEDED)}, so another calculator has to take its place"
        )
    return made


def check_calculator(calculator: BaseCalculator, atoms: Atoms, name: str) -> None:
    """Compute a configuration, to see whether a calculator takes its elements.

    Parameters
    ----------
    calculator
        The calculator.
    atoms
        The configuration.
    name
        What to call the calculator in the message.

    Raises
    ------
    UserInputError
        If it cannot compute the configuration, or gives no finite numbers.
    """
    try:
        compute_with(calculator, atoms)
    except CalculationError as error:
        raise UserInputError(
            f"{name}: it cannot compute {atoms.get_chemical_formula()}: {error}; it has to know "
            f"{', '.join(sorted(set(atoms.symbols)))}"
        ) from error


def compute_with(calculator: BaseCalculator, atoms: Atoms) -> Evaluation:
    """Compute a configuration with a calculator.

    Raises
    ------
    CalculationError
        If the calculator fails, or gives something else than finite numbers.
    """
    try:
        forces = np.asarray(calculator.get_property("forces", atoms), dtype=float)
        stress = np.asarray(calculator.get_property("stress", atoms), dtype=float)
        kind = "free_energy" if "free_energy" in calculator.implemented_properties else "energy"
        energy = float(calculator.get_property(kind, atoms))
    except Exception as error:  # whatever a calculator raises
        raise CalculationError(f"{type(error).__name__}: {error}") from error
    if stress.shape == (3, 3):
        stress = stress[[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]]
    if not (np.isfinite(energy) and np.isfinite(forces).all() and np.isfinite(stress).all()):
        raise CalculationError("energy, forces or stress are not finite numbers")
    return Evaluation(energy, forces, stress)


class AseEvaluator:
    """An ASE calculator behind the interface of potentials beside LAMMPS; it has no grade.

    Parameters
    ----------
    calculator
        The calculator.
    species
        Chemical symbols in the order of the types.
    """

    def __init__(self, calculator: BaseCalculator, species: Sequence[str]) -> None:
        self._calculator = calculator
        self._numbers = np.array([atomic_numbers[symbol] for symbol in species])
        self._atoms = Atoms()

    def evaluate(
        self, types: NDArray[np.intp], positions_A: FloatArray, cell_A: FloatArray, *, with_grades: bool
    ) -> Evaluation:
        """Compute one configuration.

        Raises
        ------
        UserInputError
            If grades are asked for.
        CalculationError
            If the calculator fails, or gives something else than finite numbers.
        """
        if with_grades:
            raise UserInputError("an ASE calculator has no extrapolation grade; ask for none")
        numbers = self._numbers[types]
        if not np.array_equal(self._atoms.numbers, numbers):
            self._atoms = Atoms(numbers, pbc=True)
        self._atoms.set_cell(cell_A)
        self._atoms.set_positions(positions_A)
        return compute_with(self._calculator, self._atoms)


def make_evaluator(species: Sequence[str], words: Sequence[str]) -> AseEvaluator:
    """Load the calculator that a file describes; ``words`` is the path of the file.

    Raises
    ------
    UserInputError
        If the calculator cannot be loaded.
    """
    if len(words) != 1:
        raise UserInputError(f"an ASE calculator is given by one JSON file, not {len(words)}: {' '.join(words)}")
    described = CalculatorFile.read(Path(words[0]))
    return AseEvaluator(load_calculator(described.calculator, described.arguments), species)
