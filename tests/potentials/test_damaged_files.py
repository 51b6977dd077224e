"""Damaged `.mtp`, `.almtp` and `.cfg` files: each is read into what works, or refused by name; none crashes."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from interfaceflow.core.errors import DataFileError, UserInputError
from interfaceflow.core.formats import cfg
from interfaceflow.potentials.mtp import _native as native

TEMPLATE = Path(__file__).parent.parent / "data" / "mtp" / "templates" / "08.almtp"
# What may stand in place of a number: none, too large for the memory or for the type, of another kind, not even text.
NUMBERS = [
    *(b"nan", b"inf", b"-inf", b"0", b"-1", b"7", b"1000", b"1000000000", b"2147483648", b"9223372036854775808"),
    *(b"1e30", b"1e308", b"1e400", b"1e-400", b"0.5", b"-0.5", b"0x10", b"1,5", b"one", b"", b"\xff\xfe", b"\x00"),
]
COUNTS = [b"-1", b"0", b"1", b"3", b"1000000000", b"2147483648", b"4294967297", b"9223372036854775808", b"1e30", b"nan"]
POTENTIAL_COUNTS = [
    *("species_count", "radial_basis_size", "radial_funcs_count", "alpha_moments_count"),
    *("alpha_index_basic_count", "alpha_index_times_count", "alpha_scalar_moments"),
]
CFG = b"""BEGIN_CFG
 Size
    3
 Supercell
    4.5 0 0
    0 5 0.5
    0 0 6
 AtomData:  id type cartes_x cartes_y cartes_z site_en fx fy fz charge nbh_grades
    1 0 0.1 0 0 -1.5 1 2 3 0.25 1.5
    2 1 2 2 2 -2 -1 -2 -3 -0.25 0.5
    3 1 2 0 3 -3 0 0 0 0 0.75
 Energy
    -6.5
 PlusStress: xx yy zz yz xz xy
    1 2 3 4 5 6
 Feature   EFS_by\tCHGNet
 Feature   MV_grade\t1.5
