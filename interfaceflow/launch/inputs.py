"""What a config names, found and checked before anything is computed or written."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from interfaceflow.core.errors import UserInputError, suggest_name
from interfaceflow.core.files import PROJECT_FOLDER, FileRef, write_atomically
from interfaceflow.launch.potential_inputs import check_potential, find_potential
from interfaceflow.launch.recipes import recipe_structures
from interfaceflow.schemas.inputs import RecipeInputs
from interfaceflow.schemas.level_of_theory import LevelOfTheory
from interfaceflow.schemas.settings import RecipeSettings, ReferenceSettings, TrainingSetSettings

if TYPE_CHECKING:
    from ase import Atoms

_BYTES_PER_ATOM_FRAME = 12
_OTHER_BYTES = 100_000_000

T = TypeVar("T")


@dataclass(frozen=True)
class FoundInputs:
    """Everything a config names.

    Attributes
    ----------
    settings
        The config, with the paths of programs made absolute.
    inputs
        What the recipe gets; the files it points to are in the project only after `copy_inputs`.
    sources
        Where each of those files is now.
    """

    settings: RecipeSettings
    inputs: RecipeInputs
    sources: dict[str, Path]


@dataclass(frozen=True)
class Crystal:
    """A crystal and the file it is from."""

    path: Path
    atoms: Atoms


def find_inputs(settings: RecipeSettings, config_path: Path, root: Path) -> FoundInputs:
    """Find and check everything a config names; nothing is written.

    Parameters
    ----------
    settings
        The config.
    config_path
        Its file: CIF files and levels of theory are looked for beside it, then in the installed recipe.
    root
        The project's root.

    Raises
    ------
    UserInputError
        With every problem: a file that is missing or cannot be used, a pair that makes no interface within the
        limits, an unknown level of theory or one that does not cover every element, a potential that cannot be used, a
        folder that cannot be written, a disk that is too full.
    """
    from interfaceflow.structures.feasibility import check_pair

    problems: list[str] = []

    def check(look: Callable[[], T]) -> T | None:
        try:
            return look()
        except UserInputError as error:
            problems.append(str(error))
            return None

    beside = config_path.resolve().parent
    chosen = settings.structures.crystals
    looked_for = {
        phase: check(partial(_find_crystal, crystal.cif, f"structures.{phase}.cif", settings.recipe, beside))
        for phase, crystal in chosen.items()
    }
    crystals = {phase: crystal for phase, crystal in looked_for.items() if crystal is not None}
    level = check(lambda: _load_level(settings.reference, beside))
    potential = check(lambda: find_potential(settings.potential, beside))
    check(lambda: check_folder(root))
    check(lambda: _check_disk(settings, root))
    if len(crystals) == len(chosen):
        pair = [crystal.atoms for crystal in crystals.values()]
        check(lambda: _check_species(settings, pair))
        check(lambda: check_pair(pair[0], pair[1], settings.structures))
        if potential is not None:
            check(lambda: check_potential(potential, pair))
        if level is not None:
            check(lambda: _check_level(level, pair))
            check(lambda: _check_charges(level, settings.training_set))
    if problems or level is None or potential is None:
        raise UserInputError("\n".join(problems))
    cifs = {phase: _future_file(crystal.path) for phase, crystal in crystals.items()}
    resolved = settings.model_copy(update={"potential": potential})
    inputs = RecipeInputs(cifs=cifs, level_of_theory=level)
    return FoundInputs(resolved, inputs, {cifs[phase].uri: crystal.path for phase, crystal in crystals.items()})


def copy_inputs(found: FoundInputs, root: Path) -> None:
    """Copy the files a config names into the project; a file that is there already is left alone."""
    for uri, source in found.sources.items():
        target = root / uri
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(target, source.read_bytes())


def _find_crystal(name: str, key: str, recipe: str, beside: Path) -> Crystal:
    """Return a crystal's file and what it holds."""
    from interfaceflow.structures.crystals import read_crystal

    folders = (beside, recipe_structures(recipe))
    for folder in folders:
        if (folder / name).is_file():
            try:
                return Crystal(folder / name, read_crystal(folder / name))
            except UserInputError as error:
                raise UserInputError(f"{key}: {error}") from None
    there = sorted({path.name for folder in folders for path in folder.glob("*.cif")})
    raise UserInputError(
        f"{key}: {name!r} is neither beside the config ({beside}) nor in the installed recipe."
        f"{suggest_name(name, there)} CIF files there: {', '.join(there) or 'none'}"
    )


