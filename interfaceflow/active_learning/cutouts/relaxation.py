"""Relaxing the rim of a cut-out, its core held.

A potential that extrapolates in the core has no reason to be better in a seam that nobody has ever seen, and where two
atoms are nearer than in all of its training set it may well attract them. So a wall moves pairs apart before the
potential is asked at all, and keeps them apart while the rim is relaxed. Relaxation ends where the rim is as hot as the
frame: what matters is that the seam is no worse than what surrounds it, not that it is at rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, cast

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from ase.constraints import FixAtoms
from ase.optimize import FIRE
from numpy.typing import NDArray

from interfaceflow.active_learning.cutouts.surroundings import FloatArray

# The wall begins this much farther out than the smallest allowed distance, where its force begins to rise by so much
# per Å. Atoms that the wall alone pushes with less force than the tolerance are no longer too near.
_WALL_WIDTH: Final = 1.1
_WALL_TOLERANCE_EV_A: Final = 2.0
_WALL_STIFFNESS_EV_A2: Final = 100.0
_LARGEST_STEP_A: Final = 0.1
_SMALLEST_DISTANCE_A: Final = 0.1


def relax_rim(
    atoms: Atoms,
    core: NDArray[np.bool_],
    calculator: Calculator,
    limits: FloatArray,
    *,
    force_tolerance_eV_A: float,
    max_steps: int,
) -> Atoms:
    """Return a cut-out with its rim relaxed.

    Parameters
    ----------
    atoms
        The cut-out; its cell stays as it is.
    core
        Atoms that do not move, shape (n_atoms,).
    calculator
        The potential's energy and forces.
    limits
        Smallest allowed distance of each pair of atoms, shape (n_atoms, n_atoms), Å.
    force_tolerance_eV_A
        Relaxation ends at this largest force on the rim, eV/Å.
    max_steps
        And after this many steps at the latest; the wall alone had as many before.

    Raises
    ------
    InterfaceflowError
        If the potential refuses a geometry on the way.
    """
    relaxed: Atoms = atoms.copy()
    if core.all() or max_steps == 0:
        return relaxed
    relaxed.set_constraint(FixAtoms(mask=core))
    reach = _WALL_WIDTH * limits
    for potential, tolerance in ((None, _WALL_TOLERANCE_EV_A), (calculator, force_tolerance_eV_A)):
        relaxed.calc = _WalledCalculator(potential, reach, core)
        FIRE(relaxed, logfile=None, maxstep=_LARGEST_STEP_A).run(fmax=tolerance, steps=max_steps)
    relaxed.calc = None
    relaxed.set_constraint()
    return relaxed


def distances_in_box(positions: FloatArray, box: FloatArray) -> FloatArray:
    """Return the distances between nearest images, shape (n, n), Å; an atom is infinitely far from itself.

    Right up to half of the smallest distance between faces of the box: a shorter vector has no fractional coordinate
    beyond one half.
    """
    distances = np.linalg.norm(_vectors_in_box(positions, box), axis=2)
    np.fill_diagonal(distances, np.inf)
    return np.asarray(distances)


def wall(positions: FloatArray, box: FloatArray, reach: FloatArray) -> tuple[float, FloatArray]:
    """Return energy and forces of a wall between atoms nearer than they should be.

    Each pair at a distance d below its reach r has the energy k r^2 (r / d - 1)^2 / 2: a spring near r, and steeper
    than whatever attracts where d is small.

    Parameters
    ----------
    positions
        Shape (n, 3), Å.
    box
        Cell vectors as rows, shape (3, 3), Å.
    reach
        Of each pair, shape (n, n), symmetric, Å; below half of the distance between faces of the box.

    Returns
    -------
    energy, forces
        In eV, and eV/Å with shape (n, 3).
    """
    vectors = _vectors_in_box(positions, box)
    distances = np.linalg.norm(vectors, axis=2)
    np.fill_diagonal(distances, np.inf)
    distances = np.maximum(distances, _SMALLEST_DISTANCE_A)
    depth = np.clip(reach / distances - 1.0, 0.0, None)
    energy = 0.25 * _WALL_STIFFNESS_EV_A2 * float((reach**2 * depth**2).sum())
    pushes = _WALL_STIFFNESS_EV_A2 * reach**3 * depth / distances**3
    return energy, np.asarray(-(pushes[:, :, None] * vectors).sum(axis=1))


def _vectors_in_box(positions: FloatArray, box: FloatArray) -> FloatArray:
    """Return the vector from each atom to the nearest image of each, shape (n, n, 3), Å."""
    fractions = positions @ np.linalg.inv(box)
    differences = fractions[None, :] - fractions[:, None]
    return np.asarray((differences - np.rint(differences)) @ box)


class _WalledCalculator(Calculator):
    """A wall between atoms of which at least one is of the rim, with or without a potential."""

    implemented_properties = ["energy", "free_energy", "forces"]  # noqa: RUF012

    def __init__(self, potential: Calculator | None, reach: FloatArray, core: NDArray[np.bool_]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.potential = potential
        self.reach = np.where(core[:, None] & core[None, :], 0.0, reach)

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = tuple(all_changes),
    ) -> None:
        """Compute energy and forces."""
        super().calculate(atoms, list(properties), list(system_changes))  # type: ignore[no-untyped-call]
        bare = cast(Atoms, self.atoms).copy()
        energy, forces = wall(bare.positions, bare.cell.array, self.reach)
        bare.set_constraint()
        if self.potential is not None:
            energy += float(self.potential.get_property("energy", bare))
            forces = forces + self.potential.get_property("forces", bare)
        self.results = {"energy": energy, "free_energy": energy, "forces": forces}
