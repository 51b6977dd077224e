"""GPAW as an ASE calculator that a worker keeps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ase import Atoms
from ase.calculators.calculator import all_changes

from interfaceflow.reference.engines.engine import ChargeAwareCalculator, charge_of
from interfaceflow.reference.engines.gpaw.ground_state import GroundStateResults


class GroundStateSource(Protocol):
    """What computes ground states: in this process, or on several MPI ranks."""

    def compute(self, atoms: Atoms, charge_e: float) -> GroundStateResults:
        """Compute a periodic configuration."""


class GpawCalculator(ChargeAwareCalculator):
    """GPAW as an ASE calculator: all results of a configuration at once, its charge taken from ``info["charge_e"]``.

    Parameters
    ----------
    source
        What computes.
    """

    implemented_properties = ["energy", "free_energy", "forces", "stress", "magmoms"]  # noqa: RUF012 - as ASE has it

    def __init__(self, source: GroundStateSource) -> None:
        super().__init__()
        self._source = source

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = tuple(all_changes),
    ) -> None:
        """Compute all properties of a periodic configuration."""
        assert atoms is not None
        super().calculate(atoms, list(properties), list(system_changes))  # type: ignore[no-untyped-call]
        bare = Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=True)
        self.results = dict(self._source.compute(bare, charge_of(atoms)))
