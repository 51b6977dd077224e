"""Jobs on stability: the strength of a cluster's bond, and the phonons of a crystal."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO

import numpy as np
from ase import Atoms
from jobflow.core.job import job

from interfaceflow.analysis.morse import fit_morse
from interfaceflow.analysis.phonons import choose_repeats, compute_phonons, displace_atoms
from interfaceflow.core.errors import CalculationError
from interfaceflow.core.files import FileRef, write_atomically
from interfaceflow.core.progress import progress_reporter
from interfaceflow.jobs.workspace import Workspace, load_structure
from interfaceflow.reference.labelling import LabelRequest, label_configurations
from interfaceflow.reference.levels_of_theory import packages_of
from interfaceflow.reference.relaxation import RelaxationTask, check_relaxation, relax_in_worker
from interfaceflow.reference.workers import WorkerFailure, map_in_workers
from interfaceflow.schemas.level_of_theory import LevelOfTheory
from interfaceflow.schemas.settings import ReferenceSettings
from interfaceflow.schemas.stability import BondScanDoc, BondScanSettings, ImaginaryMode, PhononDoc, PhononSettings
from interfaceflow.schemas.structures import RelaxationDoc
from interfaceflow.structures.clusters import Cluster, build_cluster, stretch_bond


@job
def scan_bond(settings: BondScanSettings, level: LevelOfTheory, reference: ReferenceSettings) -> BondScanDoc:
    """Relax a cluster, stretch and press one of its bonds, and fit a Morse potential to the energies.

    Parameters
    ----------
    settings
        The cluster and the scan.
    level
        Level of theory; its engine has to know the cluster's charge.
    reference
        Tolerances and number of workers.

    Raises
    ------
    UserInputError
        If the cluster cannot be computed at this level of theory.
    CalculationError
        If the cluster cannot be relaxed, or the energies make no Morse potential.
    """
    workspace = Workspace()
    cluster = _relax_cluster(build_cluster(settings.cluster), settings, level, reference)
    lengths = cluster.distance_A + np.linspace(settings.shortest_A, settings.longest_A, settings.n_points)
    by_source = {f"{settings.cluster}, {cluster.bond} at {length:.4f} Å": float(length) for length in lengths}
    requests = [
        LabelRequest(stretch_bond(cluster, length, settings.box_A), source, f"bond scan of {settings.cluster}")
        for source, length in by_source.items()
    ]
    labels, quarantined = label_configurations(requests, level, reference.n_workers, progress_reporter())
    distances = tuple(by_source[label.source] for label in labels)
    energies = tuple(label.energy_eV for label in labels)
    fit = fit_morse(distances, energies)
    return BondScanDoc(
        cluster=settings.cluster,
        bond=cluster.bond,
        charge_e=cluster.charge_e,
        distances_A=distances,
        energies_eV=energies,
        quarantined=tuple(quarantined),
        well_depth_eV=fit.well_depth_eV,
        well_depth_error_eV=fit.well_depth_error_eV,
        force_constant_eV_A2=fit.force_constant_eV_A2,
        force_constant_error_eV_A2=fit.force_constant_error_eV_A2,
        equilibrium_distance_A=fit.equilibrium_distance_A,
        residual_meV=fit.residual_meV,
        level_of_theory=level.name,
        physics_hash=level.physics_hash,
        provenance=workspace.provenance("scipy", *packages_of(level)),
    )


@job
def check_phonons(
    relaxed: RelaxationDoc, settings: PhononSettings, level: LevelOfTheory, reference: ReferenceSettings
) -> PhononDoc:
    """Compute the phonons of a relaxed primitive cell and tell whether any is imaginary.

    Parameters
    ----------
    relaxed
        The crystal, relaxed tightly at the same level of theory.
    settings
        Supercell, displacement and tolerance.
    level
        Level of theory.
    reference
        Number of workers.

    Raises
    ------
    CalculationError
        If the crystal was relaxed at another level of theory, or a displaced cell has no label one can trust.
    """
    workspace = Workspace()
    if relaxed.physics_hash != level.physics_hash:
        raise CalculationError(
            f"{relaxed.name} was relaxed with {relaxed.level_of_theory}, its phonons are asked for with {level.name}; "
            "away from the minimum frequencies mean nothing: use one level of theory for both"
        )
    crystal = load_structure(relaxed.structure)
    repeats = choose_repeats(crystal, settings.supercell_length_A)
    cells = displace_atoms(crystal, repeats, settings.displacement_A)
    requests = [
        LabelRequest(atoms, f"{relaxed.name}, displacement {number}", f"phonons of {relaxed.name}")
        for number, atoms in enumerate(cells)
    ]
    labels, quarantined = label_configurations(requests, level, reference.n_workers, progress_reporter())
    if quarantined:
        first = quarantined[0]
        raise CalculationError(
            f"{len(quarantined)} of {len(cells)} displaced cells have no label one can trust, and phonons need all of "
            f"them: {first.source}: {first.reason}"
        )
    phonons = compute_phonons(crystal, repeats, [label.forces_eV_A for label in labels], settings.displacement_A)
    buffer = BytesIO()
    np.savez_compressed(buffer, wave_vectors=phonons.wave_vectors, frequencies_THz=phonons.frequencies_THz)
    write_atomically(workspace.path("phonons.npz"), buffer.getvalue())
    imaginary = phonons.imaginary_modes(settings.tolerance_THz)
    return PhononDoc(
        name=relaxed.name,
        repeats=repeats,
        stable=not imaginary,
        lowest_frequency_THz=phonons.lowest_THz,
        imaginary_modes=tuple(ImaginaryMode(wave_vector=q, frequency_THz=f) for q, f in imaginary),
        tolerance_THz=settings.tolerance_THz,
        acoustic_residual_THz=phonons.acoustic_residual_THz,
        arrays=FileRef.of(workspace.path("phonons.npz")),
        level_of_theory=level.name,
        physics_hash=level.physics_hash,
        provenance=workspace.provenance("phonopy", *packages_of(level)),
    )


def _relax_cluster(
    cluster: Cluster, settings: BondScanSettings, level: LevelOfTheory, reference: ReferenceSettings
) -> Cluster:
    """Return the cluster with its atoms where this level of theory wants them."""
    task = RelaxationTask(
        atoms=stretch_bond(cluster, cluster.distance_A, settings.box_A),
        free_axes="none",
        relax_ions=True,
        force_tolerance_eV_A=reference.force_tolerance_eV_A,
        max_steps=reference.max_steps,
        level=level,
        source=settings.cluster,
    )
    check_relaxation(task)
    progress = progress_reporter()
    progress.start(1, "structure", f"Relaxing {settings.cluster}")
    (outcome,) = map_in_workers(
        relax_in_worker, [task], n_workers=1, size=lambda task: len(task.atoms), progress=progress
    )
    if isinstance(outcome, WorkerFailure):
        raise CalculationError(f"{settings.cluster} could not be relaxed: {outcome.reason}")
    if not outcome.converged:
        raise CalculationError(
            f"{settings.cluster} is not relaxed after {outcome.n_steps} steps "
            f"({outcome.max_force_eV_A:.3f} eV/Å left); raise max_steps or force_tolerance_eV_A of the reference"
        )
    relaxed = outcome.label.atoms
    return replace(cluster, atoms=Atoms(relaxed.numbers, positions=relaxed.positions))
