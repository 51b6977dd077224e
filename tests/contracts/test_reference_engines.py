"""What every reference engine has to fulfil: one suite, inherited by each."""

import io
import warnings
from contextlib import redirect_stdout

import numpy as np
import pytest
from ase.build import bulk
from ase.stress import voigt_6_to_full_3x3_stress

from interfaceflow.core.errors import UserInputError
from interfaceflow.core.formats.labelled_file import read_labelled, write_labelled
from interfaceflow.core.progress import SilentProgress
from interfaceflow.reference.engines import check_calculation, engine_of
from interfaceflow.reference.labelling import LabelRequest, label_configurations
from interfaceflow.reference.labels import reason_to_quarantine, take_label
from interfaceflow.reference.levels_of_theory import calculator_of, load_level_of_theory, packages_of
from interfaceflow.reference.workers import stop_workers
from interfaceflow.schemas.ase_calculator import AseSettings
from interfaceflow.schemas.gpaw import GpawConvergence, GpawSettings
from interfaceflow.schemas.level_of_theory import LennardJonesSettings, LevelOfTheory
from interfaceflow.schemas.tblite import TbliteSettings


def rattled(atoms, seed=4):
    atoms.positions += np.random.default_rng(seed).normal(0, 0.1, atoms.positions.shape)
    return atoms


def cubic():
    return rattled(bulk("LiCl", "rocksalt", a=5.0, cubic=True))


def skewed():
    atoms = bulk("LiCl", "rocksalt", a=5.0).repeat((1, 2, 2))
    atoms.set_cell(atoms.cell.array + np.random.default_rng(4).normal(0, 0.15, (3, 3)), scale_atoms=True)
    return rattled(atoms)


def primitive():
    return rattled(bulk("LiCl", "rocksalt", a=5.0))


def skewed_primitive():
    atoms = bulk("LiCl", "rocksalt", a=5.1)
    atoms.set_cell(atoms.cell.array + np.random.default_rng(4).normal(0, 0.15, (3, 3)), scale_atoms=True)
    return rattled(atoms)


