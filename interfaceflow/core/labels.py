"""Labels that every atom keeps from the builder to the analysis.

They live in the arrays of an ``ase.Atoms`` (and so in extended XYZ files):

- ``phase``: the crystal an atom came from, ``"metal"`` or ``"binary"`` in a metal-binary pair, ``"cathode"`` or
  ``"electrolyte"`` in a pair of those;
- ``region``: where it was at the start, ``"interface"`` or ``"interior"``;
- ``origin_index``: its index in the cell it was built from, so that it can be traced through
  supercells and vacancies.
"""

from __future__ import annotations

from typing import Final, Literal

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from interfaceflow.core.errors import DataFileError

PHASE = "phase"
REGION = "region"
ORIGIN_INDEX = "origin_index"

WITHOUT_LABELS: Final = "cells without labels"

RegionLabel = Literal["interface", "interior"]
PhaseLabel = Literal["metal", "binary", "cathode", "electrolyte"]
PhasePair = tuple[PhaseLabel, PhaseLabel]
"""The two crystals of an interface; the first takes the strain."""


def has_labels(atoms: Atoms) -> bool:
    """Tell whether every atom carries all three labels."""
    return all(name in atoms.arrays for name in (PHASE, REGION, ORIGIN_INDEX))


def region_names(atoms: Atoms) -> NDArray[np.str_]:
    """Return where each atom was at the start, as ``"metal interface"``, shape (n_atoms,).

    Atoms that carry no labels, as in the cells of a bulk crystal, are in ``"cells without labels"``.
    """
    if not has_labels(atoms):
        return np.full(len(atoms), WITHOUT_LABELS)
    return np.char.add(np.char.add(atoms.arrays[PHASE].astype(str), " "), atoms.arrays[REGION].astype(str))


def check_labels(atoms: Atoms, source: str) -> None:
    """Refuse a configuration whose atoms lost their labels.

    Parameters
    ----------
    atoms
        Configuration to look at.
    source
        Where it came from, for the message.

    Raises
    ------
    DataFileError
        If one of the three label arrays is absent.
    """
    missing = [name for name in (PHASE, REGION, ORIGIN_INDEX) if name not in atoms.arrays]
    if missing:
        raise DataFileError(
            f"{source}: atoms carry no {', '.join(missing)} label; "
            "use the extended XYZ file that interfaceflow wrote, which keeps them"
        )
