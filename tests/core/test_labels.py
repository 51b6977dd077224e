import numpy as np
from ase.build import bulk

from interfaceflow.core.formats.structure_file import read_structure, write_structure
from interfaceflow.core.labels import region_names


def test_regions_have_the_names_of_phase_and_place(tmp_path):
    atoms = bulk("LiCl", "rocksalt", a=5.1)
    assert region_names(atoms).tolist() == ["cells without labels"] * 2
    atoms.set_array("phase", np.array(["metal", "binary"]))
    atoms.set_array("region", np.array(["interface", "interior"]))
    atoms.set_array("origin_index", np.arange(2))
    write_structure(atoms, tmp_path / "atoms.xyz")
    for labelled in (atoms, read_structure(tmp_path / "atoms.xyz")):
        assert region_names(labelled).tolist() == ["metal interface", "binary interior"]
