"""Kinds of potentials: what differs between them, each in a module with one object, ``KIND``.

To add one, write its settings class and its part of `PotentialDoc`, a module here, and enter it below.
"""

from __future__ import annotations

from importlib import import_module
from typing import Final

from interfaceflow.jobs.potential_kinds.kind import PotentialKind

_MODULES: Final = {"mtp": "mtp", "nequip": "nequip", "ase": "ase_calculator"}


def kind_of(name: str) -> PotentialKind:
    """Return a kind of potential by its name in settings and Docs."""
    kind: PotentialKind = import_module(f"{__name__}.{_MODULES[name]}").KIND
    return kind
