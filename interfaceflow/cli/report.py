"""``interfaceflow report``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def report(
    flow: Annotated[str | None, typer.Argument(help="Beginning of a flow's uuid; the newest if not given.")] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="File to write.")] = Path("report.html"),
) -> None:
    """Write the HTML page of a flow.

    Shows what the flow has so far; works while a run is going on.
    """
    from interfaceflow.cli.run import write_report
    from interfaceflow.store import open_project

    write_report(open_project().load_results(flow), output)
    typer.echo(f"report: {output.resolve()}")
