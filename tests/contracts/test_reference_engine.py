"""What every reference engine has to fulfil: the same suite for each."""

import io
import warnings
from contextlib import redirect_stdout

import numpy as np
import pytest
from ase.build import bulk
from ase.stress import voigt_6_to_full_3x3_stress

from interfaceflow.reference.engines import engine_of
from interfaceflow.reference.levels_of_theory import calculator_of, load_level_of_theory
from interfaceflow.schemas.level_of_theory import LennardJonesSettings, LevelOfTheory

# CHGNet computes in single precision: an energy of 4 eV per atom is rounded at 5e-7 eV per atom, so a difference over
# 8 atoms and 0.02 Å carries 2e-4 eV/Å of noise, and forces and stress agree with each other to about 1e-5.
TOLERANCES = {"chgnet": 5e-3, "lennard-jones": 1e-5}
STEPS = {"chgnet": 1e-2, "lennard-jones": 1e-4}
ROUNDING = {"chgnet": 2e-5, "lennard-jones": 1e-9}


def argon():
    physics = LennardJonesSettings(engine="lennard-jones", sigma_A=2.3, epsilon_eV=0.2, cutoff_A=5.0)
    return LevelOfTheory(name="pairs", description="Lennard-Jones pairs", physics=physics)


@pytest.fixture(scope="module", params=["chgnet", "lennard-jones"])
def level(request):
    level = load_level_of_theory("chgnet") if request.param == "chgnet" else argon()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what third-party modules say while they are imported
        calculator_of(level)
    return level


@pytest.fixture(params=["cubic", "skewed", "smaller than the cutoff"])
def crystal(request):
    generator = np.random.default_rng(4)
    if request.param == "cubic":
        atoms = bulk("LiCl", "rocksalt", a=5.0, cubic=True)
    elif request.param == "skewed":
        atoms = bulk("LiCl", "rocksalt", a=5.0).repeat((1, 2, 2))
        atoms.set_cell(atoms.cell.array + generator.normal(0, 0.15, (3, 3)), scale_atoms=True)
    else:
        atoms = bulk("LiCl", "rocksalt", a=5.0)
    atoms.positions += generator.normal(0, 0.1, atoms.positions.shape)
    return atoms


def compute(level, atoms):
    atoms = atoms.copy()
    atoms.calc = calculator_of(level)
    return atoms.get_potential_energy(), atoms.get_forces(), atoms.get_stress(), atoms.calc.results["free_energy"]


def energy(level, atoms):
    return compute(level, atoms)[3]


def test_forces_are_minus_the_gradient_of_the_free_energy(level, crystal):
    forces, h = compute(level, crystal)[1], STEPS[level.physics.engine]
    for atom, axis in ((0, 0), (1, 1), (len(crystal) - 1, 2)):
        ends = []
        for step in (h, -h):
            moved = crystal.copy()
            moved.positions[atom, axis] += step
            ends.append(energy(level, moved))
        assert -(ends[0] - ends[1]) / (2 * h) == pytest.approx(forces[atom, axis], abs=TOLERANCES[level.physics.engine])


def test_stress_is_the_gradient_by_strain_over_volume_in_eV_per_A3(level, crystal):
    stress, h = voigt_6_to_full_3x3_stress(compute(level, crystal)[2]), STEPS[level.physics.engine] / 2
    for i, j in ((0, 0), (2, 2), (0, 1), (1, 2)):
        ends = []
        for step in (h, -h):
            strain = np.zeros((3, 3))
            strain[i, j] += step / 2
            strain[j, i] += step / 2
            strained = crystal.copy()
            strained.set_cell(crystal.cell.array @ (np.eye(3) + strain), scale_atoms=True)
            ends.append(energy(level, strained))
        numerical = (ends[0] - ends[1]) / (2 * h) / crystal.get_volume()
        # The noise of an energy over a strain of 0.01 and a volume of 17 Å3 an atom is below that over 0.02 Å.
        assert numerical == pytest.approx(stress[i, j], abs=TOLERANCES[level.physics.engine] / 10)


def test_a_stretched_crystal_is_under_tension(level):
    atoms = (
        bulk("LiCl", "rocksalt", a=5.6, cubic=True) if level.physics.engine == "chgnet" else bulk("Ar", "fcc", a=4.0)
    )
    assert compute(level, atoms)[2][:3].min() > 0


def test_energy_is_invariant_and_forces_turn_with_the_crystal(level, crystal):
    reference, forces, _, _ = compute(level, crystal)
    rounding = ROUNDING[level.physics.engine] * len(crystal)

    shifted = crystal.copy()
    shifted.positions += (0.31, -7.2, 25.0)
    assert energy(level, shifted) == pytest.approx(reference, abs=rounding)

    shifted.wrap()
    assert energy(level, shifted) == pytest.approx(reference, abs=rounding)

    turned = crystal.copy()
    turned.rotate(33, (1, -2, 0.5), rotate_cell=True)
    turned_energy, turned_forces, _, _ = compute(level, turned)
    assert turned_energy == pytest.approx(reference, abs=rounding)
    rotation = np.linalg.solve(crystal.cell.array, turned.cell.array)
    np.testing.assert_allclose(turned_forces, forces @ rotation, atol=rounding)

    order = np.random.default_rng(5).permutation(len(crystal))
    swapped_energy, swapped_forces, _, _ = compute(level, crystal[order])
    assert swapped_energy == pytest.approx(reference, abs=rounding)
    np.testing.assert_allclose(swapped_forces, forces[order], atol=rounding)

    doubled = crystal.repeat((2, 1, 1))
    assert energy(level, doubled) == pytest.approx(2 * reference, abs=2 * rounding)


def test_a_calculator_used_again_gives_the_same(level, crystal):
    first = compute(level, crystal)
    compute(level, crystal.repeat((1, 1, 2)))
    again = compute(level, crystal)
    assert first[0] == again[0]
    np.testing.assert_array_equal(first[1], again[1])


def test_the_engine_declares_itself(level):
    engine = engine_of(level)
    assert engine.name == level.physics.engine
    assert engine.packages


def test_chgnet_equals_its_own_calculator():
    level = load_level_of_theory("chgnet")
    atoms = bulk("LiCl", "rocksalt", a=5.0, cubic=True)
    atoms.rattle(0.1, rng=np.random.default_rng(6))
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        from chgnet.model.dynamics import CHGNetCalculator

        theirs = atoms.copy()
        theirs.calc = CHGNetCalculator(use_device="cpu")
        expected = (
            theirs.get_potential_energy(),
            theirs.get_forces(),
            theirs.get_stress(),
            theirs.get_magnetic_moments(),
        )
        ours = atoms.copy()
        ours.calc = calculator_of(level)
        assert ours.get_potential_energy() == pytest.approx(expected[0], abs=1e-5)
        np.testing.assert_allclose(ours.get_forces(), expected[1], atol=1e-5)
        np.testing.assert_allclose(ours.get_stress(), expected[2], atol=1e-6)
        np.testing.assert_allclose(ours.get_magnetic_moments(), expected[3], atol=1e-6)


def test_chgnet_refuses_an_atom_without_neighbours():
    level = load_level_of_theory("chgnet")
    lonely = bulk("Li", "sc", a=12.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        lonely.calc = calculator_of(level)
        with pytest.raises(ValueError, match="isolated"):
            lonely.get_potential_energy()
