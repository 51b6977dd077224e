"""Levels of theory by name: read from YAML files, checked, and turned into calculators."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any, get_args

import yaml
from ase.calculators.calculator import Calculator
from pydantic import ValidationError

from interfaceflow.core.errors import UserInputError, suggest_name
from interfaceflow.reference.engines import engine_of
from interfaceflow.reference.engines.ase_calculator import distribution_of, with_package_version
from interfaceflow.schemas.ase_calculator import AseSettings
from interfaceflow.schemas.level_of_theory import EngineSettings, LevelOfTheory


def load_level_of_theory(name: str, beside: Path | None = None) -> LevelOfTheory:
    """Read ``<name>.yaml`` from beside the user's config, or else from the installed levels of theory.

    Parameters
    ----------
    name
        Name of the level of theory.
    beside
        The user's config file, or its folder.

    Raises
    ------
    UserInputError
        If there is no such level of theory (the message lists those there are), or its file cannot be used.

    Examples
    --------
    >>> load_level_of_theory("chgnet").physics.engine
    'chgnet'
    """
    folder = None if beside is None else beside if beside.is_dir() else beside.parent
    if folder is not None and (folder / f"{name}.yaml").is_file():
        return _read(folder / f"{name}.yaml")
    installed = {path.stem: path for path in _installed_levels()}
    if name not in installed:
        raise UserInputError(
            f"reference.level_of_theory: there is no level of theory {name!r}.{suggest_name(name, installed)} "
            f"Available: {', '.join(sorted(installed))}. To add one, put {name}.yaml beside your config"
        )
    return _read(installed[name])


@lru_cache(maxsize=4)
def calculator_of(level: LevelOfTheory) -> Calculator:
    """Return the calculator of a level of theory; it is made once in a process, since loading one takes seconds."""
    return engine_of(level).make_calculator(level)


def packages_of(level: LevelOfTheory) -> tuple[str, ...]:
    """Return the distributions whose versions matter for labels of a level of theory."""
    own = distribution_of(level.physics) if isinstance(level.physics, AseSettings) else None
    return engine_of(level).packages + ((own,) if own else ())


def levels_of_engine(engine: str) -> tuple[str, ...]:
    """Return the names of the installed levels of theory that an engine computes, sorted."""
    levels = [_read(path) for path in _installed_levels()]
    return tuple(sorted(level.name for level in levels if level.physics.engine == engine))


def _installed_levels() -> list[Path]:
    folder = files("interfaceflow.configs").joinpath("levels_of_theory")
    return [Path(str(entry)) for entry in folder.iterdir() if entry.name.endswith(".yaml")]


def _read(path: Path) -> LevelOfTheory:
    try:
        content = yaml.safe_load(path.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UserInputError(f"{path}: not a readable YAML file ({error})") from error
    if not isinstance(content, dict):
        raise UserInputError(f"{path}: a level of theory has the keys {', '.join(LevelOfTheory.model_fields)}")
    try:
        level = LevelOfTheory.model_validate(content)
    except ValidationError as error:
        problems = "; ".join(_explain(problem) for problem in error.errors())
        raise UserInputError(f"{path}: {problems}") from None
    if level.name != path.stem:
        raise UserInputError(
            f"{path}: the level of theory calls itself {level.name!r}; name the file {level.name}.yaml, or set "
            f"name: {path.stem}"
        )
    return with_package_version(level)


def _explain(problem: Any) -> str:
    """Put one finding of pydantic into a sentence, with the nearest right key for an unknown one."""
    where = ".".join(str(part) for part in problem["loc"])
    if problem["type"] != "extra_forbidden":
        given = "" if problem["type"] == "missing" else f" (given: {problem['input']!r})"
        return f"{where}: {problem['msg']}{given}"
    allowed = _keys_at(problem["loc"])
    key = str(problem["loc"][-1])
    return f"{where}: unknown key.{suggest_name(key, allowed)} Allowed: {', '.join(allowed)}"


def _keys_at(location: tuple[Any, ...]) -> list[str]:
    """Return the keys allowed where pydantic found an unknown one; below ``physics`` it names the engine."""
    if len(location) == 1:
        return list(LevelOfTheory.model_fields)
    union = get_args(EngineSettings)[0]
    settings = next(one for one in get_args(union) if location[1] in get_args(one.model_fields["engine"].annotation))
    for part in location[2:-1]:
        settings = settings.model_fields[part].annotation
    return list(getattr(settings, "model_fields", ()))
