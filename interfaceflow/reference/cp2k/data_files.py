"""CP2K's own data files: basis sets and pseudopotentials, found and read entry by entry.

pymatgen would have them from a folder that it converts all of CP2K's data into, which takes minutes; an entry of the
two files that are used here is read in milliseconds.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import Final

from interfaceflow.core.errors import UserInputError

DATA_VARIABLE: Final = "CP2K_DATA_DIR"
BASIS_FILE: Final = "BASIS_MOLOPT"
POTENTIAL_FILE: Final = "GTH_POTENTIALS"
_DEBIAN_FOLDER: Final = Path("/usr/share/cp2k")
_NAME_WITH_CHARGE: Final = r"{name}-q(\d+)"


def find_data_folder(program: Path | None = None) -> Path:
    """Return the folder that holds CP2K's basis sets and pseudopotentials.

    It is looked for in ``$CP2K_DATA_DIR``, which CP2K itself reads, in Debian's folder, and beside the program.

    Parameters
    ----------
    program
        CP2K's program, if it is known.

    Raises
    ------
    UserInputError
        If no folder holds both files.
    """
    given = os.environ.get(DATA_VARIABLE)
    folders = [Path(given)] if given else [_DEBIAN_FOLDER, *_folders_beside(program)]
    for folder in folders:
        if all((folder / name).is_file() for name in (BASIS_FILE, POTENTIAL_FILE)):
            return folder
    raise UserInputError(
        f"CP2K's data files {BASIS_FILE} and {POTENTIAL_FILE} are not in {', '.join(map(str, folders))}"
        f"{f' (from ${DATA_VARIABLE})' if given else ''}; install Debian's package cp2k-data, or set ${DATA_VARIABLE} "
        "to the folder data of a CP2K release"
    )


def read_basis(folder: Path, element: str, basis: str) -> str:
    """Return an element's entry of the basis set file, name line included.

    Raises
    ------
    UserInputError
        If there is none.
    """
    entry = _read_entry(folder / BASIS_FILE, element, re.compile(_NAME_WITH_CHARGE.format(name=re.escape(basis))))
    if entry is None:
        raise UserInputError(
            f"{folder / BASIS_FILE}: there is no basis {basis} for {element}; choose another basis in the level of "
            "theory, or one whose engine covers every element"
        )
    return entry


def read_potential(folder: Path, element: str, functional: str, n_valence: int) -> str:
    """Return an element's entry of the pseudopotential file, name line included.

    Parameters
    ----------
    folder
        CP2K's data folder.
    element
        Chemical symbol.
    functional
        Functional it was made for.
    n_valence
        Number of its valence electrons, which has to be the basis's.

    Raises
    ------
    UserInputError
        If there is none.
    """
    name = re.compile(re.escape(f"GTH-{functional}-q{n_valence}"))
    entry = _read_entry(folder / POTENTIAL_FILE, element, name)
    if entry is None:
        raise UserInputError(
            f"{folder / POTENTIAL_FILE}: there is no pseudopotential GTH-{functional}-q{n_valence} for {element}; "
            "choose another level of theory"
        )
    return entry


def n_valence_of(entry: str) -> int:
    """Return the number of valence electrons that the name line of a basis names, as in ``...-GTH-q3``."""
    match = re.search(r"-q(\d+)\b", entry.splitlines()[0])
    assert match is not None
    return int(match[1])


def _read_entry(path: Path, element: str, name: re.Pattern[str]) -> str | None:
    """Return the lines from the one that names an element and an entry to the next such line."""
    entry: list[str] = []
    for line in path.read_text().splitlines():
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        starts_entry = words[0][0].isalpha()
        if entry and starts_entry:
            break
        if entry or (starts_entry and words[0] == element and any(name.fullmatch(word) for word in words[1:])):
            entry.append(line.strip())
    return "\n".join(entry) if entry else None


def _folders_beside(program: Path | None) -> list[Path]:
    if program is None:
        return []
    prefix = Path(shutil.which(program) or program).resolve().parent.parent
    return [prefix / "share" / "cp2k", prefix / "share" / "cp2k" / "data", prefix / "data", prefix.parent / "data"]
