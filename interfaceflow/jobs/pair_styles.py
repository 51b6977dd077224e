"""A stored potential as LAMMPS commands."""

from __future__ import annotations

from interfaceflow.dynamics.pair_style import GradeSource, PairStyle
from interfaceflow.schemas.datasets import PotentialDoc


def mtp_pair_style(potential: PotentialDoc) -> PairStyle:
    """Return the LAMMPS commands of a moment tensor potential and its extrapolation grade by neighbourhood."""
    return PairStyle(
        elements=potential.species,
        commands=(f'pair_style mtp/extrapolation "{potential.file.path()}"', "pair_coeff * *"),
        grade=GradeSource(
            commands=("fix grade all pair {every} mtp/extrapolation extrapolation 1",), per_atom="f_grade"
        ),
        identity=potential.file.sha256,
    )
