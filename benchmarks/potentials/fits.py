"""The fits that the benchmarks of potentials compare, on the same data; one that was made is not made again."""

from __future__ import annotations

import json
import resource
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from interfaceflow.core.formats.cfg import Configuration, write_configurations
from interfaceflow.core.labelled import LabelledConfiguration
from interfaceflow.core.progress import LogProgress
from interfaceflow.potentials.mlp import Mlp, MlpTrainingSettings, write_untrained_potential
from interfaceflow.potentials.nequip.training import NequIPRun, train_nequip
from interfaceflow.schemas.nequip import NequIPSettings

SPECIES = ("Li", "S")


@dataclass(frozen=True)
class TimedFit:
    """A fit and the processor time it took, s."""

    path: Path
    cpu_time_s: float


def fit_mtp(training: list[LabelledConfiguration], folder: Path, *, level: int, iterations: int) -> TimedFit:
    """Fit a moment tensor potential with its active set, with the weights of the package's defaults."""
    folder.mkdir(parents=True, exist_ok=True)
    path, cost = folder / f"mtp-{level:02d}.almtp", folder / f"mtp-{level:02d}.json"
    if cost.is_file():
        return TimedFit(path, json.loads(cost.read_text()))
    start, labels = folder / "start.almtp", folder / "training.cfg"
    write_untrained_potential(start, level, species_count=2, min_dist=1.5, cutoff_radius=5.0)
    write_configurations(
        labels,
        [
            Configuration.from_atoms(
                one.atoms, SPECIES, energy=one.free_energy_eV, forces=one.forces_eV_A, stress=one.stress_eV_A3
            )
            for one in training
        ],
    )
    started = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    settings = MlpTrainingSettings(iteration_limit=iterations, seed=1)
    Mlp(n_threads=1).train(start, labels, save_to=path, log=folder / f"mtp-{level:02d}.log", settings=settings)
    cpu_time_s = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - started
    cost.write_text(json.dumps(cpu_time_s))
    return TimedFit(path, cpu_time_s)


def fit_networks(
    training: list[LabelledConfiguration],
    validation: list[LabelledConfiguration],
    folder: Path,
    settings: NequIPSettings,
    seeds: Iterable[int],
) -> list[NequIPRun]:
    """Fit networks that differ in their seeds alone."""
    return [
        train_nequip(training, SPECIES, settings, seed, folder, validation=validation, progress=LogProgress(30.0))
        for seed in seeds
    ]
