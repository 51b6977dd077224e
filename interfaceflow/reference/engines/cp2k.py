"""The CP2K engine: Kühne et al., J. Chem. Phys. 152, 194103 (2020), doi:10.1063/5.0007045.

Its calculations run as jobs of their own, by the Makers in ``interfaceflow.jobs.reference``, never as an ASE calculator
in the worker pool.
"""

from __future__ import annotations

from ase.calculators.calculator import Calculator

from interfaceflow.core.errors import CalculationError
from interfaceflow.reference.cp2k.installation import check_ready
from interfaceflow.reference.engines.engine import Engine
from interfaceflow.schemas.level_of_theory import LevelOfTheory


def _make_calculator(level: LevelOfTheory) -> Calculator:
    raise CalculationError(f"{level.name}: CP2K has no calculator in this process; it runs as jobs of its own")


ENGINE = Engine(
    name="cp2k",
    packages=("atomate2", "custodian", "pymatgen", "ase"),
    elements=frozenset(),
    charged_cells=True,
    make_calculator=_make_calculator,
    check_ready=check_ready,
)
