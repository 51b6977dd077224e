"""A program with CP2K's command line, inputs and outputs that computes a Lennard-Jones solid.

It stands in for CP2K where a test is about jobs and not about energies; what it writes has the form that CP2K 2023.1
gives its output (compare tests/data/cp2k). A configuration with more than ``FAKE_CP2K_MAX_ATOMS`` atoms makes it abort;
it waits for ``FAKE_CP2K_WAIT_S`` seconds first.
"""

import os
import re
import sys
import time
from pathlib import Path

import numpy as np
from ase import Atoms, units
from ase.calculators.lj import LennardJones
from ase.filters import FrechetCellFilter
from ase.md.langevin import Langevin
from ase.optimize import BFGS

HARTREE, BOHR, TIME_FS = 27.211386245988, 0.529177210903, 0.024188843265857
GPA = 160.2176634
ENTROPY_HARTREE = -1e-4


def main():
    text = Path(sys.argv[sys.argv.index("-i") + 1]).read_text()
    atoms = read_atoms(text)
    time.sleep(float(os.environ.get("FAKE_CP2K_WAIT_S", "0")))
    if len(atoms) > int(os.environ.get("FAKE_CP2K_MAX_ATOMS", "1000")):
        say(" *   ___      ", " *  /   \\      ", " * [ABORT]      ", " *  \\___/      too many atoms for a fake   ")
        sys.exit(1)
    atoms.calc = LennardJones(sigma=3.4, epsilon=0.104, rc=6.0, ro=4.2, smooth=True)
    run_type = value(text, "RUN_TYPE")
    {"ENERGY_FORCE": evaluate, "GEO_OPT": relax, "CELL_OPT": relax, "MD": move}[run_type](atoms, text)
    say("  **** PROGRAM ENDED AT   2026-01-01")


def evaluate(atoms, text):
    print_evaluation(atoms)


def relax(atoms, text):
    moving = atoms
    if "&CELL_OPT" in text:
        mask = (0, 0, 1, 0, 0, 0) if value(text, "CONSTRAINT") == "XY" else (1, 1, 1, 1, 1, 1)
        moving = FrechetCellFilter(atoms, mask=mask)
    optimiser = BFGS(moving, logfile=None)
    print_evaluation(atoms)
    for _ in optimiser.irun(fmax=1e-3, steps=int(value(text, "MAX_ITER"))):
        if optimiser.nsteps:
            print_evaluation(atoms)
            append_frame("CP2K-pos-1.xyz", atoms, atoms.positions, optimiser.nsteps)
            append_cell(atoms)
    print_evaluation(atoms)
    append_frame("CP2K-pos-1.xyz", atoms, atoms.positions, optimiser.nsteps + 1)
    append_cell(atoms)


def move(atoms, text):
    rows = re.search(r"&VELOCITY\n(.*?)&END VELOCITY", text, re.DOTALL)[1].split()
    atoms.set_velocities(np.array(rows, dtype=float).reshape(-1, 3) * BOHR / TIME_FS / units.fs)
    dynamics = Langevin(
        atoms,
        float(value(text, "TIMESTEP")) * units.fs,
        temperature_K=float(value(text, "TEMPERATURE")),
        friction=float(value(text, "GAMMA")) / units.fs,
        fixcm=False,
        rng=np.random.default_rng(int(value(text, "SEED"))),
    )
    for step in range(int(value(text, "STEPS")) + 1):
        if step:
            dynamics.run(1)
        print_evaluation(atoms)
        append_frame("CP2K-pos-1.xyz", atoms, atoms.positions, step)
        append_frame("CP2K-vel-1.xyz", atoms, atoms.get_velocities() * units.fs * TIME_FS / BOHR, step)
        append_cell(atoms)


def read_atoms(text):
    cell = [[float(x) for x in re.search(rf"^\s+{name} (.*)$", text, re.MULTILINE)[1].split()] for name in "ABC"]
    lines = Path(value(text, "COORD_FILE_NAME")).read_text().splitlines()[2:]
    words = [line.split() for line in lines if line]
    symbols = [word[0].split("_")[0] for word in words]
    return Atoms(symbols, positions=[[float(x) for x in word[1:]] for word in words], cell=cell, pbc=True)


def say(*lines):
    sys.stdout.write("\n".join(lines) + "\n")


def value(text, name):
    match = re.search(rf"^\s*{name} (\S+)", text, re.MULTILINE)
    return match[1] if match else None


def print_evaluation(atoms):
    say("\n SCF WAVEFUNCTION OPTIMIZATION\n\n  *** SCF run converged in    11 steps ***\n")
    say(f"  Electronic entropic energy: {ENTROPY_HARTREE:40.14f}")
    say(f" ENERGY| Total FORCE_EVAL ( QS ) energy [a.u.]: {atoms.get_potential_energy() / HARTREE:28.15f}")
    say("\n ATOMIC FORCES in [a.u.]\n\n # Atom   Kind   Element          X              Y              Z")
    for number, force in enumerate(atoms.get_forces() * BOHR / HARTREE, start=1):
        say(f"{number:7d} {1:6d}      {atoms.symbols[number - 1]:2s}" + "".join(f"{x:15.8f}" for x in force))
    say(" SUM OF ATOMIC FORCES           0.00000000     0.00000000     0.00000000     0.00000000\n")
    say(" STRESS| Analytical stress tensor [GPa]\n STRESS|                        x                   y      z")
    for name, row in zip("xyz", -atoms.get_stress(voigt=False) * GPA, strict=True):
        say(f" STRESS|      {name} " + "".join(f"{x:20.11E}" for x in row))


def append_frame(name, atoms, vectors, step):
    with Path(name).open("a") as file:
        file.write(f"{len(atoms)}\n i = {step:8d}, time = 0.000, E = 0.0\n")
        for symbol, row in zip(atoms.symbols, vectors, strict=True):
            file.write(f"{symbol:>3}" + "".join(f"{x:21.10f}" for x in row) + "\n")


def append_cell(atoms):
    with Path("CP2K-1.cell").open("a") as file:
        file.write("1 0.000 " + " ".join(f"{x:.10f}" for x in atoms.cell.array.ravel()) + f" {atoms.cell.volume}\n")


if __name__ == "__main__":
    main()
