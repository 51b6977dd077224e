"""Settings and Docs of electronic structure: densities of states and gaps, Bader charges, effective masses."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from interfaceflow.core.files import FileRef
from interfaceflow.schemas.base import Doc, Settings, quantity
from interfaceflow.schemas.datasets import QuarantinedLabel
from interfaceflow.schemas.structures import StructureFile

Vector = tuple[float, float, float]
Band = Literal["conduction", "valence"]
GroupKind = Literal["phase and element", "region", "region and element"]


class DensityOfStatesDoc(Doc):
    """A density of states by species, and the gap, of one structure."""

    name: str = Field(description="Which structure")
    structure: StructureFile = Field(description="The structure")
    gap_eV: float = quantity("eV", "Gap between the eigenvalues of the mesh, by counting electrons; 0 in a metal", ge=0)
    is_metal: bool = Field(description="Whether a band is filled at some k-points only, or bands touch")
    valence_maximum_eV: float = quantity("eV", "Highest occupied eigenvalue, on the scale of the Fermi energy")
    conduction_minimum_eV: float = quantity("eV", "Lowest empty eigenvalue, on the same scale; that below in a metal")
    valence_k_point: Vector | None = Field(
        description="Where the valence band is highest on the mesh, in units of the reciprocal vectors; absent in a "
        "metal"
    )
    conduction_k_point: Vector | None = Field(
        description="Where the conduction band is lowest on the mesh, in the same units; absent in a metal"
    )
    fermi_energy_eV: float = quantity("eV", "Fermi energy, as the program gives it")
    species: tuple[str, ...] = Field(description="Elements that the density is projected on")
    spin_polarised: bool = Field(description="Whether there are two spin channels")
    arrays: FileRef = Field(
        description="NumPy archive: energies_eV, shape (n_energies,); total and, for each element X, by_species_X, "
        "shape (n_spins, n_energies) [1/eV]. Projections need not add up to the total"
    )
    level_of_theory: str = Field(description="Name of the level of theory")
    physics_hash: str = Field(description="SHA-256 of its physics")


class BaderSettings(Settings):
    """How Bader charges of snapshots are averaged."""

    normal_axis: Literal[0, 1, 2] | None = Field(
        default=None, description="Cell vector along which charges are resolved by layer; no layers if absent"
    )
    layer_width_A: float = quantity(
        "Å", "Width of a layer along the normal; the nearest that divides the cell", default=2.0, gt=0.1, le=100
    )


class SnapshotChargesDoc(Doc):
    """Bader charges of one snapshot, or the reason why there are none."""

    source: str = Field(description="Which snapshot, in words")
    structure: StructureFile = Field(description="The snapshot")
    folder: str = Field(description="Folder of the program's files, relative to the project's root")
    arrays: FileRef | None = Field(
        default=None, description="NumPy archive: charges_e, shape (n_atoms,) [e]; absent where the calculation failed"
    )
    reason: str | None = Field(default=None, description="Why it failed; absent where it did not")


class GroupCharge(BaseModel):
    """Bader charge of a group of atoms, relative to neutral atoms."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    by: GroupKind = Field(description="What the group is made by; regions are those at the start")
    name: str = Field(description="The phase or region, such as 'metal' or 'metal interface'")
    element: str | None = Field(description="The element; absent where all of a region are meant")
    n_atoms: int = Field(ge=1, description="Atoms in the group")
    mean_charge_e: float = quantity("e", "Mean over atoms and frames, positive where electrons are lacking")
    spread_e: float = quantity("e", "Standard deviation over atoms and frames", ge=0)
    frame_spread_e: float | None = quantity(
        "e", "Standard deviation of the mean over atoms from frame to frame; absent with one frame", default=None, ge=0
    )


class LayerCharge(BaseModel):
    """Bader charge of one element in one layer along the normal, by where its atoms are in each frame."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    element: str = Field(description="The element")
    lower_A: float = quantity("Å", "Lower edge of the layer, in the mean cell, from its origin along the normal", ge=0)
    upper_A: float = quantity("Å", "Upper edge", gt=0)
    mean_n_atoms: float = quantity("1", "Atoms of the element in the layer, mean over frames", gt=0)
    mean_charge_e: float = quantity("e", "Mean over the atoms in the layer in all frames")


class BaderDoc(Doc):
    """Bader charges of the snapshots of one cell, averaged."""

    name: str = Field(description="Which cell or trajectory")
    n_frames: int = Field(ge=1, description="Snapshots with charges")
    quarantined: tuple[QuarantinedLabel, ...] = Field(default=(), description="Snapshots without, with the reason")
    frames: tuple[str, ...] = Field(description="Snapshots with charges, in words, in the order of the arrays")
    groups: tuple[GroupCharge, ...] = Field(description="Charges by phase and element, by region, and by both")
    layers: tuple[LayerCharge, ...] = Field(
        default=(), description="Charges by layer, lowest first; absent where no normal was given"
    )
    total_charge_e: float = quantity("e", "Sum over the atoms, mean over frames: the charge of the cell")
    arrays: FileRef = Field(
        description="NumPy archive: charges_e, shape (n_frames, n_atoms), mean_charges_e, shape (n_atoms,) [e]; with "
        "layers also layer_edges_A, shape (n_layers + 1,), and for each element X layer_charges_X, shape (n_frames, "
        "n_layers) [e], which is not a number where a layer holds none"
    )
    level_of_theory: str = Field(description="Name of the level of theory")
    physics_hash: str = Field(description="SHA-256 of its physics")


class EffectiveMassDoc(Doc):
    """Effective mass of the carriers of one band at one k-point; masses are positive at the edge of a band."""

    name: str = Field(description="Which structure")
    structure: StructureFile = Field(description="The structure, in whose axes the tensor is")
    band: Band = Field(description="Electrons of the conduction band, or holes of the valence band")
    k_point: Vector = Field(description="Where, in units of the reciprocal vectors")
    step_per_A: float = quantity("1/Å", "Step of the finite differences, with the factor 2π", gt=0)
    inverse_mass_tensor: tuple[Vector, Vector, Vector] = Field(
        description="Inverse of the mass tensor, Cartesian, positive for carriers at the edge of their band [1/m_e]"
    )
    principal_masses_me: tuple[float | None, float | None, float | None] = Field(
        description="Principal masses, largest curvature first; absent along directions in which the band is flat [m_e]"
    )
    principal_directions: tuple[Vector, Vector, Vector] = Field(description="Their directions, Cartesian unit vectors")
    conductivity_mass_me: float | None = quantity(
        "m_e", "Harmonic mean of the principal masses, which averages mobilities; absent where there is no extremum"
    )
    is_extremum: bool = Field(
        description="Whether the band curves away from its edge in all directions; if not, the k-point is not the edge"
    )
    level_of_theory: str = Field(description="Name of the level of theory")
    physics_hash: str = Field(description="SHA-256 of its physics")
