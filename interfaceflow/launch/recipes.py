"""Installed recipes, and copies of them to edit."""

from __future__ import annotations

import shutil
from importlib.resources import files
from pathlib import Path

from interfaceflow.core.errors import UserInputError, suggest_name


def installed_recipes() -> list[str]:
    """Return the names of the installed recipes: those that have configs."""
    return sorted(entry.name for entry in _configs().iterdir() if entry.is_dir() and any(entry.glob("*.yaml")))


def recipe_structures(recipe: str) -> Path:
    """Return the folder with an installed recipe's structures."""
    return Path(str(files("interfaceflow.workflows") / recipe / "structures"))


def copy_recipe(recipe: str, target: Path) -> list[str]:
    """Copy a recipe's configs and structures into a folder.

    Parameters
    ----------
    recipe
        Name of the recipe.
    target
        Folder to fill; made where it is not there.

    Returns
    -------
    list of str
        Names of the files, ``smoke.yaml`` first where the recipe has it.

    Raises
    ------
    UserInputError
        If there is no such recipe, a file would be overwritten, or the folder cannot be written.
    """
    known = installed_recipes()
    if recipe not in known:
        raise UserInputError(
            f"there is no recipe {recipe!r}.{suggest_name(recipe, known)} Installed recipes: {', '.join(known)}"
        )
    configs = sorted((_configs() / recipe).glob("*.yaml"), key=lambda path: (path.stem != "smoke", path.name))
    sources = [*configs, *sorted(recipe_structures(recipe).glob("*.cif"))]
    there = [source.name for source in sources if (target / source.name).exists()]
    if there:
        raise UserInputError(
            f"{target} already holds {', '.join(there)}; nothing was overwritten. Give a folder without them"
        )
    try:
        target.mkdir(parents=True, exist_ok=True)
        for source in sources:
            shutil.copyfile(source, target / source.name)
    except OSError as error:
        raise UserInputError(f"{target}: cannot be written ({error.strerror})") from None
    return [source.name for source in sources]


def what_to_bring(recipe: str) -> str | None:
    """Return what a recipe wants said to who starts from it, such as which files of their own to bring."""
    note = Path(str(files("interfaceflow.workflows") / recipe / "init.txt"))
    return note.read_text(encoding="utf-8").strip() if note.is_file() else None


def _configs() -> Path:
    return Path(str(files("interfaceflow.configs") / "recipes"))
