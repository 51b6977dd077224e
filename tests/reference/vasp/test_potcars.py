import gzip
import hashlib

import pytest
from pymatgen.core import SETTINGS
from stand_in import vasp_settings, write_potcars

from interfaceflow.core.errors import UserInputError
from interfaceflow.reference.vasp.potcars import check_potcars, potcar_symbol


def with_potcars(**changes):
    return vasp_settings(potcars={"family": "PBE_54"} | changes)


def test_valences_are_those_of_the_potentials(potcars):
    assert check_potcars(with_potcars(symbols={"Li": "Li_sv"}), ["Li", "Cl"]) == {"Li": 3.0, "Cl": 7.0}


def test_symbols_come_from_the_settings_then_from_the_base_set():
    assert potcar_symbol(vasp_settings(), "Li") == "Li"
    assert potcar_symbol(vasp_settings(base_set="mp-relax"), "Li") == "Li_sv"
    assert potcar_symbol(vasp_settings(base_set="mit-relax"), "Li") == "Li"
    chosen = vasp_settings(base_set="mp-relax", potcars={"family": "PBE", "symbols": {"Li": "Li"}})
    assert potcar_symbol(chosen, "Li") == "Li"


def test_no_folder_is_explained(monkeypatch):
    monkeypatch.setitem(SETTINGS, "PMG_VASP_PSP_DIR", None)
    with pytest.raises(UserInputError, match=r"PMG_VASP_PSP_DIR is not set; run `pmg config -p"):
        check_potcars(vasp_settings(), ["Li"])
    monkeypatch.setitem(SETTINGS, "PMG_VASP_PSP_DIR", "/no/such/folder")
    with pytest.raises(UserInputError, match="is /no/such/folder, which is not a folder"):
        check_potcars(vasp_settings(), ["Li"])


def test_a_missing_symbol_is_refused_with_the_nearest(potcars):
    with pytest.raises(UserInputError, match=r"no POTCAR Li_sw of PBE_54.*Did you mean 'Li_sv'\?.*POTCAR\.Li_sw"):
        check_potcars(with_potcars(symbols={"Li": "Li_sw"}), ["Li"])


def test_a_missing_family_is_refused(potcars):
    with pytest.raises(UserInputError, match="no POTCAR Li of PBE_64"):
        check_potcars(vasp_settings(potcars={"family": "PBE_64"}), ["Li"])


def test_another_title_is_refused(potcars):
    check_potcars(with_potcars(titles={"Li": "PAW_PBE Li 01Jan2000"}), ["Li"])
    with pytest.raises(
        UserInputError, match="'PAW_PBE Li 01Jan2000', and the level of theory asks for 'PAW_PBE Li 17J"
    ):
        check_potcars(with_potcars(titles={"Li": "PAW_PBE Li 17Jan2003"}), ["Li"])


def test_another_hash_is_refused(potcars):
    packed = (potcars / "POT_GGA_PAW_PBE_54" / "POTCAR.Li.gz").read_bytes()
    digest = hashlib.sha256(gzip.decompress(packed)).hexdigest()
    check_potcars(with_potcars(sha256={"Li": digest}), ["Li"])
    with pytest.raises(UserInputError, match=f"SHA-256 {digest}, and the level of theory asks for 00"):
        check_potcars(with_potcars(sha256={"Li": "00" * 32}), ["Li"])


def test_a_potential_of_another_element_is_refused(potcars):
    with pytest.raises(UserInputError, match="POTCAR Na of PBE_54 is for Na, not for Li"):
        check_potcars(with_potcars(symbols={"Li": "Na"}), ["Li"])


def test_a_potential_cut_short_is_refused(tmp_path, monkeypatch):
    root = write_potcars(tmp_path, symbols=("Li",))
    path = root / "POT_GGA_PAW_PBE_54" / "POTCAR.Li.gz"
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()).split(b" End of Dataset")[0]))
    monkeypatch.setitem(SETTINGS, "PMG_VASP_PSP_DIR", str(root))
    with pytest.raises(UserInputError, match="cut short"):
        check_potcars(vasp_settings(), ["Li"])
