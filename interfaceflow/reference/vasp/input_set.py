"""The input files of a calculation, in the shape that atomate2's Makers take.

Importing this module imports pymatgen.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from monty.json import MSONable
from numpy.typing import NDArray
from pydantic import TypeAdapter
from pymatgen.core.structure import Structure
from pymatgen.io.vasp.inputs import Incar, Kpoints, Poscar, Potcar, VaspInput
from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

from interfaceflow.reference.electronic.effective_mass import stencil_points
from interfaceflow.reference.vasp.incar import incar_of, net_charge, to_atoms
from interfaceflow.reference.vasp.kpoints import mesh_divisions
from interfaceflow.reference.vasp.potcars import check_potcars, potcar_symbol
from interfaceflow.reference.vasp.refusals import check_calculation
from interfaceflow.reference.vasp.slabs import vacuum_axes
from interfaceflow.schemas.vasp import (
    BandCurvatureCalculation,
    DosCalculation,
    MeshByDivisions,
    VaspCalculation,
    VaspSettings,
)

_CALCULATION = TypeAdapter[VaspCalculation](VaspCalculation)


@dataclass
class VaspInputs(MSONable):
    """Makes INCAR, KPOINTS, POSCAR and POTCAR of one calculation at one level of theory.

    The POSCAR keeps the order of the sites, and their velocities where they have any.

    Parameters
    ----------
    settings
        The level of theory.
    calculation
        What is calculated.
    """

    settings: VaspSettings
    calculation: VaspCalculation

    def get_input_set(
        self, structure: Structure, prev_dir: str | Path | None = None, *, potcar_spec: bool = False
    ) -> VaspInput:
        """Return the input files of a structure.

        Parameters
        ----------
        structure
            The cell; sites of one element stand together.
        prev_dir
            Not used: everything follows from the structure.
        potcar_spec
            Whether the potentials are only named, in POTCAR.spec.

        Raises
        ------
        UserInputError
            If a potential is not there, or not the one asked for, or the settings are wrong for the cell.
        """
        atoms = to_atoms(structure)
        check_calculation(self.settings, self.calculation, atoms, structure.composition.reduced_formula)
        elements = [element.symbol for element in structure.composition.elements]
        # A charged cell needs the number of electrons, which only the potentials know.
        valence_electrons = (
            None if potcar_spec and not net_charge(structure) else check_potcars(self.settings, elements)
        )
        poscar = Poscar(
            structure,
            velocities=structure.site_properties.get("velocities"),
            predictor_corrector=structure.site_properties.get("predictor_corrector"),
            predictor_corrector_preamble=structure.properties.get("predictor_corrector_preamble"),
            lattice_velocities=structure.properties.get("lattice_velocities"),
        )
        symbols = [potcar_symbol(self.settings, element) for element in poscar.site_symbols]
        return VaspInput(
            incar=Incar(incar_of(self.settings, self.calculation, structure, valence_electrons)),
            kpoints=self._kpoints(structure, atoms),
            poscar=poscar,
            potcar="\n".join(symbols) if potcar_spec else Potcar(symbols, self.settings.potcars.family),
            potcar_spec=potcar_spec,
        )

    def _kpoints(self, structure: Structure, atoms: Atoms) -> Kpoints:
        axes = vacuum_axes(atoms)
        scheme = self.settings.k_points
        divisions = np.array(mesh_divisions(atoms.cell.array, len(atoms), scheme, axes[0] if len(axes) == 1 else None))
        if isinstance(self.calculation, DosCalculation):
            divisions = np.where(divisions > 1, divisions * self.calculation.mesh_factor, 1)
        if isinstance(self.calculation, BandCurvatureCalculation):
            return _mesh_and_stencil(structure, divisions, self.calculation)
        mesh = _as_triple(divisions)
        if isinstance(scheme, MeshByDivisions) and scheme.centre == "monkhorst-pack":
            return Kpoints.monkhorst_automatic(mesh)
        return Kpoints.gamma_automatic(mesh)

    @classmethod
    def from_dict(cls, dct: dict[str, Any]) -> VaspInputs:
        """Make it from what `as_dict` gave."""
        settings, calculation = dct["settings"], dct["calculation"]
        return cls(
            settings=settings if isinstance(settings, VaspSettings) else VaspSettings.model_validate(settings),
            calculation=_CALCULATION.validate_python(calculation),
        )

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain data, for the launchpad."""
        return {
            "@module": type(self).__module__,
            "@class": type(self).__name__,
            "settings": self.settings.model_dump(mode="json"),
            "calculation": self.calculation.model_dump(mode="json"),
        }


def _mesh_and_stencil(
    structure: Structure, divisions: NDArray[np.int_], calculation: BandCurvatureCalculation
) -> Kpoints:
    """Return the irreducible Gamma-centred mesh, followed by the stencil at weight zero."""
    with warnings.catch_warnings():
        # What spglib says to its callers about their error handling.
        warnings.filterwarnings("ignore", message="Set OLD_ERROR_HANDLING", category=DeprecationWarning)
        mesh = SpacegroupAnalyzer(structure).get_ir_reciprocal_mesh(_as_triple(divisions))
    stencil = stencil_points(structure.lattice.matrix, np.array(calculation.k_point), calculation.step_per_A)
    points = [tuple(float(x) for x in point) for point in [*(point for point, _ in mesh), *stencil]]
    return Kpoints(
        comment="Mesh, then a stencil of weight zero",
        style=Kpoints.supported_modes.Reciprocal,
        num_kpts=len(points),
        kpts=points,
        kpts_weights=[float(weight) for _, weight in mesh] + [0.0] * len(stencil),
    )


def _as_triple(divisions: NDArray[np.int_]) -> tuple[int, int, int]:
    first, second, third = (int(n) for n in divisions)
    return first, second, third
