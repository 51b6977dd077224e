"""Potentials by symbol, title and hash. Their content belongs to the licence and is never stored."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from interfaceflow.core.errors import UserInputError, suggest_name
from interfaceflow.schemas.vasp import VaspSettings

if TYPE_CHECKING:
    from pymatgen.io.vasp.inputs import PotcarSingle

_FOLDER_SETTING: Final = "PMG_VASP_PSP_DIR"


def potcar_symbol(settings: VaspSettings, element: str) -> str:
    """Return the symbol of an element's potential, for example ``Li_sv``."""
    if element in settings.potcars.symbols:
        return settings.potcars.symbols[element]
    return _base_set_symbols(settings).get(element, element)


def check_potcars(settings: VaspSettings, elements: Iterable[str]) -> dict[str, float]:
    """Find the potentials of elements and see that they are those asked for.

    Parameters
    ----------
    settings
        The level of theory.
    elements
        Symbols of the elements.

    Returns
    -------
    dict of str to float
        Valence electrons of each element's potential.

    Raises
    ------
    UserInputError
        If the folder of potentials is not set or not there, a potential is not in it, belongs to another element, is
        cut short, or has another title or hash than the settings ask for.
    """
    return {element: float(_checked_potcar(settings, element).nelectrons) for element in elements}


def _checked_potcar(settings: VaspSettings, element: str) -> PotcarSingle:
    symbol = potcar_symbol(settings, element)
    potcar = _find_potcar(settings, symbol)
    asked = settings.potcars
    what = f"POTCAR {symbol} of {asked.family}"
    if potcar.element != element:
        raise UserInputError(f"{what} is for {potcar.element}, not for {element}; correct physics.potcars.symbols")
    if "End of Dataset" not in potcar.data:
        raise UserInputError(f"{what} is cut short: it has no 'End of Dataset'; copy it again")
    title, wanted_title = str(potcar.TITEL).strip(), asked.titles.get(element, str(potcar.TITEL)).strip()
    if title != wanted_title:
        raise UserInputError(
            f"{what} is titled {title!r}, and the level of theory asks for {wanted_title!r}: another release of the "
            "potentials gives other labels; use that release, or change physics.potcars.titles"
        )
    computed = sha256(potcar.data.encode()).hexdigest()
    if asked.sha256.get(element, computed) != computed:
        raise UserInputError(
            f"{what} has SHA-256 {computed}, and the level of theory asks for {asked.sha256[element]}; use that file, "
            "or change physics.potcars.sha256"
        )
    return potcar


def _find_potcar(settings: VaspSettings, symbol: str) -> PotcarSingle:
    from pymatgen.io.vasp.inputs import PotcarSingle, UnknownPotcarWarning

    family, folder = settings.potcars.family, _potcar_folder(settings)
    with warnings.catch_warnings():
        # pymatgen warns of every potential it has no statistics of; title and hash are what is checked here.
        warnings.simplefilter("ignore", UnknownPotcarWarning)
        try:
            return PotcarSingle.from_symbol_and_functional(symbol, family)
        except FileNotFoundError:
            available = _available_symbols(folder)
    raise UserInputError(
        f"there is no POTCAR {symbol} of {family} in {folder}.{suggest_name(symbol, available)} "
        f"Give the right symbol in physics.potcars.symbols, or add the file POTCAR.{symbol} or {symbol}/POTCAR"
    )


def _available_symbols(folder: Path) -> list[str]:
    names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    return [name.removeprefix("POTCAR.").removesuffix(".gz") for name in names]


def _potcar_folder(settings: VaspSettings) -> Path:
    """Return the folder of a family of potentials, inside the one that pymatgen's settings name."""
    from pymatgen.core import SETTINGS
    from pymatgen.io.vasp.inputs import PotcarSingle

    family = settings.potcars.family
    names = SETTINGS.get("PMG_VASP_PSP_SUB_DIRS") or {}
    return potcar_root() / str(names.get(family, PotcarSingle.functional_dir[family]))


def potcar_root() -> Path:
    """Return the folder that holds all families of potentials.

    Raises
    ------
    UserInputError
        If it is not set, or not there.
    """
    from pymatgen.core import SETTINGS

    root = SETTINGS.get(_FOLDER_SETTING)
    if not root:
        raise UserInputError(
            f"VASP needs potentials and {_FOLDER_SETTING} is not set; run `pmg config -p <POTCARs of your licence> "
            f"<folder>`, then `pmg config --add {_FOLDER_SETTING} <folder>`, or set it in the environment"
        )
    folder = Path(str(root)).expanduser()
    if not folder.is_dir():
        raise UserInputError(f"{_FOLDER_SETTING} is {folder}, which is not a folder; correct it")
    return folder


def _base_set_symbols(settings: VaspSettings) -> dict[str, str]:
    """Return the symbols of the base set, by element."""
    if settings.base_set == "none":
        return {}
    from pymatgen.io.vasp import sets

    base_set = {"mp-relax": sets.MPRelaxSet, "mit-relax": sets.MITRelaxSet}[settings.base_set]
    entries: dict[str, Any] = vars(base_set)["CONFIG"]["POTCAR"]
    return {element: entry["symbol"] if isinstance(entry, dict) else entry for element, entry in entries.items()}
