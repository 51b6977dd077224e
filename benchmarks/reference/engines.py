"""One cell of Li2S at every reference engine: energies, lattice constant, forces against GPAW, CPU seconds.

`README.md` beside this file says what exactly is measured.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.eos import EquationOfState
from ase.spacegroup import crystal

from interfaceflow.core.errors import InterfaceflowError
from interfaceflow.core.labelled import LabelledConfiguration
from interfaceflow.jobs.reference.calculation import calculate, label_of
from interfaceflow.jobs.reference.makers import makers_of, runs_as_jobs
from interfaceflow.reference.engines import check_calculation
from interfaceflow.reference.labels import take_label
from interfaceflow.reference.levels_of_theory import calculator_of, load_level_of_theory
from interfaceflow.schemas.level_of_theory import LevelOfTheory

LEVELS = ("gpaw-pbe", "cp2k-pbe", "gfn1-xtb", "chgnet")
REFERENCE = "gpaw-pbe"
START_A = 5.7
FRAMES = {"hot": (0.05, 1), "hotter": (0.10, 2)}  # standard deviation of the displacements, Å, and seed
SCALES = (0.97, 0.985, 1.0, 1.015, 1.03)


@dataclass(frozen=True)
class EngineResult:
    """What one level of theory says of the cell.

    Attributes
    ----------
    level
        Its name.
    physics
        Its settings.
    energy_difference_eV
        Energy of the second frame less that of the first, at zero smearing.
    lattice_constant_A
        Edge of the conventional cell at the minimum of a third-order Birch-Murnaghan curve.
    forces_eV_A
        Forces on both frames, shape (2, n_atoms, 3).
    label_cpu_s
        CPU time of the first frame's energy, forces and stress, started from nothing.
    """

    level: str
    physics: dict[str, object]
    energy_difference_eV: float
    lattice_constant_A: float
    forces_eV_A: list[list[list[float]]]
    label_cpu_s: float


def lithium_sulfide(edge_A: float) -> Atoms:
    """Return the conventional cell of the antifluorite, 12 atoms."""
    cell = crystal(["Li", "S"], [(0.25, 0.25, 0.25), (0, 0, 0)], spacegroup=225, cellpar=[edge_A] * 3 + [90] * 3)
    return Atoms(cell.numbers, cell.positions, cell=cell.cell, pbc=True)


def rattled_frames() -> list[Atoms]:
    """Return the two frames, displaced by normal random numbers."""
    frames = []
    for deviation_A, seed in FRAMES.values():
        atoms = lithium_sulfide(START_A)
        atoms.positions += np.random.default_rng(seed).normal(0, deviation_A, atoms.positions.shape)
        frames.append(atoms)
    return frames


def label_in_this_process(atoms: Atoms, level: LevelOfTheory) -> LabelledConfiguration:
    """Label with the level's ASE calculator."""
    atoms = atoms.copy()
    atoms.calc = calculator_of(level)
    return take_label(atoms, physics_hash=level.physics_hash, source="benchmark", trajectory="benchmark")


def label_by_a_program(atoms: Atoms, level: LevelOfTheory) -> LabelledConfiguration:
    """Label as a job does where the engine runs as jobs: inputs written, the program under custodian, outputs read."""
    makers = makers_of(level)
    with tempfile.TemporaryDirectory() as folder:
        (*_, frame) = calculate(makers, makers.static(), atoms, Path(folder) / "calculation")
    return label_of(frame, atoms, level, source="benchmark", trajectory="benchmark")


def cpu_seconds() -> float:
    """Return the CPU time of this process and of those children that have ended, s."""
    return sum(os.times()[:4])


def measure(level: LevelOfTheory, scales: tuple[float, ...]) -> EngineResult:
    """Compute the curve and the two frames at one level of theory.

    Raises
    ------
    InterfaceflowError
        If the engine is not installed or does not converge.
    """
    check_calculation(level, lithium_sulfide(START_A), level.name)
    label = label_by_a_program if runs_as_jobs(level) else label_in_this_process
    crystals = [lithium_sulfide(START_A * scale) for scale in scales]
    energies = [label(atoms, level).energy_eV for atoms in crystals]
    volume, *_ = EquationOfState([atoms.get_volume() for atoms in crystals], energies, eos="birchmurnaghan").fit(
        warn=False
    )
    calculator_of.cache_clear()
    if not runs_as_jobs(level):
        calculator_of(level)  # reading weights is no part of a label
    started = cpu_seconds()
    labels, cpu_s = [], 0.0
    for atoms in rattled_frames():
        labels.append(label(atoms, level))
        cpu_s = cpu_s or cpu_seconds() - started
    return EngineResult(
        level=level.name,
        physics=level.physics.model_dump(mode="json"),
        energy_difference_eV=labels[1].energy_eV - labels[0].energy_eV,
        lattice_constant_A=float(volume ** (1 / 3)),
        forces_eV_A=[one.forces_eV_A.tolist() for one in labels],
        label_cpu_s=cpu_s,
    )


def force_rmse(result: EngineResult, reference: EngineResult) -> float:
    """Return the root mean square difference of force components on both frames, eV/Å."""
    difference = np.array(result.forces_eV_A) - np.array(reference.forces_eV_A)
    return float(np.sqrt((difference**2).mean()))


def print_table(results: list[EngineResult]) -> None:
    """Print a Markdown table; forces are compared where GPAW has run."""
    reference = next((result for result in results if result.level == REFERENCE), None)
    print("| level of theory | E(hotter) - E(hot) / eV | a / Å | F RMSE / eV/Å | CPU s a label |")
    print("|-|-|-|-|-|")
    for result in results:
        rmse = "-" if reference is None else f"{force_rmse(result, reference):.3f}"
        print(
            f"| {result.level} | {result.energy_difference_eV:.3f} | {result.lattice_constant_A:.3f} | {rmse} "
            f"| {result.label_cpu_s:.2f} |"
        )
    if reference is not None:
        size = float(np.sqrt((np.array(reference.forces_eV_A) ** 2).mean()))
        print(f"\nThe forces of {REFERENCE} have a root mean square of {size:.3f} eV/Å.")


def main() -> int:
    """Measure the levels of theory that are asked for, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--levels", nargs="+", default=list(LEVELS), help="names of levels of theory")
    parser.add_argument("--beside", type=Path, help="folder with level-of-theory files of your own")
    parser.add_argument("--json", type=Path, help="file for everything that was measured")
    parser.add_argument("--quick", action="store_true", help="four points of the curve instead of five")
    given = parser.parse_args()
    warnings.filterwarnings("ignore")
    results = []
    for name in given.levels:
        try:
            results.append(measure(load_level_of_theory(name, given.beside), SCALES[:4] if given.quick else SCALES))
        except InterfaceflowError as error:
            print(f"{name} is left out: {error}", file=sys.stderr)
    print_table(results)
    if given.json is not None:
        given.json.write_text(json.dumps([asdict(result) for result in results], indent=1))
    return 0 if results else 1


if __name__ == "__main__":
    sys.exit(main())
