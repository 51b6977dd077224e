"""Slabs for surface energies."""

from __future__ import annotations

import numpy as np
from ase import Atoms

from interfaceflow.core.errors import CalculationError
from interfaceflow.structures.crystals import formal_charges, reduced_formula, shortest_distance
from interfaceflow.structures.surfaces import Surface, add_vacuum, choose_cut, cut_layer
from interfaceflow.structures.symmetry import find_flips

DISTANCE_TOLERANCE = 0.98


def build_slab(surface: Surface, n_layers: int, vacuum_A: float) -> Atoms:
    """Build a stoichiometric, non-polar slab with two equal sides, and check what was built.

    Parameters
    ----------
    surface
        The crystal seen from the surface.
    n_layers
        Number of layers, each the thinnest stoichiometric one.
    vacuum_A
        Vacuum between the slab and its image [Å].

    Returns
    -------
    Atoms
        The slab, centred; cell vectors a and b in the surface, c along the normal.

    Raises
    ------
    UserInputError
        If the surface has no such termination; the message lists those it has.
    CalculationError
        If the built slab is not what was asked for.
    """
    termination = choose_cut(surface, n_layers)
    slab = add_vacuum(cut_layer(surface, termination, n_layers), vacuum_A)
    _check_slab(slab, surface, vacuum_A)
    return slab


def _check_slab(slab: Atoms, surface: Surface, vacuum_A: float) -> None:
    """Re-measure composition, charge, shortest distance, vacuum and symmetry of a slab."""
    heights = slab.positions[:, 2]
    vacuum = slab.cell.array[2, 2] - np.ptp(heights)
    charge_of = formal_charges(surface.atoms)
    charge = sum(charge_of[symbol] for symbol in slab.get_chemical_symbols())
    allowed = DISTANCE_TOLERANCE * shortest_distance(surface.atoms)
    checks = {
        f"composition {reduced_formula(slab)}": reduced_formula(slab) == reduced_formula(surface.atoms),
        f"formal charge {charge:+.2f} e": abs(charge) < 1e-6,
        f"shortest distance {shortest_distance(slab):.3f} Å": shortest_distance(slab) >= allowed,
        f"vacuum {vacuum:.3f} Å": abs(vacuum - vacuum_A) < 1e-6,
        "two equal sides": bool(find_flips(slab)),
    }
    failed = [what for what, passed in checks.items() if not passed]
    if failed:
        raise CalculationError(f"{surface.name}: the slab that was built fails its checks: {'; '.join(failed)}")
