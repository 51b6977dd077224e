"""VASP's entry among the engines: what it can compute. Its calculations run as atomate2 jobs, not by a calculator."""

from __future__ import annotations

from typing import NoReturn

from interfaceflow.core.errors import UserInputError
from interfaceflow.reference.engines.engine import Engine
from interfaceflow.reference.vasp.potcars import check_potcars, potcar_root
from interfaceflow.schemas.level_of_theory import LevelOfTheory
from interfaceflow.schemas.vasp import VaspSettings


def _refuse_calculator(level: LevelOfTheory) -> NoReturn:
    raise UserInputError(
        f"the level of theory {level.name!r} runs VASP, one job a calculation, and cannot be called from a step that "
        "computes in its own process; choose chgnet, gpaw-pbe or gfn1-xtb for that step"
    )


def _check_potentials(level: LevelOfTheory, elements: frozenset[str]) -> None:
    """Refuse elements without the potential that the level of theory names; the command is looked for by the jobs."""
    assert isinstance(level.physics, VaspSettings)
    potcar_root()
    check_potcars(level.physics, sorted(elements))


ENGINE = Engine(
    name="vasp",
    packages=("atomate2", "custodian", "pymatgen"),
    elements=frozenset(),
    charged_cells=True,
    make_calculator=_refuse_calculator,
    check_ready=_check_potentials,
)
