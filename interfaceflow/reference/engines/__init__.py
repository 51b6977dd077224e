"""Engines: what computes the labels of a level of theory.

An engine is a module of this folder with one object, ``ENGINE``, and a typed settings class in
`interfaceflow.schemas.level_of_theory` whose ``engine`` field names it. To add one, write the two and enter the
module's name below.
"""

from __future__ import annotations

from importlib import import_module
from typing import Final

from interfaceflow.reference.engines.engine import Engine
from interfaceflow.schemas.level_of_theory import LevelOfTheory

_MODULES: Final = {"chgnet": "chgnet", "lennard-jones": "lennard_jones", "vasp": "vasp"}


def engine_of(level: LevelOfTheory) -> Engine:
    """Return the engine of a level of theory."""
    module = import_module(f"{__name__}.{_MODULES[level.physics.engine]}")
    engine: Engine = module.ENGINE
    return engine
