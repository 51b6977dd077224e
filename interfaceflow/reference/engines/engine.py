"""What every engine declares about itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ase import Atoms
from ase.calculators.calculator import Calculator

from interfaceflow.core.errors import UserInputError
from interfaceflow.schemas.level_of_theory import LevelOfTheory


@dataclass(frozen=True)
class Engine:
    """An engine: a factory of ASE calculators, and what they can do.

    Parameters
    ----------
    name
        Name in level-of-theory files.
    packages
        Distributions whose versions matter for a label.
    elements
        Symbols of the elements it knows; empty when it takes any.
    charged_cells
        Whether it can compute a cell with a net charge.
    stress
        Whether it gives the stress.
    make_calculator
        Makes the calculator; everything slow to import is imported in it. The calculator's ``energy`` is the
        energy extrapolated to zero smearing, its ``free_energy`` the one the forces are the gradient of.
    """

    name: str
    packages: tuple[str, ...]
    elements: frozenset[str]
    charged_cells: bool
    stress: bool
    make_calculator: Callable[[LevelOfTheory], Calculator]


def check_request(engine: Engine, atoms: Atoms, charge_e: float, source: str) -> None:
    """Refuse what an engine cannot compute, before anything is computed.

    Parameters
    ----------
    engine
        The engine that is to compute it.
    atoms
        The configuration.
    charge_e
        Net charge of the cell, e.
    source
        Where the configuration came from, for the message.

    Raises
    ------
    UserInputError
        If the cell is charged and the engine knows only neutral ones, if it holds an element the engine does not
        know, or if it is not periodic in three dimensions.
    """
    if charge_e != 0 and not engine.charged_cells:
        raise UserInputError(
            f"{source}: the cell has a charge of {charge_e:+g} e, and the engine {engine.name!r} knows only neutral "
            "cells; make the cell neutral, or choose a level of theory whose engine can charge it"
        )
    unknown = sorted(set(atoms.symbols) - engine.elements) if engine.elements else []
    if unknown:
        raise UserInputError(
            f"{source}: the engine {engine.name!r} does not know {', '.join(unknown)}; "
            "choose a level of theory that covers every element"
        )
    if not atoms.pbc.all() or abs(atoms.cell.volume) < 1e-6:
        raise UserInputError(
            f"{source}: the cell is not periodic in three dimensions; give three cell vectors, "
            "with vacuum along the normal for a slab, and set all of pbc"
        )
