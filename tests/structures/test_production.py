import numpy as np
import pytest

from interfaceflow.core.errors import UserInputError
from interfaceflow.core.labels import ORIGIN_INDEX, PHASE, REGION
from interfaceflow.schemas.settings import InterfaceSettings, ProductionCellSettings
from interfaceflow.structures.interfaces import build_interface_cell
from interfaceflow.structures.production import build_production_atoms, choose_repeats, remove_vacancies
from interfaceflow.structures.surfaces import orient_crystal


@pytest.fixture(scope="module")
def interface(crystals):
    metal, binary = orient_crystal(crystals["Li"], (1, 1, 0)), orient_crystal(crystals["LiCl"], (1, 0, 0))
    return build_interface_cell(metal, binary, InterfaceSettings(), 2.0).atoms


@pytest.mark.parametrize("target", [50, 400, 1000, 20_000])
def test_repeats_come_near_to_the_number_of_atoms_and_to_a_square(interface, target):
    first, second, normal = choose_repeats(interface, target)
    assert normal == 1
    assert abs(first * second * len(interface) - target) <= max(len(interface), 0.2 * target)
    lengths = interface.cell.lengths()[:2] * (first, second)
    if target >= 1000:
        assert lengths.max() / lengths.min() < 1.5


def test_every_atom_of_the_repeated_cell_knows_where_it_came_from(interface):
    atoms = build_production_atoms(interface, (3, 2, 1))
    origin = atoms.arrays[ORIGIN_INDEX]
    assert (np.bincount(origin) == 6).all()
    for label in (PHASE, REGION):
        assert (atoms.arrays[label] == interface.arrays[label][origin]).all()
    assert (atoms.numbers == interface.numbers[origin]).all()


def test_the_repeated_cell_lies_along_the_axes(interface):
    turned = interface.copy()
    turned.rotate(41, (1, 1, 2), rotate_cell=True)
    atoms = build_production_atoms(turned, (2, 2, 1))
    assert np.allclose(np.triu(atoms.cell.array, 1), 0)
    assert atoms.get_volume() == pytest.approx(4 * interface.get_volume())
    assert atoms.positions[:, 2] == pytest.approx(np.tile(interface.positions[:, 2], 4), abs=1e-6)


def test_vacancies_are_of_the_element_in_the_interface_region_and_reproducible(interface):
    atoms = build_production_atoms(interface, (4, 2, 1))
    settings = ProductionCellSettings(vacancy_fraction=0.02)
    kept, removed = remove_vacancies(atoms, settings, seed=3)
    n_lithium = int((atoms.symbols == "Li").sum())
    assert len(removed) == round(0.02 * n_lithium)
    assert (atoms.symbols[removed] == "Li").all()
    assert (atoms.arrays[REGION][removed] == "interface").all()
    assert len(kept) == len(atoms) - len(removed)
    again, same = remove_vacancies(atoms, settings, seed=3)
    assert (same == removed).all()
    assert (again.positions == kept.positions).all()
    _, others = remove_vacancies(atoms, settings, seed=4)
    assert not np.array_equal(others, removed)


def test_a_small_share_still_makes_one_vacancy_and_zero_none(interface):
    assert len(remove_vacancies(interface, ProductionCellSettings(vacancy_fraction=0.001), seed=0)[1]) == 1
    assert len(remove_vacancies(interface, ProductionCellSettings(vacancy_fraction=0.0), seed=0)[1]) == 0


def test_an_absent_element_is_refused_with_those_present(interface):
    with pytest.raises(UserInputError, match=r"'li' is not in the cell, which holds Cl, Li\. Did you mean 'Li'\?"):
        remove_vacancies(interface, ProductionCellSettings(vacancy_species="li"), seed=0)


def test_more_vacancies_than_the_region_bears_are_refused(interface):
    atoms = interface.copy()
    atoms.arrays[REGION][:] = "interior"
    atoms.arrays[REGION][:4] = "interface"
    with pytest.raises(UserInputError, match="holds only 4"):
        remove_vacancies(atoms, ProductionCellSettings(vacancy_fraction=0.2), seed=0)
