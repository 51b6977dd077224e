"""LAMMPS' own frame, and the way there and back.

LAMMPS wants the first cell vector along x, the second in the xy-plane with y > 0 and the third with z > 0. Any cell
C (vectors as rows) is C = L Q with L of that form and Q orthogonal, so positions, velocities and forces turn by Q.
A left-handed cell gives an improper Q: the mirror image, which has the same energy and mirrored forces.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ase import Atoms, units
from numpy.typing import NDArray

from interfaceflow.core.errors import UserInputError

FloatArray = NDArray[np.float64]

ASE_VELOCITY_TO_A_PER_PS = 1000.0 * units.fs


@dataclass(frozen=True)
class LammpsFrame:
    """A change of frame: a rotation (or rotation with mirror), and a cyclic exchange of the cell vectors.

    Attributes
    ----------
    rotation
        Orthogonal Q, shape (3, 3): rows of a structure's frame are rows of LAMMPS' frame times Q.
    order
        Cell vectors of the structure in LAMMPS' order.
    """

    rotation: FloatArray
    order: tuple[int, int, int]

    @classmethod
    def of(cls, cell: FloatArray, normal_axis: int = 2) -> LammpsFrame:
        """Find the frame in which the plane of the other two cell vectors is xy, and its normal is z.

        Parameters
        ----------
        cell
            Cell vectors as rows [Å], shape (3, 3).
        normal_axis
            Cell vector that becomes LAMMPS' third.

        Raises
        ------
        UserInputError
            If the cell has no volume.
        """
        order = ((normal_axis + 1) % 3, (normal_axis + 2) % 3, normal_axis)
        ordered = np.asarray(cell, float)[list(order)]
        if abs(np.linalg.det(ordered)) < 1e-6:
            raise UserInputError(
                f"the cell has no volume (vectors {np.round(cell, 3).tolist()} Å); LAMMPS needs a periodic cell"
            )
        orthogonal, upper = np.linalg.qr(ordered.T)
        return cls(np.sign(np.diag(upper))[:, None] * orthogonal.T, order)

    @classmethod
    def identity(cls) -> LammpsFrame:
        """Return the frame of structures that already are in LAMMPS' frame."""
        return cls(np.eye(3), (0, 1, 2))

    def cell_to_lammps(self, cell: FloatArray) -> FloatArray:
        """Return the lower triangular cell L of C = L Q [Å], shape (3, 3)."""
        return np.tril(np.asarray(cell, float)[list(self.order)] @ self.rotation.T)

    def cell_from_lammps(self, cell: FloatArray) -> FloatArray:
        """Return C = L Q with the structure's order of vectors [Å], shape (3, 3)."""
        back = np.empty((3, 3))
        back[list(self.order)] = cell @ self.rotation
        return back

    def to_lammps(self, vectors: FloatArray) -> FloatArray:
        """Turn vectors of shape (..., 3) into LAMMPS' frame."""
        return vectors @ self.rotation.T

    def from_lammps(self, vectors: FloatArray) -> FloatArray:
        """Turn vectors of shape (..., 3) back."""
        return vectors @ self.rotation

    def turn(self, atoms: Atoms) -> Atoms:
        """Return a copy of a structure in LAMMPS' frame, with its labels and velocities."""
        turned: Atoms = atoms.copy()
        turned.set_cell(self.cell_to_lammps(atoms.cell.array))
        turned.set_positions(self.to_lammps(atoms.positions))
        turned.set_momenta(self.to_lammps(atoms.get_momenta()))
        return turned
