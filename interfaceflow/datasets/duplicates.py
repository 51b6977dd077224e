"""Which configurations are the same one again."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from operator import attrgetter
from typing import Final

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from interfaceflow.core.labelled import LabelledConfiguration
from interfaceflow.datasets.distances import LONGEST_PAIR_A, distances_by_pair

SAME_ENERGY_EV_ATOM: Final = 1.0e-5
SAME_FORCE_EV_A: Final = 5.0e-3
SAME_VOLUME_SHARE: Final = 1.0e-4
SAME_DISTANCE_A: Final = 1.0e-3

_energy = attrgetter("energy_eV_atom")


class KnownConfigurations:
    """Configurations met so far, each once.

    Two are the same if they have the same atoms and charge, energies within 1e-5 eV/atom, root mean square forces
    within 5e-3 eV/Å, volumes within 1e-4 of each other, and, for each pair of elements, the same sorted nearest-image
    distances up to 6 Å, within 1e-3 Å. None of these changes when atoms are numbered anew or moved by a cell vector,
    nor when the whole cell is shifted, turned or mirrored. Distances cost most, and are looked at only where all the
    rest agrees.

    Parameters
    ----------
    configurations
        What is known from the start.
    """

    def __init__(self, configurations: Iterable[LabelledConfiguration] = ()) -> None:
        self._by_atoms: dict[tuple[str, float], list[_Fingerprint]] = {}
        for configuration in configurations:
            self.add(configuration)

    def add(self, configuration: LabelledConfiguration) -> bool:
        """Add a configuration unless it is known, and tell whether it was new."""
        new, alike = _Fingerprint.of(configuration), self._with_same_atoms(configuration)
        if new.is_among(alike):
            return False
        insort(alike, new, key=_energy)
        return True

    def contains(self, configuration: LabelledConfiguration) -> bool:
        """Tell whether a configuration is known."""
        return _Fingerprint.of(configuration).is_among(self._with_same_atoms(configuration))

    def _with_same_atoms(self, configuration: LabelledConfiguration) -> list[_Fingerprint]:
        """Return what is known of the same atoms and charge, by ascending energy."""
        group = (configuration.atoms.get_chemical_formula(), configuration.charge_e)
        return self._by_atoms.setdefault(group, [])


def deduplicate(configurations: Iterable[LabelledConfiguration]) -> list[LabelledConfiguration]:
    """Return configurations in order, each once; `KnownConfigurations` says what counts as the same."""
    known = KnownConfigurations()
    return [configuration for configuration in configurations if known.add(configuration)]


@dataclass(eq=False)
class _Fingerprint:
    """What is compared of two configurations of the same atoms and about the same energy."""

    energy_eV_atom: float
    force_eV_A: float
    volume_A3: float
    atoms: Atoms

    @classmethod
    def of(cls, configuration: LabelledConfiguration) -> _Fingerprint:
        return cls(
            energy_eV_atom=configuration.free_energy_eV / len(configuration.atoms),
            force_eV_A=float(np.sqrt(np.mean(configuration.forces_eV_A**2))),
            volume_A3=configuration.atoms.get_volume(),
            atoms=configuration.atoms,
        )

    @cached_property
    def distances_A(self) -> NDArray[np.float64]:
        distances = np.concatenate(list(distances_by_pair(self.atoms).values()))
        return distances.clip(max=LONGEST_PAIR_A)

    def is_among(self, known: Sequence[_Fingerprint]) -> bool:
        """Tell whether one of those, which are by ascending energy, is the same."""
        first = bisect_left(known, self.energy_eV_atom - SAME_ENERGY_EV_ATOM, key=_energy)
        last = bisect_right(known, self.energy_eV_atom + SAME_ENERGY_EV_ATOM, key=_energy)
        return any(self.is_same_as(other) for other in known[first:last])

    def is_same_as(self, other: _Fingerprint) -> bool:
        if abs(self.force_eV_A - other.force_eV_A) > SAME_FORCE_EV_A:
            return False
        if abs(self.volume_A3 - other.volume_A3) > SAME_VOLUME_SHARE * self.volume_A3:
            return False
        return bool(np.abs(self.distances_A - other.distances_A).max() <= SAME_DISTANCE_A)
