"""How far a potential is from the labels of a set, and the report of it that ``mlp check_errors`` prints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from interfaceflow.potentials.mtp._native import Configuration, ConfigurationSet, Potential

FloatArray = NDArray[np.float64]

# MLIP's own factor, so that the report is the same to the last digit.
_EV_PER_A3_TO_GPA = 160.2176487
_WEIGHT_OF_COMPONENT = np.array([1.0, 1.0, 1.0, 2.0, 2.0, 2.0])


@dataclass(frozen=True)
class Deviations:
    """Differences of one quantity, as lengths of vectors or tensors.

    Attributes
    ----------
    differences
        |potential - label|, shape (n,).
    magnitudes
        |label|, shape (n,).
    """

    differences: FloatArray
    magnitudes: FloatArray

    @property
    def count(self) -> int:
        """How many were compared."""
        return len(self.differences)

    @property
    def largest(self) -> float:
        """Largest difference; 0 of none."""
        return float(self.differences.max(initial=0.0))

    @property
    def average(self) -> float:
        """Mean difference; 0 of none."""
        return float(self.differences.mean()) if self.count else 0.0

    @property
    def root_mean_square(self) -> float:
        """Root of the mean squared difference; 0 of none."""
        return float(np.sqrt(np.mean(self.differences**2))) if self.count else 0.0

    @property
    def relative_largest(self) -> float:
        """Largest difference over the largest label."""
        largest = float(self.magnitudes.max(initial=0.0))
        return self.largest / largest if largest > 0 else 0.0

    @property
    def relative_root_mean_square(self) -> float:
        """Root-mean-square difference over root-mean-square label."""
        norm = float(np.sqrt(np.mean(self.magnitudes**2))) if self.count else 0.0
        return self.root_mean_square / norm if norm > 0 else 0.0


@dataclass(frozen=True)
class ErrorReport:
    """Deviations of a potential from the labels of a set.

    Attributes
    ----------
    energy, energy_per_atom
        Of configurations, in eV and eV/atom.
    forces
        Of force vectors (their root mean square is sqrt(3) times that of components), in eV/Å.
    stresses
        Frobenius norm of PlusStress, in eV.
    virials
        Frobenius norm of the stress, in GPa.
    lines
        One line per configuration, for a log.
    """

    energy: Deviations
    energy_per_atom: Deviations
    forces: Deviations
    stresses: Deviations
    virials: Deviations
    lines: tuple[str, ...]

    def text(self) -> str:
        """Return the report in MLIP's layout."""
        blocks = ["_________________Errors report_________________\n"]
        for title, what, deviations, ratio in (
            ("Energy", "configurations", self.energy, None),
            ("Energy per atom", "configurations", self.energy_per_atom, None),
            ("Forces", "atoms", self.forces, "Force"),
            ("Stresses (in energy units)", "configurations", self.stresses, "Stres"),
            ("Virial stresses (in pressure units)", "configurations", self.virials, "Stres"),
        ):
            lines = [
                f"{title}:",
                f"\tErrors checked for {deviations.count} {what}",
                f"\tMaximal absolute difference = {deviations.largest:g}",
                f"\tAverage absolute difference = {deviations.average:g}",
                f"\tRMS     absolute difference = {deviations.root_mean_square:g}",
            ]
            if ratio:
                lines += [
                    f"\tMax({ratio}Diff) / Max({ratio}) = {deviations.relative_largest:g}",
                    f"\tRMS({ratio}Diff) / RMS({ratio}) = {deviations.relative_root_mean_square:g}",
                ]
            blocks.append("\n".join(lines) + "\n")
        return "\n".join(blocks).replace("_\n\n", "_\n", 1) + "_" * 47 + "\n"


def _frobenius(tensors: FloatArray) -> FloatArray:
    """Return the norm over all nine components of symmetric tensors in Voigt order, shape (n,)."""
    return np.asarray(np.sqrt((tensors**2) @ _WEIGHT_OF_COMPONENT), dtype=float)


def check_errors(potential: Potential, configurations: Sequence[Configuration], *, n_threads: int = 1) -> ErrorReport:
    """Compare a potential with the labels of a set; what is not labelled is not compared.

    Parameters
    ----------
    potential
        What to test.
    configurations
        With energies, forces or stresses.
    n_threads
        Threads to use.
    """
    occupied = [configuration for configuration in configurations if len(configuration)]
    atoms = ConfigurationSet.of(occupied, potential.max_dist)
    found = atoms.evaluate(potential, n_threads=n_threads)
    energies: list[tuple[float, float, int]] = []
    forces: list[tuple[FloatArray, FloatArray]] = []
    stresses: list[tuple[float, float, float]] = []
    lines: list[str] = []
    for index, configuration in enumerate(occupied):
        start, stop = int(atoms.offsets[index]), int(atoms.offsets[index + 1])
        words = [f"Errors: cfg# {index + 1}", f"#atoms: {stop - start}"]
        if configuration.energy is not None:
            difference = float(found.energies[index]) - configuration.energy
            energies.append((abs(difference), abs(configuration.energy), stop - start))
            words += [f"Diff(ene):{difference:g}", f"Diff(epa):{abs(difference) / (stop - start):g}"]
        if configuration.forces is not None:
            lengths = np.linalg.norm(found.forces[start:stop] - configuration.forces, axis=1)
            forces.append((lengths, np.linalg.norm(configuration.forces, axis=1)))
            words += [f"RMS(force): {np.sqrt(np.mean(lengths**2)):g}", f"MAX(force): {lengths.max():g}"]
        if configuration.plus_stress is not None:
            both = np.stack([found.plus_stresses[index] - configuration.plus_stress, configuration.plus_stress])
            difference, magnitude = _frobenius(both).tolist()
            stresses.append((difference, magnitude, abs(float(np.linalg.det(configuration.cell)))))
            words.append(f"Diff(stress): {difference:g}")
        lines.append("\t".join(words))
    energy_table = np.array(energies).reshape(-1, 3)
    stress_table = np.array(stresses).reshape(-1, 3)
    of_crystals = stress_table[stress_table[:, 2] > 0]
    to_gpa = _EV_PER_A3_TO_GPA / of_crystals[:, 2]
    return ErrorReport(
        energy=Deviations(energy_table[:, 0], energy_table[:, 1]),
        energy_per_atom=Deviations(energy_table[:, 0] / energy_table[:, 2], energy_table[:, 1] / energy_table[:, 2]),
        forces=Deviations(
            np.concatenate([lengths for lengths, _ in forces] or [np.zeros(0)]),
            np.concatenate([magnitudes for _, magnitudes in forces] or [np.zeros(0)]),
        ),
        stresses=Deviations(stress_table[:, 0], stress_table[:, 1]),
        virials=Deviations(of_crystals[:, 0] * to_gpa, of_crystals[:, 1] * to_gpa),
        lines=tuple(lines),
    )
