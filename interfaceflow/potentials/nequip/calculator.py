"""A network as an ASE calculator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes

from interfaceflow.potentials.nequip.committee import CommitteeGrade
from interfaceflow.potentials.nequip.latent_grade import LatentGrade
from interfaceflow.potentials.nequip.model import NequIPModel, NequIPResult


class NequIPCalculator(Calculator):
    """Energy, forces, stress, latent features and extrapolation grades of a network.

    Only asking for ``extrapolation_grades`` (shape (n_atoms,), dimensionless) computes them:
    ``calculator.get_property("extrapolation_grades", atoms)``.

    Parameters
    ----------
    model
        From `load_model`: compiled for speed, or a checkpoint.
    grade
        What grades are made from; None for none.

    Examples
    --------
    >>> from ase.build import bulk
    >>> atoms = bulk("Li")
    >>> model = load_model(ModelFile.of(Path("lithium.nequip.pt2")))  # doctest: +SKIP
    >>> atoms.calc = NequIPCalculator(model)  # doctest: +SKIP
    >>> atoms.get_potential_energy()  # doctest: +SKIP
    """

    implemented_properties = [  # noqa: RUF012
        "energy",
        "free_energy",
        "energies",
        "forces",
        "stress",
        "latent_features",
        "extrapolation_grades",
    ]

    def __init__(self, model: NequIPModel, *, grade: LatentGrade | CommitteeGrade | None = None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.model = model
        self.grade = grade
        self._found: NequIPResult | None = None

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = tuple(all_changes),
    ) -> None:
        """Compute every property of these atoms except grades, and those if they are asked for."""
        super().calculate(atoms, list(properties), list(system_changes))  # type: ignore[no-untyped-call]
        structure = cast(Atoms, self.atoms)
        # Grades are asked for after forces: then nothing has changed, and the network need not run again.
        if self._found is None or system_changes:
            self._found = self.model.compute(structure)
        found = self._found
        self.results = {
            "energy": found.energy_eV,
            "free_energy": found.energy_eV,
            "energies": found.site_energies_eV,
            "forces": found.forces_eV_A,
            "latent_features": found.features,
        }
        if found.stress_eV_A3 is not None:
            self.results["stress"] = found.stress_eV_A3
        if "extrapolation_grades" in properties and self.grade is not None:
            self.results["extrapolation_grades"] = self.grade.grades_of(self.model, structure, found)
