"""What CP2K wrote: energies, forces and stress of every force evaluation, and the path of the atoms."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from interfaceflow.core.errors import CalculationError
from interfaceflow.core.units import (
    ATOMIC_TIME_TO_FS,
    BOHR_TO_A,
    EV_PER_A3_TO_GPA,
    HARTREE_TO_EV,
)

Array = NDArray[np.float64]

_NUMBER: Final = r"[-+]?\d+\.\d*(?:[ED][-+]?\d+)?"
_THREE: Final = rf"({_NUMBER})\s+({_NUMBER})\s+({_NUMBER})"
_ENERGY: Final = re.compile(rf"ENERGY\| Total FORCE_EVAL \( \w+ \) energy \[[^\]]*\]:?\s+({_NUMBER})")
_ENTROPY: Final = re.compile(rf"Electronic entropic energy:\s+({_NUMBER})")
# Up to 2023.1 a table of its own, later lines that begin with FORCES|.
_FORCE: Final = re.compile(rf"^ +\d+ +\d+ +[A-Z][a-z]? +{_THREE} *$|^ FORCES\| +\d+ +{_THREE}", re.MULTILINE)
_STRESS_UNIT: Final = re.compile(r"STRESS\| Analytical stress tensor \[(\w+)\]")
_STRESS_ROW: Final = re.compile(rf"STRESS\| +[xyz] +{_THREE} *$", re.MULTILINE)
_GPA: Final = {"GPa": 1.0, "bar": 1.0e-4}
_FRAME_NUMBER: Final = re.compile(r"\bi = +(\d+)")


@dataclass(frozen=True)
class Evaluation:
    """What one force evaluation gave; atoms in the order of the input.

    Attributes
    ----------
    free_energy_eV
        Energy with the entropy of the smeared electrons, whose gradient the forces are, eV.
    energy_eV
        Energy extrapolated to zero smearing, the mean of the energies with and without the entropy term, eV:
        Gillan, J. Phys.: Condens. Matter 1, 689 (1989), doi:10.1088/0953-8984/1/4/005.
    forces_eV_A
        Forces, shape (n_atoms, 3), eV/Å.
    stress_eV_A3
        Stress in Voigt order (xx, yy, zz, yz, xz, xy), shape (6,), tension positive, eV/Å3.
    magnetic_moments
        Mulliken spin moments, shape (n_atoms,), Bohr magnetons; None without spin polarisation.
    atomic_charges_e
        Mulliken charges, shape (n_atoms,), e.
    converged
        Whether the electronic loop converged.
    """

    free_energy_eV: float
    energy_eV: float
    forces_eV_A: Array
    stress_eV_A3: Array
    magnetic_moments: Array | None
    atomic_charges_e: Array | None
    converged: bool


@dataclass(frozen=True)
class Path3D:
    """Vectors of all atoms along a run.

    Attributes
    ----------
    steps
        Step of each frame, shape (n_frames,).
    vectors
        Shape (n_frames, n_atoms, 3), in the file's unit.
    """

    steps: NDArray[np.int64]
    vectors: Array


def read_evaluations(output: Path) -> list[Evaluation]:
    """Read every force evaluation of a calculation that came to its end.

    Parameters
    ----------
    output
        CP2K's standard output.

    Raises
    ------
    CalculationError
        If CP2K stopped early, or an evaluation lacks energy, forces or stress.
    """
    text = _read(output)
    if "PROGRAM ENDED AT" not in text:
        raise CalculationError(f"{output}: CP2K did not come to its end; its last words: {_last_words(text)}")
    blocks = text.split("SCF WAVEFUNCTION OPTIMIZATION")[1:]
    if not blocks:
        raise CalculationError(f"{output}: CP2K evaluated no energy")
    return [_read_evaluation(block, f"{output}, evaluation {number}") for number, block in enumerate(blocks, start=1)]


def count_evaluations(output: Path) -> int:
    """Return how many force evaluations a calculation, which may still run, has finished."""
    return len(_ENERGY.findall(_read(output)))


def read_path(file: Path) -> Path3D:
    """Read a trajectory of positions or velocities, an XYZ file whose comments hold ``i = STEP``.

    Raises
    ------
    CalculationError
        If the file is absent or cut off.
    """
    lines = _read(file).splitlines()
    try:
        n_atoms = int(lines[0])
        frames = [lines[first : first + n_atoms + 2] for first in range(0, len(lines), n_atoms + 2)]
        steps = [int(_FRAME_NUMBER.search(frame[1])[1]) for frame in frames]  # type: ignore[index]
        vectors = np.array([[line.split()[1:4] for line in frame[2:]] for frame in frames], dtype=float)
        return Path3D(np.array(steps), vectors.reshape(len(frames), n_atoms, 3))
    except (IndexError, ValueError, TypeError) as error:
        raise CalculationError(f"{file}: not a whole trajectory ({error})") from error


def read_velocities(file: Path) -> Path3D:
    """Read a trajectory of velocities, which CP2K writes in atomic units, as Å/fs."""
    path = read_path(file)
    return Path3D(path.steps, path.vectors * BOHR_TO_A / ATOMIC_TIME_TO_FS)


def read_last_cell(file: Path) -> Array:
    """Return the last cell of a run, rows are vectors, shape (3, 3), Å.

    Raises
    ------
    CalculationError
        If the file is absent or cut off.
    """
    try:
        return np.array(_read(file).splitlines()[-1].split()[2:11], dtype=float).reshape(3, 3)
    except (IndexError, ValueError) as error:
        raise CalculationError(f"{file}: holds no cell ({error})") from error


def _read_evaluation(block: str, where: str) -> Evaluation:
    energy, unit, rows = _ENERGY.search(block), _STRESS_UNIT.search(block), _STRESS_ROW.findall(block)[:3]
    forces = np.array([[x for x in match if x] for match in _FORCE.findall(block)], dtype=float)
    if energy is None or unit is None or len(rows) != 3 or forces.ndim != 2:
        raise CalculationError(f"{where}: CP2K printed no energy, no forces or no stress")
    entropy = _ENTROPY.search(block)
    free_energy = float(energy[1]) * HARTREE_TO_EV
    # CP2K's own sign is that of a pressure.
    stress = -np.array(rows, dtype=float) * _GPA[unit[1]] / EV_PER_A3_TO_GPA
    charges, moments = _read_populations(block)
    return Evaluation(
        free_energy_eV=free_energy,
        energy_eV=free_energy - (0.5 * float(entropy[1]) * HARTREE_TO_EV if entropy else 0.0),
        forces_eV_A=forces * HARTREE_TO_EV / BOHR_TO_A,
        stress_eV_A3=stress[[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]],
        magnetic_moments=moments,
        atomic_charges_e=charges,
        converged="SCF run converged" in block,
    )


def _read_populations(block: str) -> tuple[Array | None, Array | None]:
    """Return Mulliken's charges and, where there are two spins, moments of the atoms."""
    table = block.partition("Mulliken Population Analysis")[2].partition("# Total charge")[0]
    rows = [words for line in table.splitlines() if (words := line.split()) and words[0].isdigit()]
    if not rows:
        return None, None
    if "Spin moment" not in table:
        return np.array([row[-1] for row in rows], dtype=float), None
    return np.array([row[-2] for row in rows], dtype=float), np.array([row[-1] for row in rows], dtype=float)


def _read(file: Path) -> str:
    try:
        return file.read_text(errors="replace")
    except OSError as error:
        raise CalculationError(f"{file}: cannot be read ({error.strerror})") from error


def _last_words(text: str) -> str:
    """Return the message of CP2K's abort, or its last line."""
    lines = [line.strip(" *|-") for line in text.splitlines()]
    aborts = [number for number, line in enumerate(lines) if line.startswith("[ABORT]")]
    if aborts:
        # The message stands beside an ASCII stop sign, in the lines after.
        words = [re.sub(r"^[\\_/ |O()]+", "", line) for line in lines[aborts[-1] + 1 : aborts[-1] + 8]]
        return " ".join(word for word in words if word)
    return next((line for line in reversed(lines) if line), "none")
