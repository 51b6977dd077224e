"""The ladder of reference trajectories: cells over temperatures and strains."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product

import numpy as np
from ase import Atoms

from interfaceflow.schemas.settings import ReferenceTrajectorySettings, TrainingSetSettings


@dataclass(frozen=True)
class TrajectoryPlan:
    """One trajectory to be run.

    Attributes
    ----------
    name
        Unique in the ladder, as ``"metal-300K-strain+0.020"``.
    atoms
        Repeated and strained configuration to start from.
    temperature_K
        Temperature, K.
    held_out
        Whether its configurations are for testing only.
    n_steps
        MD steps.
    sample_every
        A configuration is kept every so many steps.
    seed
        Seed of its random numbers.
    """

    name: str
    atoms: Atoms
    temperature_K: float
    held_out: bool
    n_steps: int
    sample_every: int
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
    """
    plans = []
    for index, family in enumerate(settings.trajectories):
        held_out = [(temperature, True) for temperature in family.held_out_temperatures_K]
        temperatures = [(temperature, False) for temperature in family.temperatures_K] + held_out
        for (temperature, is_held_out), strain in product(temperatures, family.strains):
            name = f"{index}-{family.cell}-{temperature:g}K-strain{strain:+.4f}{'-held-out' if is_held_out else ''}"
            plans.append(
                TrajectoryPlan(
                    name=name,
                    atoms=_prepare(cells[family.cell], family, strain),
                    temperature_K=temperature,
                    held_out=is_held_out,
                    n_steps=family.n_steps,
                    sample_every=family.sample_every,
                    seed=derive_seed(seed, name),
                )
            )
    return plans


def derive_seed(seed: int, name: str) -> int:
    """Return a seed in [0, 2^32) that follows from another and a name."""
    digest = hashlib.sha256(f"{seed}:{name}".encode()).digest()
    return int.from_bytes(digest[:4], "big")


def near_cubic_repeats(atoms: Atoms, n_atoms: int) -> tuple[int, int, int]:
    """Return the repeats of a cell that come near to a number of atoms and to equal heights in all directions.

    Minimises |ln(n / n_atoms)| + ln(largest height / smallest height) / 2 over all repeats, the heights being the
    distances between opposite faces.
    """
    heights = 1.0 / np.linalg.norm(atoms.cell.reciprocal().array, axis=1)
    most = max(1, round(2 * n_atoms / len(atoms)))
    longest = 2.0 * np.cbrt(atoms.cell.volume * n_atoms / len(atoms))
    ranges = [range(1, max(1, min(most, int(longest / height))) + 1) for height in heights]
    repeats = np.array(list(product(*ranges)))
    sizes = np.abs(np.log(repeats.prod(axis=1) * len(atoms) / n_atoms))
    extents = repeats * heights
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
    a, b, _ = atoms.cell.array
    normal = np.cross(a, b) / np.linalg.norm(np.cross(a, b))
    deformation = np.eye(3) + strain * np.outer(normal, normal)
    strained: Atoms = atoms.copy()
    strained.set_cell(atoms.cell.array @ deformation, scale_atoms=True)
    return strained


def _prepare(atoms: Atoms, family: ReferenceTrajectorySettings, strain: float) -> Atoms:
    if family.cell == "interface":
        return strain_along_normal(atoms, strain)
    return strain_isotropically(atoms.repeat(near_cubic_repeats(atoms, family.n_atoms)), strain)
