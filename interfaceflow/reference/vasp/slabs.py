"""Cells with vacuum: along which vector it is, and whether the slab in it has a dipole."""

from __future__ import annotations

from itertools import product
from typing import Final

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Wider than the gap between the layers of layered crystals (graphite 3.35 Å), narrower than any vacuum left on purpose.
_WIDEST_GAP_IN_MATTER_A: Final = 4.5
# The label array that says which crystal an atom came from; formal charges are balanced within each.
_PHASE: Final = "phase"
# Formal charges may miss balance by this per atom, e: about two vacancies in a hundred atoms.
_LARGEST_IMBALANCE_E: Final = 0.02


def vacuum_axes(atoms: Atoms) -> tuple[int, ...]:
    """Return the cell vectors across which there is a vacuum: planes further apart than 4.5 Å with no atom between.

    Parameters
    ----------
    atoms
        The cell; positions need not be wrapped.
    """
    heights = 1.0 / np.linalg.norm(atoms.cell.reciprocal().array, axis=1)
    widths = np.array([_widest_gap(atoms, axis)[0] for axis in range(3)]) * heights
    return tuple(int(axis) for axis in np.nonzero(widths > _WIDEST_GAP_IN_MATTER_A)[0])


def dipole_per_area(atoms: Atoms, charges_e: Array, axis: int) -> float:
    """Return the dipole along the normal over the area of a slab, e/Å; the vacuum's potential step is 181 V Å/e of it.

    A slab with a mirror plane or a centre of inversion in it has none.

    Parameters
    ----------
    atoms
        Cell with vacuum across one vector.
    charges_e
        Charge of each atom, shape (n_atoms,), e; a net charge is spread evenly over the atoms first, so that the
        result does not depend on the origin.
    axis
        The vector across the vacuum.
    """
    height = 1.0 / float(np.linalg.norm(atoms.cell.reciprocal().array[axis]))
    centre_of_vacuum = _widest_gap(atoms, axis)[1]
    along_normal = np.mod(atoms.get_scaled_positions(wrap=False)[:, axis] - centre_of_vacuum, 1.0) * height
    neutral = charges_e - charges_e.mean()
    return float(neutral @ along_normal) * height / float(abs(atoms.cell.volume))


def slab_centre(atoms: Atoms, axis: int) -> float:
    """Return the middle of a slab along the vector across its vacuum, as a fraction in [0, 1)."""
    return (_widest_gap(atoms, axis)[1] + 0.5) % 1.0


def formal_charges(atoms: Atoms) -> Array | None:
    """Return a formal charge for each atom, shape (n_atoms,), e, balanced within each phase; None where none balance.

    Atoms of one element, and of metals alone, have none. Phases are those of the ``phase`` label; without it the cell
    is one.
    """
    phases = atoms.arrays.get(_PHASE, np.full(len(atoms), "all"))
    charges = np.zeros(len(atoms))
    for phase in np.unique(phases):
        members = np.nonzero(phases == phase)[0]
        by_element = _balanced_charges(atoms[members])
        if by_element is None:
            return None
        charges[members] = [by_element[symbol] for symbol in atoms.symbols[members]]
    return charges


def is_metallic(atoms: Atoms) -> bool:
    """Tell whether a cell conducts for what its composition says.

    It does where it is, or where one of its phases is, of metallic elements alone, or where no formal charges of its
    elements balance. Without ``phase`` labels a metal beside its salt is found by the latter.
    """
    from pymatgen.core.periodic_table import Element

    phases = atoms.arrays.get(_PHASE, np.full(len(atoms), "all"))
    parts = [atoms[phases == phase] for phase in np.unique(phases)]
    only_metals = any(all(Element(symbol).is_metal for symbol in part.symbols) for part in parts)
    return only_metals or formal_charges(atoms) is None


def _widest_gap(atoms: Atoms, axis: int) -> tuple[float, float]:
    """Return the widest gap between atoms along a vector and its centre, both as fractions of the vector."""
    fractions = np.sort(np.mod(atoms.get_scaled_positions(wrap=False)[:, axis], 1.0))
    gaps = np.diff(fractions, append=fractions[0] + 1.0)
    widest = int(np.argmax(gaps))
    return float(gaps[widest]), float(fractions[widest] + gaps[widest] / 2)


def _balanced_charges(atoms: Atoms) -> dict[str, float] | None:
    """Return the likeliest charge of each element that balances a composition, or None.

    Of the common oxidation states, one for each element, those are taken that leave less than `_LARGEST_IMBALANCE_E`
    per atom, and of these the ones that put the electrons on the most electronegative elements.
    """
    from pymatgen.core.periodic_table import Element

    symbols, counts = np.unique(np.array(atoms.get_chemical_symbols()), return_counts=True)
    elements = [Element(symbol) for symbol in symbols]
    if len(elements) == 1 or all(element.is_metal for element in elements):
        return dict.fromkeys(symbols, 0.0)
    net_charge = float(atoms.info.get("charge_e", 0.0))
    electronegativities = np.array([element.X for element in elements])
    best: tuple[float, dict[str, float]] | None = None
    for states in product(*(element.common_oxidation_states or (0,) for element in elements)):
        if abs(counts @ states - net_charge) > _LARGEST_IMBALANCE_E * len(atoms):
            continue
        score = float((counts * electronegativities) @ states)
        if best is None or score < best[0]:
            best = score, {str(symbol): float(state) for symbol, state in zip(symbols, states, strict=True)}
    return best[1] if best else None
