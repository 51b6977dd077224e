"""The large cell for production MD: an interface cell repeated in the plane, with vacancies at its interfaces."""

from __future__ import annotations

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from interfaceflow.core.errors import UserInputError, suggest_name
from interfaceflow.core.labels import ORIGIN_INDEX, REGION, check_labels
from interfaceflow.schemas.settings import ProductionCellSettings


def choose_repeats(interface: Atoms, target_atoms: int) -> tuple[int, int, int]:
    """Choose in-plane repeats that come nearest to a number of atoms and, among those, to a square.

    Parameters
    ----------
    interface
        Interface cell whose first two vectors are in the plane.
    target_atoms
        Wanted number of atoms.

    Returns
    -------
    tuple
        Repeats along the three cell vectors; the third is 1.
    """
    wanted = max(1.0, target_atoms / len(interface))
    lengths = interface.cell.lengths()[:2]
    most = 2 * round(wanted) + 1

    def cost(repeats: tuple[int, int]) -> float:
        # A wrong number of atoms counts twice as much as an oblong shape, both on a logarithmic scale.
        number = abs(np.log(repeats[0] * repeats[1] / wanted))
        shape = abs(np.log(repeats[0] * lengths[0] / (repeats[1] * lengths[1])))
        return float(2 * number + shape)

    best = min(((first, second) for first in range(1, most) for second in range(1, (most - 1) // first + 1)), key=cost)
    return *best, 1


def build_production_atoms(interface: Atoms, repeats: tuple[int, int, int]) -> Atoms:
    """Repeat an interface cell and turn it so that a is along x and b in the xy plane.

    Every atom keeps its labels; ``origin_index`` is its index in the cell that is repeated.

    Raises
    ------
    DataFileError
        If the atoms carry no labels.
    """
    check_labels(interface, interface.get_chemical_formula())
    source = interface.copy()
    source.set_array(ORIGIN_INDEX, np.arange(len(source)))
    repeated: Atoms = source.repeat(repeats)
    repeated.set_cell(repeated.cell.standard_form()[0], scale_atoms=True)
    return repeated


def remove_vacancies(atoms: Atoms, settings: ProductionCellSettings, seed: int) -> tuple[Atoms, NDArray[np.int64]]:
    """Remove atoms of one element at random from the interface region.

    Parameters
    ----------
    atoms
        The large cell, labelled.
    settings
        Which element, and the share of all its atoms to remove; at least one atom where that is not zero.
    seed
        Seed of the choice.

    Returns
    -------
    tuple
        The cell without those atoms, and their indices in ``atoms``, ascending.

    Raises
    ------
    UserInputError
        If the element is absent, or the interface region has too few of its atoms.
    """
    check_labels(atoms, atoms.get_chemical_formula())
    symbols = np.array(atoms.get_chemical_symbols())
    species = settings.vacancy_species
    if species not in symbols:
        present = sorted(set(symbols.tolist()))
        raise UserInputError(
            f"vacancy_species {species!r} is not in the cell, which holds {', '.join(present)}."
            f"{suggest_name(species, present)}"
        )
    total = int((symbols == species).sum())
    wanted = settings.vacancy_fraction * total
    n_vacancies = max(1, round(wanted)) if wanted > 0 else 0
    candidates = np.flatnonzero((symbols == species) & (atoms.arrays[REGION] == "interface"))
    if n_vacancies > len(candidates) // 2:
        raise UserInputError(
            f"vacancy_fraction {settings.vacancy_fraction:g} means removing {n_vacancies} of {total} {species} atoms, "
            f"but the interface region holds only {len(candidates)}; at most half of those may go. Lower the fraction "
            f"or widen interface_region_width_A ({settings.interface_region_width_A:g} Å)"
        )
    removed = np.sort(np.random.default_rng(seed).choice(candidates, size=n_vacancies, replace=False))
    kept: Atoms = atoms[np.setdiff1d(np.arange(len(atoms)), removed)]
    return kept, removed
