"""A stored potential as LAMMPS commands."""

from __future__ import annotations

from itertools import combinations_with_replacement

from ase.data import atomic_numbers

from interfaceflow.dynamics.pair_style import GradeSource, PairStyle
from interfaceflow.schemas.datasets import PotentialDoc
from interfaceflow.schemas.settings import Precision


def mtp_pair_style(potential: PotentialDoc, *, precision: Precision = "double") -> PairStyle:
    """Return the LAMMPS commands of a moment tensor potential and its extrapolation grade by neighbourhood.

    A potential that was fitted to labels without the ZBL repulsion gets it back as an overlay.

    Parameters
    ----------
    potential
        The potential.
    precision
        Of what lies between positions and forces; grades are always computed in double precision.
    """
    return PairStyle(
        elements=potential.species,
        commands=_commands(potential, precision),
        grade=GradeSource(
            commands=("fix grade all pair {every} mtp/extrapolation extrapolation 1",), per_atom="f_grade"
        ),
        identity=_identity(potential, precision),
    )


def _commands(potential: PotentialDoc, precision: Precision) -> tuple[str, ...]:
    style = f'mtp/extrapolation "{potential.file.path()}"'
    if precision == "mixed":
        style += " precision mixed"
    zbl = potential.zbl
    if zbl is None:
        return f"pair_style {style}", "pair_coeff * *"
    numbers = [atomic_numbers[symbol] for symbol in potential.species]
    pairs = combinations_with_replacement(enumerate(numbers, 1), 2)
    return (
        f"pair_style hybrid/overlay {style} zbl {zbl.inner_cutoff_A!r} {zbl.outer_cutoff_A!r}",
        "pair_coeff * * mtp/extrapolation",
        *(f"pair_coeff {i} {j} zbl {first} {second}" for (i, first), (j, second) in pairs),
    )


def _identity(potential: PotentialDoc, precision: Precision) -> str:
    zbl = potential.zbl
    words = [potential.file.sha256]
    if zbl is not None:
        words.append(f"zbl {zbl.inner_cutoff_A!r} {zbl.outer_cutoff_A!r}")
    if precision == "mixed":
        words.append("mixed precision")
    return " ".join(words)
