"""What an engine gives whose calculations run as atomate2 jobs: VASP, CP2K.

Such an engine writes input files, runs a program under custodian and reads what it wrote. It has a module in this
package with a class that fulfils `ReferenceMakers`, and an entry in `_MAKERS`. Everything else is the same for all of
them and is done in `interfaceflow.jobs.reference.calculation`: one job for each calculation, each in a folder of its
own; the order of the atoms, their labels, provenance; and quarantine of what failed.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol, cast

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from interfaceflow.reference.engines import engine_of
from interfaceflow.reference.engines.engine import check_request
from interfaceflow.schemas.level_of_theory import LevelOfTheory
from interfaceflow.schemas.structures import FreeAxes

if TYPE_CHECKING:
    from jobflow.core.maker import Maker

Array = NDArray[np.float64]

# Module of this package and class in it, by engine. The class is made from a level of theory alone.
_MAKERS: Final = {
    "cp2k": ("cp2k", "Cp2kMakers"),
    "vasp": ("vasp", "VaspMakers"),
}


@dataclass(frozen=True)
class Segment:
    """A piece of reference molecular dynamics that one calculation does: Langevin dynamics at constant volume.

    Attributes
    ----------
    temperature_K
        Temperature, K.
    timestep_fs
        Time step, fs.
    n_steps
        Steps of this segment.
    sample_every
        A frame is needed every so many steps, the first after as many; more may be given, see `Frame.step`.
    friction_per_fs
        Friction of the thermostat, 1/fs.
    seed
        Seed of the thermostat's random numbers; each segment has its own.
    """

    temperature_K: float
    timestep_fs: float
    n_steps: int
    sample_every: int
    friction_per_fs: float
    seed: int


@dataclass(frozen=True)
class Frame:
    """One configuration of a calculation with what the program computed for it.

    Attributes
    ----------
    atoms
        Cell, positions and elements, in the order of the program's files, without a calculator. Cell and positions
        are in the frame of reference of the structure that the Maker was given.
    free_energy_eV
        Energy whose gradient the forces are, eV.
    energy_eV
        Energy extrapolated to zero smearing, eV.
    forces_eV_A
        Forces, shape (n_atoms, 3), eV/Å, of free atoms: selective dynamics, a fixed centre of mass and the like not
        taken off.
    stress_eV_A3
        Stress, Voigt order (xx, yy, zz, yz, xz, xy), shape (6,), tension positive as in ASE, eV/Å3, without the
        kinetic part; None where the calculation gives none.
    charge_e
        Net charge of the cell, e.
    converged
        Whether the electronic loop of this frame met its criterion.
    step
        Number of the frame: 0 for the configuration that went in, n after n steps of ions or of dynamics.
    magnetic_moments
        Moments, shape (n_atoms,), Bohr magnetons; None where there is no spin.
    atomic_charges_e
        Charges of the atoms by the program's own population analysis, shape (n_atoms,), e; None where it gives none.
    velocities_A_fs
        Velocities, shape (n_atoms, 3), Å/fs. Needed of the last frame of a segment, from which the next one goes on.
    """

    atoms: Atoms
    free_energy_eV: float
    energy_eV: float
    forces_eV_A: Array
    stress_eV_A3: Array | None
    charge_e: float = 0.0
    converged: bool = True
    step: int = 0
    magnetic_moments: Array | None = None
    velocities_A_fs: Array | None = None
    atomic_charges_e: Array | None = None


class ReferenceMakers(Protocol):
    """The calculations of a level of theory as atomate2 Makers.

    A Maker that is returned here makes one job (no Flow): its ``make(structure, prev_dir=None)`` writes the inputs into
    the current folder, runs the program under custodian there, and raises where the result cannot be used.
    The pymatgen structure it is given

    - is sorted as ``Structure.get_sorted_structure()`` sorts, so that a generator that sorts changes nothing;
    - has ``structure.charge`` set to the net charge of the cell;
    - for molecular dynamics, has the site property ``velocities``, in Å/fs, which `pymatgen`'s Poscar writes:
      the Maker starts from them and draws none.

    ``prev_dir`` is the folder of the segment before, or None; a Maker may take a wave function from it, never
    positions.

    What a Maker returns is not looked at and not stored; `read_frames` reads its files. A Maker that gzips its files
    must leave `read_frames` able to find them.
    """

    def __init__(self, level: LevelOfTheory) -> None:
        """Take a level of theory; nothing slow is imported or looked for yet."""

    def check(self, atoms: Atoms, source: str) -> None:
        """Refuse what cannot be computed, before anything is: no command, no pseudopotential or basis of an element.

        Elements, charge and periodicity have been checked against the engine's entry in
        `interfaceflow.reference.engines` already.

        Raises
        ------
        UserInputError
            With what was looked for, where, and what to do.
        """

    def static(self) -> Maker:
        """Return the Maker of a single point: energies, forces, stress."""

    def relax(self, free_axes: FreeAxes, force_tolerance_eV_A: float, max_steps: int) -> Maker:
        """Return the Maker of a relaxation of the ions and of the free part of the cell.

        With ``free_axes`` "normal" only the third cell vector's component along z relaxes; the first two vectors of
        the structure it is given lie in the xy plane, the first along x, and have to stay as they are.
        A relaxation that used up ``max_steps`` must not raise: its last frame is taken as not converged.
        """

    def molecular_dynamics(self, segment: Segment) -> Maker:
        """Return the Maker of one segment of molecular dynamics."""

    def read_frames(self, folder: Path) -> list[Frame]:
        """Read the frames of a finished calculation, in order; the last one is that of the final configuration.

        Raises
        ------
        CalculationError
            If the files are absent or cannot be read.
        """


def runs_as_jobs(level: LevelOfTheory) -> bool:
    """Tell whether the calculations of a level of theory run as atomate2 jobs rather than in the worker pool."""
    return level.physics.engine in _MAKERS


def makers_of(level: LevelOfTheory) -> ReferenceMakers:
    """Return the Makers of a level of theory whose engine runs as atomate2 jobs."""
    module, name = _MAKERS[level.physics.engine]
    found = getattr(import_module(f"interfaceflow.jobs.reference.{module}"), name)
    return cast(ReferenceMakers, found(level))


def check_configuration(makers: ReferenceMakers, level: LevelOfTheory, atoms: Atoms, source: str) -> None:
    """Refuse what the engine of a level of theory, or its program here, cannot compute; before any job is made.

    Raises
    ------
    UserInputError
        As `interfaceflow.reference.engines.engine.check_request` and `ReferenceMakers.check`.
    """
    check_request(engine_of(level), atoms, source)
    makers.check(atoms, source)
