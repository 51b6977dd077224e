"""Any ASE calculator as an engine, named by where it is imported from."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import cache
from importlib import import_module
from importlib.metadata import packages_distributions, version
from typing import Any, Final

from ase.calculators.calculator import Calculator

from interfaceflow.core.errors import UserInputError, suggest_name
from interfaceflow.reference.engines.engine import Engine
from interfaceflow.schemas.ase_calculator import AseSettings
from interfaceflow.schemas.level_of_theory import LevelOfTheory

_NEEDED: Final = ("energy", "forces", "stress")


def with_package_version(level: LevelOfTheory) -> LevelOfTheory:
    """Return the level of theory with the version of its calculator's package, which is part of its physics.

    Parameters
    ----------
    level
        Level of theory; only those of the engine ``ase`` change.

    Raises
    ------
    UserInputError
        If the version is neither given nor known, or another one is installed than was given.
    """
    settings = level.physics
    if not isinstance(settings, AseSettings):
        return level
    installed = _installed_version(settings)
    given = settings.package_version
    if installed is None and given is None:
        _find(settings.module, settings.name)
        raise UserInputError(
            f"{level.name}: {settings.module} belongs to no installed package, so nothing tells one version of it from "
            "another; install the package it is part of, or set physics.package_version to a name of your own for it"
        )
    if installed is not None and given not in (None, installed):
        raise UserInputError(
            f"{level.name}: physics.package_version is {given}, and {installed} of {distribution_of(settings)} is "
            "installed: its labels would be of another level of theory; install that version, or leave the key out"
        )
    physics = settings.model_copy(update={"package_version": installed or given})
    return level.model_copy(update={"physics": physics})


def distribution_of(settings: AseSettings) -> str | None:
    """Return the installed distribution that a calculator is part of, or None where there is none."""
    found = packages_distributions().get(settings.module.partition(".")[0])
    return found[0] if found else None


@cache
def _find(module: str, name: str) -> Callable[..., Any]:
    """Import a calculator class, or a function that makes one."""
    where = f"physics.calculator: {module}:{name}"
    try:
        found = getattr(imported := import_module(module), name, None)
    except ImportError as error:
        raise UserInputError(
            f"{where}: cannot be imported ({error}); install its package in this environment, or correct the name"
        ) from None
    if found is None:
        there = [key for key, value in vars(imported).items() if inspect.isclass(value)]
        raise UserInputError(f"{where}: {module} has no {name}.{suggest_name(name, there)}")
    if not callable(found):
        raise UserInputError(f"{where} is a {type(found).__name__}, no calculator class and no function that makes one")
    if inspect.isclass(found):
        _check_properties(found, where)
    make: Callable[..., Any] = found
    return make


def _check_properties(calculator: Any, where: str) -> None:
    """Refuse what is no ASE calculator or does not give what a label needs."""
    given = getattr(calculator, "implemented_properties", None)
    if given is None or not hasattr(calculator, "get_potential_energy"):
        raise UserInputError(
            f"{where} is no ASE calculator: it has no implemented_properties or no get_potential_energy"
        )
    missing = [name for name in _NEEDED if name not in given]
    if given and missing:
        raise UserInputError(
            f"{where} gives no {' and no '.join(missing)}, and a label needs {', '.join(_NEEDED)} of a periodic cell; "
            f"it gives {', '.join(given)}"
        )


def _installed_version(settings: AseSettings) -> str | None:
    distribution = distribution_of(settings)
    return None if distribution is None else version(distribution)


def _check_ready(level: LevelOfTheory, elements: frozenset[str]) -> None:
    settings = level.physics
    assert isinstance(settings, AseSettings)
    _find(settings.module, settings.name)
    with_package_version(level)


def _make_calculator(level: LevelOfTheory) -> Calculator:
    settings = level.physics
    assert isinstance(settings, AseSettings)
    where = f"physics.calculator: {settings.calculator}"
    make = _find(settings.module, settings.name)
    try:
        calculator: Calculator = make(**settings.arguments)
    except TypeError as error:
        raise UserInputError(f"{where} does not take physics.arguments {settings.arguments}: {error}") from None
    _check_properties(calculator, where)
    return calculator


ENGINE = Engine(
    name="ase",
    packages=("ase",),
    elements=frozenset(),
    charged_cells=False,
    make_calculator=_make_calculator,
    check_ready=_check_ready,
)
