"""Surface, interface and adhesion energies, in J/m2, from total energies in eV and areas in Å2.

The definitions are those of Wang, Panchal, Sai Gautam and Canepa (doi:10.48550/arXiv.2205.01264, equations 1
to 5), after Butler, Sai Gautam and Canepa (doi:10.1038/s41524-019-0160-9).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from interfaceflow.core.errors import CalculationError
from interfaceflow.core.units import EV_PER_A2_TO_J_PER_M2

CONVERGED_J_M2 = 0.01
"""Surface energies are converged when they agree to this."""


@dataclass(frozen=True)
class SurfaceEnergyFit:
    """A surface energy from a series of slabs.

    Attributes
    ----------
    surface_energy_J_m2
        Intercept of the linear fit over thicknesses [J/m2].
    error_J_m2
        Half the spread of the estimates that the same data allow [J/m2].
    converged
        Whether the error is at most 0.01 J/m2.
    """

    surface_energy_J_m2: float
    error_J_m2: float
    converged: bool


def fit_surface_energy(
    slab_energies_eV: Sequence[float],
    formula_units: Sequence[int],
    area_A2: float,
    bulk_energy_eV: float,
) -> SurfaceEnergyFit:
    r"""Fit the energy of slabs against their thickness: the intercept is twice the surface energy.

    .. math:: E_\mathrm{slab}(N) = 2 S \gamma + N E_\mathrm{bulk}

    The slope stands for the bulk energy (Fiorentini and Methfessel, doi:10.1088/0953-8984/8/36/005), so that
    an error of the bulk energy does not grow with thickness. How far the intercepts of neighbouring
    thicknesses, and the thickest slab against the bulk energy itself, differ is the error.

    Parameters
    ----------
    slab_energies_eV
        Energies of slabs with two equal surfaces, shape (n,) [eV].
    formula_units
        Formula units of each slab, shape (n,).
    area_A2
        Area of one surface, S [Å2].
    bulk_energy_eV
        Energy of the bulk, per formula unit [eV].

    Raises
    ------
    CalculationError
        If there are fewer than two thicknesses.
    """
    units = np.asarray(formula_units, dtype=float)
    energies = np.asarray(slab_energies_eV, dtype=float)
    if len(np.unique(units)) < 2:
        raise CalculationError(f"a surface energy needs slabs of at least two thicknesses, got {len(np.unique(units))}")
    order = np.argsort(units)
    units, energies = units[order], energies[order]
    to_surface_energy = EV_PER_A2_TO_J_PER_M2 / (2 * area_A2)
    intercept = float(np.polyfit(units, energies, 1)[1])
    estimates = [(energies[-1] - units[-1] * bulk_energy_eV) * to_surface_energy]
    for thin, thick in pairwise(range(len(units))):
        slope = (energies[thick] - energies[thin]) / (units[thick] - units[thin])
        estimates.append((energies[thick] - slope * units[thick]) * to_surface_energy)
    error = (max(estimates) - min(estimates)) / 2
    return SurfaceEnergyFit(
        surface_energy_J_m2=intercept * to_surface_energy,
        error_J_m2=float(error),
        converged=bool(error <= CONVERGED_J_M2),
    )


def compute_interface_energy(
    interface_energy_eV: float, reference_energies_eV: Sequence[float], area_A2: float, n_interfaces: int
) -> float:
    r"""Compute the energy of an interface over its references, per area.

    .. math:: (E_{AB} - \sum_i E_i) / (n S)

    With free bulk references :math:`N_A E_A` and :math:`N_B E_B` this is the interface formation energy
    :math:`E_f` (equation 2). With references relaxed along the normal at the in-plane vectors of the relaxed
    interface cell, :math:`N_A E_A(z)` and :math:`N_B E_B(z)`, it is the interfacial energy :math:`\sigma`
    (equation 3), and :math:`E_f - \sigma` is the elastic part.

    Parameters
    ----------
    interface_energy_eV
        Energy of the interface cell [eV].
    reference_energies_eV
        Energies of its two parts, for the same numbers of formula units [eV].
    area_A2
        Area S of one interface [Å2].
    n_interfaces
        Number n of interfaces in the cell.

    Returns
    -------
    float
        The energy [J/m2].
    """
    return (interface_energy_eV - sum(reference_energies_eV)) / (n_interfaces * area_A2) * EV_PER_A2_TO_J_PER_M2


def compute_work_of_adhesion(
    metal_surface_energy_J_m2: float, binary_surface_energy_J_m2: float, interface_energy_J_m2: float
) -> float:
    r"""Compute the work of adhesion [J/m2].

    .. math:: W = \gamma_A + \gamma_B - \sigma

    (equation 4); with :math:`E_f` in the place of :math:`\sigma`, equation 5.

    Parameters
    ----------
    metal_surface_energy_J_m2, binary_surface_energy_J_m2
        Surface energies [J/m2].
    interface_energy_J_m2
        Interfacial energy, or interface formation energy [J/m2].
    """
    return metal_surface_energy_J_m2 + binary_surface_energy_J_m2 - interface_energy_J_m2


def compute_work_of_separation(
    interface_energy_eV: float, slab_energies_eV: Sequence[float], area_A2: float, n_interfaces: int
) -> float:
    r"""Compute the work to part an interface cell into its slabs, atoms held [J/m2].

    .. math:: W_\mathrm{sep} = (E_A^\mathrm{slab} + E_B^\mathrm{slab} - E_{AB}) / (n S)

    Parameters
    ----------
    interface_energy_eV
        Energy of the interface cell [eV].
    slab_energies_eV
        Energies of its two slabs, alone in the same in-plane cell [eV].
    area_A2
        Area S of one interface [Å2].
    n_interfaces
        Number n of interfaces in the cell.
    """
    return -compute_interface_energy(interface_energy_eV, slab_energies_eV, area_A2, n_interfaces)


def resists_voids(work_of_adhesion_J_m2: float, metal_surface_energy_J_m2: float) -> bool:
    """Tell whether parting the interface costs more than opening the metal itself: W > 2 gamma."""
    return work_of_adhesion_J_m2 > 2 * metal_surface_energy_J_m2
