"""A moment tensor potential as an ASE calculator."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import cast

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from numpy.typing import NDArray

from interfaceflow.core.errors import UserInputError, suggest_name
from interfaceflow.potentials.mtp._native import ConfigurationSet, Potential
from interfaceflow.potentials.zbl import compute_zbl
from interfaceflow.schemas.settings import ZBLSettings


class MTPCalculator(Calculator):
    """Energy, forces, stress and extrapolation grades of a moment tensor potential.

    The result ``extrapolation_grades`` (shape (n_atoms,), dimensionless; doi:10.1088/2632-2153/abc9fe) is there when
    the potential has an active set of neighbourhoods; ask for it with
    ``calculator.get_property("extrapolation_grades", atoms)``. Only asking for it computes it.

    Parameters
    ----------
    potential
        The potential, or the path of its ``.mtp`` or ``.almtp`` file.
    species
        Chemical symbols in the order of the potential's species.
    n_threads
        Threads to use.
    zbl
        Cutoffs of the nuclear repulsion that was subtracted from the labels of the fit, where it was.

    Raises
    ------
    UserInputError
        If the number of species is not that of the potential, or one is named twice.

    Examples
    --------
    >>> from ase.build import bulk
    >>> atoms = bulk("Li")
    >>> atoms.calc = MTPCalculator("lithium_sulfide.almtp", species=["Li", "S"])  # doctest: +SKIP
    >>> atoms.get_potential_energy()  # doctest: +SKIP
    """

    implemented_properties = ["energy", "free_energy", "energies", "forces", "stress", "extrapolation_grades"]  # noqa: RUF012

    def __init__(
        self,
        potential: Potential | Path | str,
        species: Sequence[str],
        *,
        n_threads: int = 1,
        zbl: ZBLSettings | None = None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.potential = potential if isinstance(potential, Potential) else Potential.read(potential)
        self.species = tuple(species)
        self.n_threads = n_threads
        self.zbl = zbl
        known = self.potential.species_count
        if len(self.species) != known or len(set(self.species)) != known:
            raise UserInputError(
                f"the potential has {known} species, and {len(set(self.species))} are named: "
                f"{', '.join(self.species)}. Name each of its species once, in the potential's order"
            )

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = tuple(all_changes),
    ) -> None:
        """Compute every property of these atoms except grades, and those if they are asked for."""
        super().calculate(atoms, list(properties), list(system_changes))  # type: ignore[no-untyped-call]
        structure = cast(Atoms, self.atoms)
        entry = (self.types_of(structure), structure.positions, structure.cell.array, tuple(map(bool, structure.pbc)))
        configurations = ConfigurationSet([entry], self.potential.max_dist)
        found = configurations.evaluate(self.potential, n_threads=self.n_threads)
        energy, energies, forces = float(found.energies[0]), found.site_energies, found.forces
        plus_stress = found.plus_stresses[0]
        if self.zbl is not None:
            repulsion = compute_zbl(structure, self.zbl)
            energy += repulsion.energy_eV
            energies = energies + repulsion.site_energies_eV
            forces = forces + repulsion.forces_eV_A
            plus_stress = plus_stress + repulsion.plus_stress_eV
        self.results = {"energy": energy, "free_energy": energy, "energies": energies, "forces": forces}
        if structure.cell.rank == 3:
            self.results["stress"] = -plus_stress / structure.get_volume()
        if "extrapolation_grades" in properties:
            grades = configurations.site_grades(self.potential, n_threads=self.n_threads)
            self.results["extrapolation_grades"] = grades

    def types_of(self, atoms: Atoms) -> NDArray[np.int32]:
        """Return the potential's type of each atom, shape (n_atoms,).

        Raises
        ------
        UserInputError
            If the potential does not know a species of the structure.
        """
        type_of = dict(zip(self.species, self.potential.species_types, strict=True))
        symbols = atoms.get_chemical_symbols()
        for symbol in set(symbols) - set(self.species):
            raise UserInputError(
                f"the potential does not know {symbol}; it was trained for {', '.join(self.species)}."
                f"{suggest_name(symbol, self.species)} Train a potential with {symbol} in its training set"
            )
        return np.array([type_of[symbol] for symbol in symbols], np.int32)
