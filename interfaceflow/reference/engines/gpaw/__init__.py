"""The GPAW engine: Mortensen et al., J. Chem. Phys. 160, 092503 (2024), doi:10.1063/5.0182685.

Plane waves and PAW datasets. `ground_state` follows the atoms with one GPAW calculation, `calculator` shows it to ASE,
and `ranks` runs it on several MPI ranks.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from ase.calculators.calculator import Calculator

from interfaceflow.core.errors import UserInputError
from interfaceflow.reference.engines.engine import Engine
from interfaceflow.schemas.gpaw import GpawSettings
from interfaceflow.schemas.level_of_theory import LevelOfTheory

HOW_TO_INSTALL: Final = (
    "install Debian's libxc-dev and libopenblas-dev (apt-get install libxc-dev libopenblas-dev) and then "
    "pip install 'interfaceflow[gpaw]'"
)
_DATASET_PACKAGE: Final = "gpaw-data"


def check_installed() -> None:
    """Check that GPAW is installed.

    Raises
    ------
    UserInputError
        If it is not.
    """
    if find_spec("gpaw") is None:
        raise UserInputError(f"GPAW is not installed; {HOW_TO_INSTALL}")


def check_datasets(settings: GpawSettings, elements: frozenset[str]) -> None:
    """Check that the PAW datasets are of the release that was asked for, and that there is one for each element.

    Parameters
    ----------
    settings
        Which datasets.
    elements
        Symbols of the elements.

    Raises
    ------
    UserInputError
        If GPAW finds other datasets, or none for an element.
    """
    import gpaw

    folders = [Path(folder) for folder in gpaw.setup_paths]
    if settings.datasets.split()[0] == _DATASET_PACKAGE:
        _check_release(settings.datasets, folders)
    wanted = {element: dataset_name(settings, element) for element in sorted(elements)}
    missing = [name for name in wanted.values() if not _is_in(folders, name)]
    if missing:
        looked_at = ", ".join(map(str, folders)) or "nowhere: there is no folder with datasets"
        raise UserInputError(
            f"GPAW has no PAW dataset {', '.join(missing)} (looked in {looked_at}); choose elements and setups that "
            "are there, or a functional they were made for, or let GPAW_SETUP_PATH lead to a folder that holds them"
        )


def dataset_name(settings: GpawSettings, element: str) -> str:
    """Return the name of the file that holds an element's dataset, without ``.gz``."""
    words = (element, settings.setups.get(element, ""), settings.functional)
    return ".".join(word for word in words if word)


def _check_release(asked: str, folders: list[Path]) -> None:
    try:
        found = f"{_DATASET_PACKAGE} {version(_DATASET_PACKAGE)}"
    except PackageNotFoundError:
        raise UserInputError(f"the PAW datasets {asked} are not installed; {HOW_TO_INSTALL}") from None
    if found != asked:
        raise UserInputError(
            f"physics.datasets asks for {asked}, and {found} is installed: its labels would be of another level of "
            f"theory; pip install {_DATASET_PACKAGE}=={asked.split()[-1]}, or set physics.datasets: {found}"
        )
    spec = find_spec("gpaw_data")
    own = None if spec is None or spec.origin is None else Path(spec.origin).parent / "setups"
    if not folders or folders[0] != own:
        first = folders[0] if folders else "no folder at all"
        raise UserInputError(
            f"physics.datasets asks for {asked}, but GPAW looks for datasets in {first} first; "
            "unset GPAW_SETUP_PATH, or give physics.datasets a name of your own for what is there"
        )


def _is_in(folders: list[Path], name: str) -> bool:
    return any((folder / name).is_file() or (folder / f"{name}.gz").is_file() for folder in folders)


def _check_ready(level: LevelOfTheory, elements: frozenset[str]) -> None:
    settings = level.physics
    assert isinstance(settings, GpawSettings)
    check_installed()
    check_datasets(settings, elements)


def _make_calculator(level: LevelOfTheory) -> Calculator:
    from interfaceflow.reference.engines.gpaw.calculator import GpawCalculator
    from interfaceflow.reference.engines.gpaw.ground_state import GroundState
    from interfaceflow.reference.engines.gpaw.rank_owner import RankOwner

    settings = level.physics
    assert isinstance(settings, GpawSettings)
    check_installed()
    return GpawCalculator(GroundState(settings) if level.n_ranks == 1 else RankOwner(settings, level.n_ranks))


ENGINE = Engine(
    name="gpaw",
    packages=("gpaw", _DATASET_PACKAGE, "ase"),
    elements=frozenset(),
    charged_cells=True,
    make_calculator=_make_calculator,
    check_ready=_check_ready,
    parallel=True,
)
