"""The console script ``interfaceflow``."""

from __future__ import annotations

import os
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Annotated

import typer

from interfaceflow.cli.doctor import doctor
from interfaceflow.cli.init import init
from interfaceflow.cli.query import query
from interfaceflow.cli.report import report
from interfaceflow.cli.rerun import rerun
from interfaceflow.cli.run import run
from interfaceflow.cli.status import status
from interfaceflow.core.errors import InterfaceflowError
from interfaceflow.core.files import PROJECT_ROOT_VARIABLE

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def show_version(asked: bool) -> None:
    """Print the version and stop, where that is asked for."""
    if asked:
        from importlib.metadata import version

        typer.echo(f"interfaceflow {version('interfaceflow')}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=show_version, is_eager=True, help="Show the version and stop.")
    ] = False,
) -> None:
    """Tell from two crystals whether lithium crosses their interface, and whether it holds."""


for command in (run, status, rerun, query, report, doctor, init):
    app.command()(command)


def main() -> None:
    """Run a command; exit code 0, 1 where a calculation failed, 2 for wrong input, 130 after an interrupt."""
    os.environ[PROJECT_ROOT_VARIABLE] = str(Path.cwd())
    sys.exit(run_command(sys.argv[1:]))


def run_command(arguments: list[str]) -> int:
    """Run a command and return its exit code.

    Parameters
    ----------
    arguments
        Words after ``interfaceflow``.
    """
    try:
        app(arguments, prog_name="interfaceflow")
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 1
    except InterfaceflowError as error:
        typer.echo(f"error: {error}", err=True)
        return error.exit_code
    except Exception as error:
        log = _write_log(arguments)
        typer.echo(
            f"error: {type(error).__name__}: {error}\n"
            f"This is a fault of interfaceflow, not of your input. The details are in {log}",
            err=True,
        )
        return 1
    return 0


def _write_log(arguments: list[str]) -> Path:
    with tempfile.NamedTemporaryFile(
        "w", prefix="interfaceflow-", suffix=".log", delete=False, encoding="utf-8"
    ) as stream:
        stream.write(f"interfaceflow {' '.join(arguments)}\n\n{traceback.format_exc()}")
    return Path(stream.name)
