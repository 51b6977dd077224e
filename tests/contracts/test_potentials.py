"""What every potential has to keep: the same suite for each, through its ASE calculator."""

from abc import ABC, abstractmethod
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import make_supercell
from ase.spacegroup import crystal

from interfaceflow.core.errors import UserInputError
from interfaceflow.potentials.mtp.calculator import MTPCalculator
from interfaceflow.potentials.nequip.calculator import NequIPCalculator
from interfaceflow.potentials.nequip.evaluation import evaluate_nequip
from interfaceflow.potentials.nequip.model import load_model

LI2S = Path(__file__).parents[1] / "data" / "mtp" / "li2s"
DISPLACEMENT_A = 1e-4


@pytest.fixture
def li2s():
    """Return twelve atoms of Li2S off their places, in a cell that is smaller than twice every cutoff."""
    cell = crystal(["Li", "S"], [(0.25,) * 3, (0,) * 3], spacegroup=225, cellpar=[5.7] * 3 + [90] * 3)
    atoms = Atoms(cell.get_chemical_symbols(), positions=cell.positions, cell=cell.cell, pbc=True)
    atoms.rattle(0.08, seed=3)
    atoms.set_cell(atoms.cell @ np.array([[1.02, 0.01, 0.0], [0.0, 0.99, 0.02], [0.0, 0.0, 1.0]]), scale_atoms=True)
    return atoms


def energy_of(atoms, calculator):
    copy = atoms.copy()
    copy.calc = calculator
    return copy.get_potential_energy()


def forces_of(atoms, calculator):
    copy = atoms.copy()
    copy.calc = calculator
    return copy.get_forces()


def stress_of(atoms, calculator):
    copy = atoms.copy()
    copy.calc = calculator
    return copy.get_stress()


