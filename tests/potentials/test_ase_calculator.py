"""ASE calculators by import string: what is loaded, what is refused, and what its file holds."""

import json

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.calculator import Calculator
from ase.calculators.lj import LennardJones

from interfaceflow.core.errors import CalculationError, DataFileError, UserInputError
from interfaceflow.potentials.external.ase_calculator import (
    AseEvaluator,
    CalculatorFile,
    check_calculator,
    compute_with,
    load_calculator,
    make_evaluator,
)
from interfaceflow.potentials.external.evaluator import load_evaluator

ARGON = {"sigma": 3.4, "epsilon": 0.0104, "rc": 7.0, "ro": 5.0, "smooth": True}
LENNARD_JONES = "ase.calculators.lj:LennardJones"


class NotANumber(Calculator):
    implemented_properties = ["energy", "forces", "stress"]  # noqa: RUF012

    def calculate(self, atoms=None, properties=(), system_changes=()):
        self.results = {"energy": np.nan, "forces": np.zeros((len(atoms), 3)), "stress": np.zeros(6)}


def test_a_calculator_gives_what_it_gives_in_ase():
    atoms = bulk("Ar", "fcc", a=5.3, cubic=True)
    atoms.rattle(0.1, seed=1)
    found = compute_with(load_calculator(LENNARD_JONES, ARGON), atoms)
    atoms.calc = LennardJones(**ARGON)
    assert found.energy_eV == atoms.get_potential_energy()
    np.testing.assert_array_equal(found.forces_eV_A, atoms.get_forces())
    np.testing.assert_array_equal(found.stress_eV_A3, atoms.get_stress())


def test_an_evaluator_follows_types_and_cells():
    evaluator = AseEvaluator(LennardJones(**ARGON), ("Kr", "Ar"))
    atoms = bulk("Ar", "fcc", a=5.3, cubic=True)
    for number, scale in enumerate((1.0, 0.97, 1.03)):
        atoms.set_cell(atoms.cell * scale, scale_atoms=True)
        atoms.rattle(0.05, seed=number)
        found = evaluator.evaluate(np.ones(4, int), atoms.positions, atoms.cell.array, with_grades=False)
        expected = compute_with(LennardJones(**ARGON), atoms)
        np.testing.assert_allclose(found.forces_eV_A, expected.forces_eV_A, atol=1e-14)
        assert found.grades is None
    with pytest.raises(UserInputError, match="no extrapolation grade"):
        evaluator.evaluate(np.ones(4, int), atoms.positions, atoms.cell.array, with_grades=True)


@pytest.mark.parametrize(
    ("calculator", "arguments", "expected"),
    [
        ("no_such_package.module:Name", {}, "module no_such_package.module cannot be imported"),
        ("ase.calculators.lj:LennardJone", {}, "Did you mean 'LennardJones'"),
        ("ase.calculators.lj:LennardJones.no", {}, "has no 'LennardJones.no' to call"),
        ("ase.build:bulk", {"name": "Li"}, "gives a Atoms, not an ASE calculator"),
        ("ase.calculators.tip3p:TIP3P", {}, "gives no stress"),
        ("ase.calculators.tip3p:TIP3P", {"radius": 3}, "cannot be made with {'radius': 3} .TypeError"),
    ],
)
def test_what_is_no_calculator_is_refused(calculator, arguments, expected):
    with pytest.raises(UserInputError, match=expected):
        load_calculator(calculator, arguments)


def test_elements_it_does_not_know_are_refused():
    emt = load_calculator("ase.calculators.emt:EMT", {})
    check_calculator(emt, bulk("Cu"), "EMT")
    with pytest.raises(UserInputError, match=r"EMT: it cannot compute Li: .*it has to know Li"):
        check_calculator(emt, bulk("Li"), "EMT")


def test_numbers_that_are_not_finite_are_no_result():
    with pytest.raises(CalculationError, match="not finite"):
        compute_with(NotANumber(), bulk("Ar", "fcc", a=5.3))


def test_the_file_remembers_the_files_among_the_arguments(tmp_path):
    weights = tmp_path / "weights.bin"
    weights.write_bytes(b"1")
    described = CalculatorFile.describe("some.package:Model", {"weights": str(weights), "device": "cpu"})
    described.write(tmp_path / "potential.json")
    assert CalculatorFile.read(tmp_path / "potential.json") == described
    weights.write_bytes(b"2")
    with pytest.raises(DataFileError, match=r"weights\.bin: this file of the potential .*has changed"):
        CalculatorFile.read(tmp_path / "potential.json")


@pytest.mark.parametrize("content", ["", "{", '{"calculator": 1}', "\x80\x04pickle"])
def test_a_file_that_describes_no_calculator_is_refused(tmp_path, content):
    """A pickle, above all, is read as text and never loaded."""
    (tmp_path / "potential.json").write_bytes(content.encode("latin-1"))
    with pytest.raises(DataFileError, match="not a description of an ASE calculator"):
        CalculatorFile.read(tmp_path / "potential.json")


def test_an_evaluator_is_loaded_by_its_kind(tmp_path):
    file = tmp_path / "potential.json"
    CalculatorFile.describe(LENNARD_JONES, ARGON).write(file)
    assert json.loads(file.read_text())["arguments"] == ARGON
    assert isinstance(load_evaluator("ase", ("Ar",), (str(file),)), AseEvaluator)
    with pytest.raises(UserInputError, match="Did you mean 'nequip'"):
        load_evaluator("nequp", ("Ar",), ())
    with pytest.raises(UserInputError, match="given by one JSON file, not 0"):
        make_evaluator(("Ar",), ())
    with pytest.raises(UserInputError, match="a network is given by its device"):
        load_evaluator("nequip", ("Ar",), ("cpu",))


def test_one_atom_has_no_force():
    found = compute_with(load_calculator(LENNARD_JONES, ARGON), Atoms("Ar", cell=[4.0] * 3, pbc=True))
    np.testing.assert_allclose(found.forces_eV_A, 0.0, atol=1e-12)
