"""A configuration with the label a reference calculation gave it.

The reference room makes these, the datasets room keeps them, potentials are fitted to them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from numpy.typing import NDArray

from interfaceflow.core.errors import DataFileError


@dataclass(frozen=True)
class LabelledConfiguration:
    """A configuration and its label.

    Attributes
    ----------
    atoms
        The configuration, with its label arrays (phase, region, origin_index), no calculator.
    free_energy_eV
        Energy whose gradient the forces are: what potentials are trained on, eV.
    energy_eV
        Energy extrapolated to zero smearing: what energetics uses, eV.
    forces_eV_A
        Forces, shape (n_atoms, 3), eV/Å.
    stress_eV_A3
        Stress in Voigt order (xx, yy, zz, yz, xz, xy), shape (6,), tension positive as in ASE, eV/Å3; None where the
        engine gives none.
    physics_hash
        SHA-256 of the physics of the level of theory.
    source
        Where the configuration came from, in words.
    trajectory
        Name of the run it is a frame of; configurations of one trajectory are not independent.
    temperature_K
        Temperature of that run, K; None where there was none.
    charge_e
        Net charge of the cell, e.
    converged
        Whether the calculation met its own criteria.
    magnetic_moments
        Moments, shape (n_atoms,), Bohr magnetons; None where the engine gives none.
    system
        Name of the system it belongs to in a pooled training set; None where there is one system.
    energy_alignment_eV
        What was added to both energies of a charged cell so that they are on the scale of neutral cells, eV; None
        where nothing was.
    atomic_charges_e
        Charges of the atoms by the engine's own population analysis, shape (n_atoms,), e; None where it gives none.
    """

    atoms: Atoms
    free_energy_eV: float
    energy_eV: float
    forces_eV_A: NDArray[np.float64]
    stress_eV_A3: NDArray[np.float64] | None
    physics_hash: str
    source: str
    trajectory: str
    temperature_K: float | None = None
    charge_e: float = 0.0
    converged: bool = True
    magnetic_moments: NDArray[np.float64] | None = None
    system: str | None = None
    energy_alignment_eV: float | None = None
    atomic_charges_e: NDArray[np.float64] | None = None

    def to_atoms(self) -> Atoms:
        """Return the configuration with its label where ASE, and extended XYZ, keep it.

        Results are on a ``SinglePointCalculator``: ``energy``, ``free_energy``, ``forces``, ``stress``, ``magmoms``,
        ``charges``.
        The rest is in ``info``: ``physics_hash``, ``source``, ``trajectory``, ``temperature_K``, ``charge_e``,
        ``converged``, ``system``, ``energy_alignment_eV``.
        """
        atoms: Atoms = self.atoms.copy()
        atoms.info = {
            "physics_hash": self.physics_hash,
            "source": self.source,
            "trajectory": self.trajectory,
            "charge_e": self.charge_e,
            "converged": self.converged,
        }
        optional = {
            "temperature_K": self.temperature_K,
            "system": self.system,
            "energy_alignment_eV": self.energy_alignment_eV,
        }
        atoms.info |= {key: value for key, value in optional.items() if value is not None}
        results = {
            "energy": self.energy_eV,
            "free_energy": self.free_energy_eV,
            "forces": self.forces_eV_A,
            "stress": self.stress_eV_A3,
            "magmoms": self.magnetic_moments,
            "charges": self.atomic_charges_e,
        }
        atoms.calc = SinglePointCalculator(atoms, **{key: value for key, value in results.items() if value is not None})
        return atoms

    @classmethod
    def from_atoms(cls, atoms: Atoms, where: str) -> LabelledConfiguration:
        """Take a configuration that `to_atoms` made.

        Parameters
        ----------
        atoms
            The configuration with calculator and info.
        where
            What to call it in an error message.

        Raises
        ------
        DataFileError
            If energies, forces or one of the required info keys are absent.
        """
        results = atoms.calc.results if atoms.calc is not None else {}
        missing = [key for key in ("energy", "free_energy", "forces") if key not in results]
        missing += [key for key in ("physics_hash", "source", "trajectory") if key not in atoms.info]
        if missing:
            raise DataFileError(f"{where}: the label has no {', '.join(missing)}; it was not written by interfaceflow")
        bare = atoms.copy()
        bare.info = {}
        system = atoms.info.get("system")
        return cls(
            atoms=bare,
            free_energy_eV=float(results["free_energy"]),
            energy_eV=float(results["energy"]),
            forces_eV_A=np.asarray(results["forces"], dtype=float),
            stress_eV_A3=_array_or_none(results.get("stress")),
            physics_hash=str(atoms.info["physics_hash"]),
            source=str(atoms.info["source"]),
            trajectory=str(atoms.info["trajectory"]),
            temperature_K=_float_or_none(atoms.info.get("temperature_K")),
            charge_e=float(atoms.info.get("charge_e", 0.0)),
            converged=bool(atoms.info.get("converged", True)),
            magnetic_moments=_array_or_none(results.get("magmoms")),
            system=None if system is None else str(system),
            energy_alignment_eV=_float_or_none(atoms.info.get("energy_alignment_eV")),
            atomic_charges_e=_array_or_none(results.get("charges")),
        )


def _float_or_none(value: object) -> float | None:
    return None if value is None else float(str(value))


def _array_or_none(value: object) -> NDArray[np.float64] | None:
    return None if value is None else np.asarray(value, dtype=float)
