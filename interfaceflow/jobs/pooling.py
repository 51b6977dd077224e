"""Jobs that make one training set, and one learning loop, of several systems."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from jobflow.core.job import job

from interfaceflow.core.errors import UserInputError
from interfaceflow.datasets.pooling import pool_datasets
from interfaceflow.jobs.datasets import describe_dataset, load_dataset
from interfaceflow.jobs.workspace import Workspace
from interfaceflow.schemas.datasets import DatasetDoc, PooledSystemDoc
from interfaceflow.schemas.learning import LearningStart


@job
def pool_training_sets(datasets: Mapping[str, DatasetDoc], limits: Mapping[str, int], seed: int) -> DatasetDoc:
    """Merge the datasets of several systems into one.

    Parameters
    ----------
    datasets
        Datasets of one level of theory, by name of the system.
    limits
        Largest number of training configurations of a system; one that is not named gives all.
    seed
        Seed of the draws that this takes.

    Returns
    -------
    DatasetDoc
        With its species the union of theirs, and what each system gave.

    Raises
    ------
    UserInputError
        If the levels of theory differ, charged cells were aligned in different ways, or the systems share
        trajectories that are split in different ways.
    """
    workspace = Workspace()
    parts = {name: load_dataset(document) for name, document in datasets.items()}
    pooled = pool_datasets(parts, limits, seed)
    documents = list(datasets.values())
    counts = {
        part: Counter((configuration.system or "").split("/")[0] for configuration in configurations)
        for part, configurations in (("training", pooled.training), ("held_out", pooled.held_out))
    }
    packages = {name for document in documents for name in document.provenance.package_versions}
    return describe_dataset(
        workspace, pooled, documents[0].level_of_theory, workspace.provenance(*sorted(packages), seed=seed)
    ).model_copy(
        update={
            "quarantined": tuple(label for document in documents for label in document.quarantined),
            "electron_energy_eV": _shared_electron_energy(datasets),
            "systems": tuple(
                PooledSystemDoc(
                    name=name,
                    n_training=counts["training"][name],
                    n_held_out=counts["held_out"][name],
                    n_training_given=document.n_training,
                    training_sha256=document.training.sha256,
                    held_out_sha256=document.held_out.sha256,
                )
                for name, document in datasets.items()
            ),
        }
    )


@job
def join_learning_starts(starts: Sequence[Sequence[LearningStart]]) -> list[LearningStart]:
    """Put the cells of several systems into one learning round."""
    return [start for of_system in starts for start in of_system]


def _shared_electron_energy(datasets: Mapping[str, DatasetDoc]) -> float | None:
    stated = {
        document.electron_energy_eV: name
        for name, document in datasets.items()
        if document.electron_energy_eV is not None
    }
    if len(stated) > 1:
        examples = ", ".join(f"{energy:g} eV ({name})" for energy, name in stated.items())
        raise UserInputError(
            f"charged cells of the systems were aligned by different electron energies: {examples}; pool sets that "
            "share one"
        )
    return next(iter(stated), None)
