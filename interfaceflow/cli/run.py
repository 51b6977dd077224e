"""``interfaceflow run``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from interfaceflow.launch.run import FinishedRun
    from interfaceflow.store import FlowResults

REPORT = Path("report.html")


def run(
    config: Annotated[Path, typer.Argument(help="Config file of a recipe (YAML).")],
    new: Annotated[bool, typer.Option("--new", help="Start another flow, whatever this folder holds.")] = False,
) -> None:
    """Run a config to its report, or go on with it.

    Builds, learns, produces, analyses and reports, here and now, in the current folder. After Ctrl-C or a kill the
    same command goes on; no finished job is repeated.
    """
    from interfaceflow.cli.progress import shown_progress
    from interfaceflow.launch.run import run_config

    with shown_progress() as observer:
        finished = run_config(config, observer, afresh=new)
    if finished.status == "interrupted":
        typer.echo(f"interrupted; to go on: interfaceflow run {config}", err=True)
        raise typer.Exit(130)
    if finished.status == "failed":
        _explain_failures(finished, config)
    if finished.status == "already finished":
        typer.echo("this config was already finished in this folder: nothing was computed (--new starts afresh)")
    write_report(finished.results, REPORT)
    show_results(finished.results)
    typer.echo(f"report: {REPORT.resolve()}")
    if finished.status == "failed":
        raise typer.Exit(1)


def show_results(results: FlowResults) -> None:
    """Print the tables of a flow's results."""
    from interfaceflow.cli.text import align
    from interfaceflow.report.summary import summary_tables

    for table in summary_tables(results):
        typer.echo("\n".join(["", table.title, align(table.columns, table.rows), *table.notes]))
    typer.echo("")


def write_report(results: FlowResults, path: Path) -> None:
    """Write the HTML report, as a whole or not at all."""
    from interfaceflow.core.errors import UserInputError
    from interfaceflow.core.files import write_atomically
    from interfaceflow.report import build_report

    page = build_report(results)
    try:
        write_atomically(path.resolve(), page)
    except OSError as error:
        raise UserInputError(
            f"{path}: the report cannot be written ({error.strerror}); the results are safe, "
            "write it elsewhere with: interfaceflow report --output FILE"
        ) from None


def _explain_failures(finished: FinishedRun, config: Path) -> None:
    failed = finished.state.in_state("FIZZLED")
    waiting = finished.state.in_state("WAITING")
    lines = [f"{len(failed)} of {len(finished.state.jobs)} jobs failed, {len(waiting)} wait for them:"]
    for job in failed:
        lines += [f"  {job.name} ({job.uuid[:8]}): {job.error}", f"    its log: {job.launch_folder}/log"]
    lines += ["When the cause is removed, run them again and go on:"]
    lines += [f"  interfaceflow rerun {finished.record.flow_uuid[:8]} && interfaceflow run {config}"]
    lines += ["Where the cause is in the config, correct it and start afresh:"]
    lines += [f"  interfaceflow run {config} --new"]
    typer.echo("\n".join(lines), err=True)
