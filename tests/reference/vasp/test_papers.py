"""What is generated for each paper, against what papers.yaml says it is."""

import pytest
from ase import Atoms
from ase.build import bulk
from pydantic import TypeAdapter
from pymatgen.io.ase import AseAtomsAdaptor
from settings_table import PAGE, read_papers, write_table

from interfaceflow.core.errors import UserInputError
from interfaceflow.reference.levels_of_theory import load_level_of_theory
from interfaceflow.reference.vasp.incar import incar_of
from interfaceflow.reference.vasp.input_set import VaspInputs
from interfaceflow.reference.vasp.refusals import check_calculation
from interfaceflow.schemas.vasp import RelaxCalculation, StaticCalculation, VaspCalculation

POINTS = ((0, 0, 0), (0.5, 0.5, 0), (0.25, 0.25, 0.25), (0.75, 0.75, 0.25), (0.5, 0, 0.5))
CELLS = {
    "LiMnS2": Atoms("LiMnS2", scaled_positions=POINTS[:4], cell=[5.6] * 3, pbc=True),
    "LiSiS2": Atoms("LiSiS2", scaled_positions=POINTS[:4], cell=[5.6] * 3, pbc=True),
    "LiPS3": Atoms("LiPS3", scaled_positions=POINTS, cell=[5.6] * 3, pbc=True),
    "LiCl": bulk("LiCl", "rocksalt", a=5.14),
    "Li2S": bulk("SLi2", "fluorite", a=5.7158, cubic=True),
}
ENTRIES = [(paper["recipe"], entry) for paper in read_papers() for entry in paper["calculations"]]
CALCULATION = TypeAdapter(VaspCalculation)


def structure(name):
    return AseAtomsAdaptor.get_structure(CELLS[name]).get_sorted_structure()


@pytest.mark.parametrize("entry", [entry for _, entry in ENTRIES], ids=[f"{r}: {e['name']}" for r, e in ENTRIES])
def test_generated_files_are_those_of_the_table(entry):
    level = load_level_of_theory(entry["level"])
    inputs = VaspInputs(level.physics, CALCULATION.validate_python(entry["calculation"]))
    files = inputs.get_input_set(structure(entry["cell"]), potcar_spec=True)
    expected = {}
    for row in entry["rows"]:
        expected |= row.get("tags", {})
        if "kpoints" in row:
            assert str(files.kpoints.style) == row["kpoints"]["style"]
            assert list(files.kpoints.kpts[0]) == row["kpoints"]["divisions"]
        if "potcars" in row:
            assert files.potcar.split() == row["potcars"]
    absent = {tag for tag, value in expected.items() if value is None}
    assert not absent & set(files.incar)
    generated = {tag: value.upper() if tag == "GGA" else value for tag, value in files.incar.items()}
    assert generated == {tag: value for tag, value in expected.items() if value is not None}


def test_every_row_of_k_points_and_potentials_is_there():
    for _, entry in ENTRIES:
        assert sum("kpoints" in row for row in entry["rows"]) == sum("potcars" in row for row in entry["rows"]) == 1


def test_the_page_is_the_table():
    assert PAGE.read_text() == write_table(read_papers()), "run python tests/reference/vasp/settings_table.py"


def test_mitrelaxset_would_add_hubbard_u_to_manganese_in_a_sulfide():
    settings = load_level_of_theory("vasp-lms-lss-pair").physics
    with_set = settings.model_copy(update={"base_set": "mit-relax"})
    cell = structure("LiMnS2")
    assert "LDAUU" not in incar_of(settings, StaticCalculation(), cell)
    assert incar_of(with_set, StaticCalculation(), cell)["LDAUU"] == [0, 2.5, 0]


def test_smearing_of_mitrelaxset_is_refused_for_the_metal():
    settings = load_level_of_theory("vasp-decomposition-interfaces").physics
    tetrahedron = settings.smearing.model_copy(update={"method": "tetrahedron"})
    as_in_the_set = settings.model_copy(update={"smearing": tetrahedron})
    relax = RelaxCalculation(free_axes="all", energy_tolerance_eV=1e-4)
    with pytest.raises(UserInputError, match="ISMEAR = -5"):
        check_calculation(as_in_the_set, relax, bulk("Li"), "bulk lithium")
    assert check_calculation(settings, relax, bulk("Li"), "bulk lithium") == []


@pytest.mark.parametrize("functional", ["pbe", "pbe-d3bj", "optb88", "hse06"])
def test_general_levels_differ_in_their_functional_alone(functional):
    pbe, other = load_level_of_theory("vasp-pbe").physics, load_level_of_theory(f"vasp-{functional}").physics
    assert other.model_copy(update={"functional": "pbe"}) == pbe


def test_levels_with_other_labels_have_other_hashes():
    names = ["lms-lss-pair", "lms-lss-pair-nonspin", "lms-lss-pair-hse06", "decomposition-interfaces"]
    names += ["decomposition-interfaces-aimd", "anion-cluster-kinetics", "argyrodite-pbe", "argyrodite-optb88"]
    assert len({load_level_of_theory(f"vasp-{name}").physics_hash for name in names}) == len(names)
