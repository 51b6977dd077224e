"""Whether a crystal is dynamically stable: its phonons by finite displacements.

phonopy finds the displacements that symmetry leaves and turns forces into frequencies (A. Togo, L. Chaput, T. Tadano
and I. Tanaka, doi:10.1088/1361-648X/acd831). Frequencies are computed where the supercell is exact: at the wave
vectors commensurate with it, Gamma among them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from interfaceflow.core.errors import CalculationError

DISPLACEMENT_A = 0.01
Repeats = tuple[int, int, int]


@dataclass(frozen=True)
class Phonons:
    """Phonon frequencies of a crystal.

    Attributes
    ----------
    wave_vectors
        Commensurate points in the reciprocal cell, Gamma first, shape (n_q, 3).
    frequencies_THz
        Frequencies at each, ascending, imaginary ones as negative numbers [THz], shape (n_q, 3 n_atoms).
    acoustic_residual_THz
        Largest of the three acoustic frequencies at Gamma before the sum rule was imposed, without its sign [THz]:
        what is wrong with the forces, as a frequency.
    """

    wave_vectors: NDArray[np.float64]
    frequencies_THz: NDArray[np.float64]
    acoustic_residual_THz: float

    @property
    def lowest_THz(self) -> float:
        """Lowest frequency, negative where it is imaginary [THz]."""
        return float(self.frequencies_THz.min())

    def imaginary_modes(self, tolerance_THz: float) -> list[tuple[tuple[float, float, float], float]]:
        """Return wave vector and frequency of each mode below the tolerance, most unstable first.

        Parameters
        ----------
        tolerance_THz
            Imaginary frequencies up to this size count as noise of the forces [THz].
        """
        found = [
            ((float(a), float(b), float(c)), float(frequency))
            for (a, b, c), modes in zip(self.wave_vectors, self.frequencies_THz, strict=True)
            for frequency in modes
            if frequency < -tolerance_THz
        ]
        return sorted(found, key=lambda mode: mode[1])


def choose_repeats(crystal: Atoms, least_length_A: float) -> Repeats:
    """Return the repeats whose supercell is at least this wide between opposite faces [Å]."""
    heights = 1.0 / np.linalg.norm(crystal.cell.reciprocal().array, axis=1)
    first, second, third = (max(1, int(np.ceil(least_length_A / height - 1e-6))) for height in heights)
    return first, second, third


def displace_atoms(crystal: Atoms, repeats: Repeats, displacement_A: float = DISPLACEMENT_A) -> list[Atoms]:
    """Return the supercells whose forces are needed, each with one atom displaced; symmetry leaves few of them.

    Parameters
    ----------
    crystal
        Relaxed primitive cell.
    repeats
        Repeats of the cell along its vectors.
    displacement_A
        How far the atom is moved [Å].
    """
    phonopy = _phonopy(crystal, repeats, displacement_A)
    return [
        Atoms(numbers=cell.numbers, positions=cell.positions, cell=cell.cell, pbc=True)
        for cell in phonopy.supercells_with_displacements
    ]


def compute_phonons(
    crystal: Atoms,
    repeats: Repeats,
    forces_eV_A: Sequence[NDArray[np.float64]],
    displacement_A: float = DISPLACEMENT_A,
) -> Phonons:
    """Turn the forces in the displaced supercells into frequencies, with the acoustic sum rule imposed.

    Parameters
    ----------
    crystal, repeats, displacement_A
        As given to `displace_atoms`.
    forces_eV_A
        Forces of each supercell, in its order, each of shape (n_atoms of the supercell, 3) [eV/Å].

    Raises
    ------
    CalculationError
        If there are not as many sets of forces as supercells, or they are of another size or not finite.
    """
    phonopy = _phonopy(crystal, repeats, displacement_A)
    wanted = (len(phonopy.supercells_with_displacements), len(phonopy.supercell), 3)
    forces = np.array(forces_eV_A, dtype=np.float64)
    if forces.shape != wanted or not np.isfinite(forces).all():
        raise CalculationError(
            f"forces of shape {forces.shape} were given, finite ones of shape {wanted} are needed: one set for each "
            "supercell of displace_atoms, in its order"
        )
    phonopy.forces = forces
    phonopy.produce_force_constants()
    at_gamma = _frequencies(phonopy, np.zeros((1, 3)))[0]
    phonopy.symmetrize_force_constants()
    wave_vectors = _commensurate_points(repeats)
    return Phonons(
        wave_vectors=wave_vectors,
        frequencies_THz=_frequencies(phonopy, wave_vectors),
        acoustic_residual_THz=float(np.sort(np.abs(at_gamma))[2]),
    )


def _phonopy(crystal: Atoms, repeats: Repeats, displacement_A: float) -> Any:
    """Return phonopy's object with its displacements made; the same for the same arguments."""
    from phonopy import Phonopy
    from phonopy.structure.atoms import PhonopyAtoms

    cell = PhonopyAtoms(
        numbers=crystal.numbers, cell=crystal.cell.array, scaled_positions=crystal.get_scaled_positions()
    )
    phonopy = Phonopy(cell, supercell_matrix=np.diag(repeats), primitive_matrix=np.eye(3))
    phonopy.generate_displacements(distance=displacement_A)
    return phonopy


def _frequencies(phonopy: Any, wave_vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    phonopy.run_qpoints(wave_vectors)
    return np.sort(np.array(phonopy.qpoints.frequencies, dtype=np.float64), axis=1)


def _commensurate_points(repeats: Repeats) -> NDArray[np.float64]:
    """Return the wave vectors that a supercell holds whole periods of, within half a reciprocal vector of Gamma."""
    grid = np.stack(np.meshgrid(*(np.arange(n) / n for n in repeats), indexing="ij"), axis=-1).reshape(-1, 3)
    folded: NDArray[np.float64] = grid - np.ceil(grid - 0.5 - 1e-9)
    return folded
