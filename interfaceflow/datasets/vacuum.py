"""Which cells have vacuum: slabs, wires, clusters.

Their stress is that of a larger volume than the matter's, and depends on how much vacuum was left: nothing that a
potential should learn.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from ase import Atoms

# Wider than the gap between the layers of layered crystals (graphite 3.35 Å), narrower than any vacuum left on purpose.
_WIDEST_GAP_IN_MATTER_A: Final = 4.5


def has_vacuum(atoms: Atoms) -> bool:
    """Tell whether a cell has vacuum.

    It has where it is not periodic, and where planes parallel to one of its faces, further apart than 4.5 Å, have no
    atom between them.

    Parameters
    ----------
    atoms
        The cell; positions need not be wrapped.
    """
    if not atoms.pbc.all():
        return True
    heights = 1.0 / np.linalg.norm(atoms.cell.reciprocal().array, axis=1)
    fractions = np.sort(np.mod(atoms.get_scaled_positions(wrap=False), 1.0), axis=0)
    gaps = np.diff(fractions, axis=0, append=fractions[:1] + 1.0).max(axis=0) * heights
    return bool((gaps > _WIDEST_GAP_IN_MATTER_A).any())