class ReferenceContract:
    """The suite. A subclass says what is tested, and how exactly its numbers can agree.

    ``step_A`` is the displacement of finite differences; ``gradient_tolerance`` what force (eV/Å) and ten times what
    stress (eV/Å3) may differ from them by; ``rounding_eV`` what energies of equal configurations differ by per atom.
    """

    crystals = (cubic, skewed, primitive)
    step_A = 1e-4
    gradient_tolerance = 1e-5
    rounding_eV = 1e-9
    eggbox_eV = 0.0
    stretched = ("LiCl", 5.6)
    force_components = ((0, 0), (1, 1), (-1, 2))
    stress_components = ((0, 0), (2, 2), (0, 1), (1, 2))

    @staticmethod
    def make_level():
        raise NotImplementedError

    @pytest.fixture(scope="class")
    @classmethod
    def level(cls):
        level = cls.make_level()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what third-party modules say while they are imported
            calculator_of(level)
        yield level
        stop_workers()
        calculator_of.cache_clear()

    def compute(self, level, atoms):
        atoms = atoms.copy()
        atoms.calc = calculator_of(level)
        return take_label(atoms, physics_hash=level.physics_hash, source="a crystal", trajectory="run")

    def energy(self, level, atoms):
        return self.compute(level, atoms).free_energy_eV

    @pytest.fixture
    def crystal(self, number):
        return self.crystals[number]()

    def test_forces_are_minus_the_gradient_of_the_free_energy(self, level, crystal):
        self.check_forces(level, crystal, self.force_components)

    def check_forces(self, level, crystal, components):
        forces, h = self.compute(level, crystal).forces_eV_A, self.step_A
        for atom, axis in components:
            ends = []
            for step in (h, -h):
                moved = crystal.copy()
                moved.positions[atom, axis] += step
                ends.append(self.energy(level, moved))
            assert -(ends[0] - ends[1]) / (2 * h) == pytest.approx(forces[atom, axis], abs=self.gradient_tolerance)

    def test_stress_is_the_gradient_by_strain_over_volume_in_eV_per_A3(self, level, crystal):
        self.check_stress(level, crystal, self.stress_components)

    def check_stress(self, level, crystal, components):
        stress, h = voigt_6_to_full_3x3_stress(self.compute(level, crystal).stress_eV_A3), self.step_A / 2
        for i, j in components:
            ends = []
            for step in (h, -h):
                strain = np.zeros((3, 3))
                strain[i, j] += step / 2
                strain[j, i] += step / 2
                strained = crystal.copy()
                strained.set_cell(crystal.cell.array @ (np.eye(3) + strain), scale_atoms=True)
                ends.append(self.energy(level, strained))
            numerical = (ends[0] - ends[1]) / (2 * h) / crystal.get_volume()
            # The noise of an energy over a strain of 0.01 and a volume of 17 Å3 an atom is below that over 0.02 Å.
            assert numerical == pytest.approx(stress[i, j], abs=self.gradient_tolerance / 10)

    def test_a_stretched_crystal_is_under_tension(self, level):
        formula, edge = self.stretched
        atoms = bulk(formula, "rocksalt", a=edge)
        assert self.compute(level, atoms).stress_eV_A3[:3].min() > 0

    def test_energy_is_invariant_and_forces_turn_with_the_crystal(self, level, crystal):
        label = self.compute(level, crystal)
        rounding = self.rounding_eV * len(crystal)

        shifted = crystal.copy()
        shifted.positions += (0.31, -7.2, 25.0)
        assert self.energy(level, shifted) == pytest.approx(label.free_energy_eV, abs=rounding + self.eggbox_eV)
        wrapped = crystal.copy()
        wrapped.positions += 3 * wrapped.cell[0] - wrapped.cell[2]
        assert self.energy(level, wrapped) == pytest.approx(label.free_energy_eV, abs=rounding)

        turned = crystal.copy()
        turned.rotate(33, (1, -2, 0.5), rotate_cell=True)
        of_turned = self.compute(level, turned)
        assert of_turned.free_energy_eV == pytest.approx(label.free_energy_eV, abs=rounding)
        rotation = np.linalg.solve(crystal.cell.array, turned.cell.array)
        np.testing.assert_allclose(of_turned.forces_eV_A, label.forces_eV_A @ rotation, atol=self.force_noise())

        order = np.random.default_rng(5).permutation(len(crystal))[::-1]
        of_swapped = self.compute(level, crystal[order])
        assert of_swapped.free_energy_eV == pytest.approx(label.free_energy_eV, abs=rounding)
        np.testing.assert_allclose(of_swapped.forces_eV_A, label.forces_eV_A[order], atol=self.force_noise())

        doubled = crystal.repeat((2, 1, 1))
        expected = pytest.approx(2 * label.free_energy_eV, abs=2 * (rounding + self.eggbox_eV))
        assert self.energy(level, doubled) == expected

    def force_noise(self):
        return 10 * self.rounding_eV

    def test_a_calculator_used_again_gives_the_same(self, level, crystal):
        first = self.compute(level, crystal)
        self.compute(level, crystal.repeat((1, 1, 2)))
        again = self.compute(level, crystal)
        self.check_same(first, again)

    def check_same(self, first, again):
        # To the last digits but those that threads and memory's alignment decide.
        assert first.free_energy_eV == pytest.approx(again.free_energy_eV, abs=1e-10)
        np.testing.assert_allclose(first.forces_eV_A, again.forces_eV_A, atol=1e-10)

    def test_a_batch_gives_what_single_calculations_give(self, level):
        atoms = [self.crystals[-1](), self.crystals[-1]()]
        atoms[1].positions[0] += 0.05
        requests = [LabelRequest(one, f"frame {i}", "run") for i, one in enumerate(atoms)]
        labels, quarantined = label_configurations(requests, level, 1, SilentProgress())
        assert quarantined == []
        for label, one in zip(labels, atoms, strict=True):
            single = self.compute(level, one)
            assert label.free_energy_eV == pytest.approx(single.free_energy_eV, abs=self.rounding_eV * len(one))
            np.testing.assert_allclose(label.forces_eV_A, single.forces_eV_A, atol=self.force_noise())

    def test_a_label_is_the_same_after_saving_and_loading(self, level, tmp_path):
        label = self.compute(level, self.crystals[-1]())
        write_labelled([label], tmp_path / "label.xyz")
        (read,) = read_labelled(tmp_path / "label.xyz")
        assert read.converged
        for name in ("free_energy_eV", "energy_eV", "charge_e", "physics_hash"):
            assert getattr(read, name) == getattr(label, name)
        for name in ("forces_eV_A", "stress_eV_A3", "magnetic_moments", "atomic_charges_e"):
            written = getattr(label, name)
            if written is None:
                assert getattr(read, name) is None
            else:
                np.testing.assert_allclose(getattr(read, name), written, atol=1e-8)

    def test_one_atom_has_no_force(self, level):
        label = self.compute(level, bulk("Li", "bcc", a=3.45))
        assert reason_to_quarantine(label) is None
        np.testing.assert_allclose(label.forces_eV_A, 0, atol=max(1e-6, self.force_noise()))

    def test_a_charged_cell_is_computed_as_such_or_refused(self, level):
        crystal = self.crystals[-1]()
        crystal.info["charge_e"] = 1.0
        if not engine_of(level).charged_cells:
            with pytest.raises(UserInputError, match=r"charge of \+1 e.*knows only neutral cells"):
                check_calculation(level, crystal, "a vacancy")
            return
        check_calculation(level, crystal, "a vacancy")
        label = self.compute(level, crystal)
        assert label.charge_e == 1.0
        neutral = crystal.copy()
        neutral.info["charge_e"] = 0.0
        # The highest electrons of LiCl are bound by several eV.
        assert self.energy(level, neutral) < label.free_energy_eV - 0.1
        self.check_forces(level, crystal, ((0, 0),))
        self.check_stress(level, crystal, ((0, 0),))

    def test_the_hash_is_that_of_the_physics(self, level):
        again = LevelOfTheory.model_validate_json(level.model_dump_json())
        assert again.physics_hash == level.physics_hash
        assert level.model_copy(update={"n_ranks": 2, "description": "x"}).physics_hash == level.physics_hash

    def test_the_engine_declares_itself(self, level):
        assert engine_of(level).name == level.physics.engine
        assert packages_of(level)


