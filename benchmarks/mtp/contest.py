"""Contestants that take turns: a machine that is slow for a while is slow for all of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Dynamics(Protocol):
    """A molecular dynamics run that can be continued."""

    @property
    def name(self) -> str:
        """What the tables call it."""

    def advance(self, n_steps: int) -> None:
        """Run on."""

    def energy_and_forces(self) -> tuple[float, NDArray[np.float64]]:
        """Return the energy in eV and the forces in eV/Å of the start, in the order of its atoms."""


@dataclass(frozen=True)
class Measured:
    """One quantity of one contestant.

    Attributes
    ----------
    name
        Of the contestant.
    rounds
        One value per round.
    median
        Of the rounds.
    """

    name: str
    rounds: tuple[float, ...]
    median: float

    @classmethod
    def of(cls, name: str, rounds: Sequence[float]) -> Measured:
        """Return the measurement with its median."""
        return cls(name, tuple(rounds), median(rounds))

    def ratio_to(self, other: Measured) -> float:
        """Return the median over rounds of this value over the other's in the same round."""
        return median(mine / theirs for mine, theirs in zip(self.rounds, other.rounds, strict=True))


@dataclass(frozen=True)
class Agreement:
    """How far a contestant is from the first one, on the same structure.

    Attributes
    ----------
    name
        Of the contestant.
    energy_meV_atom
        Difference of the energies per atom.
    force_eV_A
        Largest difference of a force component.
    """

    name: str
    energy_meV_atom: float
    force_eV_A: float


def cpu_seconds(function: Callable[[], object]) -> float:
    """Return the CPU time of all threads of this process in one call."""
    before = time.process_time()
    function()
    return time.process_time() - before


def wall_seconds(function: Callable[[], object]) -> float:
    """Return the wall time of one call."""
    before = time.perf_counter()
    function()
    return time.perf_counter() - before


def check_agreement(contestants: Sequence[Dynamics], tolerances: Sequence[float]) -> list[Agreement]:
    """Return how far the contestants are from the first, which has to be within each one's tolerance.

    Parameters
    ----------
    contestants
        All on the same start.
    tolerances
        Of each contestant's forces in eV/Å; its energy per atom has to agree to as many eV.

    Raises
    ------
    SystemExit
        If one disagrees: it computes something else, and a comparison would say nothing.
    """
    energy, forces = contestants[0].energy_and_forces()
    agreements = []
    for contestant, tolerance in zip(contestants, tolerances, strict=True):
        its_energy, its_forces = contestant.energy_and_forces()
        energy_difference = abs(its_energy - energy) / len(forces)
        force_difference = float(np.abs(its_forces - forces).max())
        if not (force_difference <= tolerance and energy_difference <= tolerance):
            raise SystemExit(
                f"{contestant.name} and {contestants[0].name} disagree by {energy_difference:.1e} eV per atom and "
                f"{force_difference:.1e} eV/Å, allowed are {tolerance:.0e}: they do not compute the same potential"
            )
        agreements.append(Agreement(contestant.name, 1000 * energy_difference, force_difference))
    return agreements


def atom_steps_per_cpu_second(
    contestants: Sequence[Dynamics], n_atoms: int, *, rounds: int, seconds: float
) -> list[Measured]:
    """Return the rates of contestants that take turns.

    Parameters
    ----------
    contestants
        Warmed up here, by a tenth of a round.
    n_atoms
        Of each.
    rounds
        How often each has its turn.
    seconds
        CPU time of a turn, about the same for all: a fast contestant makes more steps.
    """
    steps = [_steps_in(contestant, seconds) for contestant in contestants]
    rates: list[list[float]] = [[] for _ in contestants]
    for _ in range(rounds):
        for contestant, n_steps, found in zip(contestants, steps, rates, strict=True):
            found.append(n_atoms * n_steps / cpu_seconds(partial(contestant.advance, n_steps)))
    return [Measured.of(contestant.name, found) for contestant, found in zip(contestants, rates, strict=True)]


def _steps_in(contestant: Dynamics, seconds: float) -> int:
    """Warm a contestant up and return the steps that fill a turn, at least two."""
    n_steps = 1
    contestant.advance(1)
    while True:
        taken = cpu_seconds(partial(contestant.advance, n_steps))
        if taken > 0.1 * seconds:
            return max(2, round(n_steps * seconds / taken))
        n_steps *= 2
