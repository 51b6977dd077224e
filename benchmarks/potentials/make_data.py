"""Make the labelled configurations that the benchmarks of potentials share: Li2S with CHGNet's labels.

    .venv/bin/python benchmarks/potentials/make_data.py FOLDER

Training trajectories are cool (300 and 600 K, three strains), held-out ones of the same kind, and hot ones (1000 to
2500 K, one of them with vacancies, one compressed) that leave what training showed. Runs that are done are kept.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.spacegroup import crystal

from interfaceflow.core.errors import CalculationError
from interfaceflow.core.formats.labelled_file import read_labelled, write_labelled
from interfaceflow.core.labelled import LabelledConfiguration
from interfaceflow.reference.dynamics import SamplingTask, sample_trajectory
from interfaceflow.reference.levels_of_theory import load_level_of_theory

PARTS = ("training", "held_out", "hot")
LATTICE_PARAMETER_A = 5.71


@dataclass(frozen=True)
class Run:
    """A short run of reference dynamics."""

    part: str
    temperature_K: float
    strain: float
    n_vacancies: int
    seed: int

    @property
    def name(self) -> str:
        """Name of its file and of its trajectory."""
        return f"{self.part}-{self.temperature_K:.0f}K-{100 * self.strain:+.0f}pc-{self.n_vacancies}vac"


RUNS = (
    *(
        Run("training", temperature, strain, 0, 10 * index + number)
        for index, temperature in enumerate((300.0, 600.0))
        for number, strain in enumerate((-0.02, 0.0, 0.02))
    ),
    Run("held_out", 300.0, 0.0, 0, 101),
    Run("held_out", 600.0, 0.01, 0, 102),
    Run("hot", 1000.0, 0.0, 0, 201),
    Run("hot", 1500.0, 0.0, 0, 202),
    Run("hot", 2500.0, 0.0, 0, 203),
    Run("hot", 1000.0, 0.0, 2, 204),
    Run("hot", 1500.0, -0.06, 0, 205),
)


def lithium_sulfide(strain: float, n_vacancies: int, seed: int) -> Atoms:
    """Return 24 atoms of Li2S, less some lithium."""
    atoms = crystal(
        ["Li", "S"], [(0.25, 0.25, 0.25), (0, 0, 0)], spacegroup=225, cellpar=[LATTICE_PARAMETER_A] * 3 + [90] * 3
    )
    atoms = atoms.repeat((1, 1, 2))
    atoms.set_cell(atoms.cell * (1.0 + strain), scale_atoms=True)
    lithium = np.flatnonzero(atoms.symbols == "Li")
    del atoms[np.random.default_rng(seed).choice(lithium, n_vacancies, replace=False).tolist()]
    bare = Atoms(atoms.get_chemical_symbols(), positions=atoms.positions, cell=atoms.cell, pbc=True)
    return bare


def read_part(folder: Path, part: str) -> list[LabelledConfiguration]:
    """Return the configurations of a part, in the order of the runs."""
    return [one for run in RUNS if run.part == part for one in read_labelled(folder / f"{run.name}.xyz")]


def main() -> None:
    """Make what is missing."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--steps", type=int, default=80, help="steps of 2 fs of each run")
    parser.add_argument("--every", type=int, default=8, help="steps between two configurations")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    level = load_level_of_theory("chgnet")
    for run in RUNS:
        path = options.folder / f"{run.name}.xyz"
        if path.is_file():
            continue
        atoms = lithium_sulfide(run.strain, run.n_vacancies, run.seed)
        task = SamplingTask(atoms, run.temperature_K, 2.0, options.steps, options.every, run.seed, level, run.name)
        try:
            frames = sample_trajectory(task, lambda n=1: None)
        except CalculationError as problem:
            print(f"{run.name}: left out: {problem}")
            continue
        write_labelled(frames, path)
        print(f"{run.name}: {len(frames)} configurations", flush=True)


if __name__ == "__main__":
    main()
