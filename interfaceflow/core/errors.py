"""Errors a user can meet, and the near-miss names they suggest.

InterfaceflowError           anything this package raises on purpose
├── UserInputError           the input is wrong; nothing was computed (exit code 2)
│   ├── DataFileError        a file is truncated, damaged or of another kind
│   └── ProjectLockedError   another process holds the project folder
├── ExternalProgramError     a program we called did not do what it was asked
└── CalculationError         a calculation ran and gave nothing usable
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class InterfaceflowError(Exception):
    """Base of every error raised on purpose; its text is written for the user."""

    exit_code = 1


class UserInputError(InterfaceflowError):
    """The input cannot be used. The text says what was given, what is allowed and what to do."""

    exit_code = 2


class DataFileError(UserInputError):
    """A data file is missing, truncated, damaged or of another kind than asked for."""


class ProjectLockedError(UserInputError):
    """Another process holds the project folder."""


class ExternalProgramError(InterfaceflowError):
    """A program called as a subprocess failed, or left something that cannot be trusted."""


class CalculationError(InterfaceflowError):
    """A calculation ran but gave nothing that can be used."""


def suggest_name(given: str, allowed: Iterable[str]) -> str:
    """Return ``" Did you mean 'x'?"`` for the nearest allowed name, or an empty string.

    Parameters
    ----------
    given
        The name that was not recognised.
    allowed
        The names that are.
    """
    by_folded_name = {name.casefold(): name for name in allowed}
    nearest = get_close_matches(given.casefold(), by_folded_name, n=1, cutoff=0.5)
    return f" Did you mean {by_folded_name[nearest[0]]!r}?" if nearest else ""
