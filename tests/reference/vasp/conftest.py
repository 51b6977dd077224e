import pytest
from pymatgen.core import SETTINGS
from stand_in import write_potcars


@pytest.fixture
def potcars(tmp_path, monkeypatch):
    """A folder of potentials without content, which pymatgen's settings name."""
    root = write_potcars(tmp_path / "potentials")
    monkeypatch.setitem(SETTINGS, "PMG_VASP_PSP_DIR", str(root))
    return root
