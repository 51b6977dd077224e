"""Reading and writing `.almtp`, `.mtp` and `.cfg` files, whole and damaged."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from interfaceflow.core.errors import DataFileError, UserInputError
from interfaceflow.potentials.mtp import _native as native

DATA = Path(__file__).parent.parent / "data" / "mtp"
LEVEL08 = DATA / "li2s" / "level08.almtp"
TEXT = (DATA / "li2s" / "level16.mtp").read_text()


@pytest.mark.parametrize("file", ["level08.almtp", "level12.almtp", "level16.mtp"])
def test_a_file_of_mlp_is_written_back_byte_for_byte(file):
    path = DATA / "li2s" / file
    potential = native.Potential.read(path)
    assert potential.serialise() == path.read_bytes()
    assert potential.copy().serialise() == path.read_bytes()


@pytest.mark.parametrize("level", ["06", "08", "10", "12", "14", "16", "18", "20"])
def test_templates_are_read_and_have_no_coefficients(level):
    potential = native.Potential.read(DATA / "templates" / f"{level}.almtp")
    assert not potential.initialised
    assert potential.species_count == 1
    assert not potential.coefficients.any()
    again = native.Potential.parse(potential.serialise())
    assert np.array_equal(again.alpha_index_times, potential.alpha_index_times)
    assert not again.initialised


def test_a_potential_from_arrays_is_the_one_read():
    read = native.Potential.read(LEVEL08)
    built = native.Potential(
        species_types=read.species_types,
        scaling=read.scaling,
        min_dist=read.min_dist,
        max_dist=read.max_dist,
        alpha_moments_count=read.alpha_moments_count,
        alpha_index_basic=read.alpha_index_basic,
        alpha_index_times=read.alpha_index_times,
        alpha_moment_mapping=read.alpha_moment_mapping,
        radial_coeffs=read.radial_coeffs,
        species_coeffs=read.species_coeffs,
        moment_coeffs=read.moment_coeffs,
        name=read.name,
    )
    built.selection = read.selection
    assert built.serialise() == LEVEL08.read_bytes()
    parts = [read.radial_coeffs.ravel(), read.species_coeffs, read.moment_coeffs]
    assert np.array_equal(read.coefficients, np.concatenate(parts))


def test_types_need_not_count_from_zero():
    potential = native.Potential.parse(re.sub(r"\b(\d)-(\d)$", r"1\1-1\2", TEXT, flags=re.MULTILINE).encode())
    assert potential.species_types == [10, 11]


@pytest.mark.parametrize("name", ["RBShapeev", "RBTaylor", "RBChebyshev_repuls", "BChebyshev", "BChebyshev_repuls"])
def test_the_other_radial_bases_of_mlip_are_refused_by_name(name):
    with pytest.raises(DataFileError, match=rf"line \d+: radial_basis_type is '{name}'; only RBChebyshev is known"):
        native.Potential.parse(TEXT.replace("RBChebyshev", name).encode())


def test_what_mlip_2_leaves_out_is_not_needed():
    text = re.sub("potential_name.*\n|potential_tag.*\n", "", TEXT)
    short, full = native.Potential.parse(text.encode()), native.Potential.parse(TEXT.encode())
    assert (short.name, short.tag) == ("", "")
    assert short.scaling == full.scaling
    assert np.array_equal(short.coefficients, full.coefficients)


@pytest.mark.parametrize("n_species", [1, 3, 12, 40])
def test_any_number_of_species_survives_the_file(n_species):
    template = native.Potential.read(DATA / "templates" / "08.almtp")
    rng = np.random.default_rng(n_species)
    potential = native.Potential(
        species_types=list(range(n_species)),
        min_dist=1.0,
        max_dist=5.0,
        alpha_moments_count=template.alpha_moments_count,
        alpha_index_basic=template.alpha_index_basic,
        alpha_index_times=template.alpha_index_times,
        alpha_moment_mapping=template.alpha_moment_mapping,
        radial_coeffs=rng.normal(size=(n_species, n_species, 2, 8)),
        species_coeffs=rng.normal(size=n_species),
        moment_coeffs=rng.normal(size=len(template.alpha_moment_mapping)),
    )
    again = native.Potential.parse(potential.serialise())
    assert again.species_types == potential.species_types
    assert again.coefficients == pytest.approx(potential.coefficients, rel=1e-15)
    line = np.outer(np.arange(n_species), [1.5, 0.5, 0.0])
    chain = native.ConfigurationSet([(np.arange(n_species), line, np.zeros((3, 3)), [False] * 3)], 5.0)
    assert chain.evaluate(again).forces == pytest.approx(chain.evaluate(potential).forces, rel=1e-9, abs=1e-9)


def test_scalings_before_and_inside_the_radial_basis_multiply():
    before = native.Potential.parse(TEXT.encode()).scaling
    text = TEXT.replace("type = RBChebyshev\n", "type = RBChebyshev\n\tscaling = 0.5\n")
    potential = native.Potential.parse(text.replace("min_dist", "min_val").replace("max_dist", "max_val").encode())
    assert potential.scaling == pytest.approx(0.5 * before)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("MTP\n", "MTQ\n", "expected 'MTP' in the first line"),
        ("1.1.0", "2.0", "version is '2.0', only 1.1.0 is known"),
        ("RBChebyshev", "RBShapeev", "radial_basis_type is 'RBShapeev'; only RBChebyshev is known"),
        ("species_count = 2", "species_count = two", "species_count should be a whole number, found 'two'"),
        ("species_count = 2", "species_count = 0", "species_count is 0, allowed is 1 to"),
        ("species_count = 2", "species_count = 500", "truncated in radial_coeffs"),
        ("species_count = 2", "species_count = 900", "for 900 species; at most 10000000 are allowed"),
        ("radial_basis_size = 8", "radial_basis_size = 9", "expected ',' in radial_coeffs"),
        ("radial_funcs_count = 4", "radial_funcs_count = 3", "pair of species such as 0-1"),
        ("0-1", "1-1", "stand where those of 0-"),
        ("alpha_index_basic_count = 130", "alpha_index_basic_count = 9999999", "more than the rest of the file"),
        ("alpha_index_basic_count = 130", "alpha_index_basic_count = 131", "expected ',' in alpha_index_basic"),
        ("alpha_moments_count = 350", "alpha_moments_count = 300", "names a moment outside 0 to 299"),
        ("alpha_moments_count = 350", "alpha_moments_count = 9999999", "alpha_moments_count is 9999999, not between"),
        ("{{0, 0, 0, 0}", "{{9, 0, 0, 0}", "names the radial function 9 of 4"),
        ("species_coeffs = {", "species_coeffs = {nan, ", "species_coeffs is 'nan', not a finite number"),
        ("moment_coeffs = {", "moment_coeffs = {inf, ", "moment_coeffs is 'inf', not a finite number"),
        ("max_dist = 5.0", "max_dist = 0.5", "must be 0 <= min_dist < max_dist"),
    ],
)
def test_a_damaged_potential_is_refused_with_its_file_and_field(old, new, message):
    assert old in TEXT
    with pytest.raises(DataFileError, match=re.escape(message)) as caught:
        native.Potential.parse(TEXT.replace(old, new, 1).encode(), "broken.mtp")
    assert "broken.mtp, line " in str(caught.value)


def test_a_contraction_of_an_unfinished_moment_is_refused():
    text = re.sub(r"(alpha_index_times = \{\{[^}]*\}), \{[^}]*\}", r"\1, {0, 1, 1, 1}", TEXT)
    with pytest.raises(DataFileError, match=r"alpha_index_times\[1\] adds to a moment that is basic or was used"):
        native.Potential.parse(text.encode())


def test_a_truncated_potential_is_refused_wherever_it_ends():
    content = LEVEL08.read_bytes()
    text_end = content.index(b"#MVS")
    cuts = [*range(0, text_end - 1, 41), *range(text_end + 1, len(content) - 20, 9973)]
    # A file that ends with the last coefficient is whole; one digit less of it cannot be noticed.
    for cut in cuts:
        with pytest.raises(DataFileError, match=r"cut\.almtp"):
            native.Potential.parse(content[:cut], "cut.almtp")


def test_an_active_set_that_is_not_finite_is_refused():
    content = bytearray(LEVEL08.read_bytes())
    start = content.index(b"#", content.index(b"weight_scaling")) + 1
    content[start : start + 8] = np.array([np.nan]).tobytes()
    with pytest.raises(DataFileError, match="matrix of the active set holds a number that is not finite"):
        native.Potential.parse(bytes(content))


def test_a_missing_file_is_said_by_name(tmp_path):
    with pytest.raises(DataFileError, match=r"absent\.almtp: cannot be opened"):
        native.Potential.read(tmp_path / "absent.almtp")
    with pytest.raises(DataFileError, match=r"absent\.cfg: cannot be opened"):
        native.read_configurations(tmp_path / "absent.cfg")


def test_a_coefficient_that_is_not_finite_is_not_written():
    potential = native.Potential.read(LEVEL08)
    coefficients = potential.coefficients
    coefficients[3] = np.nan
    potential.coefficients = coefficients
    with pytest.raises(UserInputError, match="not a finite number"):
        potential.serialise()


def test_an_active_set_of_another_size_is_refused():
    small, large = (native.Potential.read(DATA / "li2s" / f"level{level}.almtp") for level in ("08", "12"))
    with pytest.raises(UserInputError, match="127 rows, the potential 75 coefficients"):
        small.selection = large.selection
    small.selection = None
    assert b"#MVS" not in small.serialise()


def test_columns_of_mlp_are_written_back_byte_for_byte():
    content = (DATA / "li2s" / "level08.grade.cfg").read_bytes()
    configurations = native.parse_configurations(content)
    assert len(configurations) == content.count(b"BEGIN_CFG")
    assert native.format_configurations(configurations) == content


def test_lossless_text_keeps_every_bit():
    configuration = native.read_configurations(DATA / "li2s" / "test.cfg")[0]
    configuration.positions = configuration.positions + np.random.default_rng(0).normal(size=(96, 3))
    configuration.features = {"two words": "first\nsecond"}
    (again,) = native.parse_configurations(native.format_configurations([configuration], lossless=True))
    assert np.array_equal(again.positions, configuration.positions)
    assert np.array_equal(again.forces, configuration.forces)
    assert np.array_equal(again.cell, configuration.cell)
    assert again.energy == configuration.energy
    assert again.features == configuration.features


CFG = """BEGIN_CFG
 Size
    1
 Supercell
    3 0 0
    0 3 0
    0 0 3
 AtomData:  id type cartes_x cartes_y cartes_z fx fy fz
    1 0 0 0 0 1 2 3
 Energy
    -1.5
 PlusStress: xx yy zz yz xz xy
    1 2 3 4 5 6
 Feature   EFS_by\tCHGNet
