"""Relaxation of ions and of the part of the cell that may move."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from interfaceflow.core.errors import CalculationError, UserInputError
from interfaceflow.core.labelled import LabelledConfiguration
from interfaceflow.reference.checkpoint import load_arrays, save_arrays
from interfaceflow.reference.engines import check_calculation
from interfaceflow.reference.labels import take_label
from interfaceflow.reference.levels_of_theory import calculator_of
from interfaceflow.reference.workers import Advance
from interfaceflow.schemas.level_of_theory import LevelOfTheory
from interfaceflow.schemas.structures import FreeAxes

if TYPE_CHECKING:
    from ase.optimize import BFGS

# Free components of the stress are relaxed to this, eV/Å3 (0.05 GPa). What is left of the energy is s^2 V / 2B:
# 0.02 meV per atom of lithium (V = 20 Å3, B = 11 GPa = 0.07 eV/Å3), the softest of the crystals at hand.
STRESS_TOLERANCE_EV_A3: Final = 3.0e-4
_LONGEST_STEP_A: Final = 0.2
# Where the optimiser starts: the curvature of the energy that it takes for granted, eV/Å2. Alkali metals and their
# salts are softer than ASE's 70 eV/Å2, which costs twice the steps.
_CURVATURE_EV_A2: Final = 10.0
# Energy of the cell per atom and square of strain, eV (20 Å3 and 25 GPa). Strain is scaled so that its curvature is
# that of the atoms; at ASE's own scale, the number of atoms, a 98-atom interface took 202 steps instead of 16.
_CELL_STIFFNESS_EV: Final = 3.0
_FREE_COMPONENTS: Final = {"normal": (0, 0, 1, 0, 0, 0), "all": (1, 1, 1, 1, 1, 1)}


@dataclass(frozen=True)
class RelaxationTask:
    """What is to be relaxed, and how far.

    Attributes
    ----------
    atoms
        Periodic configuration.
    free_axes
        Cell components that may relax: none, all, or "normal", the third vector's component along the normal of the
        plane of the first two, which stay as they are.
    relax_ions
        Whether ions move; if not, the cell has to stay as well, and this is a single point.
    force_tolerance_eV_A
        Largest force allowed at the end, eV/Å.
    max_steps
        Largest number of steps.
    level
        Level of theory.
    source
        What it is, in words.
    checkpoint
        File, of this task alone, in which each step is stored, to go on from after a stop.
    """

    atoms: Atoms
    free_axes: FreeAxes
    relax_ions: bool
    force_tolerance_eV_A: float
    max_steps: int
    level: LevelOfTheory
    source: str
    checkpoint: Path | None = None


@dataclass(frozen=True)
class Relaxation:
    """A relaxed configuration.

    Attributes
    ----------
    label
        The final configuration with energies, forces and stress.
    max_force_eV_A
        Largest force left, eV/Å.
    max_free_stress_eV_A3
        Largest free component of the stress left, eV/Å3; 0 where the cell was fixed.
    n_steps
        Steps of the optimiser.
    converged
        Whether forces and free stress are within their tolerances, and the last label's calculation converged; of a
        single point, the latter alone.
    """

    label: LabelledConfiguration
    max_force_eV_A: float
    max_free_stress_eV_A3: float
    n_steps: int
    converged: bool


def check_relaxation(task: RelaxationTask) -> None:
    """Refuse a relaxation that cannot be done, before anything is computed.

    Raises
    ------
    UserInputError
        If the engine cannot compute the configuration, or the cell is to relax without the ions.
    """
    check_calculation(task.level, task.atoms, task.source)
    if not task.relax_ions and task.free_axes != "none":
        raise UserInputError(
            f"{task.source}: the cell (free_axes: {task.free_axes}) cannot relax with the ions fixed; "
            "set free_axes: none for a single point, or let the ions relax"
        )


def relax_in_worker(task: RelaxationTask, advance: Advance) -> Relaxation:
    """Relax in a worker process; one unit of progress when done."""
    relaxation = relax_configuration(task)
    advance()
    return relaxation


def relax_configuration(task: RelaxationTask) -> Relaxation:
    """Relax a configuration, by BFGS on the ions and the logarithm of the free cell deformation.

    A relaxation that was stopped goes on from its last step, with what BFGS had learnt of the curvature.

    Returns
    -------
    Relaxation
        With ``converged`` false when `RelaxationTask.max_steps` was not enough.

    Raises
    ------
    UserInputError
        As `check_relaxation`.
    CalculationError
        If forces or energy become infinite or undefined.
    """
    check_relaxation(task)
    atoms = task.atoms.copy()
    atoms.set_constraint()
    upright = _rotation_to_z(atoms) if task.free_axes == "normal" else np.eye(3)
    in_plane = atoms.cell.array[:2].copy()
    _rotate(atoms, upright)
    atoms.calc = calculator_of(task.level)
    n_steps = _optimise(atoms, task) if task.relax_ions else 0
    max_force, max_stress = _residuals(atoms, task)
    _rotate(atoms, upright.T)
    if task.free_axes == "normal":
        atoms.cell[:2] = in_plane
    label = take_label(
        atoms, physics_hash=task.level.physics_hash, source=task.source, trajectory=f"relaxed {task.source}"
    )
    relaxed = not task.relax_ions or _is_relaxed(max_force, max_stress, task)
    return Relaxation(label, max_force, max_stress, n_steps, relaxed and label.converged)


def _optimise(atoms: Atoms, task: RelaxationTask) -> int:
    """Move the atoms, and the free part of the cell, downhill; return the number of steps."""
    from ase.filters import FrechetCellFilter
    from ase.optimize import BFGS

    moving: Any = atoms
    if task.free_axes != "none":
        scale = np.sqrt(_CELL_STIFFNESS_EV * len(atoms) / _CURVATURE_EV_A2)
        moving = FrechetCellFilter(atoms, mask=_FREE_COMPONENTS[task.free_axes], exp_cell_factor=scale)
    optimiser = BFGS(moving, logfile=None, maxstep=_LONGEST_STEP_A, alpha=_CURVATURE_EV_A2)
    n_before = 0 if task.checkpoint is None else _resume(atoms, optimiser, task.checkpoint)
    with warnings.catch_warnings():
        # Below its own tolerance the filter's matrix logarithm warns of rounding that does not matter here.
        warnings.filterwarnings("ignore", "logm result may be inaccurate")
        for _ in optimiser.irun(fmax=0.0, steps=max(0, task.max_steps - n_before)):
            n_steps = n_before + int(optimiser.nsteps)
            max_force, max_stress = _residuals(atoms, task)
            if not np.isfinite([max_force, max_stress, atoms.get_potential_energy()]).all():
                raise CalculationError(
                    f"{task.source}: energy or forces are not finite after {n_steps} steps of relaxation; "
                    "look at the starting structure: atoms may lie on top of one another"
                )
            if _is_relaxed(max_force, max_stress, task):
                break
            if task.checkpoint is not None:
                _store(atoms, optimiser, n_steps, task.checkpoint)
    return n_before + int(optimiser.nsteps)


def _store(atoms: Atoms, optimiser: BFGS, n_steps: int, path: Path) -> None:
    """Store where a relaxation is and what its optimiser knows of the curvature."""
    arrays = {"positions": atoms.positions, "cell": atoms.cell.array, "n_steps": np.array(n_steps)}
    if optimiser.state is not None:
        arrays |= {"hessian": optimiser.H, "last_position": optimiser.pos0, "last_force": optimiser.forces0}
    save_arrays(path, arrays)


def _resume(atoms: Atoms, optimiser: BFGS, path: Path) -> int:
    """Put atoms and optimiser where a stopped relaxation was, and return how many steps it had done."""
    stored = load_arrays(path)
    if stored is None:
        return 0
    atoms.set_cell(stored["cell"], scale_atoms=False)
    atoms.positions = stored["positions"]
    if "hessian" in stored:
        optimiser.H0, optimiser.pos0, optimiser.forces0 = (
            stored[name] for name in ("hessian", "last_position", "last_force")
        )
        optimiser.update(optimiser.pos0, optimiser.forces0, None, None)  # takes H0 as it is
    return int(stored["n_steps"])


def residuals_of(
    forces_eV_A: NDArray[np.float64], stress_eV_A3: NDArray[np.float64], free_axes: FreeAxes
) -> tuple[float, float]:
    """Return the largest force, eV/Å, and the largest free stress component, eV/Å3.

    Parameters
    ----------
    forces_eV_A
        Forces, shape (n_atoms, 3), eV/Å.
    stress_eV_A3
        Stress, Voigt order, shape (6,), eV/Å3, in axes whose third is the normal of the first two cell vectors.
    free_axes
        Cell components that may relax.
    """
    max_force = float(np.linalg.norm(forces_eV_A, axis=1).max())
    if free_axes == "none":
        return max_force, 0.0
    free = np.array(_FREE_COMPONENTS[free_axes], dtype=bool)
    return max_force, float(np.abs(stress_eV_A3[free]).max())


def is_relaxed(max_force_eV_A: float, max_stress_eV_A3: float, force_tolerance_eV_A: float) -> bool:
    """Tell whether a relaxation is within the tolerances of forces and of stress."""
    return max_force_eV_A <= force_tolerance_eV_A and max_stress_eV_A3 <= STRESS_TOLERANCE_EV_A3


def _residuals(atoms: Atoms, task: RelaxationTask) -> tuple[float, float]:
    stress = np.zeros(6) if task.free_axes == "none" else atoms.get_stress()
    return residuals_of(atoms.get_forces(), stress, task.free_axes)


def _is_relaxed(max_force: float, max_stress: float, task: RelaxationTask) -> bool:
    return is_relaxed(max_force, max_stress, task.force_tolerance_eV_A)


def _rotation_to_z(atoms: Atoms) -> NDArray[np.float64]:
    """Return the proper rotation, shape (3, 3), that takes the normal of the first two cell vectors to z."""
    a, b, _ = atoms.cell.array
    z = np.cross(a, b) / np.linalg.norm(np.cross(a, b))
    x = a / np.linalg.norm(a)
    return np.array([x, np.cross(z, x), z])


def _rotate(atoms: Atoms, rotation: NDArray[np.float64]) -> None:
    """Rotate cell and positions."""
    atoms.set_cell(atoms.cell.array @ rotation.T, scale_atoms=False)
    atoms.positions = atoms.positions @ rotation.T
