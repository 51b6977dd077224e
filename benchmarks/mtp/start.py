"""What all contestants compute: Li2S, and the potentials of the test data."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.md.velocitydistribution import MaxwellBoltzmannDistribution, Stationary
from ase.spacegroup import crystal

from interfaceflow.potentials.mtp._native import Configuration, Potential, read_configurations
from interfaceflow.potentials.mtp.selection import build_active_set
from interfaceflow.potentials.mtp.training import TrainingSettings, train

SPECIES = ("Li", "S")
LEVELS = (8, 12, 16)
TRAINED_LEVEL = 8
LATTICE_CONSTANT_A = 5.7
_DATA = Path(__file__).parents[2] / "tests" / "data" / "mtp"
TRAINING_SET = _DATA / "li2s" / "train.cfg"
RECORDED_TRAINING_LOG = _DATA / "li2s" / "level08.train.log"
# Half of it goes into potential energy: the lattice starts at rest in its minimum.
_START_TEMPERATURE_K = 600.0


def lithium_sulfide(repeats: tuple[int, int, int], *, rattle_A: float = 0.0, seed: int = 1) -> Atoms:
    """Return antifluorite Li2S, 12 atoms per repeat.

    Parameters
    ----------
    repeats
        Of the cubic cell.
    rattle_A
        Standard deviation of the displacements of atoms, in Å.
    seed
        Of the displacements.
    """
    cell = [LATTICE_CONSTANT_A] * 3 + [90] * 3
    atoms: Atoms = crystal(list(SPECIES), [(0.25,) * 3, (0, 0, 0)], spacegroup=225, cellpar=cell).repeat(repeats)
    if rattle_A > 0:
        atoms.rattle(rattle_A, seed=seed)
    return atoms


def moving_lithium_sulfide(repeats: tuple[int, int, int]) -> Atoms:
    """Return slightly displaced Li2S with velocities that lead to 300 K."""
    atoms = lithium_sulfide(repeats, rattle_A=0.02)
    MaxwellBoltzmannDistribution(atoms, temperature_K=_START_TEMPERATURE_K, rng=np.random.default_rng(1))
    Stationary(atoms)
    return atoms


def rattled_candidates(n_candidates: int, *, first_seed: int) -> list[Configuration]:
    """Return Li2S of 96 atoms, each rattled by 0.02 to 0.2 Å, as configurations without labels."""
    found = []
    for index in range(n_candidates):
        rattle_A = 0.02 + 0.18 * index / max(n_candidates - 1, 1)
        atoms = lithium_sulfide((2, 2, 2), rattle_A=rattle_A, seed=first_seed + index)
        types = np.array([SPECIES.index(symbol) for symbol in atoms.symbols], np.int32)
        found.append(Configuration(types, atoms.positions, atoms.cell.array))
    return found


def atoms_of(configuration: Configuration) -> Atoms:
    """Return a periodic configuration as ASE's atoms, without labels."""
    symbols = [SPECIES[kind] for kind in configuration.types]
    return Atoms(symbols, positions=configuration.positions, cell=configuration.cell, pbc=True)


@cache
def potential_of_level(level: int) -> Potential:
    """Return a potential of Li2S with an active set; treat it as constant.

    Level 8 is the test data's, which MLIP-3 trained. The test data's potentials of higher levels were trained too
    little for dynamics, so those are trained here, by pre-training alone.
    """
    if level == TRAINED_LEVEL:
        return Potential.read(_DATA / "li2s" / "level08.almtp")
    training_set = read_configurations(TRAINING_SET)
    potential = train(untrained_potential(level), training_set, TrainingSettings(iteration_limit=0)).potential
    potential.selection = build_active_set(potential, training_set)
    return potential


def untrained_potential(level: int) -> Potential:
    """Return MLIP-3's template of a level, for two species."""
    return Potential.parse(untrained_content(level))


def untrained_content(level: int) -> bytes:
    """Return the content of the template's file."""
    template = (_DATA / "templates" / f"{level:02d}.almtp").read_bytes()
    return template.replace(b"species_count = 1", b"species_count = %d" % len(SPECIES))


def write_potential(potential: Potential, path: Path, *, with_active_set: bool = True) -> Path:
    """Write a potential where every contestant reads it; without its active set, it is plain text."""
    written = potential.copy()
    if not with_active_set:
        written.selection = None
    path.write_bytes(written.serialise())
    return path
