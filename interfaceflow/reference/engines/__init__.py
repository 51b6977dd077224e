"""Engines: what computes the labels of a level of theory.

An engine is a module of this folder with one object, ``ENGINE``, and a typed settings class in
`interfaceflow.schemas.level_of_theory` whose ``engine`` field names it. To add one, write the two and enter the
module's name below.
"""

from __future__ import annotations

from importlib import import_module
from typing import Final

from ase import Atoms

from interfaceflow.core.errors import UserInputError
from interfaceflow.reference.engines.engine import Engine, check_request
from interfaceflow.schemas.level_of_theory import LevelOfTheory

_MODULES: Final = {
    "ase": "ase_calculator",
    "chgnet": "chgnet",
    "cp2k": "cp2k",
    "gpaw": "gpaw",
    "lennard-jones": "lennard_jones",
    "tblite": "tblite",
    "vasp": "vasp",
}


def engine_of(level: LevelOfTheory) -> Engine:
    """Return the engine of a level of theory."""
    module = import_module(f"{__name__}.{_MODULES[level.physics.engine]}")
    engine: Engine = module.ENGINE
    return engine


def check_calculation(level: LevelOfTheory, atoms: Atoms, source: str) -> None:
    """Refuse what a level of theory cannot compute on this machine, before anything is computed.

    Parameters
    ----------
    level
        Level of theory.
    atoms
        The configuration; ``info["charge_e"]`` is the net charge of its cell, e, where it has one.
    source
        Where the configuration came from, for the message.

    Raises
    ------
    UserInputError
        If the engine or its data are not installed, if the engine cannot compute the configuration, or if several MPI
        ranks are asked of an engine that has none.
    """
    engine = engine_of(level)
    if level.n_ranks > 1 and not engine.parallel:
        raise UserInputError(
            f"{level.name}: the engine {engine.name!r} computes on one rank, and n_ranks is {level.n_ranks}; "
            "set n_ranks: 1, and use n_workers to compute several configurations at a time"
        )
    check_request(engine, atoms, source)
    engine.check_ready(level, frozenset(atoms.symbols))
