"""VASP's entry among the engines: what it can compute. Its calculations run as atomate2 jobs, not by a calculator."""

from __future__ import annotations

from typing import NoReturn

from interfaceflow.core.errors import UserInputError
from interfaceflow.reference.engines.engine import Engine
from interfaceflow.schemas.level_of_theory import LevelOfTheory


def _refuse_calculator(level: LevelOfTheory) -> NoReturn:
    raise UserInputError(
        f"the level of theory {level.name!r} runs VASP, one job a calculation, and cannot be called from a step that "
        "computes in its own process; choose chgnet, gpaw-pbe or gfn1-xtb for that step"
    )


ENGINE = Engine(
    name="vasp",
    packages=("atomate2", "custodian", "pymatgen"),
    elements=frozenset(),
    charged_cells=True,
    make_calculator=_refuse_calculator,
)
