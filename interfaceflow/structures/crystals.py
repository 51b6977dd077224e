"""Crystals: read, checked, standardised and counted."""

from __future__ import annotations

import warnings
from math import gcd
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers
from ase.geometry import get_distances

from interfaceflow.core.errors import DataFileError, UserInputError
from interfaceflow.structures.symmetry import conventional_cell

MIN_BOND_A = 0.7
"""No two atoms of a crystal are nearer: the bond of the hydrogen molecule is 0.74 Å."""


def read_crystal(path: Path) -> Atoms:
    """Read an ordered crystal from a CIF file.

    Parameters
    ----------
    path
        CIF file with one crystal.

    Returns
    -------
    Atoms
        The crystal's conventional standard cell [Å], periodic in all directions.

    Raises
    ------
    DataFileError
        If the file is absent, does not parse, names what is no element, or holds no atoms or more than one crystal.
    UserInputError
        If a site is partially occupied, or atoms overlap.
    """
    from pymatgen.io.cif import CifParser

    if not path.is_file():
        raise DataFileError(f"{path}: no such file; give the path of a CIF file")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the parser's remarks; what matters is checked below
            crystals = CifParser(path).parse_structures(primitive=False, on_error="raise")
    except Exception as error:
        reason = " ".join(str(error).split())
        raise DataFileError(
            f"{path}: not a readable CIF file ({reason}); it needs cell lengths, angles, symmetry and atom sites"
        ) from error
    if len(crystals) != 1 or len(crystals[0]) == 0:
        raise DataFileError(f"{path}: holds {len(crystals)} crystals with atoms; give a CIF file with exactly one")
    crystal = crystals[0]
    unknown = sorted({species.symbol for species in crystal.composition if species.symbol not in atomic_numbers})
    if unknown:
        raise DataFileError(f"{path}: {', '.join(unknown)} is no chemical element; look at _atom_site_type_symbol")
    for site in crystal:
        if not site.is_ordered:
            x, y, z = site.frac_coords
            raise UserInputError(
                f"{path}: the site at ({x:.4f}, {y:.4f}, {z:.4f}) is occupied by {site.species_string}; an ordered "
                "cell is needed, in which every site holds exactly one atom. Build one (a supercell with the "
                "site's atoms distributed) and give that instead"
            )
    atoms = Atoms(
        numbers=[site.specie.Z for site in crystal],
        cell=crystal.lattice.matrix,
        scaled_positions=crystal.frac_coords,
        pbc=True,
    )
    shortest = shortest_distance(atoms)
    if shortest < MIN_BOND_A:
        raise UserInputError(
            f"{path}: two atoms are {shortest:.3f} Å apart; no bond is shorter than {MIN_BOND_A} Å. "
            "Look for a site that is listed twice, a wrong space group, or a split site"
        )
    return conventional_cell(atoms)


def shortest_distance(atoms: Atoms) -> float:
    """Return the shortest distance between two atoms or an atom and its own image [Å]."""
    _, distances = get_distances(atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
    np.fill_diagonal(distances, np.inf)
    shortest_vector = float(np.linalg.norm(atoms.cell.minkowski_reduce()[0].array[np.asarray(atoms.pbc)], axis=1).min())
    return min(float(distances.min()), shortest_vector)


def count_formula_units(atoms: Atoms) -> int:
    """Return the number of formula units: the greatest common divisor of the element counts."""
    return gcd(*np.unique(atoms.numbers, return_counts=True)[1].tolist())


def reduced_formula(atoms: Atoms) -> str:
    """Return the reduced chemical formula, for example ``"Li2S"``."""
    return str(atoms.symbols.formula.reduce()[0].format("metal"))


def formal_charges(crystal: Atoms) -> dict[str, float]:
    """Return the formal oxidation state of each element [e]; zero for a pure element.

    Raises
    ------
    UserInputError
        If no charge-neutral set of common oxidation states exists.
    """
    from pymatgen.core.composition import Composition

    symbols = set(crystal.get_chemical_symbols())
    if len(symbols) == 1:
        return dict.fromkeys(symbols, 0.0)
    guesses = Composition(reduced_formula(crystal)).oxi_state_guesses()
    if not guesses:
        raise UserInputError(
            f"{reduced_formula(crystal)}: no common oxidation states make it neutral; "
            "interfaces are built between a metal and an ionic compound"
        )
    return {symbol: float(charge) for symbol, charge in guesses[0].items()}
