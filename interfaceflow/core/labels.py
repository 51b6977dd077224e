"""Labels that every atom keeps from the builder to the analysis.

They live in the arrays of an ``ase.Atoms`` (and so in extended XYZ files):

- ``phase``: the crystal an atom came from, ``"metal"`` or ``"binary"`` in a metal-binary pair, ``"cathode"`` or
  ``"electrolyte"`` in a pair of those;
- ``region``: where it was at the start, ``"interface"`` or ``"interior"``;
- ``origin_index``: its index in the cell it was built from, so that it can be traced through
  supercells and vacancies.
"""

from __future__ import annotations

from typing import Literal

from ase import Atoms

from interfaceflow.core.errors import DataFileError

PHASE = "phase"
REGION = "region"
ORIGIN_INDEX = "origin_index"

RegionLabel = Literal["interface", "interior"]
PhaseLabel = Literal["metal", "binary", "cathode", "electrolyte"]
PhasePair = tuple[PhaseLabel, PhaseLabel]
"""The two crystals of an interface; the first takes the strain."""


def has_labels(atoms: Atoms) -> bool:
    """Tell whether every atom carries all three labels."""
    return all(name in atoms.arrays for name in (PHASE, REGION, ORIGIN_INDEX))


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