def _check_species(settings: RecipeSettings, pair: Sequence[Atoms]) -> None:
    """Refuse elements that are in neither crystal."""
    present = sorted({symbol for crystal in pair for symbol in crystal.get_chemical_symbols()})
    named = {
        "structures.production_cell.vacancy_species": settings.structures.production_cell.vacancy_species,
        "analysis.mobile_species": settings.analysis.mobile_species,
    }
    for index, family in enumerate(settings.training_set.trajectories):
        if family.vacancies is not None:
            named[f"training_set.trajectories.{index}.vacancies.species"] = family.vacancies.species
    problems = [
        f"{key}: {given!r} is in neither crystal; they hold {', '.join(present)}.{suggest_name(given, present)}"
        for key, given in named.items()
        if given not in present
    ]
    if problems:
        raise UserInputError("\n".join(problems))


def _check_level(level: LevelOfTheory, pair: Sequence[Atoms]) -> None:
    """Refuse a level of theory that is not installed here or does not know an element."""
    from interfaceflow.reference.engines import check_calculation

    for crystal in pair:
        check_calculation(level, crystal, f"reference.level_of_theory: {level.name}")


def _check_charges(level: LevelOfTheory, training_set: TrainingSetSettings) -> None:
    """Refuse charged cells that the level of theory cannot compute."""
    from interfaceflow.reference.engines import engine_of

    charged = any(family.vacancies is not None and family.vacancies.charge_e for family in training_set.trajectories)
    if charged and not engine_of(level).charged_cells:
        raise UserInputError(
            f"training_set: vacancies.charge_e makes charged cells, and the level of theory {level.name} knows only "
            "neutral ones; leave charge_e out, or choose a level of theory whose engine can charge a cell"
        )


def _load_level(reference: ReferenceSettings, beside: Path) -> LevelOfTheory:
    from interfaceflow.reference.levels_of_theory import load_level_of_theory

    level = load_level_of_theory(reference.level_of_theory, beside)
    return level if reference.n_ranks is None else level.model_copy(update={"n_ranks": reference.n_ranks})


def check_folder(root: Path) -> None:
    """Write something into a project's folder, and remove it.

    Raises
    ------
    UserInputError
        If that fails: a read-only folder, a full disk.
    """
    folder = root / PROJECT_FOLDER if (root / PROJECT_FOLDER).is_dir() else root
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".interfaceflow-") as probe:
            probe.write(b"0" * 4096)
            probe.flush()
            os.fsync(probe.fileno())
    except OSError as error:
        raise UserInputError(
            f"{folder}: cannot be written to ({error.strerror}); the project is kept in the current folder, "
            "so change to one that you may write to and that has room"
        ) from None


def _check_disk(settings: RecipeSettings, root: Path) -> None:
    production = settings.production
    frames = production.production_ps / production.frame_interval_ps * production.n_temperatures
    wanted = _OTHER_BYTES + int(frames * settings.structures.production_cell.target_atoms * _BYTES_PER_ATOM_FRAME)
    free = shutil.disk_usage(root).free
    if free < wanted:
        raise UserInputError(
            f"{root}: {free / 1e6:.0f} MB are free, this config needs about {wanted / 1e6:.0f} MB "
            "(most of it trajectories: production.production_ps, frame_interval_ps); make room or use another folder"
        )


def _future_file(source: Path) -> FileRef:
    content = source.read_bytes()
    digest = sha256(content).hexdigest()
    return FileRef(uri=f"{PROJECT_FOLDER}/inputs/{digest[:12]}-{source.name}", sha256=digest, n_bytes=len(content))
