"""The ladder of reference trajectories: cells over temperatures and strains."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from ase import Atoms

from interfaceflow.core.errors import UserInputError, suggest_name
from interfaceflow.core.labels import REGION
from interfaceflow.datasets.splits import choose_trajectories
from interfaceflow.schemas.datasets import PlannedRun
from interfaceflow.schemas.settings import ReferenceTrajectorySettings, TrainingSetSettings, VacancySettings


@dataclass(frozen=True)
class TrajectoryPlan:
    """One trajectory to be run.

    Attributes
    ----------
    run
        Its name, unique in the ladder, as ``"0-metal-300K-strain+0.0200"``, its temperature, and what is kept of it.
    atoms
        Repeated and strained configuration to start from, its vacancies made; ``info["charge_e"]`` is its net charge
        where it has one.
    family
        Lengths of heating, equilibration and sampling.
    seed
        Seed of its random numbers.
    """

    run: PlannedRun
    atoms: Atoms
    family: ReferenceTrajectorySettings
    seed: int


def plan_trajectories(cells: Mapping[str, Atoms], settings: TrainingSetSettings, seed: int) -> list[TrajectoryPlan]:
    """Lay out all trajectories: each family's temperatures, trained on and held out, times its strains.

    Parameters
    ----------
    cells
        Relaxed cells by name.
    settings
        The families.
    seed
        The flow's seed; each trajectory's own follows from it and the trajectory's name, so that adding one changes
        none of the others.

    Raises
    ------
    UserInputError
        If a family wants a cell that is not there, or vacancies that its cell cannot have.
    """
    plans = []
    for index, family in enumerate(settings.trajectories):
        cell = _find_cell(cells, family.cell)
        held_out = [(temperature, True) for temperature in family.held_out_temperatures_K]
        temperatures = [(temperature, False) for temperature in family.temperatures_K] + held_out
        for (temperature, is_held_out), strain in product(temperatures, family.strains):
            what = f"{family.cell}-vacancies" if family.vacancies else family.cell
            name = f"{index}-{what}-{temperature:g}K-strain{strain:+.4f}{'-held-out' if is_held_out else ''}"
            atoms = _prepare(cell, family, strain)
            if family.vacancies is not None:
                atoms = remove_at_random(atoms, family.vacancies, derive_seed(seed, f"vacancies of {name}"))
            run = PlannedRun(
                name=name,
                temperature_K=temperature,
                held_out=is_held_out,
                label_interval_fs=family.sample_every * settings.timestep_fs,
                sampling=family.sampling,
            )
            plans.append(TrajectoryPlan(run, atoms, family, derive_seed(seed, name)))
    return _hold_out_share(plans, settings.held_out_fraction, seed)


def _hold_out_share(plans: Sequence[TrajectoryPlan], fraction: float, seed: int) -> list[TrajectoryPlan]:
    trained_on = [plan.run.name for plan in plans if not plan.run.held_out]
    chosen = choose_trajectories(trained_on, fraction, derive_seed(seed, "held-out share"))
    return [
        replace(plan, run=plan.run.model_copy(update={"held_out": True})) if plan.run.name in chosen else plan
        for plan in plans
    ]


def _find_cell(cells: Mapping[str, Atoms], name: str) -> Atoms:
    if name not in cells:
        raise UserInputError(
            f"training_set.trajectories: there is no cell {name!r} here; available: {', '.join(sorted(cells))}"
        )
    return cells[name]


def remove_at_random(atoms: Atoms, vacancies: VacancySettings, seed: int) -> Atoms:
    """Return a copy without a share of one element's atoms, at least one.

    Parameters
    ----------
    atoms
        The cell; where its atoms carry region labels, only those of the interface region are removed.
    vacancies
        Element, share, and charge left, which goes into ``info["charge_e"]``.
    seed
        Seed of the choice.

    Raises
    ------
    UserInputError
        If the element is absent, or more than half of its atoms there would go.
    """
    symbols = np.array(atoms.get_chemical_symbols())
    species = vacancies.species
    if species not in symbols:
        present = sorted(set(symbols.tolist()))
        raise UserInputError(
            f"vacancies.species {species!r} is not in {atoms.get_chemical_formula()}, which holds "
            f"{', '.join(present)}.{suggest_name(species, present)}"
        )
    candidates = np.flatnonzero(symbols == species)
    n_vacancies = max(1, round(vacancies.fraction * len(candidates)))
    if REGION in atoms.arrays and (atoms.arrays[REGION] == "interface").any():
        candidates = candidates[atoms.arrays[REGION][candidates] == "interface"]
    if n_vacancies > len(candidates) // 2:
        raise UserInputError(
            f"vacancies.fraction {vacancies.fraction:g} means removing {n_vacancies} {species} atoms from "
            f"{atoms.get_chemical_formula()}, of {len(candidates)} that may go; at most half of those. Give a smaller "
            "fraction or a larger n_atoms"
        )
    removed = np.random.default_rng(seed).choice(candidates, size=n_vacancies, replace=False)
    kept: Atoms = atoms[np.setdiff1d(np.arange(len(atoms)), removed)]
    if vacancies.charge_e:
        kept.info["charge_e"] = float(atoms.info.get("charge_e", 0.0)) + n_vacancies * vacancies.charge_e
    return kept


def derive_seed(seed: int, name: str) -> int:
    """Return a seed in [0, 2^32) that follows from another and a name."""
    digest = hashlib.sha256(f"{seed}:{name}".encode()).digest()
    return int.from_bytes(digest[:4], "big")


def near_cubic_repeats(atoms: Atoms, n_atoms: int, *, axes: Sequence[int] = (0, 1, 2)) -> tuple[int, int, int]:
    """Return the repeats of a cell that come near to a number of atoms and to equal heights in all directions.

    Minimises |ln(n / n_atoms)| + ln(largest height / smallest height) / 2 over all repeats, the heights being the
    distances between opposite faces.

    Parameters
    ----------
    atoms
        The cell.
    n_atoms
        Wanted number of atoms.
    axes
        Cell vectors that may be repeated, and whose heights count; those of the plane for a slab.
    """
    heights = 1.0 / np.linalg.norm(atoms.cell.reciprocal().array, axis=1)
    most = max(1, round(2 * n_atoms / len(atoms)))
    fixed = [axis for axis in range(3) if axis not in axes]
    extent = atoms.cell.volume / np.prod(heights[fixed])  # of all axes that may be repeated, together
    longest = 2.0 * (extent * n_atoms / len(atoms)) ** (1.0 / len(axes))
    ranges = [
        range(1, max(1, min(most, int(longest / height))) + 1 if axis in axes else 2)
        for axis, height in enumerate(heights)
    ]
    repeats = np.array(list(product(*ranges)))
    sizes = np.abs(np.log(repeats.prod(axis=1) * len(atoms) / n_atoms))
    extents = (repeats * heights)[:, list(axes)]
    best = int(np.argmin(sizes + 0.5 * np.log(extents.max(axis=1) / extents.min(axis=1))))
    i, j, k = (int(n) for n in repeats[best])
    return i, j, k


def strain_isotropically(atoms: Atoms, strain: float) -> Atoms:
    """Return a copy with all lengths multiplied by 1 + strain."""
    strained: Atoms = atoms.copy()
    strained.set_cell(atoms.cell.array * (1.0 + strain), scale_atoms=True)
    return strained


def strain_along_normal(atoms: Atoms, strain: float) -> Atoms:
    """Return a copy stretched along the normal of the first two cell vectors, which stay as they are."""
    return _deform(atoms, np.eye(3) + strain * _normal_projector(atoms))


def strain_in_plane(atoms: Atoms, strain: float) -> Atoms:
    """Return a copy with the first two cell vectors multiplied by 1 + strain; heights above their plane stay."""
    return _deform(atoms, np.eye(3) + strain * (np.eye(3) - _normal_projector(atoms)))


def _normal_projector(atoms: Atoms) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    a, b, _ = atoms.cell.array
    normal = np.cross(a, b) / np.linalg.norm(np.cross(a, b))
    return np.outer(normal, normal)


def _deform(atoms: Atoms, deformation: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> Atoms:
    strained: Atoms = atoms.copy()
    strained.set_cell(atoms.cell.array @ deformation, scale_atoms=True)
    return strained


def _prepare(atoms: Atoms, family: ReferenceTrajectorySettings, strain: float) -> Atoms:
    if family.cell == "interface":
        return strain_along_normal(atoms, strain)
    if family.is_slab:
        return strain_in_plane(atoms.repeat(near_cubic_repeats(atoms, family.n_atoms, axes=(0, 1))), strain)
    return strain_isotropically(atoms.repeat(near_cubic_repeats(atoms, family.n_atoms)), strain)
