"""Labelled configurations: atoms with the energy, forces and stress of a reference calculation or a potential."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from interfaceflow.core.errors import UserInputError

if TYPE_CHECKING:
    from ase import Atoms

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Configuration:
    """One labelled configuration.

    Attributes
    ----------
    cell
        Lattice vectors as rows, shape (n_vectors, 3) with n_vectors from 0 (not periodic) to 3, in Å.
    types
        Species as integers from 0, shape (n_atoms,).
    positions
        Cartesian, shape (n_atoms, 3), in Å.
    energy
        In eV.
    forces
        Shape (n_atoms, 3), in eV/Å.
    plus_stress
        Minus stress times volume: xx, yy, zz, yz, xz, xy, shape (6,), in eV.
    nbh_grades
        Extrapolation grade of each neighbourhood, shape (n_atoms,), dimensionless.
    features
        Text by name, as in ``Feature`` lines.
    """

    cell: FloatArray
    types: NDArray[np.int32]
    positions: FloatArray
    energy: float | None = None
    forces: FloatArray | None = None
    plus_stress: FloatArray | None = None
    nbh_grades: FloatArray | None = None
    features: Mapping[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.types)

    @property
    def grade(self) -> float | None:
        """The feature ``MV_grade``: the largest extrapolation grade of the configuration, or None.

        Raises
        ------
        UserInputError
            If the feature is not a number.
        """
        text = self.features.get("MV_grade")
        try:
            return None if text is None else float(text)
        except ValueError:
            raise UserInputError(f"the feature MV_grade is {text!r}, not a number; compute the grades again") from None

    @classmethod
    def from_atoms(
        cls,
        atoms: Atoms,
        species: Sequence[str],
        *,
        energy: float | None = None,
        forces: FloatArray | None = None,
        stress: FloatArray | None = None,
        features: Mapping[str, str] | None = None,
    ) -> Configuration:
        """Convert from ASE.

        Parameters
        ----------
        atoms
            Periodic along leading cell vectors only (all three, the first two, the first, or none).
        species
            Chemical symbols in the order of the potential's types.
        energy
            In eV.
        forces
            Shape (n_atoms, 3), in eV/Å.
        stress
            In ASE's sign and order (xx, yy, zz, yz, xz, xy), shape (6,), in eV/Å^3.
        features
            Text by name.

        Raises
        ------
        UserInputError
            If an element is none of ``species``, or the periodic directions do not lead.
        """
        type_of = {symbol: index for index, symbol in enumerate(species)}
        unknown = sorted(set(atoms.get_chemical_symbols()) - set(type_of))
        if unknown:
            raise UserInputError(
                f"the potential does not know {', '.join(unknown)}: its species are {', '.join(species)}"
            )
        n_periodic = int(sum(atoms.pbc))
        if not all(atoms.pbc[:n_periodic]):
            raise UserInputError(
                f"periodic along {[bool(flag) for flag in atoms.pbc]}: a .cfg file can only leave out the last cell "
                "vectors; rotate the cell so that its open directions come last"
            )
        return cls(
            cell=np.array(atoms.cell.array[:n_periodic], dtype=float),
            types=np.array([type_of[symbol] for symbol in atoms.get_chemical_symbols()], dtype=np.int32),
            positions=np.array(atoms.positions, dtype=float),
            energy=energy,
            forces=None if forces is None else np.array(forces, dtype=float),
            plus_stress=None if stress is None else -np.asarray(stress, dtype=float) * atoms.get_volume(),
            features=dict(features or {}),
        )

    def to_atoms(self, species: Sequence[str]) -> Atoms:
        """Convert to ASE, with energy, forces and stress in a ``SinglePointCalculator`` where they are known.

        Parameters
        ----------
        species
            Chemical symbols in the order of the potential's types.

        Raises
        ------
        UserInputError
            If a type has no symbol.
        """
        from ase import Atoms
        from ase.calculators.singlepoint import SinglePointCalculator

        if len(self.types) and int(self.types.max()) >= len(species):
            raise UserInputError(
                f"type {int(self.types.max())} has no symbol: {len(species)} species were given ({', '.join(species)})"
            )
        n_periodic = len(self.cell)
        cell = np.zeros((3, 3))
        cell[:n_periodic] = self.cell
        atoms = Atoms(
            [species[kind] for kind in self.types],
            positions=self.positions,
            cell=cell,
            pbc=[axis < n_periodic for axis in range(3)],
        )
        results: dict[str, float | FloatArray] = {}
        if self.energy is not None:
            results["energy"] = self.energy
        if self.forces is not None:
            results["forces"] = self.forces
        if self.plus_stress is not None and n_periodic == 3:
            results["stress"] = -self.plus_stress / atoms.get_volume()
        if results:
            atoms.calc = SinglePointCalculator(atoms, **results)
        return atoms
