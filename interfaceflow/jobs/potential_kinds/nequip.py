"""Equivariant networks, trained and compiled by NequIP and run beside LAMMPS."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ase import Atoms

from interfaceflow.core.child_process import run_child
from interfaceflow.core.errors import ExternalProgramError
from interfaceflow.core.files import FileRef
from interfaceflow.core.formats.configuration import Configuration
from interfaceflow.core.formats.labelled_file import read_labelled
from interfaceflow.core.labelled import LabelledConfiguration
from interfaceflow.core.progress import progress_reporter
from interfaceflow.datasets.vacuum import has_vacuum
from interfaceflow.dynamics.pair_style import GradeSource, PairStyle
from interfaceflow.jobs.potential_kinds.kind import RunChoices, compare_with_labels
from interfaceflow.jobs.wiring import Category
from interfaceflow.jobs.workspace import Workspace
from interfaceflow.potentials.external.lammps_commands import (
    PER_ATOM_GRADE,
    external_commands,
    external_program,
    grade_commands,
)
from interfaceflow.potentials.external.nequip_network import network_words
from interfaceflow.potentials.external.site_lammps import network_for_site
from interfaceflow.potentials.nequip.committee import CommitteeGrade, build_committee_grade
from interfaceflow.potentials.nequip.compilation import compile_nequip
from interfaceflow.potentials.nequip.evaluation import as_configuration, evaluate_nequip
from interfaceflow.potentials.nequip.latent_grade import LatentGrade, build_latent_grade, select_latent_additions
from interfaceflow.potentials.nequip.model import NequIPModel, load_model
from interfaceflow.potentials.nequip.model_files import ModelFile, resolve_device
from interfaceflow.potentials.nequip.training import NequIPRun, child_environment, train_nequip
from interfaceflow.schemas.datasets import DatasetDoc, FitErrors, NequIPDetails, NequIPFiles, PotentialDoc
from interfaceflow.schemas.nequip import NequIPSettings
from interfaceflow.schemas.settings import PotentialSettings, SiteNequIPStyle


@dataclass(frozen=True)
class _Trained:
    """A network that was trained, compiled and loaded."""

    run: NequIPRun
    model: NequIPModel

    @property
    def files(self) -> NequIPFiles:
        return NequIPFiles(checkpoint=FileRef.of(self.run.checkpoint.path), compiled=FileRef.of(self.model.file.path))


class NequIPKind:
    """Equivariant networks."""

    def category(self, settings: PotentialSettings) -> Category:
        """Return 'gpu' where the settings ask for one."""
        assert isinstance(settings, NequIPSettings)
        return "gpu" if settings.device == "cuda" else "cpu"

    def fit(
        self,
        workspace: Workspace,
        dataset: DatasetDoc,
        settings: PotentialSettings,
        seed: int,
        previous: PotentialDoc | None,
    ) -> PotentialDoc:
        """Train and compile a network, or a committee, from scratch or going on from a previous one."""
        assert isinstance(settings, NequIPSettings)
        device = resolve_device(settings.device)
        labelled = read_labelled(dataset.training.path())
        held_out = read_labelled(dataset.held_out.path())
        n_networks = settings.committee_size if settings.grade == "committee" else 1
        starts = _details(previous).networks if previous is not None else (None,) * n_networks
        networks = [
            _train(workspace, labelled, dataset.species, settings, seed + number, device, start)
            for number, start in enumerate(starts)
        ]
        first = networks[0]
        grade_file = workspace.path("grade.npz")
        _build_grade(networks, labelled).save(grade_file)
        best = first.run.best_epoch
        return PotentialDoc(
            file=first.files.compiled,
            species=dataset.species,
            cutoff_radius_A=settings.cutoff_radius_A,
            n_training=len(labelled),
            n_without_stress=sum(_without_false_stress(one).stress_eV_A3 is None for one in labelled),
            dataset_sha256=dataset.training.sha256,
            training_errors=_errors(first.model, labelled, dataset.species),
            held_out_errors=_errors(first.model, held_out, dataset.species),
            warm_start=previous is not None,
            min_distances_A=dataset.min_distances_A,
            physics_hash=dataset.physics_hash,
            model=NequIPDetails(
                networks=tuple(one.files for one in networks),
                grade=settings.grade,
                grade_file=FileRef.of(grade_file),
                device=device,
                precision=settings.precision,
                n_layers=settings.n_layers,
                l_max=settings.l_max,
                n_features=settings.n_features,
                epochs=first.run.epochs,
                best_epoch=best,
                validation_loss=first.run.validation_loss[best],
            ),
            provenance=workspace.provenance("nequip", "torch", "e3nn", seed=seed),
        )

    def compute(
        self,
        workspace: Workspace,
        potential: PotentialDoc,
        labelled: Sequence[LabelledConfiguration],
    ) -> list[Configuration]:
        """Compute the labelled configurations with the compiled network."""
        return _compute(_load(potential)[0], labelled, potential.species)

    def select(
        self,
        workspace: Workspace,
        candidates: Sequence[Atoms],
        dataset: DatasetDoc,
        potential: PotentialDoc,
        settings: PotentialSettings,
    ) -> list[tuple[Atoms, float]]:
        """Choose the candidates that enter the active set; of a committee, all that it is not sure of."""
        models = _load(potential)
        grade = _load_grade(potential, models)
        if isinstance(grade, LatentGrade):
            found = select_latent_additions(grade, models[0], candidates, n_known=dataset.n_training)
            return [(candidates[i], float(found.candidate_grades[i])) for i in found.selected]
        first = models[0]
        grades = [float(grade.grades_of(first, atoms, first.compute(atoms)).max()) for atoms in candidates]
        return [(atoms, grade) for atoms, grade in zip(candidates, grades, strict=True) if grade > 1.0]

    def pair_style(self, potential: PotentialDoc, choices: RunChoices, folder: Path) -> PairStyle:
        """Return the commands that let LAMMPS take forces and grades from the network, or a site's run it."""
        details = _details(potential)
        if choices.site_style is not None:
            return _at_site(potential, choices.site_style, choices.site_command, folder)
        words = network_words(
            details.device, details.grade, details.grade_file.path(), [_file(one.compiled) for one in details.networks]
        )
        assert potential.cutoff_radius_A is not None
        return PairStyle(
            elements=potential.species,
            commands=external_commands(potential.cutoff_radius_A),
            grade=GradeSource(commands=grade_commands(), per_atom=PER_ATOM_GRADE),
            identity=f"{potential.file.sha256} {details.grade_file.sha256}",
            program=external_program("nequip", potential.species, words),
        )