def pytest_generate_tests(metafunc):
    if "number" in metafunc.fixturenames:
        crystals = metafunc.cls.crystals
        metafunc.parametrize("number", range(len(crystals)), ids=[crystal.__name__ for crystal in crystals])


class TestLennardJones(ReferenceContract):
    stretched = ("LiCl", 5.0)

    @staticmethod
    def make_level():
        physics = LennardJonesSettings(engine="lennard-jones", sigma_A=2.3, epsilon_eV=0.2, cutoff_A=5.0)
        return LevelOfTheory(name="pairs", description="Lennard-Jones pairs", physics=physics)


class TestAseCalculator(TestLennardJones):
    @staticmethod
    def make_level():
        arguments = {"sigma": 2.3, "epsilon": 0.2, "rc": 5.0, "ro": 3.5, "smooth": True}
        physics = AseSettings(
            engine="ase", calculator="ase.calculators.lj:LennardJones", arguments=arguments, package_version="3.29.0"
        )
        return LevelOfTheory(name="pairs", description="Lennard-Jones pairs by import string", physics=physics)

    def test_it_equals_the_engine_of_its_own(self, level, crystal):
        own = self.compute(TestLennardJones.make_level(), crystal)
        np.testing.assert_allclose(self.compute(level, crystal).forces_eV_A, own.forces_eV_A, atol=1e-10)


