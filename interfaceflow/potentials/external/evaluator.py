"""What LAMMPS, or anyone else, asks of a potential that is computed in Python."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from interfaceflow.core.errors import UserInputError, suggest_name

FloatArray = NDArray[np.float64]

# One module a kind, with a function ``make_evaluator(species, words)``.
_MODULES: Final = {
    "nequip": "interfaceflow.potentials.external.nequip_network",
    "ase": "interfaceflow.potentials.external.ase_calculator",
}


@dataclass(frozen=True)
class Evaluation:
    """What a potential gives for one configuration.

    Attributes
    ----------
    energy_eV
        Energy whose gradient the forces are, eV.
    forces_eV_A
        Shape (n_atoms, 3), eV/Å.
    stress_eV_A3
        xx, yy, zz, yz, xz, xy, shape (6,), tension positive as in ASE, eV/Å3.
    grades
        Extrapolation grade of each atom, shape (n_atoms,), dimensionless; absent where it was not asked for.
    """

    energy_eV: float
    forces_eV_A: FloatArray
    stress_eV_A3: FloatArray
    grades: FloatArray | None = None


class Evaluator(Protocol):
    """A potential, loaded and ready."""

    def evaluate(
        self, types: NDArray[np.intp], positions_A: FloatArray, cell_A: FloatArray, *, with_grades: bool
    ) -> Evaluation:
        """Compute one configuration, periodic in three directions.

        Parameters
        ----------
        types
            Index of each atom's element in the potential's species, from 0, shape (n_atoms,).
        positions_A
            Shape (n_atoms, 3), Å; inside the cell or not.
        cell_A
            Cell vectors as rows, shape (3, 3), Å; it may be smaller than the cutoff, and change from call to call.
        with_grades
            Whether to compute the grades, too.
        """
        ...


def load_evaluator(kind: str, species: Sequence[str], words: Sequence[str]) -> Evaluator:
    """Load a potential.

    Parameters
    ----------
    kind
        Kind of potential.
    species
        Chemical symbols in the order of the types.
    words
        What else the kind needs: files, device.

    Raises
    ------
    UserInputError
        If there is no such kind, or the potential cannot be loaded.
    """
    if kind not in _MODULES:
        raise UserInputError(
            f"{kind!r} is no kind of potential that runs beside LAMMPS.{suggest_name(kind, _MODULES)} "
            f"These do: {', '.join(_MODULES)}"
        )
    make_evaluator: Callable[[Sequence[str], Sequence[str]], Evaluator] = import_module(_MODULES[kind]).make_evaluator
    return make_evaluator(species, words)
