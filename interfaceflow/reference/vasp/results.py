"""What VASP computed, read from its files.

Energies come from vasprun.xml, stress and moments from the OUTCAR, whose "in kB" lines leave the kinetic part out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from ase import Atoms, units
from numpy.typing import NDArray

from interfaceflow.core.errors import CalculationError
from interfaceflow.reference.vasp.files import existing_file, find_file, read_lines, read_potentials, read_vasprun
from interfaceflow.reference.vasp.incar import PHYSICS_TAGS

Array = NDArray[np.float64]

# VASP's kB (0.1 GPa), compressive positive, in ASE's eV/Å3, tension positive.
_EV_A3_PER_KB: Final = -0.1 * units.GPa
# VASP prints xx, yy, zz, xy, yz, zx; Voigt order is xx, yy, zz, yz, xz, xy.
_VOIGT_OF_VASP: Final = [0, 1, 2, 4, 5, 3]
_IN_PLANE_TOLERANCE_A: Final = 1e-4


@dataclass(frozen=True)
class VaspFrame:
    """One configuration of a run and what VASP computed for it.

    Attributes
    ----------
    atoms
        Cell, positions and elements in the order of the POSCAR.
    free_energy_eV
        Energy whose gradient the forces are (``e_fr_energy``), eV.
    energy_eV
        Energy extrapolated to zero smearing (``e_0_energy``), eV.
    forces_eV_A
        Forces, shape (n_atoms, 3), eV/Å.
    stress_eV_A3
        Stress, Voigt order, shape (6,), tension positive, eV/Å3; None where VASP gave none.
    charge_e
        Net charge of the cell, e.
    converged
        Whether the electronic loop met its criterion.
    step
        Number of the frame, from 0, the configuration that went in.
    magnetic_moments
        Moments, shape (n_atoms,), Bohr magnetons; None where there is no spin.
    velocities_A_fs
        Velocities, shape (n_atoms, 3), Å/fs, of the last frame of molecular dynamics.
    """

    atoms: Atoms
    free_energy_eV: float
    energy_eV: float
    forces_eV_A: Array
    stress_eV_A3: Array | None
    charge_e: float
    converged: bool
    step: int
    magnetic_moments: Array | None = None
    velocities_A_fs: Array | None = None


@dataclass(frozen=True)
class _OutcarFrames:
    stresses_eV_A3: list[Array]
    magnetic_moments: list[Array]


def read_vasp_frames(folder: Path) -> list[VaspFrame]:
    """Read all frames of a finished run, in order.

    Parameters
    ----------
    folder
        Folder of the run; its files may be gzipped.

    Raises
    ------
    CalculationError
        If a file is absent or cut short, if the run was not at its level of theory in the end because custodian
        changed a tag that changes labels, or if VASP moved cell vectors that it was asked to keep.
    """
    _check_physics_was_kept(folder)
    vasprun = read_vasprun(folder, electronic=False)
    outcar = _read_outcar(existing_file(folder, "OUTCAR"), len(vasprun.ionic_steps))
    neutral = sum(potential.n_atoms * potential.valence_electrons for potential in read_potentials(folder))
    charge_e = round(neutral - float(vasprun.parameters["NELECT"]), 6)
    most_iterations = int(vasprun.parameters["NELM"])
    frames = [_frame(index, step, outcar, charge_e, most_iterations) for index, step in enumerate(vasprun.ionic_steps)]
    if not frames:
        raise CalculationError(f"{folder}: vasprun.xml holds no ionic step; look at vasp.out there")
    if "LATTICE_CONSTRAINTS" in vasprun.incar:
        _check_plane_was_kept(frames, folder)
    if vasprun.parameters["IBRION"] == 0:
        frames[-1] = _with_velocities(frames[-1], existing_file(folder, "CONTCAR"))
    return frames


def _frame(index: int, step: Any, outcar: _OutcarFrames, charge_e: float, most_iterations: int) -> VaspFrame:
    structure, iterations = step["structure"], step["electronic_steps"]
    # In some releases the e_0_energy of a step lacks what that of its last iteration has, which in turn lacks
    # dispersion: their difference is right in both.
    smearing_part = iterations[-1]["e_0_energy"] - iterations[-1]["e_fr_energy"]
    free_energy = float(step["e_fr_energy"])
    return VaspFrame(
        atoms=Atoms(
            numbers=structure.atomic_numbers,
            cell=structure.lattice.matrix,
            positions=structure.cart_coords,
            pbc=True,
        ),
        free_energy_eV=free_energy,
        energy_eV=free_energy + float(smearing_part),
        forces_eV_A=np.array(step["forces"], dtype=float),
        stress_eV_A3=outcar.stresses_eV_A3[index] if outcar.stresses_eV_A3 else None,
        charge_e=charge_e,
        converged=len(iterations) < most_iterations,
        step=index,
        magnetic_moments=outcar.magnetic_moments[index] if outcar.magnetic_moments else None,
    )


def _read_outcar(path: Path, n_frames: int) -> _OutcarFrames:
    """Return stresses and moments of all frames; empty lists where VASP did not print one for each."""
    stresses: list[Array] = []
    moments: list[Array] = []
    lines = read_lines(path)
    for line in lines:
        if line.startswith("  in kB"):
            kilobar = np.array([float(word) for word in line.split()[2:8]])
            stresses.append(_EV_A3_PER_KB * kilobar[_VOIGT_OF_VASP])
        elif line.startswith(" magnetization (x)"):
            moments.append(_moments_table(lines))
    return _OutcarFrames(
        stresses_eV_A3=stresses if len(stresses) == n_frames else [],
        magnetic_moments=moments if len(moments) == n_frames else [],
    )


def _moments_table(lines: Iterator[str]) -> Array:
    """Read the last column of the table between two ruled lines."""
    moments: list[float] = []
    n_rules = 0
    for line in lines:
        if line.startswith("----"):
            n_rules += 1
            if n_rules == 2:
                break
        elif n_rules == 1:
            moments.append(float(line.split()[-1]))
    return np.array(moments)


def _with_velocities(frame: VaspFrame, contcar: Path) -> VaspFrame:
    """Add the velocities of the CONTCAR, which are half a step to a step later than the last forces."""
    from pymatgen.io.vasp.inputs import Poscar

    velocities = Poscar.from_file(contcar).velocities
    if velocities is None:
        raise CalculationError(f"{contcar}: has no velocities to go on from; the run did not end by itself")
    return replace(frame, velocities_A_fs=np.array(velocities, dtype=float))


def _check_physics_was_kept(folder: Path) -> None:
    """Raise where custodian's corrections left a calculation at another level of theory."""
    from pymatgen.io.vasp.inputs import Incar, Kpoints

    changes = []
    if original := find_file(folder, "INCAR.orig"):
        asked, run = Incar.from_file(original), Incar.from_file(existing_file(folder, "INCAR"))
        changed = sorted(tag for tag in PHYSICS_TAGS if asked.get(tag) != run.get(tag))
        changes += [f"{tag} from {asked.get(tag, 'unset')} to {run.get(tag, 'unset')}" for tag in changed]
    if original := find_file(folder, "KPOINTS.orig"):
        mesh, run_mesh = Kpoints.from_file(original), Kpoints.from_file(existing_file(folder, "KPOINTS"))
        if (mesh.style, mesh.kpts) != (run_mesh.style, run_mesh.kpts):
            changes.append(f"k-points from {mesh.style} {mesh.kpts} to {run_mesh.style} {run_mesh.kpts}")
    if changes:
        raise CalculationError(
            f"{folder}: VASP ran only after custodian changed {', '.join(changes)}, which is another level of theory; "
            "change the level of theory, or the structure"
        )


def _check_plane_was_kept(frames: list[VaspFrame], folder: Path) -> None:
    before, after = frames[0].atoms.cell.array[:2], frames[-1].atoms.cell.array[:2]
    moved = float(np.abs(after - before).max())
    if moved > _IN_PLANE_TOLERANCE_A:
        raise CalculationError(
            f"{folder}: in-plane cell vectors that were to stay moved by {moved:.4f} Å: this VASP does not know "
            "LATTICE_CONSTRAINTS for relaxations; use VASP 6.4 or newer"
        )