class PotentialContract(ABC):
    """The suite. A potential is a calculator for Li and S that is loaded from files."""

    energy_tolerance_eV = 1e-8
    gradient_tolerance = 1e-5

    @pytest.fixture
    @abstractmethod
    def load(self):
        """Return a function that loads the calculator from its files."""

    @pytest.fixture
    def calculator(self, load):
        return load()

    def test_moving_all_atoms_changes_nothing(self, li2s, calculator):
        moved = li2s.copy()
        moved.translate([0.3, -7.1, 12.9])
        assert energy_of(moved, calculator) == pytest.approx(energy_of(li2s, calculator), abs=self.energy_tolerance_eV)
        assert forces_of(moved, calculator) == pytest.approx(forces_of(li2s, calculator), abs=1e-7)

    def test_forces_turn_with_the_cell(self, li2s, calculator):
        turned = li2s.copy()
        turned.rotate(37.0, (1, 2, 3), rotate_cell=True)
        rotation = np.linalg.solve(li2s.cell.array, turned.cell.array)
        assert energy_of(turned, calculator) == pytest.approx(energy_of(li2s, calculator), abs=self.energy_tolerance_eV)
        assert forces_of(turned, calculator) == pytest.approx(forces_of(li2s, calculator) @ rotation, abs=1e-7)

    def test_mirror_image_has_mirrored_forces(self, li2s, calculator):
        mirrored = li2s.copy()
        mirrored.set_cell(-li2s.cell.array, scale_atoms=True)
        assert energy_of(mirrored, calculator) == pytest.approx(
            energy_of(li2s, calculator), abs=self.energy_tolerance_eV
        )
        assert forces_of(mirrored, calculator) == pytest.approx(-forces_of(li2s, calculator), abs=1e-7)

    def test_order_of_atoms_does_not_matter(self, li2s, calculator):
        order = np.random.default_rng(5).permutation(len(li2s))
        shuffled = li2s[order]
        assert energy_of(shuffled, calculator) == pytest.approx(
            energy_of(li2s, calculator), abs=self.energy_tolerance_eV
        )
        assert forces_of(shuffled, calculator) == pytest.approx(forces_of(li2s, calculator)[order], abs=1e-7)

    def test_forces_are_minus_the_gradient_of_the_energy(self, li2s, calculator):
        forces = forces_of(li2s, calculator)
        for atom, axis in ((0, 0), (5, 1), (9, 2), (11, 0)):
            energies = []
            for sign in (1, -1):
                moved = li2s.copy()
                moved.positions[atom, axis] += sign * DISPLACEMENT_A
                energies.append(energy_of(moved, calculator))
            slope = (energies[0] - energies[1]) / (2 * DISPLACEMENT_A)
            assert forces[atom, axis] == pytest.approx(-slope, abs=self.gradient_tolerance)

    def test_forces_sum_to_nothing(self, li2s, calculator):
        assert forces_of(li2s, calculator).sum(axis=0) == pytest.approx(0.0, abs=1e-6)

    def test_stress_is_the_gradient_with_respect_to_strain_over_the_volume(self, li2s, calculator):
        stress = stress_of(li2s, calculator)
        for component, (i, j) in enumerate(((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))):
            energies = []
            for sign in (1, -1):
                strain = np.zeros((3, 3))
                strain[i, j] += sign * DISPLACEMENT_A / 2
                strain[j, i] += sign * DISPLACEMENT_A / 2
                strained = li2s.copy()
                strained.set_cell(li2s.cell.array @ (np.eye(3) + strain), scale_atoms=True)
                energies.append(energy_of(strained, calculator))
            slope = (energies[0] - energies[1]) / (2 * DISPLACEMENT_A) / li2s.get_volume()
            assert stress[component] == pytest.approx(slope, abs=self.gradient_tolerance)

    def test_compressed_crystal_pushes_outwards(self, li2s, calculator):
        small, large = li2s.copy(), li2s.copy()
        small.set_cell(0.93 * li2s.cell.array, scale_atoms=True)
        large.set_cell(1.05 * li2s.cell.array, scale_atoms=True)
        # Tension is positive, so a compressed cell has the smaller trace.
        assert stress_of(small, calculator)[:3].sum() < stress_of(large, calculator)[:3].sum()

    @pytest.mark.parametrize("repeats", [(2, 1, 1), (2, 2, 2)])
    def test_small_cell_is_the_repeated_cell(self, li2s, calculator, repeats):
        repeated = li2s.repeat(repeats)
        n = int(np.prod(repeats))
        assert energy_of(repeated, calculator) == pytest.approx(
            n * energy_of(li2s, calculator), abs=n * self.energy_tolerance_eV
        )
        assert forces_of(repeated, calculator) == pytest.approx(np.tile(forces_of(li2s, calculator), (n, 1)), abs=1e-7)
        assert stress_of(repeated, calculator) == pytest.approx(stress_of(li2s, calculator), abs=1e-8)

    def test_skewed_cell_of_the_same_lattice_is_the_same_crystal(self, li2s, calculator):
        skewed = make_supercell(li2s, [[1, 0, 0], [2, 1, 0], [-1, 1, 1]], wrap=False)
        assert energy_of(skewed, calculator) == pytest.approx(energy_of(li2s, calculator), abs=self.energy_tolerance_eV)
        assert stress_of(skewed, calculator) == pytest.approx(stress_of(li2s, calculator), abs=1e-8)

    def test_atoms_outside_the_cell_are_the_same_atoms(self, li2s, calculator):
        outside = li2s.copy()
        outside.positions[3] += 3 * li2s.cell[0] - 2 * li2s.cell[2]
        assert energy_of(outside, calculator) == pytest.approx(
            energy_of(li2s, calculator), abs=self.energy_tolerance_eV
        )
        assert forces_of(outside, calculator) == pytest.approx(forces_of(li2s, calculator), abs=1e-7)

    def test_one_atom_alone(self, calculator):
        alone = Atoms("Li", positions=[[1.0, 2.0, 3.0]])
        elsewhere = Atoms("Li", positions=[[-4.0, 0.0, 9.0]], cell=[50.0, 60.0, 70.0], pbc=True)
        assert np.isfinite(energy_of(alone, calculator))
        assert forces_of(alone, calculator) == pytest.approx(0.0, abs=1e-9)
        assert energy_of(elsewhere, calculator) == pytest.approx(
            energy_of(alone, calculator), abs=self.energy_tolerance_eV
        )

    def test_one_atom_in_a_crystal(self, calculator):
        one = Atoms("Li", cell=[[2.6, 0, 0], [0.3, 2.5, 0], [0, 0.2, 2.7]], pbc=True)
        many = one.repeat((3, 3, 3))
        assert energy_of(many, calculator) == pytest.approx(
            27 * energy_of(one, calculator), abs=27 * self.energy_tolerance_eV
        )
        assert forces_of(one, calculator) == pytest.approx(0.0, abs=1e-9)
        assert stress_of(many, calculator) == pytest.approx(stress_of(one, calculator), abs=1e-8)

    def test_site_energies_sum_to_the_energy(self, li2s, calculator):
        li2s.calc = calculator
        assert li2s.get_potential_energies().sum() == pytest.approx(li2s.get_potential_energy(), abs=1e-8)

    def test_loading_again_gives_the_same(self, li2s, load):
        first, second = load(), load()
        assert energy_of(li2s, first) == energy_of(li2s, second)
        assert np.array_equal(forces_of(li2s, first), forces_of(li2s, second))

    def test_element_it_was_not_trained_for_is_refused(self, li2s, calculator):
        li2s.symbols[0] = "Na"
        with pytest.raises(UserInputError, match="does not know Na; it was trained for Li, S"):
            energy_of(li2s, calculator)


class TestMTP(PotentialContract):
    @pytest.fixture
    def load(self):
        return lambda: MTPCalculator(LI2S / "level08.almtp", ["Li", "S"])


@pytest.mark.slow
class TestNequIPCompiled(PotentialContract):
    @pytest.fixture
    def load(self, compiled_network):
        return lambda: NequIPCalculator(load_model(compiled_network, species=["Li", "S"]))

    def test_many_are_as_each_alone(self, li2s, calculator):
        structures = [li2s, li2s.repeat((2, 1, 1)), li2s[:5]]
        together = evaluate_nequip(calculator.model, structures)
        for atoms, result in zip(structures, together, strict=True):
            assert result.energy_eV == energy_of(atoms, calculator)
            assert np.array_equal(result.forces_eV_A, forces_of(atoms, calculator))


@pytest.mark.slow
class TestNequIPCheckpoint(PotentialContract):
    @pytest.fixture
    def load(self, small_network):
        return lambda: NequIPCalculator(load_model(small_network.run.checkpoint, species=["Li", "S"]))
