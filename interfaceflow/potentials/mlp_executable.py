"""Which ``mlp`` is used, and what it is: the built-in engine, MLIP-3, or something to refuse."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from interfaceflow.core.errors import UserInputError

MLP_VARIABLE = "INTERFACEFLOW_MLP"
"""Environment variable that names a site's own ``mlp``."""

_PROBE_TIMEOUT_S = 60.0
_COMMANDS_OF_MLIP_2 = ("calc-grade", "select-add", "calc-efs")
_COMMANDS_OF_MLIP_3 = ("train", "select_add", "calculate_grade")
_WHAT_TO_DO = "give the path of an MLIP-3 binary, or leave it out to use the built-in engine"


@dataclass(frozen=True)
class MlpExecutable:
    """An executable that has been asked what it is.

    Attributes
    ----------
    command
        Words of the command line that run it.
    named_by
        What it is called in messages: the built-in engine, or the path and who named it.
    version
        First line of its list of commands.
    is_built_in
        Whether it is this package's own engine.
    """

    command: tuple[str, ...]
    named_by: str
    version: str
    is_built_in: bool

    @classmethod
    def find(cls, executable: Path | str | None = None) -> MlpExecutable:
        """Return the executable to use.

        Parameters
        ----------
        executable
            Path of a site's ``mlp``; None for the one that ``INTERFACEFLOW_MLP`` names, or the built-in engine.

        Raises
        ------
        UserInputError
            If it is missing, cannot be executed, is MLIP-2, or is no ``mlp`` at all.
        """
        command, named_by = _resolve(executable)
        listing = _list_commands(command, named_by)
        if any(word in listing for word in _COMMANDS_OF_MLIP_2):
            raise UserInputError(
                f"{named_by} is MLIP-2 (its commands are {', '.join(_COMMANDS_OF_MLIP_2)}, ...); needed is MLIP-3: "
                f"{_WHAT_TO_DO}, which reads MLIP-2's potentials"
            )
        if not all(word in listing for word in _COMMANDS_OF_MLIP_3):
            shown = listing.strip()[:200] or "nothing"
            raise UserInputError(
                f"{named_by} is no 'mlp' of MLIP-3: asked for its commands with 'list' it printed {shown!r}; "
                f"{_WHAT_TO_DO}"
            )
        version = listing.strip().splitlines()[0]
        return cls(command, named_by, version, is_built_in="interfaceflow-mlp" in version)


def _resolve(executable: Path | str | None) -> tuple[tuple[str, ...], str]:
    """Return the command, and in words where it was named."""
    from_environment = os.environ.get(MLP_VARIABLE)
    if executable is None and not from_environment:
        script = Path(sys.executable).parent / "interfaceflow-mlp"
        if os.access(script, os.X_OK):
            return (str(script),), "the built-in engine"
        return (sys.executable, "-m", "interfaceflow.potentials.mtp.mlp_command"), "the built-in engine"
    path = Path(executable if executable is not None else str(from_environment)).expanduser()
    named_by = f"the mlp executable {path}" + ("" if executable is not None else f" (from {MLP_VARIABLE})")
    if path.is_dir():
        raise UserInputError(f"{named_by} is a folder; {_WHAT_TO_DO}")
    if not path.is_file():
        raise UserInputError(f"{named_by} does not exist; {_WHAT_TO_DO}")
    if not os.access(path, os.X_OK):
        raise UserInputError(f"{named_by} is not executable; 'chmod +x' it, or {_WHAT_TO_DO}")
    return (str(path.resolve()),), named_by


def _list_commands(command: tuple[str, ...], named_by: str) -> str:
    """Return what the executable prints as its list of commands."""
    try:
        answer = subprocess.run(
            [*command, "list"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_PROBE_TIMEOUT_S,
            check=False,
            text=True,
            errors="replace",
        )
    except OSError as problem:
        raise UserInputError(f"{named_by} cannot be run: {problem.strerror or problem}; {_WHAT_TO_DO}") from problem
    except subprocess.TimeoutExpired:
        raise UserInputError(
            f"{named_by} did not answer 'list' within {_PROBE_TIMEOUT_S:.0f} s; {_WHAT_TO_DO}"
        ) from None
    return answer.stdout
