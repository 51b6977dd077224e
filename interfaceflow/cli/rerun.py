"""``interfaceflow rerun``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def rerun(
    flow: Annotated[str | None, typer.Argument(help="Beginning of a flow's uuid; the newest if not given.")] = None,
    failed: Annotated[
        bool, typer.Option("--failed", help="Its failed jobs; this is what happens without --job.")
    ] = False,
    job: Annotated[
        str | None, typer.Option("--job", help="Beginning of a job's uuid: that job and what follows.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would run again.")] = False,
) -> None:
    """Put failed jobs, or one job, back to be run.

    Their earlier outputs are removed. A finished job that added jobs to the flow is never repeated.
    """
    from interfaceflow.launch.rerun import rerun_jobs

    if flow is None and job is None and not failed:
        raise typer.BadParameter("say what to run again: a flow, --failed, or --job UUID")
    if failed and job is not None:
        raise typer.BadParameter("--failed and --job exclude each other")
    done = rerun_jobs(Path.cwd().resolve(), flow, job, dry_run=dry_run)
    again = "would run again" if dry_run else "will run again, their earlier outputs are removed"
    typer.echo(f"{len(done.plan.cleared)} jobs {again}:")
    for entry in done.plan.cleared:
        typer.echo(f"  {entry.uuid[:8]}  {entry.name}  (was {entry.state})")
    if not dry_run:
        typer.echo(f"go on with: interfaceflow run {done.record.config_path}")