END_CFG
"""


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("END_CFG", "", "where END_CFG should be; it is truncated"),
        ("    1\n Super", "    2\n Super", "an atom's id should be a whole number, found 'Energy'"),
        ("    1\n Super", "    9000000\n Super", "more atoms than the rest of the file can hold"),
        ("cartes_z", "cartes_q", "has the column 'cartes_q'; known are"),
        (" cartes_z", "", "needs either cartes_x, cartes_y, cartes_z or direct_x"),
        (" fz", "", "some of fx, fy, fz but not all"),
        ("-1.5", "nan", "Energy is 'nan', not a finite number"),
        (" xy\n", "\n", "needs the components xx, yy, zz, yz, xz, xy"),
        (" Energy", " Heat", "unknown field 'Heat'"),
        ("BEGIN_CFG", "BEGIN", "expected 'BEGIN_CFG' in a configuration"),
        ("PlusStress", "Stress", "has the other sign, and MLIP refuses it too"),
        (" Energy", " Virial: xx yy zz yz xz xy\n 1 2 3 4 5 6\n Energy", "PlusStress: and Virial:, only one of them"),
        (" Energy", " Size\n 2\n Energy", "a configuration has two fields 'Size'"),
        (" fx fy fz\n", " ghost\n", "from a parallel run of MLIP-3; cut its neighbourhoods out"),
        ("fx fy fz", "magmom_x magmom_y magmom_z", "has the column 'magmom_x'; known are"),
    ],
)
def test_a_damaged_configuration_is_refused_with_its_line(old, new, message):
    with pytest.raises(DataFileError, match=re.escape(message)) as caught:
        native.parse_configurations(CFG.replace(old, new, 1).encode(), "broken.cfg")
    assert "broken.cfg, line " in str(caught.value)


def test_direct_coordinates_and_partly_periodic_cells_are_read():
    text = CFG.replace("cartes", "direct").replace("1 0 0 0 0 1", "1 0 0.5 0.25 0 1")
    (configuration,) = native.parse_configurations(text.encode())
    assert configuration.positions == pytest.approx(np.array([[1.5, 0.75, 0.0]]))
    (chain,) = native.parse_configurations(CFG.replace("    0 3 0\n    0 0 3\n", "").encode())
    assert np.array_equal(chain.cell, [[3, 0, 0], [0, 0, 0], [0, 0, 0]])


def test_the_cell_may_follow_what_depends_on_it():
    cell = CFG[CFG.index(" Supercell") : CFG.index(" AtomData")]
    text = CFG.replace(cell, "").replace("cartes", "direct").replace("1 0 0 0 0 1", "1 0 0.5 0.25 0 1")
    text = text.replace("PlusStress", "Virial")
    (configuration,) = native.parse_configurations(text.replace("END_CFG", f"{cell}END_CFG").encode())
    assert configuration.positions == pytest.approx(np.array([[1.5, 0.75, 0.0]]))
    # MLIP divides a Virial by the volume, here 27.
    assert configuration.plus_stress == pytest.approx(np.arange(1, 7) / 27)
    with pytest.raises(
        DataFileError, match="direct_x, direct_y, direct_z need a Supercell of three independent vectors"
    ):
        native.parse_configurations(text.encode())
    with pytest.raises(DataFileError, match="Virial: needs a Supercell"):
        native.parse_configurations(CFG.replace(cell, "").replace("PlusStress", "Virial").encode())


def test_the_active_learning_state_of_mlip_2_is_refused_by_its_name():
    weights = np.array([0.0, 1.0, 0.0, 0.0]).tobytes()
    with pytest.raises(DataFileError, match=r"active-learning state of MLIP-2; give its potential \(\.mtp\)"):
        native.Potential.parse(TEXT.encode() + b"\n^" + weights + b"\n#" + bytes(1000))


def test_numbers_have_a_point_whatever_the_locale_says(tmp_path):
    # A locale with a decimal comma, made here because a machine need not have one.
    make = shutil.which("localedef") or "false"
    made = subprocess.run([make, "-i", "de_DE", "-f", "UTF-8", tmp_path / "de_DE.UTF-8"], check=False)
    if made.returncode != 0:
        pytest.skip("localedef cannot make a locale with a decimal comma on this machine")
    code = """
import locale, pathlib, sys
from interfaceflow.potentials.mtp import _native
locale.setlocale(locale.LC_ALL, "de_DE.UTF-8")
assert locale.str(0.5) == "0,5"
assert _native.Potential.read(sys.argv[1]).serialise() == pathlib.Path(sys.argv[1]).read_bytes()
"""
    environment = {**os.environ, "LOCPATH": str(tmp_path)}
    subprocess.run([sys.executable, "-c", code, LEVEL08], env=environment, check=True)


def test_bytes_changed_at_random_are_read_or_refused_but_never_crash():
    rng = np.random.default_rng(4)
    content = np.frombuffer((DATA / "li2s" / "level16.mtp").read_bytes(), np.uint8)
    refused = 0
    for _ in range(300):
        damaged = content.copy()
        damaged[rng.integers(0, len(content), 3)] = rng.integers(0, 256, 3)
        try:
            native.Potential.parse(damaged.tobytes())
        except DataFileError:
            refused += 1
    assert refused > 30
