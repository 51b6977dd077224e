"""LAMMPS beside ASE's Lennard-Jones argon, with the stand-in for a grade of `conftest.lj_with_grade`."""

import sys

import numpy as np
from ase import Atoms
from ase.calculators.lj import LennardJones

from interfaceflow.potentials.external.ase_calculator import compute_with
from interfaceflow.potentials.external.evaluator import Evaluation
from interfaceflow.potentials.external.lammps_process import read_options, run


class GradedArgon:
    def __init__(self) -> None:
        self.calculator = LennardJones(epsilon=0.0104, sigma=3.40, rc=8.0, smooth=False)

    def evaluate(self, types, positions_A, cell_A, *, with_grades):
        atoms = Atoms(np.full(len(types), "Ar"), positions=positions_A, cell=cell_A, pbc=True)
        found = compute_with(self.calculator, atoms)
        grades = 1000 * (self.calculator.results["energies"] + 0.06) if with_grades else None
        return Evaluation(found.energy_eV, found.forces_eV_A, found.stress_eV_A3, grades)


if __name__ == "__main__":
    sys.exit(run(read_options(sys.argv[1:]), GradedArgon))
