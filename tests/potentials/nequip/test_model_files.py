"""Files of networks: only what was recorded is loaded, and only where it can run."""

import json
import pickle
import zipfile
from pathlib import Path

import pytest

from interfaceflow.core.errors import DataFileError, UserInputError
from interfaceflow.potentials.nequip.model import load_model
from interfaceflow.potentials.nequip.model_files import ModelFile, check_fits, read_compiled_info


class Bomb:
    """Writes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (Path.write_text, (self.path, "went off"))


def write_compiled(path, device="cpu", species="Li S"):
    facts = {
        "type_names": species,
        "r_max": "4.5",
        "AOTI_DEVICE_KEY": device,
        "model_dtype": "float32",
        "nequip_aoti_inputs": "pos edge_index",
        "nequip_aoti_outputs": "atomic_energy forces",
    }
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x/data/aotinductor/model/a.wrapper_metadata.json", json.dumps(facts))
    return path


def test_foreign_pickle_is_refused_before_it_runs(tmp_path):
    written = tmp_path / "written"
    path = tmp_path / "gift.ckpt"
    path.write_bytes(pickle.dumps(Bomb(written)))
    with pytest.raises(DataFileError, match=r"runs the code in it.*is not the one recorded.*sha256sum"):
        load_model(ModelFile(path, "0" * 64))
    assert not written.exists()


def test_file_that_changed_is_refused(tmp_path):
    path = tmp_path / "network.nequip.zip"
    path.write_bytes(b"first")
    file = ModelFile.of(path)
    assert file.checked() == path
    path.write_bytes(b"other")
    with pytest.raises(DataFileError, match="is not the one recorded"):
        file.checked()


def test_file_of_another_kind_is_refused(tmp_path):
    path = tmp_path / "model.pth"
    path.write_bytes(b"")
    with pytest.raises(DataFileError, match=r"allowed are \.ckpt, \.nequip\.zip and \.nequip\.pt2"):
        ModelFile.of(path).checked()


def test_absent_file(tmp_path):
    with pytest.raises(DataFileError, match="no such file"):
        ModelFile(tmp_path / "a.ckpt", "").checked()
    with pytest.raises(DataFileError, match="no such file"):
        ModelFile.of(tmp_path / "a.ckpt")


def test_network_compiled_for_another_device_is_refused_unloaded(tmp_path):
    file = ModelFile.of(write_compiled(tmp_path / "a.nequip.pt2", device="cuda"))
    with pytest.raises(UserInputError, match="compiled for cuda and cannot run on cpu"):
        load_model(file, device="cpu")


def test_network_for_other_species_is_refused_unloaded(tmp_path):
    file = ModelFile.of(write_compiled(tmp_path / "a.nequip.pt2", species="Na Cl"))
    with pytest.raises(UserInputError, match="does not know Li, S; it was trained for Na, Cl"):
        load_model(file, species=("Li", "S"))


def test_what_a_compiled_network_says(tmp_path):
    info = read_compiled_info(write_compiled(tmp_path / "a.nequip.pt2"))
    assert (info.species, info.cutoff_radius_A, info.device) == (("Li", "S"), 4.5, "cpu")
    assert not info.has_features
    check_fits(info, tmp_path, device="cpu", species=("S",))


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut off", b"text"])
def test_damaged_compiled_network(tmp_path, content):
    path = tmp_path / "a.nequip.pt2"
    path.write_bytes(content)
    with pytest.raises(DataFileError, match="compile it again"):
        load_model(ModelFile.of(path))


def test_archive_of_something_else(tmp_path):
    path = tmp_path / "a.nequip.pt2"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(DataFileError, match="says nothing about a network"):
        read_compiled_info(path)
