from pathlib import Path

import interfaceflow.workflows.decomposition_interfaces as recipe
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from interfaceflow.structures.crystals import read_crystal

STRUCTURES = Path(recipe.__file__).parent / "structures"


@pytest.fixture(scope="session")
def crystals() -> dict[str, Atoms]:
    return {name: read_crystal(STRUCTURES / f"{name}.cif") for name in ("Li", "LiCl", "Li2S", "Li3P")}


@pytest.fixture(params=["cubic", "skewed", "supercell"])
def copper(request) -> Atoms:
    """The same crystal in three cells; a = 3.6 Å."""
    if request.param == "cubic":
        return bulk("Cu", "fcc", a=3.6, cubic=True)
    if request.param == "supercell":
        return bulk("Cu", "fcc", a=3.6).repeat((2, 1, 2))
    crystal = bulk("Cu", "fcc", a=3.6)
    crystal.set_cell(np.array([[1, 2, 0], [0, 1, -1], [1, 2, 1]]) @ crystal.cell.array)
    crystal.rotate(37, (1, 2, 3), rotate_cell=True)
    crystal.positions += (0.3, 7.1, -2.2)
    return crystal
