"""Jobs that turn relaxed energies into surface, interface and adhesion energies."""

from __future__ import annotations

from collections.abc import Sequence
from math import hypot
from typing import TypeVar

import numpy as np
from jobflow.core.job import job

from interfaceflow.analysis.energetics import (
    compute_interface_energy,
    compute_work_of_adhesion,
    compute_work_of_separation,
    fit_surface_energy,
    resists_voids,
)
from interfaceflow.core.errors import CalculationError
from interfaceflow.jobs.workspace import Workspace, load_structure
from interfaceflow.schemas.energetics import EnergeticsDoc, SurfaceEnergyDoc
from interfaceflow.schemas.settings import CrystalSettings
from interfaceflow.schemas.structures import InterfaceDoc, RelaxationDoc
from interfaceflow.structures.crystals import count_formula_units, reduced_formula

DocT = TypeVar("DocT", RelaxationDoc, SurfaceEnergyDoc)
PRETRAINED_LEVELS = ("chgnet",)
LARGE_STRAIN = 0.05


@job
def compute_surface_energy(
    bulk: RelaxationDoc, slabs: list[RelaxationDoc], crystal: CrystalSettings
) -> SurfaceEnergyDoc:
    """Compute a surface energy from relaxed slabs of several thicknesses (equation 1)."""
    workspace = Workspace()
    _refuse_mixed_physics([bulk, *slabs])
    areas = {round(slab.area_A2, 4) for slab in slabs if slab.area_A2 is not None}
    layers = tuple(slab.n_layers for slab in slabs if slab.n_layers is not None)
    if len(areas) != 1 or len(layers) != len(slabs):
        raise CalculationError(f"slabs of one surface share one area and state their layers; got areas {sorted(areas)}")
    fit = fit_surface_energy(
        [slab.energy_eV for slab in slabs],
        [count_formula_units(load_structure(slab.structure)) for slab in slabs],
        areas.pop(),
        _energy_per_formula_unit(bulk),
    )
    return SurfaceEnergyDoc(
        name=bulk.name,
        formula=reduced_formula(load_structure(bulk.structure)),
        miller=crystal.miller,
        surface_energy_J_m2=fit.surface_energy_J_m2,
        surface_energy_error_J_m2=fit.error_J_m2,
        n_layers=layers,
        slab_energies_eV=tuple(slab.energy_eV for slab in slabs),
        converged=fit.converged and all(slab.converged for slab in slabs),
        physics_hash=bulk.physics_hash,
        provenance=workspace.provenance("numpy"),
    )


@job
def compute_energetics(
    interface: InterfaceDoc,
    relaxed: RelaxationDoc,
    metal_bulk: RelaxationDoc,
    binary_bulk: RelaxationDoc,
    strained: list[RelaxationDoc],
    separated: list[RelaxationDoc],
    surface_energies: list[SurfaceEnergyDoc],
) -> EnergeticsDoc:
    """Compute E_f, sigma, the elastic part, W_ad with and without it, and W_sep (equations 2 to 5).

    Parameters
    ----------
    interface, relaxed
        The interface cell as built and as relaxed.
    metal_bulk, binary_bulk
        The freely relaxed crystals.
    strained
        The two crystals at the in-plane vectors of the relaxed interface cell, relaxed along the normal.
    separated
        The two slabs of the relaxed interface cell, alone, ions held.
    surface_energies
        Surface energies of the two crystals.

    Raises
    ------
    CalculationError
        If levels of theory are mixed, or one of the phases is missing among the references.
    """
    workspace = Workspace()
    relaxations = [relaxed, metal_bulk, binary_bulk, *strained, *separated]
    _refuse_mixed_physics([*relaxations, *surface_energies])
    area = _area_of(relaxed)
    units = {"metal": interface.strained_formula_units, "binary": interface.kept_formula_units}

    def over(references: Sequence[RelaxationDoc]) -> float:
        energies = [units[bulk.name] * _energy_per_formula_unit(bulk) for bulk in _one_of_each(references)]
        return compute_interface_energy(relaxed.energy_eV, energies, area, interface.n_interfaces)

    formation, interfacial = over([metal_bulk, binary_bulk]), over(strained)
    gamma = {doc.name: doc for doc in _one_of_each(surface_energies)}
    metal_gamma, binary_gamma = (gamma[name].surface_energy_J_m2 for name in ("metal", "binary"))
    adhesion = compute_work_of_adhesion(metal_gamma, binary_gamma, interfacial)
    return EnergeticsDoc(
        interface_formation_energy_J_m2=formation,
        interfacial_energy_J_m2=interfacial,
        elastic_energy_J_m2=formation - interfacial,
        work_of_adhesion_J_m2=adhesion,
        work_of_adhesion_with_strain_J_m2=compute_work_of_adhesion(metal_gamma, binary_gamma, formation),
        work_of_adhesion_error_J_m2=hypot(*(doc.surface_energy_error_J_m2 for doc in gamma.values())),
        work_of_separation_J_m2=compute_work_of_separation(
            relaxed.energy_eV, [slab.energy_eV for slab in _one_of_each(separated)], area, interface.n_interfaces
        ),
        metal_surface_energy_J_m2=metal_gamma,
        binary_surface_energy_J_m2=binary_gamma,
        resists_voids=resists_voids(adhesion, metal_gamma),
        area_A2=area,
        n_interfaces=interface.n_interfaces,
        level_of_theory=relaxed.level_of_theory,
        physics_hash=relaxed.physics_hash,
        caveats=_caveats(interface, relaxations, surface_energies),
        provenance=workspace.provenance("numpy"),
    )


