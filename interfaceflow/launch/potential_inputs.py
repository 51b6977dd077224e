"""What a config's potential names, found and checked before anything is computed or written."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from interfaceflow.core.errors import UserInputError
from interfaceflow.potentials.mlp_executable import MLP_VARIABLE, MlpExecutable
from interfaceflow.schemas.nequip import NequIPSettings
from interfaceflow.schemas.settings import AseSettings, MtpSettings, PotentialSettings

if TYPE_CHECKING:
    from ase import Atoms


def find_potential(potential: PotentialSettings, beside: Path) -> PotentialSettings:
    """Return the potential's settings with absolute paths of the files and programs that they name.

    Jobs run in folders of their own, so a relative path would lead elsewhere in each of them.

    Parameters
    ----------
    potential
        As the config has it.
    beside
        Folder of the config.

    Raises
    ------
    UserInputError
        If something that it needs is not there.
    """
    match potential:
        case MtpSettings():
            return potential.model_copy(update={"mlp": _find_mlp(potential, beside)})
        case NequIPSettings():
            _check_for_nequip(potential)
            return potential
        case AseSettings():
            files = {
                name: str((beside / value).absolute())
                for name, value in potential.arguments.items()
                if isinstance(value, str) and value and (beside / value).is_file()
            }
            return potential.model_copy(update={"arguments": potential.arguments | files})


def check_potential(potential: PotentialSettings, crystals: Sequence[Atoms]) -> None:
    """Let an ASE calculator compute both crystals: one that cannot is refused now, not after hours.

    Parameters
    ----------
    potential
        From `find_potential`.
    crystals
        The two crystals.

    Raises
    ------
    UserInputError
        If the calculator cannot be imported or made, or does not take the crystals' elements.
    """
    if not isinstance(potential, AseSettings):
        return
    from interfaceflow.potentials.external.ase_calculator import check_calculator, load_calculator

    try:
        calculator = load_calculator(potential.calculator, potential.arguments)
        for crystal in crystals:
            check_calculator(calculator, crystal, potential.calculator)
    except UserInputError as error:
        raise UserInputError(f"potential.calculator: {error}") from None


def _check_for_nequip(potential: NequIPSettings) -> None:
    """Refuse a network where NequIP, its compiler or its device is missing."""
    if find_spec("nequip") is None:
        raise UserInputError(
            "potential.kind: nequip needs the package nequip, which is not installed; `pip install "
            "'interfaceflow[nequip]'` brings the release that fits"
        )
    compiler = os.environ.get("CXX", "g++")
    if shutil.which(compiler) is None:
        raise UserInputError(
            f"potential.kind: nequip compiles its networks, and the C++ compiler {compiler} is not found; install one "
            "(Debian: apt-get install g++), or name one in $CXX"
        )
    if potential.device == "cuda":
        from interfaceflow.potentials.nequip.model_files import resolve_device

        try:
            resolve_device(potential.device)
        except UserInputError as error:
            raise UserInputError(f"potential.{error}") from None


def _find_mlp(potential: MtpSettings, beside: Path) -> str | None:
    """Return the absolute path of a site's MLIP-3 binary, after asking it who it is; ``None`` for the built-in one."""
    given = potential.mlp or os.environ.get(MLP_VARIABLE)
    if not given:
        MlpExecutable.find()
        return None
    named = "potential.mlp" if potential.mlp else f"${MLP_VARIABLE}"
    path = Path(shutil.which(given) or beside / Path(given).expanduser()).absolute()
    try:
        found = MlpExecutable.find(path)
    except UserInputError as error:
        raise UserInputError(f"{named}: {error}") from None
    if potential.early_stop and not found.is_built_in:
        raise UserInputError(
            f"potential.early_stop: true needs the built-in engine, and {named} is MLIP-3, which watches no held-out "
            "set; leave one of the two out"
        )
    return str(path)
