"""The .cfg format: what is read, what is written, what is refused."""

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT

from interfaceflow.core.errors import DataFileError, UserInputError
from interfaceflow.core.formats.cfg import (
    Configuration,
    format_configuration,
    iterate_configurations,
    read_configurations,
    write_configurations,
)

LI2S = Path(__file__).parents[1] / "data" / "mtp" / "li2s"

SMALL = """BEGIN_CFG
 Size
    2
 Supercell
    4.0 0.0 0.0
    0.0 4.0 0.0
    0.0 0.0 5.0
 AtomData:  id type cartes_x cartes_y cartes_z fx fy fz
    1 0 0.0 0.0 0.0 0.1 0.2 0.3
    2 1 2.0 2.0 2.5 -0.1 -0.2 -0.3
 Energy
    -7.25
 PlusStress:  xx yy zz yz xz xy
    1.0 2.0 3.0 4.0 5.0 6.0
 Feature   EFS_by\tCHGNet
 Feature   MV_grade\t1.336174
END_CFG
"""


def written(tmp_path, text: str) -> Path:
    path = tmp_path / "in.cfg"
    path.write_text(text)
    return path


def test_every_field_is_read(tmp_path):
    (configuration,) = read_configurations(written(tmp_path, SMALL))
    assert len(configuration) == 2
    np.testing.assert_array_equal(configuration.types, [0, 1])
    np.testing.assert_array_equal(configuration.cell, np.diag([4.0, 4.0, 5.0]))
    np.testing.assert_array_equal(configuration.positions[1], [2.0, 2.0, 2.5])
    np.testing.assert_array_equal(configuration.forces, [[0.1, 0.2, 0.3], [-0.1, -0.2, -0.3]])
    assert configuration.energy == -7.25
    np.testing.assert_array_equal(configuration.plus_stress, [1, 2, 3, 4, 5, 6])
    assert configuration.features == {"EFS_by": "CHGNet", "MV_grade": "1.336174"}
    assert configuration.grade == 1.336174


def test_what_mlp_wrote_is_read():
    graded = read_configurations(LI2S / "level08.grade.cfg")
    assert len(graded) == 8
    for configuration in graded:
        assert configuration.nbh_grades is not None
        assert configuration.grade == pytest.approx(configuration.nbh_grades.max(), abs=1e-5)


def test_writing_and_reading_gives_the_same(tmp_path):
    before = read_configurations(LI2S / "train.cfg")[:3]
    assert write_configurations(tmp_path / "out.cfg", before) == 3
    after = list(iterate_configurations(tmp_path / "out.cfg"))
    for first, second in zip(before, after, strict=True):
        for name in ("cell", "types", "positions", "forces", "plus_stress"):
            np.testing.assert_allclose(getattr(second, name), getattr(first, name), rtol=0, atol=1e-10)
        assert second.energy == pytest.approx(first.energy, abs=1e-12)
        assert second.features == first.features
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.cfg"]


@pytest.mark.parametrize("n_periodic", [0, 1, 2, 3])
def test_open_directions_survive(tmp_path, n_periodic):
    atoms = Atoms(
        "LiCl", positions=[[0, 0, 0], [0, 0, 2]], cell=[4, 5, 6], pbc=[axis < n_periodic for axis in range(3)]
    )
    write_configurations(tmp_path / "out.cfg", [Configuration.from_atoms(atoms, ["Li", "Cl"])])
    (configuration,) = read_configurations(tmp_path / "out.cfg")
    back = configuration.to_atoms(["Li", "Cl"])
    np.testing.assert_array_equal(back.pbc, atoms.pbc)
    np.testing.assert_array_equal(back.cell[:n_periodic], atoms.cell[:n_periodic])


def test_conversion_keeps_energy_forces_and_the_sign_of_stress():
    atoms = bulk("Cu", cubic=True)
    atoms.set_cell(atoms.cell.array @ np.array([[0.97, 0.01, 0], [0, 0.98, 0.02], [0, 0, 0.97]]), scale_atoms=True)
    atoms.rattle(0.05, seed=1)
    atoms.calc = EMT()
    energy, forces, stress = atoms.get_potential_energy(), atoms.get_forces(), atoms.get_stress()
    configuration = Configuration.from_atoms(atoms, ["Cu"], energy=energy, forces=forces, stress=stress)
    assert configuration.plus_stress is not None
    # A compressed crystal pushes outwards: ASE's stress is negative, PlusStress positive.
    assert (stress[:3] < 0).all() and (configuration.plus_stress[:3] > 0).all()
    back = configuration.to_atoms(["Cu"])
    assert back.get_potential_energy() == pytest.approx(energy, abs=1e-12)
    np.testing.assert_allclose(back.get_forces(), forces, atol=1e-12)
    np.testing.assert_allclose(back.get_stress(), stress, atol=1e-12)


def test_direct_positions_are_made_cartesian(tmp_path):
    text = SMALL.replace("cartes_", "direct_").replace("2 1 2.0 2.0 2.5", "2 1 0.5 0.5 0.5")
    (configuration,) = read_configurations(written(tmp_path, text))
    np.testing.assert_allclose(configuration.positions[1], [2.0, 2.0, 2.5])


