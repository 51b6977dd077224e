"""Jobs that fit and judge potentials, and what the learning loop shares with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from ase import Atoms
from jobflow.core.job import job

from interfaceflow.core.files import FileRef
from interfaceflow.core.formats.cfg import Configuration, read_configurations, write_configurations
from interfaceflow.core.formats.labelled_file import read_labelled
from interfaceflow.core.labelled import LabelledConfiguration
from interfaceflow.core.labels import region_names
from interfaceflow.core.progress import progress_reporter
from interfaceflow.datasets.vacuum import has_vacuum
from interfaceflow.jobs.workspace import Workspace
from interfaceflow.potentials.evaluation import Comparison, compare_labels, errors_by_group, force_errors_by_group
from interfaceflow.potentials.mlp import Mlp, MlpTrainingSettings, write_untrained_potential
from interfaceflow.potentials.zbl import compute_zbl
from interfaceflow.schemas.datasets import DatasetDoc, ParityDoc, PotentialDoc
from interfaceflow.schemas.settings import PotentialSettings, ZBLSettings

_N_THREADS = 2
_RETRAINING_WINDOW = 20


@job
def train_potential(dataset: DatasetDoc, settings: PotentialSettings, seed: int) -> PotentialDoc:
    """Fit a moment tensor potential to a dataset, from scratch.

    Parameters
    ----------
    dataset
        Training and held-out configurations.
    settings
        Level, cutoff, weights and iterations.
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
    mlp = Mlp(n_threads=_N_THREADS)
    comparison = _compare(mlp, workspace, potential.file, held_out, potential.species, potential.zbl)
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
        Level, cutoff, weights and iterations.
    seed
        Seed of the random starts.
    previous
        Potential to go on from.

    Returns
    -------
    PotentialDoc
        With its errors on both parts of the dataset.
    """
    training = read_labelled(dataset.training.path())
    start = workspace.path("start.almtp")
    if previous is None:
        write_untrained_potential(
            start,
            settings.level,
            species_count=len(dataset.species),
            min_dist=0.95 * min(dataset.min_distances_A.values()),
            cutoff_radius=settings.cutoff_radius_A,
        )
    else:
        start.write_bytes(previous.file.path().read_bytes())
    held_out = read_labelled(dataset.held_out.path())
    configurations = _labels_to_fit(training, dataset.species, settings.zbl)
    training_set, validation_set = workspace.path("training.cfg"), None
    write_configurations(training_set, configurations)
    if settings.early_stop:
        validation_set = workspace.path("held_out.cfg")
        write_configurations(validation_set, _labels_to_fit(held_out, dataset.species, settings.zbl))
    mlp = Mlp(settings.mlp, n_threads=_N_THREADS, memory_limit_MB=settings.memory_limit_MB)
    run = mlp.train(
        start,
        training_set,
        save_to=workspace.path("potential.almtp"),
        log=workspace.path("train.log"),
        settings=_training_settings(settings, seed, goes_on=previous is not None),
        validation_set=validation_set,
        progress=progress_reporter(),
    )
    file = FileRef.of(run.potential)
    return PotentialDoc(
        file=file,
        zbl=settings.zbl,
        species=dataset.species,
        level=settings.level,
        cutoff_radius_A=settings.cutoff_radius_A,
        n_training=len(training),
        n_without_stress=sum(one.plus_stress is None for one in configurations),
        dataset_sha256=dataset.training.sha256,
        training_errors=_compare(mlp, workspace, file, training, dataset.species, settings.zbl).errors,
        held_out_errors=_compare(mlp, workspace, file, held_out, dataset.species, settings.zbl).errors,
        iterations=run.iterations,
        final_loss=run.loss,
        early_stop=settings.early_stop,
        warm_start=previous is not None,
        min_distances_A=dataset.min_distances_A,
        engine="built-in" if mlp.is_built_in else "mlip-3",
        physics_hash=dataset.physics_hash,
        provenance=workspace.provenance("numpy", "scipy", seed=seed),
    )


def _training_settings(settings: PotentialSettings, seed: int, *, goes_on: bool) -> MlpTrainingSettings:
    """Return how a first fit is made, or one that goes on from a trained potential and has little left to gain."""
    shared = MlpTrainingSettings(
        energy_weight=settings.energy_weight,
        force_weight=settings.force_weight,
        stress_weight=settings.stress_weight,
        weight_scaling=settings.weight_scaling,
        weight_scaling_forces=settings.weight_scaling_forces,
        iteration_limit=settings.max_iterations,
        seed=seed,
    )
    if not goes_on:
        return shared
    return replace(
        shared,
        iteration_limit=settings.max_retraining_iterations,
        tolerance=settings.retraining_tolerance,
        tolerance_window=_RETRAINING_WINDOW,
    )


def select_for_training(
    workspace: Workspace,
    candidates: Sequence[Atoms],
    dataset: DatasetDoc,
    potential: PotentialDoc,
    settings: PotentialSettings,
) -> list[tuple[Atoms, float]]:
    """Choose the candidates that the training set gains most from, by D-optimality.

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
        Names the engine.

    Returns
    -------
    list of tuple
        Each chosen frame, with the largest extrapolation grade of its atoms.
    """
    mlp = Mlp(settings.mlp, n_threads=_N_THREADS, memory_limit_MB=settings.memory_limit_MB)
    training_set, offered = workspace.path("training.cfg"), workspace.path("candidates.cfg")
    write_configurations(
        training_set, _labels_to_fit(read_labelled(dataset.training.path()), dataset.species, potential.zbl)
    )
    write_configurations(
        offered,
        [
            Configuration.from_atoms(atoms, potential.species, features={"candidate": str(index)})
            for index, atoms in enumerate(candidates)
        ],
    )
    selected, graded = workspace.path("selected.cfg"), workspace.path("graded.cfg")
    file = potential.file.path()
    n_selected = mlp.select_add(file, training_set, offered, selected=selected, log=workspace.path("select_add.log"))
    if not n_selected:
        return []
    mlp.calculate_grade(file, selected, output=graded, log=workspace.path("calculate_grade.log"))
    return [
        (candidates[int(chosen.features["candidate"])], float(chosen.grade or 0.0))
        for chosen in read_configurations(graded)
    ]


def _labels_to_fit(
    labelled: Sequence[LabelledConfiguration], species: Sequence[str], zbl: ZBLSettings | None
) -> list[Configuration]:
    """Convert labels to what ``mlp`` trains on: without the repulsion that every use of the potential adds."""
    configurations = _as_configurations(labelled, species)
    if zbl is None:
        return configurations
    return [
        compute_zbl(label.atoms, zbl).subtracted_from(configuration)
        for label, configuration in zip(labelled, configurations, strict=True)
    ]


def _as_configurations(labelled: Sequence[LabelledConfiguration], species: Sequence[str]) -> list[Configuration]:
    """Convert labels to configurations: the energy whose gradient the forces are, no stress with vacuum."""
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


def _compare(
    mlp: Mlp,
    workspace: Workspace,
    potential: FileRef,
    labelled: Sequence[LabelledConfiguration],
    species: Sequence[str],
    zbl: ZBLSettings | None,
) -> Comparison:
    """Compute the labelled configurations with the potential, repulsion and all, and set them beside their labels."""
    reference = _as_configurations(labelled, species)
    given, computed = workspace.path("compared.cfg"), workspace.path("computed.cfg")
    write_configurations(given, reference)
    mlp.calculate_efs(potential.path(), given, output=computed, log=workspace.path("calculate_efs.log"))
    results = read_configurations(computed)
    if zbl is not None:
        # At the positions as they were given: an ``mlp`` writes them back rounded, and the repulsion is steep.
        results = [
            compute_zbl(label.atoms, zbl).added_to(result) for label, result in zip(labelled, results, strict=True)
        ]
    return compare_labels(reference, results, species)
