"""ASE calculators in a potential's place: compared with the labels and run, not fitted, without a grade."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ase import Atoms

from interfaceflow.core.errors import UserInputError
from interfaceflow.core.files import FileRef
from interfaceflow.core.formats.configuration import Configuration
from interfaceflow.core.formats.labelled_file import read_labelled
from interfaceflow.core.labelled import LabelledConfiguration
from interfaceflow.core.progress import progress_reporter
from interfaceflow.dynamics.pair_style import PairStyle
from interfaceflow.jobs.potential_kinds.kind import RunChoices, compare_with_labels
from interfaceflow.jobs.wiring import Category
from interfaceflow.jobs.workspace import Workspace
from interfaceflow.potentials.external.ase_calculator import CalculatorFile, compute_with, load_calculator
from interfaceflow.potentials.external.lammps_commands import external_commands, external_program
from interfaceflow.schemas.datasets import AseDetails, DatasetDoc, FitErrors, PotentialDoc
from interfaceflow.schemas.settings import AseSettings, PotentialSettings

# LAMMPS counts the pairs that are too close; it needs to see no further than that.
_SHORTEST_CUTOFF_A = 4.0


class AseKind:
    """ASE calculators."""

    def category(self, settings: PotentialSettings) -> Category:
        """Return 'gpu' where the settings say that it needs one."""
        assert isinstance(settings, AseSettings)
        return "gpu" if settings.needs_gpu else "cpu"

    def fit(
        self,
        workspace: Workspace,
        dataset: DatasetDoc,
        settings: PotentialSettings,
        seed: int,
        previous: PotentialDoc | None,
    ) -> PotentialDoc:
        """Write down which calculator it is, and compare it with the labels."""
        assert isinstance(settings, AseSettings)
        described = CalculatorFile.describe(settings.calculator, settings.arguments)
        file = workspace.path("potential.json")
        described.write(file)
        return PotentialDoc(
            file=FileRef.of(file),
            species=dataset.species,
            cutoff_radius_A=None,
            n_training=0,
            dataset_sha256=dataset.training.sha256,
            training_errors=_errors(described, read_labelled(dataset.training.path()), dataset.species),
            held_out_errors=_errors(described, read_labelled(dataset.held_out.path()), dataset.species),
            warm_start=False,
            min_distances_A=dataset.min_distances_A,
            physics_hash=dataset.physics_hash,
            has_grade=False,
            model=AseDetails(calculator=settings.calculator),
            provenance=workspace.provenance("ase", settings.calculator.split(".")[0].partition(":")[0]),
        )

    def compute(
        self,
        workspace: Workspace,
        potential: PotentialDoc,
        labelled: Sequence[LabelledConfiguration],
    ) -> list[Configuration]:
        """Compute the labelled configurations with the calculator."""
        return _compute(CalculatorFile.read(potential.file.path()), labelled, potential.species)

    def select(
        self,
        workspace: Workspace,
        candidates: Sequence[Atoms],
        dataset: DatasetDoc,
        potential: PotentialDoc,
        settings: PotentialSettings,
    ) -> list[tuple[Atoms, float]]:
        """Refuse: there is no grade to select by.

        Raises
        ------
        UserInputError
            Always.
        """
        raise UserInputError("an ASE calculator has no extrapolation grade to select configurations by")

    def pair_style(self, potential: PotentialDoc, choices: RunChoices, folder: Path) -> PairStyle:
        """Return the commands that let LAMMPS take its forces from the calculator, which has its own precision."""
        file = str(potential.file.path())
        cutoff = max(_SHORTEST_CUTOFF_A, *potential.min_distances_A.values())
        return PairStyle(
            elements=potential.species,
            commands=external_commands(cutoff),
            identity=potential.file.sha256,
            program=external_program("ase", potential.species, (file,)),
        )


KIND = AseKind()


def _errors(described: CalculatorFile, labelled: Sequence[LabelledConfiguration], species: Sequence[str]) -> FitErrors:
    return compare_with_labels(labelled, _compute(described, labelled, species), species).errors


def _compute(
    described: CalculatorFile, labelled: Sequence[LabelledConfiguration], species: Sequence[str]
) -> list[Configuration]:
    calculator = load_calculator(described.calculator, described.arguments)
    progress = progress_reporter()
    progress.start(len(labelled), "configuration", f"Computing with {described.calculator}")
    computed = []
    for label in labelled:
        found = compute_with(calculator, label.atoms)
        computed.append(
            Configuration.from_atoms(
                label.atoms, species, energy=found.energy_eV, forces=found.forces_eV_A, stress=found.stress_eV_A3
            )
        )
        progress.advance()
    return computed
