"""The GFN-xTB engine: Grimme, Bannwarth and Shushkov, J. Chem. Theory Comput. 13, 1989 (2017).

doi:10.1021/acs.jctc.7b00118; GFN2: doi:10.1021/acs.jctc.8b01176. tblite computes it at the Gamma point alone. Here a
cell is repeated until Gamma of the repeated cell stands for a mesh of the spacing that was asked for, so that cells of
every size are sampled alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any, Final

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from ase.data import chemical_symbols

from interfaceflow.core.errors import CalculationError, UserInputError
from interfaceflow.reference.engines.engine import ChargeAwareCalculator, Engine, charge_of
from interfaceflow.reference.kpoints import mesh_of
from interfaceflow.schemas.level_of_theory import LevelOfTheory
from interfaceflow.schemas.tblite import TbliteSettings

_LARGEST_ATOMIC_NUMBER: Final = 86


class TbliteCalculator(ChargeAwareCalculator):
    """GFN-xTB of a periodic cell as an ASE calculator.

    The energy holds the entropy of the electrons at their temperature, and the forces are its gradient: ``energy`` and
    ``free_energy`` are the same number. A charged cell sits in a uniform background of the opposite charge.

    Parameters
    ----------
    settings
        Everything that changes a label.
    """

    implemented_properties = ["energy", "free_energy", "forces", "stress", "charges"]  # noqa: RUF012 - as ASE has it

    def __init__(self, settings: TbliteSettings) -> None:
        super().__init__()
        self._settings = settings

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = tuple(all_changes),
    ) -> None:
        """Compute all properties of a periodic configuration.

        Raises
        ------
        CalculationError
            If the charges did not become self-consistent.
        """
        from ase.calculators.calculator import CalculationFailed

        assert atoms is not None
        super().calculate(atoms, list(properties), list(system_changes))  # type: ignore[no-untyped-call]
        mesh = mesh_of(atoms.cell, self._settings.k_spacing_per_A)
        n_copies = int(np.prod(mesh))
        repeated = Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=True).repeat(mesh)
        inner = self._new_calculator(n_copies * charge_of(atoms))
        try:
            inner.calculate(repeated)
        except CalculationFailed as error:
            raise CalculationError(f"the calculation did not converge (tblite: {error})") from None
        found = inner.results
        self.results = {
            "energy": found["energy"] / n_copies,
            "free_energy": found["energy"] / n_copies,
            "forces": found["forces"].reshape(n_copies, len(atoms), 3).mean(axis=0),
            "stress": found["stress"].copy(),
            "charges": found["charges"].reshape(n_copies, len(atoms)).mean(axis=0),
        }

    def _new_calculator(self, charge_e: float) -> Any:
        """Return tblite's calculator without anything left from the last configuration.

        Starting from the last charges saves little, and a label that depends on what came before it is worth less.
        """
        from tblite.ase import TBLite

        settings = self._settings
        return TBLite(
            method=settings.method,
            charge=charge_e,
            electronic_temperature=settings.electronic_temperature_K,
            accuracy=settings.accuracy,
            max_iterations=settings.max_iterations,
            verbosity=0,
        )


def _check_ready(level: LevelOfTheory, elements: frozenset[str]) -> None:
    if find_spec("tblite") is None:
        raise UserInputError(f"{level.name}: tblite is not installed; pip install 'interfaceflow[xtb]'")


def _make_calculator(level: LevelOfTheory) -> Calculator:
    settings = level.physics
    assert isinstance(settings, TbliteSettings)
    return TbliteCalculator(settings)


ENGINE = Engine(
    name="tblite",
    packages=("tblite", "ase"),
    elements=frozenset(chemical_symbols[1 : _LARGEST_ATOMIC_NUMBER + 1]),
    charged_cells=True,
    make_calculator=_make_calculator,
    check_ready=_check_ready,
)
