"""``interfaceflow query``."""

from __future__ import annotations

from typing import Annotated

import typer


def query(
    kind: Annotated[str, typer.Argument(help="transport, energetics, surface-energies, rounds, potentials, ...")],
    where: Annotated[
        list[str] | None, typer.Option("--where", help="Filter, such as 'temperature_K>300'; may be repeated.")
    ] = None,
    flow: Annotated[
        str | None, typer.Option("--flow", help="Beginning of a flow's uuid; the newest if not given.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON array and nothing else.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print comma-separated values.")] = False,
) -> None:
    """Print results of one kind as a table.

    Units are in the names of the columns. Works while a run is going on.
    """
    from interfaceflow.cli.text import show_frame
    from interfaceflow.store import open_project

    if as_json and as_csv:
        raise typer.BadParameter("--json and --csv exclude each other")
    table = open_project().query(kind, where or (), flow)
    if as_json:
        typer.echo(table.to_json(orient="records", double_precision=15, force_ascii=False))
    elif as_csv:
        typer.echo(table.to_csv(index=False), nl=False)
    else:
        typer.echo(show_frame(table))
