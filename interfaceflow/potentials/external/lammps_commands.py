"""The commands that give LAMMPS' atoms the forces of a potential beside it, and the program that carries them out."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Final

FORCE_FIX: Final = "external_potential"
GRADE_PROPERTY: Final = "extrapolation_grade"
GRADE_EVERY: Final = "extrapolation_grade_every"
PER_ATOM_GRADE: Final = "c_extrapolation_grade"

_PROGRAM: Final = "interfaceflow.potentials.external.lammps_process"


def external_program(kind: str, species: Sequence[str], words: Sequence[str]) -> tuple[str, ...]:
    """Return the words that start the program, to which LAMMPS' own options are added.

    Parameters
    ----------
    kind
        Kind of potential.
    species
        Chemical symbols in the order of LAMMPS' types.
    words
        What else the kind needs: files, device.
    """
    return (sys.executable, "-m", _PROGRAM, kind, ",".join(species), *words)


def external_commands(cutoff_A: float) -> tuple[str, ...]:
    """Return the commands that take forces, energy and virial from the program.

    Parameters
    ----------
    cutoff_A
        Distance up to which LAMMPS itself knows of neighbours [Å]. The forces do not depend on it.
    """
    return (
        f"pair_style zero {cutoff_A:.10g} nocoeff",
        "pair_coeff * *",
        f"fix {FORCE_FIX} all external pf/callback 1 1",
        f"fix_modify {FORCE_FIX} energy yes virial yes",
    )


def grade_commands() -> tuple[str, ...]:
    """Return the commands that take the grade of each atom from the program, every ``{every}`` steps."""
    return (
        f"fix {GRADE_PROPERTY} all property/atom d_{GRADE_PROPERTY}",
        f"compute {GRADE_PROPERTY} all property/atom d_{GRADE_PROPERTY}",
        f"variable {GRADE_EVERY} equal {{every}}",
    )
