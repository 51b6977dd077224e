"""The console script ``interfaceflow``."""

from __future__ import annotations

import sys
import tempfile
import traceback
from pathlib import Path

import typer

from interfaceflow.cli.doctor import doctor
from interfaceflow.cli.init import init
from interfaceflow.cli.query import query
from interfaceflow.cli.report import report
from interfaceflow.cli.rerun import rerun
from interfaceflow.cli.run import run
from interfaceflow.cli.status import status
from interfaceflow.core.errors import InterfaceflowError

app = typer.Typer(
    help="From two crystals to a transport verdict: does lithium cross the interface, and does it hold?",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
for command in (run, status, rerun, query, report, doctor, init):
    app.command()(command)


def main() -> None:
    """Run a command; exit code 0, 1 where a calculation failed, 2 for wrong input, 130 after an interrupt."""
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
