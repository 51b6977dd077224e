"""Labels: making them, and telling those one can trust from those one cannot."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np
from ase import Atoms
from ase.calculators.calculator import PropertyNotImplementedError
from ase.data import covalent_radii
from ase.neighborlist import neighbor_list
from numpy.typing import NDArray

from interfaceflow.core.labelled import LabelledConfiguration
from interfaceflow.schemas.datasets import QuarantinedLabel

# A distance below this share of the sum of the covalent radii is no configuration but an accident.
SMALLEST_DISTANCE_SHARE: Final = 0.55
# Largest force on an atom whose nearest neighbour is at the sum of the covalent radii, eV/Å; a heuristic, several
# times what a melt shows. Nearer neighbours allow more, with the sixth power of the ratio.
LARGEST_FORCE_EV_A: Final = 15.0


def take_label(
    atoms: Atoms,
    *,
    physics_hash: str,
    source: str,
    trajectory: str,
    temperature_K: float | None = None,
) -> LabelledConfiguration:
    """Take the label that a configuration's calculator gives it, computing it where that is not done yet.

    Parameters
    ----------
    atoms
        Configuration with a calculator; ``info["charge_e"]`` is the net charge of its cell, e, where it has one. A
        calculator without a free energy has no smearing: its energy is both.
    physics_hash
        SHA-256 of the physics of the calculator's level of theory.
    source
        Where the configuration came from.
    trajectory
        Name of the run it is a frame of.
    temperature_K
        Temperature of that run, K.
    """
    energy = float(atoms.get_potential_energy())
    results = atoms.calc.results
    return LabelledConfiguration(
        atoms=bare_configuration(atoms),
        free_energy_eV=_free_energy(atoms, energy),
        energy_eV=energy,
        forces_eV_A=np.array(atoms.get_forces(apply_constraint=False), dtype=float),
        stress_eV_A3=np.array(atoms.get_stress(apply_constraint=False), dtype=float),
        physics_hash=physics_hash,
        source=source,
        trajectory=trajectory,
        temperature_K=temperature_K,
        charge_e=float(atoms.info.get("charge_e", 0.0)),
        converged=bool(results.get("converged", True)),
        magnetic_moments=_per_atom(results.get("magmoms")),
        atomic_charges_e=_per_atom(results.get("charges")),
    )


def bare_configuration(atoms: Atoms) -> Atoms:
    """Return a copy with cell, elements, positions and label arrays, and nothing of how it was computed."""
    bare: Atoms = atoms.copy()
    bare.set_constraint()
    bare.info = {}
    for name in ("momenta", "initial_magmoms", "initial_charges"):
        bare.arrays.pop(name, None)
    return bare


def _free_energy(atoms: Atoms, energy: float) -> float:
    try:
        return float(atoms.get_potential_energy(force_consistent=True))
    except PropertyNotImplementedError:
        return energy


def _per_atom(values: object) -> NDArray[np.float64] | None:
    return None if values is None else np.array(values, dtype=float)


def part_labels(
    labels: Iterable[LabelledConfiguration],
) -> tuple[list[LabelledConfiguration], list[QuarantinedLabel]]:
    """Part the labels one can trust from those one cannot, each of these with its reason; both in order."""
    trusted: list[LabelledConfiguration] = []
    quarantined: list[QuarantinedLabel] = []
    for label in labels:
        reason = reason_to_quarantine(label)
        if reason is None:
            trusted.append(label)
        else:
            quarantined.append(QuarantinedLabel(source=label.source, reason=reason))
    return trusted, quarantined


def reason_to_quarantine(configuration: LabelledConfiguration) -> str | None:
    """Return why a label is not to be trusted, or None where nothing speaks against it.

    A label is refused when its calculation did not converge, when a number is not finite, when atoms are closer than
    `SMALLEST_DISTANCE_SHARE` of the sum of their covalent radii, or when a force is larger than its atom's
    surroundings can explain: `LARGEST_FORCE_EV_A` (radii / distance)^6 at the nearest neighbour.
    """
    if not configuration.converged:
        return "the calculation did not converge"
    energies = np.array([configuration.free_energy_eV, configuration.energy_eV])
    stress = configuration.stress_eV_A3 if configuration.stress_eV_A3 is not None else np.zeros(6)
    if not all(np.isfinite(part).all() for part in (energies, configuration.forces_eV_A, stress)):
        return "energy, forces or stress are not finite numbers"
    too_close = reason_not_to_compute(configuration.atoms)
    if too_close is not None:
        return too_close
    nearest = _nearest_neighbour_ratio(configuration.atoms)
    forces = np.linalg.norm(configuration.forces_eV_A, axis=1)
    limits = LARGEST_FORCE_EV_A * np.maximum(1.0, nearest**-6.0)
    worst = int(np.argmax(forces / limits))
    if forces[worst] > limits[worst]:
        return (
            f"the force on atom {worst} ({configuration.atoms.symbols[worst]}) is {forces[worst]:.1f} eV/Å; with its "
            f"nearest neighbour at {nearest[worst]:.2f} of the sum of the covalent radii, at most "
            f"{limits[worst]:.1f} is believed"
        )
    return None


def reason_not_to_compute(atoms: Atoms) -> str | None:
    """Return why no label of a configuration could be trusted, or None: atoms that nearly lie on one another."""
    nearest = _nearest_neighbour_ratio(atoms)
    closest = int(np.argmin(nearest))
    if nearest[closest] >= SMALLEST_DISTANCE_SHARE:
        return None
    return (
        f"atom {closest} ({atoms.symbols[closest]}) is too close to a neighbour: {nearest[closest]:.2f} of the sum of "
        f"their covalent radii, least allowed {SMALLEST_DISTANCE_SHARE}"
    )


def _nearest_neighbour_ratio(atoms: Atoms) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return each atom's smallest distance over the sum of the covalent radii, at most 1.5; shape (n_atoms,)."""
    radii = covalent_radii[atoms.numbers]
    centre, neighbour, distance = neighbor_list("ijd", atoms, 1.5 * radii)
    ratios = np.full(len(atoms), 1.5)
    np.minimum.at(ratios, centre, distance / (radii[centre] + radii[neighbour]))
    return ratios
