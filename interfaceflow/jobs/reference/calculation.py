"""One reference calculation by an atomate2 Maker, in a folder of its own.

What all engines have in common is here: the order of the atoms, their labels, and what becomes of a failure.
"""

from __future__ import annotations

import contextlib
import errno
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from ase import Atoms, units
from numpy.typing import NDArray

from interfaceflow.core.errors import CalculationError, UserInputError
from interfaceflow.core.labelled import LabelledConfiguration
from interfaceflow.jobs.reference.makers import Frame, ReferenceMakers
from interfaceflow.reference.labels import bare_configuration
from interfaceflow.schemas.level_of_theory import LevelOfTheory

if TYPE_CHECKING:
    from jobflow.core.maker import Maker
    from pymatgen.core.structure import Structure

CALCULATION_FOLDER: Final = "calculation"
# A machine that cannot go on: nothing is wrong with the configuration.
_OF_THE_MACHINE: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.ENOMEM})


def calculate(
    makers: ReferenceMakers, maker: Maker, atoms: Atoms, folder: Path, previous: Path | None = None
) -> list[Frame]:
    """Run a calculation and return its frames, with the atoms in the order, and near the places, of the input.

    Parameters
    ----------
    makers
        The engine, which reads what the Maker left.
    maker
        Does the calculation.
    atoms
        Configuration to compute, with velocities for dynamics; ``info["charge_e"]`` is its net charge, e.
    folder
        Folder for the program's files; what an earlier start of the job left there is removed.
    previous
        The folder of the segment before.

    Raises
    ------
    CalculationError
        If the program, or custodian, gave up, or what it left cannot be read.
    OSError
        If the machine failed: no room, no permission.
    """
    structure, order = to_structure(atoms)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        with contextlib.chdir(folder):
            _make(maker, structure, previous)
        frames = makers.read_frames(folder)
    except (CalculationError, UserInputError, ImportError):
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno in _OF_THE_MACHINE:
            raise
        raise CalculationError(_explain(error, makers, folder)) from error
    if not frames:
        raise CalculationError(f"{folder}: the calculation left no configuration")
    return [_like(frame, atoms, order) for frame in frames]


def to_structure(atoms: Atoms) -> tuple[Structure, NDArray[np.intp]]:
    """Return a configuration as a pymatgen structure sorted by species, as input generators sort.

    Returns
    -------
    tuple
        The structure, with ``charge`` and, where the atoms move, the site property ``velocities`` in Å/fs; and for
        each of its sites the index of the atom, shape (n_atoms,).
    """
    from pymatgen.core.structure import Structure

    species = [str(symbol) for symbol in atoms.symbols]
    unsorted = Structure(atoms.cell.array, species, atoms.get_scaled_positions(wrap=False))
    order = np.array(sorted(range(len(atoms)), key=unsorted.sites.__getitem__))
    moving = atoms.has("momenta")
    velocities = atoms.get_velocities()[order] * units.fs
    structure = Structure(
        atoms.cell.array,
        [species[index] for index in order],
        unsorted.frac_coords[order],
        charge=float(atoms.info.get("charge_e", 0.0)),
        site_properties={"velocities": velocities.tolist()} if moving else None,
    )
    return structure, order


def label_of(
    frame: Frame,
    atoms: Atoms,
    level: LevelOfTheory,
    *,
    source: str,
    trajectory: str,
    temperature_K: float | None = None,
) -> LabelledConfiguration:
    """Return a frame as a labelled configuration.

    Parameters
    ----------
    frame
        As `calculate` returns it.
    atoms
        The configuration that was computed, whose label arrays the frame's atoms get.
    level
        Level of theory.
    source, trajectory, temperature_K
        As in `LabelledConfiguration`.
    """
    labelled = bare_configuration(atoms)
    labelled.set_cell(frame.atoms.cell)
    labelled.positions = frame.atoms.positions
    return LabelledConfiguration(
        atoms=labelled,
        free_energy_eV=frame.free_energy_eV,
        energy_eV=frame.energy_eV,
        forces_eV_A=frame.forces_eV_A,
        stress_eV_A3=frame.stress_eV_A3,
        physics_hash=level.physics_hash,
        source=source,
        trajectory=trajectory,
        temperature_K=temperature_K,
        charge_e=frame.charge_e,
        converged=frame.converged,
        magnetic_moments=frame.magnetic_moments,
        atomic_charges_e=frame.atomic_charges_e,
    )


def turn(frame: Frame, rotation: NDArray[np.float64]) -> Frame:
    """Return a frame in turned axes: every vector v becomes v @ rotation, shape (3, 3)."""
    atoms = frame.atoms.copy()
    atoms.set_cell(atoms.cell.array @ rotation)
    atoms.positions = frame.atoms.positions @ rotation
    stress = None if frame.stress_eV_A3 is None else _voigt(rotation.T @ _full(frame.stress_eV_A3) @ rotation)
    velocities = None if frame.velocities_A_fs is None else frame.velocities_A_fs @ rotation
    return replace(
        frame,
        atoms=atoms,
        forces_eV_A=frame.forces_eV_A @ rotation,
        stress_eV_A3=stress,
        velocities_A_fs=velocities,
    )


def _make(maker: Maker, structure: Structure, previous: Path | None) -> None:
    """Call what is inside a Maker's job, as jobflow does, since this is a job already."""
    make = maker.make
    if hasattr(make, "original"):
        make.original(maker, structure, prev_dir=previous)
    else:
        make(structure, prev_dir=previous)


def _like(frame: Frame, atoms: Atoms, order: NDArray[np.intp]) -> Frame:
    """Put a frame's atoms into the order of the input, each at the periodic image nearest to where it was."""
    if len(frame.atoms) != len(atoms) or (frame.atoms.numbers != atoms.numbers[order]).any():
        raise CalculationError(
            f"the program computed {frame.atoms.get_chemical_formula()} in an order of its own, and "
            f"{atoms.get_chemical_formula()} sorted by species was asked for"
        )
    place = np.argsort(order)
    sorted_atoms = frame.atoms[place]
    moved = sorted_atoms.get_scaled_positions(wrap=False) - atoms.get_scaled_positions(wrap=False)
    sorted_atoms.positions -= np.round(moved) @ sorted_atoms.cell.array
    return replace(
        frame,
        atoms=sorted_atoms,
        forces_eV_A=frame.forces_eV_A[place],
        magnetic_moments=_placed(frame.magnetic_moments, place),
        atomic_charges_e=_placed(frame.atomic_charges_e, place),
        velocities_A_fs=_placed(frame.velocities_A_fs, place),
    )


def _placed(values: NDArray[np.float64] | None, place: NDArray[np.intp]) -> NDArray[np.float64] | None:
    return None if values is None else values[place]


def _explain(error: Exception, makers: ReferenceMakers, folder: Path) -> str:
    """Put a failure into a sentence, with what the program's own files say about it."""
    lines = str(error).splitlines()
    reason = f"{type(error).__name__}{f': {lines[0]}' if lines else ''}"
    try:
        makers.read_frames(folder)
    except CalculationError as finding:
        return f"{reason}; {finding}"
    except Exception:
        return reason
    return reason


def _full(voigt: NDArray[np.float64]) -> NDArray[np.float64]:
    return voigt[[[0, 5, 4], [5, 1, 3], [4, 3, 2]]]


def _voigt(full: NDArray[np.float64]) -> NDArray[np.float64]:
    return full[[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]]