def test_fields_are_read_as_mlip_reads_them(tmp_path):
    cell = SMALL[SMALL.index(" Supercell") : SMALL.index(" AtomData")]
    text = SMALL.replace(cell, "").replace("cartes_", "direct_").replace("2 1 2.0 2.0 2.5", "2 1 0.5 0.5 0.5")
    text = text.replace("PlusStress:  xx yy zz yz xz xy", "Virial: xx yy zz xy xz yz")
    (configuration,) = read_configurations(written(tmp_path, text.replace("END_CFG", f"{cell}END_CFG")))
    np.testing.assert_allclose(configuration.positions[1], [2.0, 2.0, 2.5])
    np.testing.assert_allclose(configuration.plus_stress, np.array([1, 2, 3, 6, 5, 4]) / 80.0)
    with pytest.raises(DataFileError, match="needs a Supercell of three"):
        read_configurations(written(tmp_path, text))
    one_species = SMALL.replace(" type", "").replace(" 1 0 ", " 1 ").replace(" 2 1 ", " 2 ")
    np.testing.assert_array_equal(read_configurations(written(tmp_path, one_species))[0].types, [0, 0])


def test_a_grade_that_is_no_number_is_refused(tmp_path):
    (configuration,) = read_configurations(written(tmp_path, SMALL.replace("1.336174", "none")))
    with pytest.raises(UserInputError, match="MV_grade is 'none', not a number"):
        _ = configuration.grade


@pytest.mark.parametrize(
    ("change", "line", "word"),
    [
        (("-7.25", "nan"), 12, "Energy"),
        (("-7.25", "-7.25 1"), 12, "Energy"),
        (("2 1 2.0 2.0 2.5", "2 1 inf 2.0 2.5"), 10, "finite"),
        (("2 1 2.0 2.0 2.5", "2 1 2.o 2.0 2.5"), 10, "numbers"),
        (("2 1 2.0 2.0 2.5", "2 1 2.0 2.0"), 10, "columns"),
        (("    2\n", "    3\n"), 11, "columns"),
        (("    2\n", "    2.5\n"), 3, "Size"),
        ((" fx fy fz", " fx fy magmom"), 8, "magmom"),
        ((" fx fy fz", " fx fy site_en"), 17, "forces"),
        (("xx yy zz yz xz xy", "xx yy zz yz xz xz"), 13, "PlusStress"),
        (("PlusStress", "Stress"), 13, "MLIP refuses it too"),
        ((" Energy\n", " Size\n"), 11, "two fields 'Size'"),
        ((" fx fy fz", " ghost"), 8, "parallel run of MLIP-3"),
        ((" 2 1 2.0", " 1 1 2.0"), 17, "ids"),
        ((" 2 1 2.0", " 2 1e30 2.0"), 17, "type"),
        ((" Energy\n", " Enrgy\n"), 11, "Enrgy"),
        (("BEGIN_CFG", "BEGIN CFG"), 1, "BEGIN_CFG"),
        (("0.0 4.0 0.0", "0.0 4.0"), 6, "Supercell"),
        ((" 2 1 2.0", " 2 -1 2.0"), 17, "type"),
    ],
)
def test_damage_is_named_with_file_and_line(tmp_path, change, line, word):
    assert change[0] in SMALL
    path = written(tmp_path, SMALL.replace(*change, 1))
    with pytest.raises(DataFileError, match=rf"in\.cfg, line {line}: .*{word}"):
        read_configurations(path)


@pytest.mark.parametrize("n_lines", range(1, 17))
def test_a_truncated_file_is_refused_wherever_it_ends(tmp_path, n_lines):
    text = "".join(SMALL.splitlines(keepends=True)[:n_lines])
    with pytest.raises(DataFileError, match=r"truncated"):
        read_configurations(written(tmp_path, text))


def test_a_lost_end_is_noticed(tmp_path):
    with pytest.raises(DataFileError, match="END_CFG is missing"):
        read_configurations(written(tmp_path, SMALL.replace("END_CFG\n", "") + SMALL))


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(DataFileError, match="cannot be read"):
        read_configurations(tmp_path / "none.cfg")


def test_numbers_that_are_not_finite_are_not_written(tmp_path):
    good = read_configurations(written(tmp_path, SMALL))[0]
    bad = Configuration(good.cell, good.types, good.positions, energy=float("nan"))
    (tmp_path / "out.cfg").write_text("old")
    with pytest.raises(UserInputError, match="configuration 1: energy"):
        write_configurations(tmp_path / "out.cfg", [good, bad])
    assert (tmp_path / "out.cfg").read_text() == "old"


def test_a_place_that_cannot_be_written_to_is_refused(tmp_path):
    with pytest.raises(UserInputError, match=r"nowhere/out\.cfg: cannot be written"):
        write_configurations(tmp_path / "nowhere" / "out.cfg", [])
    (tmp_path / "folder").mkdir()
    with pytest.raises(UserInputError, match="cannot be written"):
        write_configurations(tmp_path / "folder", [])
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_unknown_species_are_refused():
    with pytest.raises(UserInputError, match=r"does not know S: its species are Li, Cl"):
        Configuration.from_atoms(Atoms("LiS"), ["Li", "Cl"])
    with pytest.raises(UserInputError, match="type 1 has no symbol"):
        Configuration(np.zeros((0, 3)), np.array([0, 1], np.int32), np.zeros((2, 3))).to_atoms(["Li"])


def test_a_gap_in_the_periodic_directions_is_refused():
    with pytest.raises(UserInputError, match="open directions come last"):
        Configuration.from_atoms(Atoms("Li", cell=[4, 4, 4], pbc=[True, False, True]), ["Li"])


def test_text_of_several_lines_survives_as_a_feature(tmp_path):
    given = Configuration(np.zeros((0, 3)), np.array([0], np.int32), np.zeros((1, 3)), features={"note": "a\nb"})
    (back,) = read_configurations(written(tmp_path, format_configuration(given)))
    assert back.features == {"note": "a\nb"}
