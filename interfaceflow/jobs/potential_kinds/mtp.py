"""Moment tensor potentials, by way of an ``mlp`` executable."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations_with_replacement
from pathlib import Path

from ase import Atoms
from ase.data import atomic_numbers

from interfaceflow.core.files import FileRef
from interfaceflow.core.formats.cfg import Configuration, read_configurations, write_configurations
from interfaceflow.core.formats.labelled_file import read_labelled
from interfaceflow.core.labelled import LabelledConfiguration
from interfaceflow.core.progress import progress_reporter
from interfaceflow.dynamics.pair_style import GradeSource, PairStyle
from interfaceflow.jobs.potential_kinds.kind import RunChoices, as_configurations
from interfaceflow.jobs.wiring import Category
from interfaceflow.jobs.workspace import Workspace
from interfaceflow.potentials.evaluation import Comparison, compare_labels
from interfaceflow.potentials.mlp import Mlp, MlpTrainingSettings, write_untrained_potential
from interfaceflow.potentials.zbl import compute_zbl
from interfaceflow.schemas.datasets import DatasetDoc, MtpDetails, PotentialDoc
from interfaceflow.schemas.settings import MtpSettings, PotentialSettings, Precision, ZBLSettings

_N_THREADS = 2
_RETRAINING_WINDOW = 20


class MtpKind:
    """Moment tensor potentials."""

    def category(self, settings: PotentialSettings) -> Category:
        """Return 'cpu': neither the fit nor the pair style knows of GPUs."""
        return "cpu"

    def fit(
        self,
        workspace: Workspace,
        dataset: DatasetDoc,
        settings: PotentialSettings,
        seed: int,
        previous: PotentialDoc | None,
    ) -> PotentialDoc:
        """Fit a potential, from scratch or going on from a previous one whose training set has grown."""
        assert isinstance(settings, MtpSettings)
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
            species=dataset.species,
            cutoff_radius_A=settings.cutoff_radius_A,
            n_training=len(training),
            n_without_stress=sum(one.plus_stress is None for one in configurations),
            dataset_sha256=dataset.training.sha256,
            training_errors=_compare(mlp, workspace, file, training, dataset.species, settings.zbl).errors,
            held_out_errors=_compare(mlp, workspace, file, held_out, dataset.species, settings.zbl).errors,
            early_stop=settings.early_stop,
            warm_start=previous is not None,
            min_distances_A=dataset.min_distances_A,
            physics_hash=dataset.physics_hash,
            model=MtpDetails(
                level=settings.level,
                zbl=settings.zbl,
                iterations=run.iterations,
                final_loss=run.loss,
                engine="built-in" if mlp.is_built_in else "mlip-3",
            ),
            provenance=workspace.provenance("numpy", "scipy", seed=seed),
        )

    def compute(
        self, workspace: Workspace, potential: PotentialDoc, labelled: Sequence[LabelledConfiguration]
    ) -> list[Configuration]:
        """Compute the labelled configurations with the potential, repulsion and all."""
        mlp = Mlp(n_threads=_N_THREADS)
        reference = as_configurations(labelled, potential.species)
        return _compute(mlp, workspace, potential.file, labelled, reference, _mtp(potential).zbl)

    def select(
        self,
        workspace: Workspace,
        candidates: Sequence[Atoms],
        dataset: DatasetDoc,
        potential: PotentialDoc,
        settings: PotentialSettings,
    ) -> list[tuple[Atoms, float]]:
        """Choose the candidates that the training set gains most from, by D-optimality."""
        assert isinstance(settings, MtpSettings)
        mlp = Mlp(settings.mlp, n_threads=_N_THREADS, memory_limit_MB=settings.memory_limit_MB)
        training_set, offered = workspace.path("training.cfg"), workspace.path("candidates.cfg")
        write_configurations(
            training_set, _labels_to_fit(read_labelled(dataset.training.path()), dataset.species, _mtp(potential).zbl)
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
        n_selected = mlp.select_add(
            file, training_set, offered, selected=selected, log=workspace.path("select_add.log")
        )
        if not n_selected:
            return []
        mlp.calculate_grade(file, selected, output=graded, log=workspace.path("calculate_grade.log"))
        return [
            (candidates[int(chosen.features["candidate"])], float(chosen.grade or 0.0))
            for chosen in read_configurations(graded)
        ]

    def pair_style(self, potential: PotentialDoc, choices: RunChoices, folder: Path) -> PairStyle:
        """Return the LAMMPS commands of the potential and its extrapolation grade by neighbourhood.

        A potential that was fitted to labels without the ZBL repulsion gets it back as an overlay. Grades are always
        computed in double precision.
        """
        return PairStyle(
            elements=potential.species,
            commands=_commands(potential, choices.precision),
            grade=GradeSource(
                commands=("fix grade all pair {every} mtp/extrapolation extrapolation 1",), per_atom="f_grade"
            ),
            identity=_identity(potential, choices.precision),
        )


KIND = MtpKind()


def _mtp(potential: PotentialDoc) -> MtpDetails:
    assert isinstance(potential.model, MtpDetails)
    return potential.model


def _training_settings(settings: MtpSettings, seed: int, *, goes_on: bool) -> MlpTrainingSettings:
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


def _labels_to_fit(
    labelled: Sequence[LabelledConfiguration], species: Sequence[str], zbl: ZBLSettings | None
) -> list[Configuration]:
    """Convert labels to what ``mlp`` trains on: without the repulsion that every use of the potential adds."""
    configurations = as_configurations(labelled, species)
    if zbl is None:
        return configurations
    return [
        compute_zbl(label.atoms, zbl).subtracted_from(configuration)
        for label, configuration in zip(labelled, configurations, strict=True)
    ]


def _compute(
    mlp: Mlp,
    workspace: Workspace,
    potential: FileRef,
    labelled: Sequence[LabelledConfiguration],
    reference: Sequence[Configuration],
    zbl: ZBLSettings | None,
) -> list[Configuration]:
    """Compute labelled configurations, also given as ``reference``, with a potential and its repulsion."""
    given, computed = workspace.path("compared.cfg"), workspace.path("computed.cfg")
    write_configurations(given, reference)
    mlp.calculate_efs(potential.path(), given, output=computed, log=workspace.path("calculate_efs.log"))
    results = read_configurations(computed)
    if zbl is None:
        return results
    # At the positions as they were given: an ``mlp`` writes them back rounded, and the repulsion is steep.
    return [compute_zbl(label.atoms, zbl).added_to(result) for label, result in zip(labelled, results, strict=True)]


def _compare(
    mlp: Mlp,
    workspace: Workspace,
    potential: FileRef,
    labelled: Sequence[LabelledConfiguration],
    species: Sequence[str],
    zbl: ZBLSettings | None,
) -> Comparison:
    """Set what a potential gives for labelled configurations beside their labels."""
    reference = as_configurations(labelled, species)
    return compare_labels(reference, _compute(mlp, workspace, potential, labelled, reference, zbl), species)


def _commands(potential: PotentialDoc, precision: Precision) -> tuple[str, ...]:
    style = f'mtp/extrapolation "{potential.file.path()}"'
    if precision == "mixed":
        style += " precision mixed"
    zbl = _mtp(potential).zbl
    if zbl is None:
        return f"pair_style {style}", "pair_coeff * *"
    numbers = [atomic_numbers[symbol] for symbol in potential.species]
    pairs = combinations_with_replacement(enumerate(numbers, 1), 2)
    return (
        f"pair_style hybrid/overlay {style} zbl {zbl.inner_cutoff_A!r} {zbl.outer_cutoff_A!r}",
        "pair_coeff * * mtp/extrapolation",
        *(f"pair_coeff {i} {j} zbl {first} {second}" for (i, first), (j, second) in pairs),
    )


def _identity(potential: PotentialDoc, precision: Precision) -> str:
    zbl = _mtp(potential).zbl
    words = [potential.file.sha256]
    if zbl is not None:
        words.append(f"zbl {zbl.inner_cutoff_A!r} {zbl.outer_cutoff_A!r}")
    if precision == "mixed":
        words.append("mixed precision")
    return " ".join(words)
