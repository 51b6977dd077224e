"""Settings and Docs of stability: how strong a bond is, and whether a crystal's phonons are real."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from interfaceflow.core.files import FileRef
from interfaceflow.schemas.base import Doc, Settings, quantity
from interfaceflow.schemas.datasets import QuarantinedLabel


class BondScanSettings(Settings):
    """A bond of a cluster or molecule, stretched and pressed around its relaxed length."""

    cluster: Literal["BH4-", "BF4-", "CN-", "PS4^3-", "H2", "C2H6"] = Field(
        description="Charged cluster, or molecule to compare with; its first two atoms are the bond"
    )
    shortest_A: float = quantity(
        "Å", "The scan starts at this change of the bond's length", default=-0.2, ge=-0.5, lt=0
    )
    longest_A: float = quantity("Å", "The scan ends at this change of the bond's length", default=0.5, gt=0, le=3)
    n_points: int = Field(default=11, ge=6, le=1000, description="Points of the scan")
    box_A: float = quantity("Å", "Edge of the periodic cube", default=20.0, ge=8, le=100)

    @model_validator(mode="after")
    def _box_holds_the_cluster(self) -> Self:
        if self.box_A < 8.0 + self.longest_A:
            raise ValueError(
                f"box_A ({self.box_A:g}) is too small for a cluster stretched by {self.longest_A:g} Å; "
                f"give at least {8.0 + self.longest_A:g}"
            )
        return self


class BondScanDoc(Doc):
    """A Morse potential through the energies of a bond, doi:10.1103/PhysRev.34.57."""

    cluster: str = Field(description="Cluster or molecule")
    bond: str = Field(description="The bond, as 'B-H'")
    charge_e: int = Field(description="Charge of the cluster [e]")
    distances_A: tuple[float, ...] = Field(description="Bond lengths [Å]")
    energies_eV: tuple[float, ...] = Field(description="Energies at them [eV]")
    quarantined: tuple[QuarantinedLabel, ...] = Field(default=(), description="Points whose label was refused")
    well_depth_eV: float = quantity("eV", "D: what the curve extrapolates to, no energy of fragments", gt=0)
    well_depth_error_eV: float = quantity("eV", "Standard error of the fit", ge=0)
    force_constant_eV_A2: float = quantity("eV/Å2", "k = 2 D a^2", gt=0)
    force_constant_error_eV_A2: float = quantity("eV/Å2", "Standard error of the fit", ge=0)
    equilibrium_distance_A: float = quantity("Å", "Bond length at the minimum", gt=0)
    residual_meV: float = quantity("meV", "Root mean square of what the curve misses", ge=0)
    level_of_theory: str = Field(description="Name of the level of theory")
    physics_hash: str = Field(description="SHA-256 of its physics")


class PhononSettings(Settings):
    """Phonons by finite displacements."""

    supercell_length_A: float = quantity("Å", "Least width of the supercell between faces", default=10.0, gt=0, le=100)
    displacement_A: float = quantity("Å", "How far an atom is displaced", default=0.01, gt=0, le=0.2)
    tolerance_THz: float = quantity("THz", "Imaginary frequencies up to this size are noise", default=0.1, ge=0, le=5)


class ImaginaryMode(BaseModel):
    """A mode that lowers the energy."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    wave_vector: tuple[float, float, float] = Field(description="In the reciprocal cell; Gamma is (0, 0, 0)")
    frequency_THz: float = quantity("THz", "Imaginary frequency, as a negative number", lt=0)


class PhononDoc(Doc):
    """Whether a crystal is dynamically stable, at Gamma and at the other points that its supercell is exact at."""

    name: str = Field(description="Which crystal")
    repeats: tuple[int, int, int] = Field(description="Supercell")
    stable: bool = Field(description="Whether no frequency is below minus the tolerance")
    lowest_frequency_THz: float = quantity("THz", "Lowest frequency, negative where it is imaginary")
    imaginary_modes: tuple[ImaginaryMode, ...] = Field(description="Modes below the tolerance, most unstable first")
    tolerance_THz: float = quantity("THz", "Imaginary frequencies up to this size were taken for noise", ge=0)
    acoustic_residual_THz: float = quantity(
        "THz", "Largest acoustic frequency at Gamma before the sum rule was imposed: the noise of the forces", ge=0
    )
    arrays: FileRef = Field(description="NumPy archive: wave_vectors, frequencies_THz")
    level_of_theory: str = Field(description="Name of the level of theory")
    physics_hash: str = Field(description="SHA-256 of its physics")