class TestChgnet(ReferenceContract):
    # CHGNet computes in single precision: an energy of 4 eV per atom is rounded at 5e-7 eV per atom, so a difference
    # over 8 atoms and 0.02 Å carries 2e-4 eV/Å of noise, and forces and stress agree with each other to about 1e-5.
    step_A = 1e-2
    gradient_tolerance = 5e-3
    rounding_eV = 2e-5

    @staticmethod
    def make_level():
        return load_level_of_theory("chgnet")

    def test_it_equals_its_own_calculator(self, level):
        atoms = bulk("LiCl", "rocksalt", a=5.0, cubic=True)
        atoms.rattle(0.1, rng=np.random.default_rng(6))
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            from chgnet.model.dynamics import CHGNetCalculator

            theirs = atoms.copy()
            theirs.calc = CHGNetCalculator(use_device="cpu")
            energy, forces, stress, moments = (
                theirs.get_potential_energy(),
                theirs.get_forces(),
                theirs.get_stress(),
                theirs.get_magnetic_moments(),
            )
        ours = self.compute(level, atoms)
        assert ours.energy_eV == pytest.approx(energy, abs=1e-5)
        np.testing.assert_allclose(ours.forces_eV_A, forces, atol=1e-5)
        np.testing.assert_allclose(ours.stress_eV_A3, stress, atol=1e-6)
        np.testing.assert_allclose(ours.magnetic_moments, moments, atol=1e-6)

    def test_an_atom_without_neighbours_is_refused(self, level):
        with pytest.raises(ValueError, match="isolated"):
            self.compute(level, bulk("Li", "sc", a=12.0))


@pytest.mark.slow
class TestGfn1Xtb(ReferenceContract):
    crystals = (skewed_primitive,)
    step_A = 5e-3
    gradient_tolerance = 1e-3
    # Charges are self-consistent to about 1e-6 e.
    rounding_eV = 1e-5

    @staticmethod
    def make_level():
        # Meshes of 2 x 2 x 2, so that a doubled cell has one of 1 x 2 x 2.
        physics = TbliteSettings(engine="tblite", k_spacing_per_A=1.15, accuracy=0.1)
        return LevelOfTheory(name="xtb", description="GFN1-xTB", physics=physics)

    def test_charges_add_up(self, level):
        crystal = skewed_primitive()
        label = self.compute(level, crystal)
        assert label.atomic_charges_e.sum() == pytest.approx(0, abs=1e-6)
        assert label.atomic_charges_e[crystal.symbols == "Li"][0] > 0
        crystal.info["charge_e"] = 1.0
        assert self.compute(level, crystal).atomic_charges_e.sum() == pytest.approx(1, abs=1e-6)


@pytest.mark.slow
class TestGpaw(ReferenceContract):
    crystals = (skewed_primitive,)
    force_components = ((0, 0), (-1, 2))
    stress_components = ((2, 2), (0, 1))
    step_A = 1e-2
    gradient_tolerance = 5e-3
    rounding_eV = 1e-5
    # The exchange-correlation energy is summed on a grid, through which a shifted crystal moves.
    eggbox_eV = 2e-3

    @staticmethod
    def make_level():
        tight = GpawConvergence(energy_eV=1e-7, density=1e-6, eigenstates_eV2=1e-10)
        physics = GpawSettings(
            engine="gpaw", cutoff_eV=340, k_spacing_per_A=1.15, smearing_width_eV=0.1, convergence=tight
        )
        return LevelOfTheory(name="gpaw", description="GPAW with few plane waves", physics=physics)

    def force_noise(self):
        return 1e-3

    def check_same(self, first, again):
        # Density and wave functions start from where the last configuration left them.
        assert first.free_energy_eV == pytest.approx(again.free_energy_eV, abs=self.rounding_eV)
        np.testing.assert_allclose(first.forces_eV_A, again.forces_eV_A, atol=self.force_noise())

    def test_smearing_parts_the_two_energies(self, level):
        warm = level.physics.model_copy(update={"smearing_width_eV": 0.5, "k_spacing_per_A": 0.9})
        label = self.compute(level.model_copy(update={"physics": warm}), bulk("Li", "bcc", a=3.45))
        assert label.energy_eV > label.free_energy_eV + 1e-3
