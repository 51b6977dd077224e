"""VASP's files in the folder of a run, which may be gzipped."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError, iterparse

from interfaceflow.core.errors import CalculationError


@dataclass(frozen=True)
class Potential:
    """A potential of a run, as vasprun.xml lists it.

    Attributes
    ----------
    element
        Symbol of the element.
    n_atoms
        How many atoms have it.
    valence_electrons
        Electrons of the neutral atom.
    """

    element: str
    n_atoms: int
    valence_electrons: float


def find_file(folder: Path, name: str) -> Path | None:
    """Return a file of a run, packed or not, or None."""
    candidates = (folder / name, folder / f"{name}.gz")
    return next((path for path in candidates if path.is_file()), None)


def existing_file(folder: Path, name: str) -> Path:
    """Return a file of a run.

    Raises
    ------
    CalculationError
        If it is not there.
    """
    path = find_file(folder, name)
    if path is None:
        raise CalculationError(f"{folder}: there is no {name}; VASP did not run to its end there: see vasp.out")
    return path


def read_lines(path: Path) -> Iterator[str]:
    """Yield the lines of a file."""
    from monty.io import zopen

    with zopen(path, "rt", encoding="utf-8", errors="replace") as stream:
        yield from stream


def read_vasprun(folder: Path, *, electronic: bool) -> Any:
    """Return pymatgen's view of vasprun.xml.

    Parameters
    ----------
    folder
        Folder of the run.
    electronic
        Whether eigenvalues and densities of states are read, too.

    Raises
    ------
    CalculationError
        If the file is absent, cut short or not VASP's.
    """
    from pymatgen.io.vasp.outputs import UnconvergedVASPWarning, Vasprun

    path = existing_file(folder, "vasprun.xml")
    with warnings.catch_warnings():
        # Convergence is looked at frame by frame.
        warnings.simplefilter("ignore", UnconvergedVASPWarning)
        try:
            return Vasprun(str(path), parse_dos=electronic, parse_eigen=electronic, parse_potcar_file=False)
        except (SyntaxError, AttributeError, ValueError) as error:
            raise CalculationError(
                f"{path}: cut short or not written by VASP ({error}); the run was killed or ran out of disk: see "
                "vasp.out beside it"
            ) from error


def read_potentials(folder: Path) -> list[Potential]:
    """Return the potentials of a run in the order of the POSCAR."""
    from monty.io import zopen

    path = existing_file(folder, "vasprun.xml")
    with zopen(path, "rb") as stream:
        try:
            for _, element in iterparse(stream):
                if element.tag == "array" and element.get("name") == "atomtypes":
                    rows = [[cell.text or "" for cell in row] for row in element.iter("rc")]
                    return [Potential(row[1].strip(), int(row[0]), float(row[3])) for row in rows]
        except ParseError as error:
            raise CalculationError(f"{path}: not readable as XML ({error})") from error
    raise CalculationError(f"{path}: has no table of atom types")
