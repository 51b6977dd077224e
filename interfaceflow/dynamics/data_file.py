"""Structures into LAMMPS: data files whose atom ids are index + 1."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.data import atomic_masses, atomic_numbers

from interfaceflow.core.errors import UserInputError
from interfaceflow.core.files import write_atomically
from interfaceflow.dynamics.frame import ASE_VELOCITY_TO_A_PER_PS, FloatArray, LammpsFrame
from interfaceflow.dynamics.pair_style import PairStyle


def write_data_file(atoms: Atoms, pair_style: PairStyle, frame: LammpsFrame, path: Path) -> None:
    """Write a structure with its velocities as a LAMMPS data file (units ``metal``, ``atom_style atomic``).

    An atom's id is its index + 1. Atoms outside the cell are wrapped by LAMMPS, which counts their images, so
    unwrapped positions come out as they went in.

    Parameters
    ----------
    atoms
        Structure, periodic in three directions; positions in Å, momenta in ASE's unit.
    pair_style
        Gives the order of types.
    frame
        LAMMPS' frame of this cell.
    path
        File to write.

    Raises
    ------
    UserInputError
        If the structure is empty or not periodic, or has an element that the potential does not know.
    """
    if len(atoms) == 0 or not atoms.pbc.all():
        raise UserInputError(
            f"a structure of {len(atoms)} atoms with periodicity {atoms.pbc.tolist()} was given; "
            "molecular dynamics runs on cells that are periodic in three directions (a slab gets vacuum)"
        )
    cell = frame.cell_to_lammps(atoms.cell.array)
    types = np.array([pair_style.type_of(symbol) for symbol in atoms.symbols])
    ids = np.arange(1, len(atoms) + 1)
    positions = frame.to_lammps(atoms.positions)
    velocities = frame.to_lammps(atoms.get_velocities()) * ASE_VELOCITY_TO_A_PER_PS
    masses = (f"{i} {atomic_masses[atomic_numbers[symbol]]:.6f}" for i, symbol in enumerate(pair_style.elements, 1))
    sections = [
        f"LAMMPS data file of interfaceflow: {atoms.get_chemical_formula()}\n",
        f"{len(atoms)} atoms\n{len(pair_style.elements)} atom types\n",
        _box_lines(cell),
        "Masses\n\n" + "\n".join(masses) + "\n",
        "Atoms # atomic\n\n" + _rows((f"{i} {t}" for i, t in zip(ids, types, strict=True)), positions),
        "Velocities\n\n" + _rows(map(str, ids), velocities),
    ]
    write_atomically(path, "\n".join(sections))


def _box_lines(cell: FloatArray) -> str:
    lengths = "\n".join(f"0.0 {cell[i, i]:.16g} {axis}lo {axis}hi" for i, axis in enumerate("xyz"))
    tilts = cell[1, 0], cell[2, 0], cell[2, 1]
    if max(map(abs, tilts)) < 1e-10:
        return lengths + "\n"
    return lengths + "\n{:.16g} {:.16g} {:.16g} xy xz yz\n".format(*tilts)


def _rows(prefixes: Iterable[str], vectors: FloatArray) -> str:
    rows = zip(prefixes, vectors, strict=True)
    return "".join(f"{prefix} {x:.16g} {y:.16g} {z:.16g}\n" for prefix, (x, y, z) in rows)
