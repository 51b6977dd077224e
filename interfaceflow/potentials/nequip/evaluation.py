"""A network on many configurations."""

from __future__ import annotations

from collections.abc import Sequence

from ase import Atoms

from interfaceflow.core.formats.configuration import Configuration
from interfaceflow.core.progress import Progress, SilentProgress
from interfaceflow.potentials.nequip.model import NequIPModel, NequIPResult


def evaluate_nequip(
    model: NequIPModel, configurations: Sequence[Atoms], *, progress: Progress | None = None
) -> list[NequIPResult]:
    """Compute energies, forces, stresses and features of configurations, in their order.

    Parameters
    ----------
    model
        The network.
    configurations
        Of any sizes.
    progress
        Told of each configuration.
    """
    report = progress or SilentProgress()
    report.start(len(configurations), "configuration", "Computing with the network")
    results = []
    for atoms in configurations:
        results.append(model.compute(atoms))
        report.advance()
    return results


def as_configuration(atoms: Atoms, result: NequIPResult, species: Sequence[str]) -> Configuration:
    """Return a computed configuration in the form in which potentials are compared (`compare_labels`)."""
    return Configuration.from_atoms(
        atoms, species, energy=result.energy_eV, forces=result.forces_eV_A, stress=result.stress_eV_A3
    )
