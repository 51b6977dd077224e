"""What every kind of potential does for the jobs."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ase import Atoms

from interfaceflow.core.formats.configuration import Configuration
from interfaceflow.core.labelled import LabelledConfiguration
from interfaceflow.datasets.vacuum import has_vacuum
from interfaceflow.dynamics.pair_style import PairStyle
from interfaceflow.jobs.wiring import Category
from interfaceflow.jobs.workspace import Workspace
from interfaceflow.potentials.evaluation import Comparison, compare_labels
from interfaceflow.schemas.datasets import DatasetDoc, PotentialDoc
from interfaceflow.schemas.settings import PotentialSettings, Precision, ProductionSettings, SiteNequIPStyle


@dataclass(frozen=True)
class RunChoices:
    """How a potential is run in LAMMPS, where its kind leaves a choice.

    Attributes
    ----------
    precision
        Of what lies between positions and forces of a moment tensor potential.
    site_style, site_command
        Style of a network in a site's own LAMMPS, and the words that start that; beside the installed one if absent.
    """

    precision: Precision = "double"
    site_style: SiteNequIPStyle | None = None
    site_command: tuple[str, ...] = ()

    @classmethod
    def of(cls, settings: ProductionSettings) -> RunChoices:
        """Take the choices of production."""
        if settings.nequip_style == "external":
            return cls(settings.precision)
        return cls(settings.precision, settings.nequip_style, tuple(shlex.split(settings.lammps_command or "")))


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

    def pair_style(self, potential: PotentialDoc, choices: RunChoices, folder: Path) -> PairStyle:
        """Return what LAMMPS has to be told about it; files that this takes are made in a folder."""
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


def compare_with_labels(
    labelled: Sequence[LabelledConfiguration], computed: Sequence[Configuration], species: Sequence[str]
) -> Comparison:
    """Set what a potential gave for labelled configurations, in their order, beside their labels."""
    return compare_labels(as_configurations(labelled, species), computed, species)
