"""Charged clusters and reference molecules, alone in a box, with one bond that can be stretched."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

ClusterName = Literal["BH4-", "BF4-", "CN-", "PS4^3-", "H2", "C2H6"]
CHARGE = "charge_e"

_TETRAHEDRON = np.array([[1.0, 1.0, 1.0], [1.0, -1.0, -1.0], [-1.0, 1.0, -1.0], [-1.0, -1.0, 1.0]]) / np.sqrt(3.0)


@dataclass(frozen=True)
class Cluster:
    """A molecule whose first two atoms are bonded.

    Attributes
    ----------
    atoms
        The molecule, not periodic; usual bond lengths [Å].
    charge_e
        Its charge [e].
    moved
        Indices of the atoms that move when the bond is stretched: the second atom and what hangs on it.
    """

    atoms: Atoms
    charge_e: int
    moved: tuple[int, ...]

    @property
    def bond(self) -> str:
        """The bond in words, for example ``"B-H"``."""
        first, second = self.atoms.get_chemical_symbols()[:2]
        return f"{first}-{second}"

    @property
    def distance_A(self) -> float:
        """Length of the bond [Å]."""
        return float(np.linalg.norm(self.atoms.positions[1] - self.atoms.positions[0]))


def build_cluster(name: ClusterName) -> Cluster:
    """Build a cluster or a reference molecule from usual bond lengths, to be relaxed.

    Parameters
    ----------
    name
        Which one.
    """
    if name == "BH4-":
        return Cluster(_tetrahedral("B", "H", 1.24), -1, (1,))
    if name == "BF4-":
        return Cluster(_tetrahedral("B", "F", 1.41), -1, (1,))
    if name == "PS4^3-":
        return Cluster(_tetrahedral("P", "S", 2.06), -3, (1,))
    if name == "CN-":
        return Cluster(Atoms("CN", positions=[[0.0, 0.0, 0.0], [0.0, 0.0, 1.18]]), -1, (1,))
    if name == "H2":
        return Cluster(Atoms("H2", positions=[[0.0, 0.0, 0.0], [0.0, 0.0, 0.74]]), 0, (1,))
    return _ethane()


def stretch_bond(cluster: Cluster, distance_A: float, box_A: float) -> Atoms:
    """Return a cluster with its bond at another length, in the middle of a periodic cube.

    Parameters
    ----------
    cluster
        The cluster; the rest of it keeps its shape.
    distance_A
        Length of the bond [Å].
    box_A
        Edge of the cube [Å]. The energy of a charged cluster's images and background depends on it, but hardly on the
        length of the bond: it drops out of a fit.
    """
    atoms: Atoms = cluster.atoms.copy()
    along: NDArray[np.float64] = atoms.positions[1] - atoms.positions[0]
    along /= np.linalg.norm(along)
    atoms.positions[list(cluster.moved)] += (distance_A - cluster.distance_A) * along
    atoms.set_cell([box_A, box_A, box_A])
    atoms.center()
    atoms.pbc = True
    atoms.info[CHARGE] = float(cluster.charge_e)
    return atoms


def _tetrahedral(centre: str, ligand: str, distance_A: float) -> Atoms:
    return Atoms([centre] + 4 * [ligand], positions=np.vstack([np.zeros(3), distance_A * _TETRAHEDRON]))


def _ethane() -> Cluster:
    """Return ethane, staggered, its carbon atoms first."""
    from ase.build import molecule

    atoms = molecule("C2H6")
    symbols = np.array(atoms.get_chemical_symbols())
    first, second = np.flatnonzero(symbols == "C")
    distances = atoms.get_all_distances()
    hydrogens = np.flatnonzero(symbols == "H")
    on_second = hydrogens[distances[hydrogens, second] < distances[hydrogens, first]]
    order = [first, second, *on_second, *np.setdiff1d(hydrogens, on_second)]
    return Cluster(atoms[order], 0, (1, *range(2, 2 + len(on_second))))
