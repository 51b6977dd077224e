"""What every kind of potential does for the jobs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ase import Atoms

from interfaceflow.core.formats.configuration import Configuration
from interfaceflow.core.labelled import LabelledConfiguration
from interfaceflow.datasets.vacuum import has_vacuum
from interfaceflow.dynamics.pair_style import PairStyle
from interfaceflow.jobs.wiring import Category
from interfaceflow.jobs.workspace import Workspace
from interfaceflow.schemas.datasets import DatasetDoc, PotentialDoc
from interfaceflow.schemas.settings import PotentialSettings, Precision


class PotentialKind(Protocol):
    """A kind of potential: how it is fitted, asked, extended and run."""

    def category(self, settings: PotentialSettings) -> Category:
        """Return the kind of resources that fitting and running it needs."""
        ...

    def fit(
        self,
        workspace: Workspace,
        dataset: DatasetDoc,
        settings: PotentialSettings,
        seed: int,
        previous: PotentialDoc | None,
    ) -> PotentialDoc:
        """Fit a potential to a dataset, from scratch or going on from a previous one."""
        ...

    def compute(
        self, workspace: Workspace, potential: PotentialDoc, labelled: Sequence[LabelledConfiguration]
    ) -> list[Configuration]:
        """Return the labelled configurations with the potential's energies, forces and stresses."""
        ...

    def select(
        self,
        workspace: Workspace,
        candidates: Sequence[Atoms],
        dataset: DatasetDoc,
        potential: PotentialDoc,
        settings: PotentialSettings,
    ) -> list[tuple[Atoms, float]]:
        """Choose the candidates that the training set gains most from, each with its largest grade."""
        ...

    def pair_style(self, potential: PotentialDoc, precision: Precision) -> PairStyle:
        """Return what LAMMPS has to be told about it."""
        ...


def as_configurations(labelled: Sequence[LabelledConfiguration], species: Sequence[str]) -> list[Configuration]:
    """Convert labels to configurations: the energy whose gradient the forces are, no stress with vacuum.

    Parameters
    ----------
    labelled
        Configurations with their labels.
    species
        Chemical symbols in the order of the potential's types.
    """
    return [
        Configuration.from_atoms(
            label.atoms,
            species,
            energy=label.free_energy_eV,
            forces=label.forces_eV_A,
            stress=None if has_vacuum(label.atoms) else label.stress_eV_A3,
        )
        for label in labelled
    ]
