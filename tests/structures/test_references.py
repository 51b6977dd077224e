import numpy as np
import pytest
from ase import Atoms

from interfaceflow.core.errors import CalculationError, DataFileError
from interfaceflow.core.labels import PHASE
from interfaceflow.schemas.settings import InterfaceSettings
from interfaceflow.structures.interfaces import build_interface_cell
from interfaceflow.structures.references import build_strained_bulk, separate_slabs
from interfaceflow.structures.surfaces import orient_crystal


@pytest.fixture(scope="module")
def built(crystals):
    metal, binary = orient_crystal(crystals["Li"], (1, 1, 0)), orient_crystal(crystals["LiCl"], (1, 0, 0))
    return metal, binary, build_interface_cell(metal, binary, InterfaceSettings(), 4.0)


def tilted(atoms: Atoms) -> Atoms:
    """The same cell as a free relaxation may leave it: rotated, wrapped elsewhere, its third vector one image off."""
    moved = atoms.copy()
    moved.set_cell(moved.cell.array + np.array([[0, 0, 0], [0, 0, 0], moved.cell.array[0]]))
    moved.positions += (1.3, -4.0, 9.7)
    moved.rotate(63, (1, 2, 3), rotate_cell=True)
    moved.wrap()
    return moved


def test_the_strained_binary_is_its_bulk_and_the_strained_metal_is_strained(built):
    metal, binary, cell = built
    bulk = build_strained_bulk(binary, cell.match.kept_matrix, cell.atoms)
    assert bulk.get_volume() == pytest.approx(binary.atoms.get_volume())
    assert np.sort(bulk.get_all_distances(mic=True).ravel()) == pytest.approx(
        np.sort(binary.atoms.get_all_distances(mic=True).ravel())
    )
    strained = build_strained_bulk(metal, cell.match.strained_matrix, cell.atoms)
    assert strained.get_volume() / metal.atoms.get_volume() == pytest.approx(
        np.prod(np.add(cell.match.principal_strains, 1))
    )


@pytest.mark.parametrize("side", ["metal", "binary"])
def test_the_strained_bulk_fits_into_the_interface_cell(built, side):
    metal, binary, cell = built
    surface, matrix = (metal, cell.match.strained_matrix) if side == "metal" else (binary, cell.match.kept_matrix)
    for interface in (cell.atoms, tilted(cell.atoms)):
        bulk = build_strained_bulk(surface, matrix, interface)
        assert np.linalg.det(bulk.cell.array) > 0
        assert np.allclose(bulk.cell.array[:2, 2], 0)
        assert bulk.cell.array[2, 2] == pytest.approx(surface.repeat_A)
        supercell = matrix @ bulk.cell.array[:2, :2]
        in_plane = interface.cell.array[:2]
        assert supercell @ supercell.T == pytest.approx(in_plane @ in_plane.T)


def test_a_cell_of_another_surface_is_refused(built, crystals):
    _, binary, cell = built
    with pytest.raises(CalculationError, match="built on this surface"):
        build_strained_bulk(binary, 2 * cell.match.kept_matrix, cell.atoms)


def test_separating_keeps_each_slab_as_it_was(built):
    _, _, cell = built
    for interface in (cell.atoms, tilted(cell.atoms)):
        slabs = separate_slabs(interface, vacuum_A=11.0)
        for phase, slab in slabs.items():
            original = cell.atoms[cell.atoms.arrays[PHASE] == phase]
            heights = slab.positions[:, 2]
            assert len(slab) == len(original)
            assert slab.cell.array[2] == pytest.approx([0, 0, np.ptp(heights) + 11.0])
            assert np.sort(heights - heights.min()) == pytest.approx(
                np.sort(original.positions[:, 2] - original.positions[:, 2].min()), abs=1e-6
            )
            original.pbc = (True, True, False)
            slab.pbc = (True, True, False)
            assert np.sort(slab.get_all_distances(mic=True).ravel()) == pytest.approx(
                np.sort(original.get_all_distances(mic=True).ravel()), abs=1e-6
            )


def test_a_cell_without_labels_cannot_be_separated(built):
    bare = Atoms("Li", cell=[3, 3, 3], pbc=True)
    with pytest.raises(DataFileError, match="phase"):
        separate_slabs(bare, 10.0)