def _caveats(
    interface: InterfaceDoc, relaxations: list[RelaxationDoc], surface_energies: list[SurfaceEnergyDoc]
) -> tuple[str, ...]:
    """List what a reader must know before quoting the numbers."""
    caveats = [
        "W_ad uses surface energies of unstrained, relaxed slabs; W_sep parts this very cell with its atoms held, "
        "so the two differ by strain and by surface relaxation."
    ]
    level = relaxations[0].level_of_theory
    if level in PRETRAINED_LEVELS:
        caveats.append(
            f"{level} is a pretrained potential, and those soften surfaces: check one surface energy with a density "
            "functional calculation before believing these."
        )
    unfinished = [
        f"{doc.kind.replace('_', ' ')} {doc.name} ({doc.max_force_eV_A:.3f} eV/Å left)"
        for doc in relaxations
        if doc.free_axes != "none" and not doc.converged
    ]
    if unfinished:
        caveats.append(f"Not relaxed to the force tolerance: {', '.join(unfinished)}.")
    caveats.extend(
        f"The surface energy of {doc.formula}({''.join(str(index) for index in doc.miller)}) is not converged "
        f"(thickness or forces): {doc.surface_energy_J_m2:.3f} ± {doc.surface_energy_error_J_m2:.3f} J/m2."
        for doc in surface_energies
        if not doc.converged
    )
    strain = max(abs(value) for value in interface.match.principal_strains)
    if strain >= LARGE_STRAIN:
        caveats.append(f"The metal is strained by {strain:.1%}; a real interface would hold misfit dislocations.")
    if not interface.interfaces_equivalent:
        caveats.append("The two interfaces of the cell are not equivalent: energies are their mean.")
    return tuple(caveats)


def _refuse_mixed_physics(docs: Sequence[RelaxationDoc | SurfaceEnergyDoc]) -> None:
    hashes = {doc.physics_hash[:12] for doc in docs}
    if len(hashes) != 1:
        raise CalculationError(
            f"energies of {len(hashes)} levels of theory ({', '.join(sorted(hashes))}) cannot be subtracted; "
            "compute them all with one"
        )


def _one_of_each(docs: Sequence[DocT]) -> list[DocT]:
    """Return the documents of metal and binary, in this order."""
    by_name = {doc.name: doc for doc in docs}
    if sorted(by_name) != ["binary", "metal"] or len(docs) != 2:
        raise CalculationError(f"one document of the metal and one of the binary are needed, got {sorted(by_name)}")
    return [by_name["metal"], by_name["binary"]]


def _energy_per_formula_unit(doc: RelaxationDoc) -> float:
    return doc.energy_eV / count_formula_units(load_structure(doc.structure))


def _area_of(doc: RelaxationDoc) -> float:
    a, b, _ = np.array(doc.structure.cell_A)
    return float(np.linalg.norm(np.cross(a, b)))
