"""How far levels of theory are apart on the same configurations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from interfaceflow.core.errors import UserInputError
from interfaceflow.core.labelled import LabelledConfiguration
from interfaceflow.core.units import EV_PER_A3_TO_GPA
from interfaceflow.schemas.level_comparison import LevelDifference

FloatArray = NDArray[np.float64]
Labels = Sequence[LabelledConfiguration]

_SAME_POSITION_A = 1.0e-4


def match_levels(by_level: Mapping[str, Labels]) -> dict[str, list[LabelledConfiguration]]:
    """Return the configurations that every level has labelled, in the same order.

    Parameters
    ----------
    by_level
        Labels by name of the level of theory; the same configuration has the same source at all of them.

    Raises
    ------
    UserInputError
        If there are fewer than two levels, a source stands for two configurations, here or there, or nothing is left.
    """
    if len(by_level) < 2:
        raise UserInputError(f"{len(by_level)} level of theory cannot be compared; give at least two")
    by_source = {level: _by_source(level, labels) for level, labels in by_level.items()}
    first = next(iter(by_source))
    shared = [source for source in by_source[first] if all(source in labels for labels in by_source.values())]
    if not shared:
        raise UserInputError(
            f"the levels of theory {', '.join(by_level)} have no configuration in common; label one dataset's "
            "configurations at each of them"
        )
    for level, labels in by_source.items():
        for source in shared:
            _check_same_geometry(labels[source], by_source[first][source], level, first)
    return {level: [labels[source] for source in shared] for level, labels in by_source.items()}


def compare_levels(matched: Mapping[str, Labels]) -> tuple[LevelDifference, ...]:
    """Compare each pair of levels of theory.

    Parameters
    ----------
    matched
        Labels by name of the level, as `match_levels` returns them.

    Returns
    -------
    tuple of LevelDifference
        The earlier level of each pair first.

    Raises
    ------
    UserInputError
        If there are no more configurations than elements: their energies would explain any difference.
    """
    return tuple(
        _difference(first, matched[first], second, matched[second]) for first, second in combinations(matched, 2)
    )


def _difference(first_name: str, first: Labels, second_name: str, second: Labels) -> LevelDifference:
    residuals, element_energies = _without_element_energies(first, second)
    forces, others = (np.concatenate([c.forces_eV_A for c in labels]) for labels in (first, second))
    species = np.concatenate([c.atoms.get_chemical_symbols() for c in first])
    mean_square = float(np.mean(forces**2))
    stresses = _stress_differences(first, second)
    return LevelDifference(
        first=first_name,
        second=second_name,
        n_configurations=len(first),
        energy_rms_meV_atom=1000.0 * _root_mean_square(residuals),
        energy_largest_meV_atom=1000.0 * float(np.abs(residuals).max()),
        element_energies_eV=element_energies,
        force_rmse_eV_A=_root_mean_square(others - forces),
        force_mae_eV_A=float(np.abs(others - forces).mean()),
        force_rmse_by_species_eV_A={
            str(symbol): _root_mean_square((others - forces)[species == symbol]) for symbol in np.unique(species)
        },
        force_slope=float(np.mean(forces * others)) / mean_square if mean_square > 0 else 1.0,
        rms_force_eV_A=float(np.sqrt(mean_square)),
        stress_rmse_GPa=_root_mean_square(stresses) if len(stresses) else None,
        pressure_difference_GPa=-float(stresses[:, :3].mean()) if len(stresses) else None,
    )


def _without_element_energies(first: Labels, second: Labels) -> tuple[FloatArray, dict[str, float]]:
    """Return second - first without the share that counts atoms, eV/atom, and the energy of each element, eV.

    Absolute energies of two levels have nothing to do with one another: each element's atoms have a zero of their own.
    Those are fitted by least squares of the differences per atom.
    """
    elements = sorted({symbol for c in first for symbol in c.atoms.get_chemical_symbols()})
    if len(first) <= len(elements):
        raise UserInputError(
            f"{len(first)} configurations of {len(elements)} elements cannot be compared: the elements' energies alone "
            f"would explain every difference; give more than {len(elements)} configurations"
        )
    sizes = np.array([len(c.atoms) for c in first], dtype=float)
    differences = np.array([b.free_energy_eV - a.free_energy_eV for a, b in zip(first, second, strict=True)]) / sizes
    shares = np.array([[c.atoms.symbols.count(element) for element in elements] for c in first]) / sizes[:, None]
    energies, _, rank, _ = np.linalg.lstsq(shares, differences, rcond=None)
    told_apart = rank == len(elements)
    return differences - shares @ energies, (dict(zip(elements, energies.tolist(), strict=True)) if told_apart else {})


def _stress_differences(first: Labels, second: Labels) -> FloatArray:
    """Return second - first in Voigt order, GPa, of the configurations with both; shape (n, 6)."""
    found = [
        (b.stress_eV_A3 - a.stress_eV_A3) * EV_PER_A3_TO_GPA
        for a, b in zip(first, second, strict=True)
        if a.stress_eV_A3 is not None and b.stress_eV_A3 is not None
    ]
    return np.array(found).reshape(-1, 6)


def _by_source(level: str, labels: Labels) -> dict[str, LabelledConfiguration]:
    by_source = {label.source: label for label in labels}
    if len(by_source) < len(labels):
        raise UserInputError(
            f"{level}: {len(labels) - len(by_source)} configurations have the source of another one, so that it cannot "
            "be told which is which; give every configuration a source of its own"
        )
    return by_source


def _check_same_geometry(here: LabelledConfiguration, there: LabelledConfiguration, level: str, first: str) -> None:
    same_atoms = np.array_equal(here.atoms.numbers, there.atoms.numbers)
    if (
        not same_atoms
        or np.abs(here.atoms.cell.array - there.atoms.cell.array).max() > _SAME_POSITION_A
        or np.abs(here.atoms.positions - there.atoms.positions).max() > _SAME_POSITION_A
    ):
        raise UserInputError(
            f"{here.source}: not the same configuration at {level} as at {first}; only labels of the same "
            "configurations can be compared"
        )


def _root_mean_square(values: FloatArray) -> float:
    return float(np.sqrt(np.mean(values**2)))
