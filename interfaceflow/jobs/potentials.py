"""Jobs that fit and judge potentials of every kind, and what the learning loop and MD share with them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from ase import Atoms
from jobflow.core.job import job

from interfaceflow.core.files import FileRef
from interfaceflow.core.formats.labelled_file import read_labelled
from interfaceflow.core.labels import region_names
from interfaceflow.dynamics.pair_style import PairStyle
from interfaceflow.jobs.potential_kinds import kind_of
from interfaceflow.jobs.potential_kinds.kind import RunChoices, compare_with_labels
from interfaceflow.jobs.wiring import Category
from interfaceflow.jobs.workspace import Workspace
from interfaceflow.potentials.evaluation import errors_by_group, force_errors_by_group
from interfaceflow.schemas.datasets import DatasetDoc, ParityDoc, PotentialDoc
from interfaceflow.schemas.settings import PotentialSettings


@job
def train_potential(dataset: DatasetDoc, settings: PotentialSettings, seed: int) -> PotentialDoc:
    """Fit a potential to a dataset, from scratch.

    Parameters
    ----------
    dataset
        Training and held-out configurations.
    settings
        Kind of potential, and how it is fitted.
    seed
        Seed of the random starts.
    """
    return fit_potential(Workspace(), dataset, settings, seed)


@job
def evaluate_potential(dataset: DatasetDoc, potential: PotentialDoc) -> ParityDoc:
    """Compare a potential with the reference on the held-out configurations.

    Parameters
    ----------
    dataset
        With the held-out configurations.
    potential
        The potential.
    """
    workspace = Workspace()
    held_out = read_labelled(dataset.held_out.path())
    computed = kind_of(potential.model.kind).compute(workspace, potential, held_out)
    comparison = compare_with_labels(held_out, computed, potential.species)
    temperatures = [None if c.temperature_K is None else f"{c.temperature_K:g}" for c in held_out]
    by_temperature = errors_by_group(comparison, temperatures)
    regions = np.concatenate([region_names(c.atoms) for c in held_out])
    path = workspace.path("parity.npz")
    np.savez_compressed(
        path,
        energy_reference=comparison.energy_reference_eV_atom,
        energy_potential=comparison.energy_potential_eV_atom,
        force_reference=comparison.force_reference_eV_A,
        force_potential=comparison.force_potential_eV_A,
        force_species=comparison.force_species,
    )
    return ParityDoc(
        errors=comparison.errors,
        errors_by_temperature=dict(sorted(by_temperature.items(), key=lambda item: float(item[0]))),
        errors_by_system=errors_by_group(comparison, [c.system for c in held_out]),
        force_errors_by_region=force_errors_by_group(comparison, regions),
        arrays=FileRef.of(path),
        potential_sha256=potential.file.sha256,
        provenance=workspace.provenance(),
    )


def fit_potential(
    workspace: Workspace,
    dataset: DatasetDoc,
    settings: PotentialSettings,
    seed: int,
    *,
    previous: PotentialDoc | None = None,
) -> PotentialDoc:
    """Fit a potential, from scratch or going on from a previous one whose training set has grown.

    Parameters
    ----------
    workspace
        Of the job; the files of the fit go there.
    dataset
        Training and held-out configurations.
    settings
        Kind of potential, and how it is fitted.
    seed
        Seed of the random starts.
    previous
        Potential to go on from.

    Returns
    -------
    PotentialDoc
        With its errors on both parts of the dataset.
    """
    return kind_of(settings.kind).fit(workspace, dataset, settings, seed, previous)


def select_for_training(
    workspace: Workspace,
    candidates: Sequence[Atoms],
    dataset: DatasetDoc,
    potential: PotentialDoc,
    settings: PotentialSettings,
) -> list[tuple[Atoms, float]]:
    """Choose the candidates that the training set gains most from, by the potential's own measure.

    Parameters
    ----------
    workspace
        Of the job; the files of the selection go there.
    candidates
        Frames above the select threshold.
    dataset
        The training set so far.
    potential
        The potential with the active set to be extended.
    settings
        How the potential was fitted.

    Returns
    -------
    list of tuple
        Each chosen frame, with the largest extrapolation grade of its atoms.
    """
    return kind_of(settings.kind).select(workspace, candidates, dataset, potential, settings)


def pair_style_of(potential: PotentialDoc, folder: Path, choices: RunChoices | None = None) -> PairStyle:
    """Return what LAMMPS has to be told about a potential.

    Parameters
    ----------
    potential
        The potential.
    folder
        Of the job, for files that this takes.
    choices
        How it is run, where its kind leaves a choice.
    """
    return kind_of(potential.model.kind).pair_style(potential, choices or RunChoices(), folder)


def category_of(settings: PotentialSettings) -> Category:
    """Return the kind of resources that fitting and running a potential needs."""
    return kind_of(settings.kind).category(settings)
