"""What every engine declares about itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ase import Atoms
from ase.calculators.calculator import Calculator

from interfaceflow.core.errors import UserInputError
from interfaceflow.schemas.level_of_theory import LevelOfTheory


def _always_ready(level: LevelOfTheory, elements: frozenset[str]) -> None:
    """Need nothing that interfaceflow's own installation does not bring."""


@dataclass(frozen=True)
class Engine:
    """An engine: a factory of ASE calculators, and what they can do.

    Attributes
    ----------
    name
        Name in level-of-theory files.
    packages
        Distributions whose versions matter for a label.
    elements
        Symbols of the elements it knows; empty when it takes any.
    charged_cells
        Whether it can compute a cell with a net charge.
    make_calculator
        Makes the calculator; everything slow to import is imported in it. The calculator's ``energy`` is the
        energy extrapolated to zero smearing, its ``free_energy`` the one the forces are the gradient of. It gives
        the stress, too. Results of a calculation that ended unconverged carry ``converged: False``.
    check_ready
        Raises UserInputError, with what to install or to set, where the engine cannot compute these elements here.
    parallel
        Whether one calculation can use several MPI ranks.
    """

    name: str
    packages: tuple[str, ...]
    elements: frozenset[str]
    charged_cells: bool
    make_calculator: Callable[[LevelOfTheory], Calculator]
    check_ready: Callable[[LevelOfTheory, frozenset[str]], None] = _always_ready
    parallel: bool = False


def charge_of(atoms: Atoms) -> float:
    """Return the net charge of a cell, e: ``info["charge_e"]``, 0 where it is not set."""
    return float(atoms.info.get("charge_e", 0.0))


def check_request(engine: Engine, atoms: Atoms, source: str) -> None:
    """Refuse what an engine cannot compute, before anything is computed.

    Parameters
    ----------
    engine
        The engine that is to compute it.
    atoms
        The configuration; ``info["charge_e"]`` is the net charge of its cell, e, where it has one.
    source
        Where the configuration came from, for the message.

    Raises
    ------
    UserInputError
        If the cell is charged and the engine knows only neutral ones, if it holds an element the engine does not
        know, or if it is not periodic in three dimensions.
    """
    charge_e = charge_of(atoms)
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


class ChargeAwareCalculator(Calculator):
    """An ASE calculator that takes the cell's charge from ``info["charge_e"]``, which ASE does not look at."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]

    def check_state(self, atoms: Atoms, tol: float = 1e-15) -> list[str]:
        """Tell what has changed since the last calculation, the charge included."""
        changes: list[str] = super().check_state(atoms, tol)  # type: ignore[no-untyped-call]
        if self.atoms is not None and charge_of(self.atoms) != charge_of(atoms):
            changes.append("initial_charges")
        return changes
