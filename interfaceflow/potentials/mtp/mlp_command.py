"""The console script ``interfaceflow-mlp``: the built-in engine behind MLIP-3's command lines.

Exit status: 0 where the command did what it says, 2 where its input cannot be used (nothing was written then), 1 for
anything else. ``mlp`` itself also returns 0 for a misused command.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType

from interfaceflow.core.errors import InterfaceflowError, UserInputError, suggest_name

PROGRAM = "interfaceflow-mlp"


def main(words: Sequence[str] | None = None) -> int:
    """Run one command line; return the exit status.

    Parameters
    ----------
    words
        Without the program's name; None for those of the process.
    """
    given = list(sys.argv[1:] if words is None else words)
    # Matrices here are small: threads of the linear algebra would mostly wait for one another, and --threads rules.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    signal.signal(signal.SIGTERM, _leave)
    try:
        return _run(given)
    except InterfaceflowError as error:
        sys.stderr.write(f"ERROR: {error}\n")
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    except OSError as error:
        sys.stderr.write(f"ERROR: {error}\n")
        return 1


def _leave(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


def _run(words: list[str]) -> int:
    from interfaceflow.potentials.mtp.commands import COMMANDS

    name = words[0] if words else "help"
    commands = {command.name: command for command in COMMANDS}
    if name in ("help", "--help", "-h", "list"):
        return _help(words[1:], name)
    command = commands.get(name)
    if command is None:
        known = (*commands, "list", "help")
        raise UserInputError(
            f"command {name!r} does not exist.{suggest_name(name, known)} Commands are {', '.join(known)}"
        )
    positional, values = command.parse(words[1:], PROGRAM)
    command.run(positional, values)
    return 0


def _help(words: Sequence[str], name: str) -> int:
    from interfaceflow.potentials.mtp.commands import COMMANDS

    commands = {command.name: command for command in COMMANDS}
    wanted = [word for word in words if name != "list"]
    unknown = [word for word in wanted if word not in commands]
    if unknown:
        raise UserInputError(
            f"command {unknown[0]!r} does not exist.{suggest_name(unknown[0], commands)} "
            f"Commands are {', '.join(commands)}"
        )
    lines = [f"{PROGRAM}: moment tensor potentials with MLIP-3's commands and files"]
    if wanted:
        lines = [commands[word].usage(PROGRAM) for word in wanted]
    else:
        if name != "list":
            lines += [f"{PROGRAM} help [command]    how a command is called", f"{PROGRAM} list    all commands"]
        lines.append("List of available commands:")
        lines += [f"    {command.name}: {command.summary}" for command in COMMANDS]
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
