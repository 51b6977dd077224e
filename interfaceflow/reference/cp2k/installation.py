"""CP2K's program, and whether it and its data are here."""

from __future__ import annotations

import os
import shlex
import shutil
from pathlib import Path
from typing import Final

from interfaceflow.core.errors import UserInputError
from interfaceflow.reference.cp2k.data_files import (
    find_data_folder,
    n_valence_of,
    read_basis,
    read_potential,
)
from interfaceflow.schemas.cp2k import Cp2kSettings
from interfaceflow.schemas.level_of_theory import LevelOfTheory

# The variable that atomate2 itself reads: a site that runs CP2K with atomate2 has it already.
COMMAND_VARIABLE: Final = "ATOMATE2_CP2K_CMD"
_DEFAULT_COMMAND: Final = "cp2k.psmp"


def find_command() -> list[str]:
    """Return the words of the command that runs CP2K: ``$ATOMATE2_CP2K_CMD``, or ``cp2k.psmp``.

    Without an ``OMP_NUM_THREADS`` in the environment CP2K runs on one thread.

    Raises
    ------
    UserInputError
        If the command's first word is no program.
    """
    words = shlex.split(os.path.expandvars(os.environ.get(COMMAND_VARIABLE) or _DEFAULT_COMMAND))
    if not words or shutil.which(words[0]) is None:
        raise UserInputError(
            f"CP2K's command {' '.join(words)!r} is not a program on this machine; install Debian's packages cp2k and "
            f"cp2k-data, or set ${COMMAND_VARIABLE}, for example to 'mpirun -n 16 /opt/cp2k/bin/cp2k.psmp'"
        )
    one_thread = [] if "OMP_NUM_THREADS" in os.environ else ["env", "OMP_NUM_THREADS=1"]
    return [*one_thread, *words]


def data_folder() -> Path:
    """Return CP2K's data folder, see `find_data_folder`."""
    command = os.environ.get(COMMAND_VARIABLE) or _DEFAULT_COMMAND
    return find_data_folder(Path(shlex.split(os.path.expandvars(command))[-1]))


def check_ready(level: LevelOfTheory, elements: frozenset[str]) -> None:
    """Refuse a level of theory that CP2K cannot compute here.

    Parameters
    ----------
    level
        A level of theory whose engine is CP2K.
    elements
        Symbols of the elements to be computed.

    Raises
    ------
    UserInputError
        If the program or its data are absent, or an element has no basis or no pseudopotential in them.
    """
    settings = level.physics
    assert isinstance(settings, Cp2kSettings)
    find_command()
    folder = data_folder()
    for element in sorted(elements):
        entry = read_basis(folder, element, settings.basis)
        read_potential(folder, element, settings.functional, n_valence_of(entry))
