"""``interfaceflow status``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def status(
    flow: Annotated[str | None, typer.Argument(help="Beginning of a flow's uuid; the newest if not given.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON array and nothing else.")] = False,
) -> None:
    """Show what runs, waits and failed, and why.

    Works while a run is going on.
    """
    import json

    from interfaceflow.cli.text import align
    from interfaceflow.launch.status import flow_status

    shown = flow_status(Path.cwd().resolve(), flow)
    if as_json:
        jobs = shown.state.jobs.values()
        typer.echo(
            json.dumps([{name: getattr(job, name) for name in ("uuid", "name", "state", "launches")} for job in jobs])
        )
        return
    typer.echo(f"flow {shown.record.flow_uuid[:8]}: {shown.record.title} ({shown.record.config_path})")
    typer.echo(align(("uuid", "job", "state", "launches", "time", "progress"), shown.table()))
    typer.echo(shown.summary())
    if refused := shown.quarantine():
        typer.echo(refused)
    for job in shown.failures():
        typer.echo(f"failed: {job.name} ({job.uuid[:8]}): {job.error}\n    its log: {job.launch_folder}/log")
    if shown.failures():
        typer.echo(f"to run failed jobs again: interfaceflow rerun {shown.record.flow_uuid[:8]}")
