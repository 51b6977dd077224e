"""Datasets of rare gases, sampled for real with Lennard-Jones pairs."""

from ase.build import bulk

from interfaceflow.core.files import FileRef
from interfaceflow.core.labelled import LabelledConfiguration
from interfaceflow.datasets.dataset import make_dataset, write_dataset
from interfaceflow.datasets.distances import minimum_distances
from interfaceflow.reference.dynamics import SamplingTask, sample_trajectory
from interfaceflow.schemas.base import Provenance
from interfaceflow.schemas.datasets import DatasetDoc
from interfaceflow.schemas.level_of_theory import LennardJonesSettings, LevelOfTheory


def pairs(name="pairs", epsilon_eV=0.104, sigma_A=3.4):
    settings = LennardJonesSettings(engine="lennard-jones", sigma_A=sigma_A, epsilon_eV=epsilon_eV, cutoff_A=6.0)
    return LevelOfTheory(name=name, description="Lennard-Jones pairs", physics=settings)


def run(symbols: str, temperature_K: float, seed: int, level: LevelOfTheory) -> list[LabelledConfiguration]:
    """Return eight labelled frames of a solid of four atoms."""
    atoms = bulk("Ar", "fcc", a=5.3, cubic=True)
    atoms.symbols[:] = symbols
    task = SamplingTask(
        atoms, temperature_K, 4.0, 40, 5, seed, level, name=f"{atoms.get_chemical_formula()}-{temperature_K:g}K"
    )
    return sample_trajectory(task, lambda n=1: None)


def store_argon(folder, symbols="Ar4", seed=1, level=None) -> DatasetDoc:
    """Sample one run to train on and one, hotter, to test on, and store them in a folder of the project."""
    level = level or pairs()
    training, held_out = run(symbols, 100.0, seed, level), run(symbols, 200.0, seed + 1, level)
    dataset = make_dataset([*training, *held_out], frozenset({held_out[0].trajectory}))
    folder.mkdir()
    files = write_dataset(dataset, folder)
    return DatasetDoc(
        training=FileRef.of(files[0]),
        held_out=FileRef.of(files[1]),
        n_training=len(dataset.training),
        n_held_out=len(dataset.held_out),
        species=dataset.species,
        min_distances_A=minimum_distances(dataset.training),
        level_of_theory=level.name,
        physics_hash=level.physics_hash,
        provenance=Provenance(package_versions={"ase": "3"}, host="here", wall_time_s=0.0),
    )