KIND = NequIPKind()


def _at_site(potential: PotentialDoc, style: SiteNequIPStyle, command: tuple[str, ...], folder: Path) -> PairStyle:
    """Make the model file for a site's LAMMPS, unless it is there, and return the commands."""
    details = _details(potential)
    network = network_for_site(style, details.networks[0].checkpoint.path(), folder, potential.species, details.device)
    log = network.model.with_name(f"{network.model.name}.log")
    if not network.model.is_file():
        status = run_child(network.prepare, folder=folder, environment=child_environment(), output=log)
        if status != 0 or not network.model.is_file():
            network.model.unlink(missing_ok=True)
            raise ExternalProgramError(
                f"{network.prepare[0]} ended with status {status}, so there is no model for nequip_style: {style}; "
                f"its output is in {log}"
            )
    return PairStyle(
        elements=potential.species,
        commands=network.commands,
        identity=f"{potential.file.sha256} {style}",
        program=(shutil.which(command[0]) or command[0], *command[1:]),
        preamble=network.preamble,
    )


def _details(potential: PotentialDoc) -> NequIPDetails:
    assert isinstance(potential.model, NequIPDetails)
    return potential.model


def _train(
    workspace: Workspace,
    labelled: Sequence[LabelledConfiguration],
    species: Sequence[str],
    settings: NequIPSettings,
    seed: int,
    device: str,
    start: NequIPFiles | None,
) -> _Trained:
    run = train_nequip(
        [_without_false_stress(one) for one in labelled],
        species,
        settings,
        seed,
        workspace.folder,
        start_from=None if start is None else _file(start.checkpoint),
        progress=progress_reporter(),
    )
    compiled = compile_nequip(run.checkpoint, workspace.path(f"potential-{seed}.nequip.pt2"), device=device)
    return _Trained(run, load_model(compiled, device=device, species=species))


def _without_false_stress(labelled: LabelledConfiguration) -> LabelledConfiguration:
    """Leave out the stress of a cell with vacuum, which says nothing of the matter in it."""
    return replace(labelled, stress_eV_A3=None) if has_vacuum(labelled.atoms) else labelled


def _build_grade(
    networks: Sequence[_Trained], labelled: Sequence[LabelledConfiguration]
) -> LatentGrade | CommitteeGrade:
    configurations = [one.atoms for one in labelled]
    if len(networks) > 1:
        return build_committee_grade([one.model for one in networks], configurations)
    return build_latent_grade(networks[0].model, configurations, networks[0].run.checkpoint.sha256)


def _load(potential: PotentialDoc) -> list[NequIPModel]:
    details = _details(potential)
    return [
        load_model(_file(one.compiled), device=details.device, species=potential.species) for one in details.networks
    ]


def _load_grade(potential: PotentialDoc, models: Sequence[NequIPModel]) -> LatentGrade | CommitteeGrade:
    details = _details(potential)
    path = details.grade_file.path()
    if details.grade == "committee":
        return CommitteeGrade.load(path, models)
    return LatentGrade.load(path, model_sha256=details.networks[0].checkpoint.sha256)


def _file(reference: FileRef) -> ModelFile:
    return ModelFile(reference.path(), reference.sha256)


def _errors(model: NequIPModel, labelled: Sequence[LabelledConfiguration], species: Sequence[str]) -> FitErrors:
    return compare_with_labels(labelled, _compute(model, labelled, species), species).errors


def _compute(
    model: NequIPModel, labelled: Sequence[LabelledConfiguration], species: Sequence[str]
) -> list[Configuration]:
    configurations = [one.atoms for one in labelled]
    results = evaluate_nequip(model, configurations, progress=progress_reporter())
    return [as_configuration(atoms, result, species) for atoms, result in zip(configurations, results, strict=True)]
