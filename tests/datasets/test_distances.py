from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.neighborlist import neighbor_list
from frames import configuration

from interfaceflow.datasets.distances import minimum_distances


def test_minimum_distances_are_those_of_the_nearest_images():
    # Rock salt with a = 5.1 Å: unlike neighbours at a / 2, like ones at a / sqrt(2); one Li moved 0.1 Å along x.
    ideal = replace(configuration(1), atoms=bulk("LiCl", "rocksalt", a=5.1, cubic=True))
    assert minimum_distances([ideal]) == pytest.approx({"Cl-Cl": 3.6062, "Cl-Li": 2.55, "Li-Li": 3.6062}, abs=1e-4)
    moved = replace(ideal, atoms=ideal.atoms.copy())
    moved.atoms.positions[0, 0] += 0.1
    assert minimum_distances([ideal, moved])["Cl-Li"] == pytest.approx(2.45)


@pytest.mark.parametrize("seed", range(6))
def test_minimum_distances_agree_with_a_neighbour_list_in_small_skewed_cells(seed):
    generator = np.random.default_rng(seed)
    cell = np.diag(generator.uniform(2.5, 9.0, 3)) + np.tril(generator.uniform(-2.0, 2.0, (3, 3)), -1)
    atoms = Atoms("LiClLi", scaled_positions=generator.uniform(-3.0, 3.0, (3, 3)), cell=cell, pbc=True)
    symbols = np.array(atoms.get_chemical_symbols())
    centre, neighbour, distance = neighbor_list("ijd", atoms, 6.0)
    expected = {}
    for first, second in (("Cl", "Cl"), ("Cl", "Li"), ("Li", "Li")):
        chosen = distance[(symbols[centre] == first) & (symbols[neighbour] == second)]
        if len(chosen):
            expected[f"{first}-{second}"] = chosen.min()
    assert minimum_distances([replace(configuration(1), atoms=atoms)]) == pytest.approx(expected)
