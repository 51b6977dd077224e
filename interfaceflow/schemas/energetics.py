"""Docs of surface and interface energies."""

from __future__ import annotations

from pydantic import Field

from interfaceflow.schemas.base import Doc, quantity


class SurfaceEnergyDoc(Doc):
    """Energy of one surface."""

    name: str = Field(description="The phase: 'metal' or 'binary'")
    formula: str = Field(description="Reduced formula of the crystal")
    miller: tuple[int, int, int] = Field(description="Miller indices")
    surface_energy_J_m2: float = quantity("J/m2", "Surface energy, from the linear fit over thicknesses")
    surface_energy_error_J_m2: float = quantity(
        "J/m2",
        "Half the spread of the intercepts of neighbouring thicknesses and of the thickest slab against the bulk",
        ge=0,
    )
    n_layers: tuple[int, ...] = Field(description="Numbers of layers in the fit")
    slab_energies_eV: tuple[float, ...] = Field(description="Energies of the slabs [eV]")
    converged: bool = Field(description="Whether that error is at most 0.01 J/m2")
    physics_hash: str = Field(description="SHA-256 of the physics of the level of theory")


class EnergeticsDoc(Doc):
    """Energies of one interface."""

    interface_formation_energy_J_m2: float = quantity("J/m2", "E_f: against freely relaxed bulk references")
    interfacial_energy_J_m2: float = quantity(
        "J/m2", "sigma: against bulk references relaxed along the normal at the interface's in-plane vectors"
    )
    elastic_energy_J_m2: float = quantity("J/m2", "E_f minus sigma")
    work_of_adhesion_J_m2: float = quantity("J/m2", "W_ad = gamma_A + gamma_B - sigma, without strain energy")
    work_of_adhesion_with_strain_J_m2: float = quantity("J/m2", "W_ad = gamma_A + gamma_B - E_f")
    work_of_adhesion_error_J_m2: float = quantity("J/m2", "Error of W_ad from those of the surface energies", ge=0)
    work_of_separation_J_m2: float = quantity("J/m2", "Direct separation of the same cell, slabs not relaxed further")
    metal_surface_energy_J_m2: float = quantity("J/m2", "Surface energy of the metal")
    binary_surface_energy_J_m2: float = quantity("J/m2", "Surface energy of the binary")
    resists_voids: bool = Field(description="Whether W_ad exceeds twice the metal's surface energy")
    area_A2: float = quantity("Å2", "Area of one interface", gt=0)
    n_interfaces: int = Field(description="Interfaces in the cell")
    level_of_theory: str = Field(description="Name of the level of theory")
    physics_hash: str = Field(description="SHA-256 of its physics")
    caveats: tuple[str, ...] = Field(default=(), description="What a reader must know before quoting the numbers")
