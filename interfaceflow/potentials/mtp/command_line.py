"""Command lines in the form of MLIP's ``mlp``: ``COMMAND positional... --key=value``, strictly checked."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from interfaceflow.core.errors import UserInputError, suggest_name

T = TypeVar("T")


@dataclass(frozen=True)
class Option(Generic[T]):
    """One ``--name=value`` of a command.

    Attributes
    ----------
    name
        Without the dashes.
    parse
        Turns the text into the value; raises ValueError where it cannot.
    allowed
        In words, for messages.
    default
        Value where the option is not given.
    help
        One line.
    """

    name: str
    parse: Callable[[str], T]
    allowed: str
    default: T
    help: str


def text(name: str, default: str, help: str) -> Option[str]:
    """Return an option that takes a file name or a word."""
    return Option(name, _filled, "a name", default, help)


def flag(name: str, default: bool, help: str) -> Option[bool]:  # noqa: FBT001 - a value, not a switch
    """Return an option that is true or false."""
    return Option(name, _boolean, "true or false", default, help)


def number(name: str, default: float, help: str) -> Option[float]:
    """Return an option that is a non-negative number."""
    return Option(name, _non_negative, "a number from 0 up", default, help)


def integer(name: str, default: int, help: str, *, low: int = 0, high: int | None = None) -> Option[int]:
    """Return an option that is an integer within bounds."""

    def parse(given: str) -> int:
        value = int(given)
        if value < low or (high is not None and value > high):
            raise ValueError
        return value

    bounds = f"from {low} up" if high is None else f"from {low} to {high}"
    return Option(name, parse, f"an integer {bounds}", default, help)


def choice(name: str, values: Sequence[str], default: str, help: str) -> Option[str]:
    """Return an option that is one of some words."""

    def parse(given: str) -> str:
        if given not in values:
            raise ValueError
        return given

    return Option(name, parse, " or ".join(values), default, help)


def _filled(given: str) -> str:
    if not given:
        raise ValueError
    return given


def _boolean(given: str) -> bool:
    return {"true": True, "false": False}[given.lower()]


def _non_negative(given: str) -> float:
    value = float(given)
    if not (math.isfinite(value) and value >= 0):
        raise ValueError
    return value


class Values:
    """The values of a command's options, given or default."""

    def __init__(self, values: Mapping[str, object]) -> None:
        self._values = values

    def __getitem__(self, option: Option[T]) -> T:
        value: T = self._values[option.name]  # type: ignore[assignment]
        return value


@dataclass(frozen=True)
class Command:
    """One command: its arguments, its options and what it does.

    Attributes
    ----------
    name, summary
        Its name, and what it does in one line.
    arguments
        Names of the positional arguments; one in brackets may be left out.
    options
        What it takes as ``--name=value``.
    run
        Does it, given the positional arguments and the options' values.
    """

    name: str
    summary: str
    arguments: tuple[str, ...]
    options: tuple[Option[str] | Option[bool] | Option[int] | Option[float], ...]
    run: Callable[[Sequence[str], Values], None]

    def usage(self, program: str) -> str:
        """Return how it is called."""
        lines = [
            " ".join([program, self.name, *self.arguments, "[--option=value ...]" if self.options else ""]).rstrip()
        ]
        lines.append(f"    {self.summary}")
        lines += [
            f"    --{option.name}=<{option.allowed}>: {option.help} Default: {_shown(option.default)}"
            for option in self.options
        ]
        return "\n".join(lines)

    def parse(self, words: Sequence[str], program: str) -> tuple[tuple[str, ...], Values]:
        """Return the positional arguments and the options' values.

        Raises
        ------
        UserInputError
            If there are too few or too many arguments, or an option is unknown or its value not allowed.
        """
        positional: list[str] = []
        values: dict[str, object] = {option.name: option.default for option in self.options}
        by_name = {option.name: option for option in self.options}
        for word in words:
            if not word.startswith("-") or word == "-":
                positional.append(word)
                continue
            name, equals, given = word.removeprefix("--").partition("=")
            option = by_name.get(name)
            if option is None or not word.startswith("--"):
                raise UserInputError(
                    f"{self.name}: unknown option {word!r}.{suggest_name(name.lstrip('-'), by_name)} "
                    f"Options are {', '.join(f'--{known}=' for known in by_name) or 'none'}; "
                    f"see '{program} help {self.name}'"
                )
            try:
                values[name] = option.parse(given if equals else "true")
            except (ValueError, KeyError):
                raise UserInputError(f"{self.name}: {word!r}: allowed is --{name}=<{option.allowed}>") from None
        least = sum(not argument.startswith("[") for argument in self.arguments)
        if not least <= len(positional) <= len(self.arguments):
            raise UserInputError(
                f"{self.name}: {len(positional)} arguments given, needed are {' '.join(self.arguments) or 'none'}; "
                f"see '{program} help {self.name}'"
            )
        return tuple(positional), Values(values)


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value) or "none"


THREADS = integer("threads", 1, "threads to use; results do not depend on it.", low=1, high=1024)
LOG = text("log", "stdout", "file for the log; stdout, stderr or none.")
