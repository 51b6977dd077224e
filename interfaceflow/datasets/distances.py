"""Distances in a periodic cell: between nearest images, and the smallest by pair of elements."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations_with_replacement, product
from typing import Final

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from interfaceflow.core.labelled import LabelledConfiguration

LONGEST_PAIR_A: Final = 6.0


def minimum_distances(configurations: Iterable[LabelledConfiguration]) -> dict[str, float]:
    """Return the smallest distance by pair of elements, as ``{"Cl-Li": 2.21}``, Å.

    The elements of a pair are in alphabetical order. A pair that never comes within 6 Å is left out.
    """
    smallest: dict[str, float] = {}
    for configuration in configurations:
        for pair, distances in distances_by_pair(configuration.atoms).items():
            distance = float(distances[0])
            if distance < smallest.get(pair, LONGEST_PAIR_A):
                smallest[pair] = distance
    return dict(sorted(smallest.items()))


def distances_by_pair(atoms: Atoms) -> dict[str, NDArray[np.float64]]:
    """Return the nearest-image distances of each pair of elements, ascending, as ``{"Cl-Li": [...]}``, Å.

    An atom's distance to its own nearest image is among them. They are right up to 6 Å.
    """
    symbols = np.array(atoms.get_chemical_symbols())
    distances = nearest_image_distances(atoms)
    by_pair = {}
    for first, second in combinations_with_replacement(sorted(set(symbols.tolist())), 2):
        block = distances[np.ix_(symbols == first, symbols == second)]
        by_pair[f"{first}-{second}"] = np.sort(block[np.triu_indices(len(block))] if first == second else block.ravel())
    return by_pair


def nearest_image_distances(atoms: Atoms) -> NDArray[np.float64]:
    """Return the distance of each atom to the nearest image of each, itself too, Å; shape (n_atoms, n_atoms).

    Right for all distances up to 6 Å; a longer one may not be the shortest.
    """
    fractions = atoms.get_scaled_positions(wrap=False)
    differences = fractions[None, :, :] - fractions[:, None, :]
    vectors = (differences - np.rint(differences)) @ atoms.cell.array
    heights = 1.0 / np.linalg.norm(atoms.cell.reciprocal().array, axis=1)
    reaches = np.floor(LONGEST_PAIR_A / heights + 0.5).astype(int)
    nearest = np.full((len(atoms), len(atoms)), np.inf)
    for shift in product(*(range(-reach, reach + 1) for reach in reaches)):
        squares = ((vectors + shift @ atoms.cell.array) ** 2).sum(axis=2)
        if shift == (0, 0, 0):
            np.fill_diagonal(squares, np.inf)
        np.minimum(nearest, squares, out=nearest)
    distances: NDArray[np.float64] = np.sqrt(nearest)
    return distances
