import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, make_supercell, molecule, surface

from interfaceflow.datasets.vacuum import has_vacuum

TURN_AND_SHEAR = np.array([[1, 1, 0], [0, 1, 1], [1, 0, 2]])


def lithium() -> Atoms:
    return bulk("Li", cubic=True)


@pytest.mark.parametrize(
    "atoms",
    [
        lithium(),
        bulk("Li"),
        make_supercell(lithium(), TURN_AND_SHEAR),
        bulk("Li").repeat((1, 1, 9)),
        bulk("C", "diamond", 3.567),
        Atoms("C4", [(0, 0, 0), (0, 1.42, 0), (0, 0, 3.35), (0, 2.84, 3.35)], cell=[2.46, 4.26, 6.71], pbc=True),
    ],
    ids=["cubic", "primitive", "triclinic", "needle", "diamond", "graphite"],
)
def test_matter_has_none_wherever_it_lies(atoms):
    assert not has_vacuum(atoms)
    atoms.translate(0.37 * atoms.cell.sum(axis=0))
    atoms.positions[0] -= 3 * atoms.cell[0]
    assert not has_vacuum(atoms)


@pytest.mark.parametrize("vacuum", [2.5, 7.5])
def test_slabs_have_it_in_any_setting_of_the_cell(vacuum):
    slab = surface(lithium(), (1, 1, 0), 4, vacuum=vacuum, periodic=True)
    assert has_vacuum(slab)
    slab.translate(0.5 * slab.cell[2])
    assert has_vacuum(slab)
    slab.wrap()
    assert has_vacuum(slab)
    slab.set_cell(slab.cell.array + np.array([[0, 0, 0], [0, 0, 0], [1.7, 0.4, 0]]), scale_atoms=False)
    assert has_vacuum(slab)


def test_clusters_and_open_boundaries_have_it():
    water = molecule("H2O", vacuum=6.0)
    assert has_vacuum(water)
    water.pbc = True
    assert has_vacuum(water)
    open_cell = lithium()
    open_cell.pbc = (True, True, False)
    assert has_vacuum(open_cell)