END_CFG
"""
FILES = ["template.mtp", "trained.mtp", "active.almtp", "set.cfg"]


@cache
def whole(name: str) -> bytes:
    """Return the undamaged content; what has coefficients is small enough that damage finds more than its matrices."""
    if name == "set.cfg":
        return CFG + CFG.replace(b"4.5 0 0", b"4 0 0").replace(b"cartes", b"direct")
    template = native.Potential.read(TEMPLATE)
    if name == "template.mtp":
        return template.serialise()
    rng = np.random.default_rng(1)
    potential = native.Potential(
        species_types=[0, 1],
        scaling=0.5,
        min_dist=1.5,
        max_dist=5.0,
        alpha_moments_count=template.alpha_moments_count,
        alpha_index_basic=template.alpha_index_basic,
        alpha_index_times=template.alpha_index_times,
        alpha_moment_mapping=template.alpha_moment_mapping,
        radial_coeffs=rng.normal(size=(2, 2, 2, 2)),
        species_coeffs=rng.normal(size=2),
        moment_coeffs=rng.normal(size=len(template.alpha_moment_mapping)),
    )
    if name == "active.almtp":
        n = potential.n_coefficients
        rows = np.array([[k % 2, 10 + 3 * 3 + k % 3] for k in range(n)])
        matrix = np.eye(n) + 0.1 * rng.normal(size=(n, n))
        potential.selection = native.SelectionState(
            energy_weight=0.0,
            force_weight=0.0,
            stress_weight=0.0,
            site_energy_weight=1.0,
            weight_scaling=2,
            matrix=matrix,
            inverse=np.linalg.inv(matrix),
            rows=rows,
            configurations=native.parse_configurations(CFG + CFG),
        )
    return potential.serialise()


def use_potential(potential: native.Potential) -> None:
    written = potential.serialise()
    again = native.Potential.parse(written, "again.mtp")
    assert again.serialise() == written
    if not potential.initialised:
        return
    types = np.resize(potential.species_types, 3)
    positions = np.array([[0.0, 0, 0], [1.7, 0.2, 0], [0.3, 2.1, 0.4]])
    cluster = native.ConfigurationSet([(types, positions, np.zeros((3, 3)), [False] * 3)], potential.max_dist)
    energy = cluster.evaluate(potential).energies[0]
    largest = max(np.abs(potential.coefficients).max(), abs(potential.scaling), potential.max_dist)
    if largest < 100.0 and potential.max_dist - potential.min_dist > 1.0:
        assert np.isfinite(energy)
    if potential.selection is not None:
        assert len(cluster.energy_gradients(potential)[0]) == len(potential.selection.rows)


def use_configurations(configurations: list[native.Configuration]) -> None:
    again = native.parse_configurations(native.format_configurations(configurations, lossless=True), "again.cfg")
    for one, other in zip(configurations, again, strict=True):
        for name in ("types", "positions", "cell", "energy", "forces", "plus_stress", "site_energies", "grades"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    native.format_configurations(configurations)


def try_potential(content: bytes) -> bool:
    """Return whether it was read; fail if neither that nor refused by name."""
    try:
        potential = native.Potential.parse(content, "given.mtp")
    except DataFileError as problem:
        assert str(problem).startswith("given.mtp, line ")
        return False
    use_potential(potential)
    return True


def try_configurations(content: bytes, folder: Path) -> bool:
    """Read with both readers; what both can read has to be the same."""
    try:
        configurations = native.parse_configurations(content, "given.cfg")
    except DataFileError as problem:
        assert str(problem).startswith("given.cfg, line ")
        configurations = None
    path = folder / "given.cfg"
    path.write_bytes(content)
    try:
        of_python = cfg.read_configurations(path)
    except DataFileError as problem:
        assert str(problem).startswith(f"{path}, line ")
        of_python = None
    if configurations is not None:
        use_configurations(configurations)
    if configurations is not None and of_python is not None:
        for one, other in zip(configurations, of_python, strict=True):
            np.testing.assert_array_equal(one.types, other.types)
            np.testing.assert_allclose(one.positions, other.positions, rtol=1e-14, atol=1e-300)
            for name in ("energy", "forces"):
                np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    return configurations is not None


def attempt(name: str, content: bytes, folder: Path) -> bool:
    return try_configurations(content, folder) if name.endswith(".cfg") else try_potential(content)


def text_end(content: bytes) -> int:
    """Return where the matrices of an active set begin."""
    before, weights, after = content.partition(b"weight_scaling")
    return len(before) + len(weights) + len(after.partition(b"#")[0]) + 1 if b"#" in after else len(content)


def numbers_of(content: bytes) -> list[re.Match[bytes]]:
    return list(re.finditer(rb"(?<![\w.])[-+]?\d[\w.+-]*", content[: text_end(content)]))


def with_random_number(rng: np.random.Generator, content: bytes) -> bytes:
    found = numbers_of(content)
    if not found:
        return content
    chosen = found[rng.integers(len(found))]
    return content[: chosen.start()] + NUMBERS[rng.integers(len(NUMBERS))] + content[chosen.end() :]


def with_random_bytes(rng: np.random.Generator, content: bytes) -> bytes:
    damaged = bytearray(content)
    for at in rng.integers(0, len(content), rng.integers(1, 5)) if content else []:
        damaged[at] = rng.integers(256)
    return bytes(damaged)


def with_lines_moved(rng: np.random.Generator, content: bytes) -> bytes:
    lines = content.split(b"\n")
    one, other = rng.integers(0, len(lines), 2)
    match rng.integers(4):
        case 0:
            lines[one], lines[other] = lines[other], lines[one]
        case 1:
            del lines[one]
        case 2:
            lines.insert(other, lines[one])
        case _:
            lines[one] = lines[one][: rng.integers(len(lines[one]) + 1)]
    return b"\n".join(lines)


def with_piece_moved(rng: np.random.Generator, content: bytes) -> bytes:
    begin, end, at = rng.integers(0, len(content) + 1, 3)
    piece = content[min(begin, end) : min(max(begin, end), min(begin, end) + 500)]
    return content[:at] + piece + content[at + rng.integers(2) * len(piece) :]


def truncated(rng: np.random.Generator, content: bytes) -> bytes:
    return content[: rng.integers(len(content) + 1)]


DAMAGES: list[Callable[[np.random.Generator, bytes], bytes]] = [
    *(with_random_number, with_random_number, with_random_bytes, with_lines_moved, with_piece_moved, truncated)
]


def damaged(seed: int, content: bytes) -> bytes:
    """Return the content after one to three damages."""
    rng = np.random.default_rng(seed)
    for _ in range(rng.integers(1, 4)):
        content = DAMAGES[rng.integers(len(DAMAGES))](rng, content)
    return content


@pytest.mark.parametrize("name", FILES)
def test_files_damaged_at_random_are_used_or_refused(name, tmp_path):
    read = [attempt(name, damaged(seed, whole(name)), tmp_path) for seed in range(1000)]
    assert 0 < sum(read) < 900


@pytest.mark.parametrize("name", FILES)
def test_files_that_end_at_any_line_are_used_or_refused(name, tmp_path):
    content = whole(name)
    ends = [match.end() for match in re.finditer(rb"\n", content)]
    assert attempt(name, content, tmp_path)
    for end in ends[:-1]:
        attempt(name, content[:end], tmp_path)
        attempt(name, content[: end - 1], tmp_path)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("number", [b"nan", b"inf", b"-inf", b"1e400"])
def test_no_number_may_be_infinite_or_none(name, number, tmp_path):
    content = whole(name)
    for found in numbers_of(content)[1:]:
        if b"MV_grade" not in content[: found.start()].rpartition(b"\n")[2] and found.group() != b"1m":
            assert not attempt(name, content[: found.start()] + number + content[found.end() :], tmp_path)


@pytest.mark.parametrize("name", ["template.mtp", "trained.mtp", "active.almtp"])
@pytest.mark.parametrize("field", POTENTIAL_COUNTS)
@pytest.mark.parametrize("count", COUNTS)
def test_wrong_counts_of_a_potential_are_refused(name, field, count):
    content, n = re.subn(rf"\b{field} = \d+".encode(), f"{field} = ".encode() + count, whole(name))
    assert n == 1
    # A template has no coefficients: it may be of any number of species, and of any radial basis with its functions.
    is_free = name == "template.mtp" and field in ("species_count", "radial_basis_size", "radial_funcs_count")
    assert try_potential(content) in ([True, False] if is_free else [False])


@pytest.mark.parametrize("count", [count for count in COUNTS if count != b"3"])
def test_wrong_sizes_of_a_configuration_are_refused(count, tmp_path):
    assert not try_configurations(CFG.replace(b"    3\n Super", b"    " + count + b"\n Super"), tmp_path)


def test_a_template_for_more_coefficients_than_memory_is_refused():
    content = whole("template.mtp").replace(b"species_count = 1", b"species_count = 1000")
    content = content.replace(b"basis_size = 8", b"basis_size = 100").replace(b"funcs_count = 2", b"funcs_count = 100")
    with pytest.raises(DataFileError, match="there are 10000001009 coefficients, for 1000 species; at most 10000000"):
        native.Potential.parse(content)


@pytest.mark.parametrize(
    "times", ["0, 0, 1, 99999", "99999, 0, 1, 11", "-1, 0, 1, 11", "17, 17, 1, 17", "17, 0, 1, 11"]
)
def test_contractions_of_what_does_not_exist_are_refused(times):
    content, n = re.subn(rb"(alpha_index_times = \{)\{[^}]*\}", rb"\1{" + times.encode() + b"}", whole("trained.mtp"))
    assert n == 1
    assert not try_potential(content)


def test_two_species_of_one_type_are_refused():
    content = whole("trained.mtp")
    for pair, other in ((b"0-1", b"0-0"), (b"1-0", b"0-0"), (b"1-1", b"0-0")):
        content = content.replace(b"\t\t" + pair, b"\t\t" + other)
    with pytest.raises(DataFileError, match="species_types names the type 0 twice"):
        native.Potential.parse(content)


@pytest.mark.parametrize("equation", [b"0 22", b"2 0", b"-1 3", b"0 -1", b"9999999 0", b"0 2000000000"])
def test_equations_that_no_configuration_has_are_refused(equation):
    content = whole("active.almtp")
    assert content.count(b"\n#\n0 19\n") == 1
    assert not try_potential(content.replace(b"\n#\n0 19\n", b"\n#\n" + equation + b"\n"))


@pytest.mark.parametrize("name", FILES)
def test_line_ends_of_windows_and_deep_space_change_nothing(name, tmp_path):
    content = whole(name)
    if name == "active.almtp":  # its matrices are no text
        end = text_end(content)
        assert attempt(name, content[:end].replace(b"\n", b"\r\n") + content[end:], tmp_path)
        return
    for other in (content.replace(b"\n", b"\r\n"), content.replace(b" ", b" " * 2000), content + b"\n" * 100_000):
        assert attempt(name, other, tmp_path)


@pytest.mark.parametrize(
    "content", [b"", b"\n", b"\x00", b"MTP", b"BEGIN_CFG", b"\x7fELF" + bytes(range(256)), b"{" * 100_000]
)
def test_files_of_another_kind_are_refused(content, tmp_path):
    assert not try_potential(content)
    if content.strip():
        assert not try_configurations(content, tmp_path)
    else:
        assert native.parse_configurations(content) == []


def test_a_folder_in_place_of_a_file_is_refused(tmp_path):
    for read in (native.Potential.read, native.read_configurations, cfg.read_configurations):
        with pytest.raises(DataFileError, match=r"cannot be read.*directory") as caught:
            read(tmp_path)
        assert str(tmp_path) in str(caught.value)


def test_names_of_files_need_not_be_utf8(tmp_path):
    path = tmp_path / "caf\udce9.mtp"
    path.write_bytes(whole("trained.mtp"))
    assert native.Potential.read(path).initialised
    path.write_bytes(b"MTQ")
    with pytest.raises(DataFileError, match=r"caf.\.mtp, line 1"):
        native.Potential.read(path)


def test_comments_that_are_not_utf8_are_read_and_messages_stay_readable(tmp_path):
    name = "caf\xe9 \u2019 \U0001f50b"
    latin = whole("trained.mtp").replace(b"potential_name = MTP", b"potential_name = caf\xe9")
    assert native.Potential.parse(latin).name == "caf\ufffd"
    utf8 = latin.replace(b"caf\xe9", name.encode())
    assert native.Potential.parse(utf8).name == name
    assert native.Potential.parse(utf8).serialise() == utf8
    (configuration,) = native.parse_configurations(CFG.replace(b"CHGNet", b"\xff\xed\xa0\x80\xc0\xaf\xe2\x82"))
    assert configuration.features["EFS_by"] == "\ufffd" * 8
    with pytest.raises(DataFileError, match=r"radial_basis_type is '\?\?'"):
        native.Potential.parse(utf8.replace(b"RBChebyshev", b"\xff\x00"))


def test_a_name_of_two_lines_is_not_written():
    potential = native.Potential.parse(whole("trained.mtp"))
    potential.name = "one\nspecies_count = 7"
    with pytest.raises(UserInputError, match="line break"):
        potential.serialise()
