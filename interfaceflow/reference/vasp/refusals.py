"""What is refused, and what is only warned of, before VASP starts."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable
from shutil import which
from typing import Final

import numpy as np
from ase import Atoms

from interfaceflow.core.errors import UserInputError
from interfaceflow.reference.vasp.incar import PHYSICS_TAGS
from interfaceflow.reference.vasp.kpoints import mesh_divisions
from interfaceflow.reference.vasp.slabs import dipole_per_area, formal_charges, is_metallic, vacuum_axes
from interfaceflow.schemas.vasp import (
    BandCurvatureCalculation,
    DosCalculation,
    DynamicsCalculation,
    RelaxCalculation,
    VaspCalculation,
    VaspSettings,
)

# Formal charges moved by 0.3 Å at random, as in a hot slab of 20 atoms on 40 Å2, give less; a polar termination more.
LARGEST_DIPOLE_E_PER_A: Final = 0.05
_NARROWEST_FOR_METALS_EV: Final = 0.05
_WIDEST_FOR_INSULATORS_EV: Final = 0.1
_LEAST_TETRAHEDRON_POINTS: Final = 4
_POTENTIAL_STEP_V_A_PER_E: Final = 180.95
_IN_PLANE_TOLERANCE_A: Final = 1e-6


def check_command(command: str, where: str) -> None:
    """Refuse a command for VASP whose program is not there.

    Parameters
    ----------
    command
        The command line; variables of the environment in it are replaced.
    where
        The setting it comes from, for the message.

    Raises
    ------
    UserInputError
        If there is none, or the program it begins with is not on the path.
    """
    words = shlex.split(os.path.expandvars(command))
    if words and which(words[0]) is not None:
        return
    given = f"{command!r}, which is not on the path" if words else "empty"
    raise UserInputError(
        f"there is no VASP to run: {where} is {given}; set it to the command that starts VASP here, for example "
        "'srun vasp_std' (VASP needs a licence; gpaw-pbe is DFT without one)"
    )


def check_site_tags(tags: Iterable[str], where: str) -> None:
    """Refuse tags that a site adds to every INCAR and that would change labels without changing their hash.

    Parameters
    ----------
    tags
        Names of the tags; those of parallelisation (``NCORE``, ``KPAR``) are what this is for.
    where
        The setting they come from, for the message.

    Raises
    ------
    UserInputError
        If one of them belongs to the level of theory.
    """
    wrong = sorted({"EDIFF", *PHYSICS_TAGS} & set(tags))
    if wrong:
        raise UserInputError(
            f"{where} has {', '.join(wrong)}, which changes labels without changing their hash; remove it there and "
            "set it in a level of theory of your own"
        )


def check_calculation(settings: VaspSettings, calculation: VaspCalculation, atoms: Atoms, source: str) -> list[str]:
    """Refuse a calculation that would give a wrong result.

    Parameters
    ----------
    settings
        The level of theory.
    calculation
        What is to be calculated.
    atoms
        The cell, with ``info["charge_e"]`` where it is charged and ``phase`` labels where it has phases.
    source
        Where it came from, for the messages.

    Returns
    -------
    list of str
        What is doubtful but allowed.

    Raises
    ------
    UserInputError
        If the smearing is wrong for the cell, a polar slab has no dipole correction, a slab is charged, or a cell
        that may only relax along its normal has it off z.
    """
    _check_normal(calculation, atoms, source)
    _check_slab(settings, atoms, source)
    return _check_smearing(settings, calculation, atoms, source)


def _check_smearing(settings: VaspSettings, calculation: VaspCalculation, atoms: Atoms, source: str) -> list[str]:
    method, width = settings.smearing.method, settings.smearing.width_eV
    if method == "tetrahedron":
        _check_tetrahedron(settings, calculation, atoms, source)
        return []
    metallic = is_metallic(atoms)
    if metallic and width < _NARROWEST_FOR_METALS_EV:
        raise UserInputError(
            f"{source}: a smearing of {width:g} eV is too narrow for a metal, whose forces then hang on the k-points; "
            f"take {_NARROWEST_FOR_METALS_EV:g} to 0.2 eV in physics.smearing.width_eV"
        )
    notes = []
    if not metallic and width > _WIDEST_FOR_INSULATORS_EV:
        notes.append(
            f"{source}: a smearing of {width:g} eV is wide for an insulator; {_NARROWEST_FOR_METALS_EV:g} eV would do"
        )
    if not metallic and method == "methfessel-paxton":
        notes.append(f"{source}: methfessel-paxton smearing is meant for metals; gaussian suits insulators too")
    return notes


def _check_tetrahedron(settings: VaspSettings, calculation: VaspCalculation, atoms: Atoms, source: str) -> None:
    axes = vacuum_axes(atoms)
    mesh = mesh_divisions(atoms.cell.array, len(atoms), settings.k_points, axes[0] if len(axes) == 1 else None)
    factor = calculation.mesh_factor if isinstance(calculation, DosCalculation) else 1
    n_points = int(np.prod([n * factor if n > 1 else 1 for n in mesh]))
    if n_points < _LEAST_TETRAHEDRON_POINTS or isinstance(calculation, BandCurvatureCalculation):
        raise UserInputError(
            f"{source}: the tetrahedron method needs a mesh of at least {_LEAST_TETRAHEDRON_POINTS} k-points and no "
            f"others beside it, and this cell has {n_points}; use gaussian smearing"
        )
    if isinstance(calculation, RelaxCalculation | DynamicsCalculation) and is_metallic(atoms):
        raise UserInputError(
            f"{source}: tetrahedron smearing (ISMEAR = -5) gives wrong forces in a metal, by 5 to 10 %, and may not be "
            "used where its atoms move; use gaussian or methfessel-paxton smearing"
        )


def _check_slab(settings: VaspSettings, atoms: Atoms, source: str) -> None:
    axes = vacuum_axes(atoms)
    if len(axes) != 1:
        return
    if float(atoms.info.get("charge_e", 0.0)) != 0:
        raise UserInputError(
            f"{source}: a slab with a net charge has an energy that grows with its vacuum; make it neutral"
        )
    charges = formal_charges(atoms)
    if settings.dipole_correction == "slabs" or charges is None:
        return
    dipole = dipole_per_area(atoms, charges, axes[0])
    if abs(dipole) > LARGEST_DIPOLE_E_PER_A:
        raise UserInputError(
            f"{source}: the slab is polar and its two surfaces differ: formal charges give a dipole of {dipole:+.3f} "
            f"e/Å (allowed: {LARGEST_DIPOLE_E_PER_A:g}), a step of {_POTENTIAL_STEP_V_A_PER_E * dipole:+.0f} V across "
            "the vacuum that acts on its image; build a symmetric or unpolar slab, or set physics.dipole_correction: "
            "slabs"
        )


def _check_normal(calculation: VaspCalculation, atoms: Atoms, source: str) -> None:
    if not isinstance(calculation, RelaxCalculation) or calculation.free_axes != "normal":
        return
    if np.abs(atoms.cell.array[:2, 2]).max() > _IN_PLANE_TOLERANCE_A:
        raise UserInputError(
            f"{source}: VASP relaxes a normal only along z, and the first two cell vectors are not in the xy plane; "
            "turn the cell so that they are"
        )
