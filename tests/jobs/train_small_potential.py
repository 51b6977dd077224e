"""Run one training job in the project named by the environment: ``python train_small_potential.py LEVEL ITERATIONS``.

The job is always the same one, as it is when a flow is run again after a kill.
"""

import sys
from pathlib import Path

from jobflow import JobStore, run_locally
from maggma.stores import MemoryStore

from interfaceflow.core.files import FileRef, project_root
from interfaceflow.core.formats.cfg import read_configurations
from interfaceflow.core.formats.labelled_file import write_labelled
from interfaceflow.core.labelled import LabelledConfiguration
from interfaceflow.jobs.potentials import train_potential
from interfaceflow.jobs.wiring import wire
from interfaceflow.schemas.base import Provenance
from interfaceflow.schemas.datasets import DatasetDoc, PotentialDoc
from interfaceflow.schemas.settings import MtpSettings

LI2S = Path(__file__).parents[1] / "data" / "mtp" / "li2s"


def labels_of(name: str, n: int) -> list[LabelledConfiguration]:
    """Return the first configurations of one of the oracle's sets."""
    labels = []
    for index, one in enumerate(read_configurations(LI2S / name)[:n]):
        atoms = one.to_atoms(["Li", "S"])
        label = LabelledConfiguration(
            atoms=atoms.copy(),
            free_energy_eV=one.energy,
            energy_eV=one.energy,
            forces_eV_A=one.forces,
            stress_eV_A3=atoms.get_stress(),
            physics_hash="0" * 64,
            source=f"{name}, {index}",
            trajectory=name,
        )
        labels.append(label)
    return labels


def store_dataset(training: list[LabelledConfiguration], held_out: list[LabelledConfiguration]) -> DatasetDoc:
    """Write a dataset into the project and describe it."""
    files = [project_root() / "training.xyz", project_root() / "held_out.xyz"]
    write_labelled(training, files[0])
    write_labelled(held_out, files[1])
    return DatasetDoc(
        training=FileRef.of(files[0]),
        held_out=FileRef.of(files[1]),
        n_training=len(training),
        n_held_out=len(held_out),
        species=("Li", "S"),
        min_distances_A={"Li-S": 1.52},
        level_of_theory="chgnet",
        physics_hash="0" * 64,
        provenance=Provenance(package_versions={}, host="here", wall_time_s=0.0),
    )


def run_training(dataset: DatasetDoc, settings: MtpSettings) -> PotentialDoc:
    """Run the job."""
    made = wire(train_potential(dataset, settings, 1), "train potential", "cpu")
    made.set_uuid("11111111-2222-3333-4444-555555555555")
    results = run_locally(made, store=JobStore(MemoryStore()), ensure_success=True, log=False)
    output = results[made.uuid][1].output
    assert isinstance(output, PotentialDoc)
    return output


if __name__ == "__main__":
    level, iterations = (int(word) for word in sys.argv[1:])
    run_training(
        store_dataset(labels_of("train.cfg", 24), labels_of("test.cfg", 2)),
        MtpSettings(level=level, max_iterations=iterations),
    )
