"""Phonons against crystals whose frequencies are known on paper."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.lj import LennardJones

from interfaceflow.analysis.phonons import choose_repeats, compute_phonons, displace_atoms
from interfaceflow.core.errors import CalculationError

pytestmark = pytest.mark.physics

THZ = 15.633302  # sqrt(eV/Å2/u) / 2 pi, from the CODATA values of e and u
SIGMA_A, EPSILON_EV = 3.4, 0.0104
NEAREST_A = 2 ** (1 / 6) * SIGMA_A


class SpringChain(Calculator):
    """Atoms on a line of N, each tied to its two neighbours in the order of their places, along x only."""

    implemented_properties = ("energy", "forces")

    def __init__(self, spring_eV_A2: float, spacing_A: float) -> None:
        super().__init__()
        self.spring, self.spacing = spring_eV_A2, spacing_A

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        x = self.atoms.positions[:, 0]
        places = np.rint(x / self.spacing).astype(int) % len(x)
        moved = np.empty(len(x))
        moved[places] = x - np.rint(x / self.spacing) * self.spacing
        pull = self.spring * (np.roll(moved, 1) + np.roll(moved, -1) - 2 * moved)
        forces = np.zeros((len(x), 3))
        forces[:, 0] = pull[places]
        self.results = {
            "energy": 0.5 * self.spring * float(((np.roll(moved, -1) - moved) ** 2).sum()),
            "forces": forces,
        }


def phonons_of(crystal: Atoms, repeats, calculator: Calculator):
    forces = []
    for cell in displace_atoms(crystal, repeats):
        cell.calc = calculator
        forces.append(cell.get_forces())
    return compute_phonons(crystal, repeats, forces)


def lennard_jones() -> LennardJones:
    """Return a pair potential of nearest neighbours alone."""
    return LennardJones(sigma=SIGMA_A, epsilon=EPSILON_EV, rc=1.2 * NEAREST_A)


def test_a_chain_of_springs_has_its_dispersion():
    spring, spacing = 2.5, 3.0
    chain = Atoms("Ar", cell=[spacing, 12, 12], pbc=True)
    found = phonons_of(chain, (6, 1, 1), SpringChain(spring, spacing))
    assert np.allclose(found.wave_vectors[0], 0)
    assert np.abs(found.wave_vectors).max() <= 0.5 + 1e-9
    expected = 2 * np.sqrt(spring / chain.get_masses()[0]) * np.abs(np.sin(np.pi * found.wave_vectors[:, 0])) * THZ
    np.testing.assert_allclose(found.frequencies_THz[:, 2], expected, atol=1e-4)
    np.testing.assert_allclose(found.frequencies_THz[:, :2], 0, atol=1e-4)  # nothing ties it sideways


def test_an_fcc_crystal_of_nearest_neighbours_has_its_frequencies_at_the_zone_boundary():
    """Springs k to twelve neighbours: at X, m w^2 = 8 k along and 4 k across; at L, 8 k along and 2 k across."""
    crystal = bulk("Ar", "fcc", a=np.sqrt(2) * NEAREST_A)
    found = phonons_of(crystal, (2, 2, 2), lennard_jones())
    spring = 36 * 2 ** (2 / 3) * EPSILON_EV / SIGMA_A**2  # second derivative of the pair energy at its minimum
    unit = np.sqrt(spring / crystal.get_masses()[0]) * THZ
    halves = np.abs(found.wave_vectors).sum(axis=1) / 0.5
    assert sorted(halves.tolist()) == [0, 1, 1, 1, 2, 2, 2, 3]
    for q_halves, expected in ((1, [2, 2, 8]), (2, [4, 4, 8]), (3, [2, 2, 8])):  # L, X, and the fourth L
        for frequencies in found.frequencies_THz[halves == q_halves]:
            np.testing.assert_allclose(frequencies, np.sqrt(expected) * unit, rtol=1e-3)
    assert found.acoustic_residual_THz < 1e-4
    assert found.imaginary_modes(1e-3) == []


def test_a_crystal_that_is_torn_apart_has_imaginary_modes():
    torn = bulk("Ar", "fcc", a=1.14 * np.sqrt(2) * NEAREST_A)  # beyond the inflection of the pair energy
    found = phonons_of(torn, (2, 2, 2), lennard_jones())
    modes = found.imaginary_modes(0.01)
    assert modes
    assert modes[0][1] == found.lowest_THz < -0.1
    assert [frequency for _, frequency in modes] == sorted(frequency for _, frequency in modes)
    assert found.imaginary_modes(-2 * found.lowest_THz) == []


def test_forces_that_do_not_sum_to_zero_show_in_the_acoustic_residual_alone():
    crystal = bulk("Ar", "fcc", a=np.sqrt(2) * NEAREST_A)
    (cell,) = displace_atoms(crystal, (2, 2, 2))
    cell.calc = lennard_jones()
    wrong = cell.get_forces()
    wrong[np.argmax(np.linalg.norm(wrong, axis=1))] *= 1.05
    found = compute_phonons(crystal, (2, 2, 2), [wrong])
    assert found.acoustic_residual_THz > 0.1
    np.testing.assert_allclose(found.frequencies_THz[0], 0, atol=1e-4)


def test_supercells_reach_the_width_that_was_asked_for():
    skewed = Atoms("Ar", cell=[[4, 0, 0], [3.9, 2, 0], [0, 0, 11]], pbc=True)
    repeats = choose_repeats(skewed, 10.0)
    heights = repeats / np.linalg.norm(skewed.cell.reciprocal().array, axis=1)
    assert (heights >= 10 - 1e-6).all()
    assert repeats[2] == 1


def test_forces_of_the_wrong_cells_are_refused():
    crystal = bulk("Ar", "fcc", a=5.4)
    with pytest.raises(CalculationError, match=r"of shape \(1, 3, 3\) were given, finite ones of shape \(1, 8, 3\)"):
        compute_phonons(crystal, (2, 2, 2), [np.zeros((3, 3))])
