"""``interfaceflow init``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def init(
    recipe: Annotated[str, typer.Argument(help="Name of a recipe, such as decomposition_interfaces.")],
    folder: Annotated[Path | None, typer.Argument(help="New folder; named as the recipe if not given.")] = None,
) -> None:
    """Copy a recipe to a folder, to edit."""
    from interfaceflow.launch.recipes import copy_recipe, what_to_bring

    target = folder if folder is not None else Path(recipe)
    written = copy_recipe(recipe, target)
    typer.echo(f"{target}: {', '.join(written)}")
    note = what_to_bring(recipe)
    if note is not None:
        typer.echo(note)
    typer.echo(f"edit a config there, then: cd {target} && interfaceflow run {written[0]}")
