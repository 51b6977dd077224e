"""The temperature at which a potential melts a metal, by narrowing a bracket of coexistence runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ase import Atoms

from interfaceflow.core.child_process import run_side_by_side
from interfaceflow.core.errors import CalculationError
from interfaceflow.core.progress import Progress, SilentProgress
from interfaceflow.dynamics.coexistence import (
    CoexistenceModel,
    build_long_cell,
    prepare_half_molten,
    run_coexistence,
)
from interfaceflow.schemas.dynamics import CoexistenceRun
from interfaceflow.schemas.settings import MeltingPointSettings

_N_AT_ONCE = 2


@dataclass(frozen=True)
class MeltingPoint:
    """Where a potential melts a metal.

    Attributes
    ----------
    lower_K, upper_K
        The bracket: at the lower temperature the solid grew, at the upper it melted [K].
    runs
        All coexistence runs, by temperature.
    n_atoms
        Atoms of the cell.
    largest_grade
        Largest extrapolation grade seen, preparation included, dimensionless.
    """

    lower_K: float
    upper_K: float
    runs: tuple[CoexistenceRun, ...]
    n_atoms: int
    largest_grade: float

    @property
    def middle_K(self) -> float:
        """Middle of the bracket [K]."""
        return (self.lower_K + self.upper_K) / 2


def find_melting_point(
    metal: Atoms,
    model: CoexistenceModel,
    settings: MeltingPointSettings,
    folder: Path,
    *,
    progress: Progress | None = None,
) -> MeltingPoint:
    """Find the melting point of a metal by two-phase coexistence.

    Two temperatures at a time cut the bracket in three, side by side on two cores. Where they contradict each other,
    the lower melting and the upper growing, both are within noise of the melting point and become the bracket.

    Parameters
    ----------
    metal
        Relaxed bulk cell.
    model
        Potential, time step, measure of solid and liquid, seed.
    settings
        First bracket, its final width, size of the cell, time for each temperature.
    folder
        Folder for the files; a search that was killed goes on in it.
    progress
        Counts temperatures.

    Raises
    ------
    CalculationError
        If the metal melts below the bracket or not within it, or no half-molten cell could be made.
    ExternalProgramError
        If LAMMPS failed.
    """
    progress = progress or SilentProgress()
    folder.mkdir(parents=True, exist_ok=True)
    progress.start(None, "temperature", "Melting point")
    middle_K = (settings.lowest_K + settings.highest_K) / 2
    half_molten, grade = prepare_half_molten(
        build_long_cell(metal, settings.n_atoms),
        model,
        warm_K=middle_K,
        hot_K=settings.highest_K,
        folder=folder / "half_molten",
    )
    known: dict[float, CoexistenceRun] = {}

    def hold(*temperatures_K: float) -> list[bool]:
        tasks = [
            partial(run_coexistence, half_molten, model, T, settings.duration_ps, folder / f"hold_{T:.2f}K")
            for T in temperatures_K
        ]
        for run in run_side_by_side(tasks, _N_AT_ONCE):
            known[run.temperature_K] = run
            progress.advance()
            progress.note(_describe(run))
        return [known[T].grew for T in temperatures_K]

    lower, upper = settings.lowest_K, settings.highest_K
    while upper - lower > settings.resolution_K:
        lower, upper, consistent = _narrow(lower, upper, hold)
        if not consistent:
            break
    _check_ends(lower, upper, known, settings, hold)
    runs = tuple(known[T] for T in sorted(known))
    grade = max(grade, *(run.largest_grade for run in runs))
    return MeltingPoint(lower, upper, runs, len(half_molten), grade)


def _narrow(lower: float, upper: float, hold: Callable[..., list[bool]]) -> tuple[float, float, bool]:
    """Cut a bracket in three; the last value is false where the two runs contradict each other."""
    first, second = lower + (upper - lower) / 3, lower + 2 * (upper - lower) / 3
    match hold(first, second):
        case [True, True]:
            return second, upper, True
        case [True, False]:
            return first, second, True
        case [False, False]:
            return lower, first, True
        case _:
            return first, second, False


def _check_ends(
    lower: float,
    upper: float,
    known: Mapping[float, CoexistenceRun],
    settings: MeltingPointSettings,
    hold: Callable[..., list[bool]],
) -> None:
    """Run the ends of the first bracket where the answer rests on them, and refuse a bracket without melting point."""
    if lower not in known and not hold(lower)[0]:
        raise CalculationError(
            f"the potential melts the metal already at lowest_K = {lower:g} K, the lower end of the bracket; "
            f"lower melting_point.lowest_K, or check the potential's errors on the metal {_list(known)}"
        )
    if upper not in known and hold(upper)[0]:
        raise CalculationError(
            f"the potential does not melt the metal up to highest_K = {upper:g} K, the upper end of the bracket; "
            f"raise melting_point.highest_K (now {settings.highest_K:g}), or check the potential's errors on the "
            f"metal {_list(known)}"
        )


def _list(known: Mapping[float, CoexistenceRun]) -> str:
    return "(" + "; ".join(_describe(known[T]) for T in sorted(known)) + ")"


def _describe(run: CoexistenceRun) -> str:
    change = f"{run.solid_fraction_start:.2f} to {run.solid_fraction_end:.2f}"
    return f"{run.temperature_K:.0f} K: solid {'grew' if run.grew else 'melted'}, {change}"
