"""Settings of VASP: what changes a label (`VaspSettings`), and what one calculation does with it."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from interfaceflow.schemas.base import Settings, quantity
from interfaceflow.schemas.structures import FreeAxes

Functional = Literal["pbe", "pbe-d3bj", "optb88-vdw", "hse06"]
BaseSet = Literal["none", "mp-relax", "mit-relax"]
Ensemble = Literal["nve", "nvt-nose-hoover", "nvt-langevin", "npt-langevin"]
Divisions = Annotated[int, Field(ge=1, le=100)]


class MeshBySpacing(Settings):
    """Gamma-centred mesh whose points are nowhere further apart than a spacing."""

    scheme: Literal["spacing"] = Field(description="How the mesh is chosen")
    spacing_per_A: float = quantity("1/Å", "Largest distance between points, with the factor 2π", gt=0, le=2)


class MeshByLength(Settings):
    """Gamma-centred mesh that resolves a length, as VASP's fully automatic scheme does."""

    scheme: Literal["length"] = Field(description="How the mesh is chosen")
    length_A: float = quantity("Å", "Divisions times lattice-plane distance come nearest to this", gt=0, le=200)


class MeshPerAtom(Settings):
    """Gamma-centred, nearly isotropic mesh with at least so many points times atoms."""

    scheme: Literal["per-atom"] = Field(description="How the mesh is chosen")
    points_times_atoms: float = quantity("1", "Least number of points times number of atoms", gt=0, le=1e6)


class MeshByDivisions(Settings):
    """The same divisions for every cell; only for a training set whose cells are all alike."""

    scheme: Literal["divisions"] = Field(description="How the mesh is chosen")
    divisions: tuple[Divisions, Divisions, Divisions] = Field(description="Divisions along the three vectors")
    centre: Literal["gamma", "monkhorst-pack"] = Field(default="gamma", description="Where the mesh is centred")


KPoints = Annotated[MeshBySpacing | MeshByLength | MeshPerAtom | MeshByDivisions, Field(discriminator="scheme")]


class SmearingSettings(Settings):
    """How states near the Fermi level are occupied."""

    method: Literal["gaussian", "fermi", "methfessel-paxton", "tetrahedron"] = Field(
        description="Gaussian suits metals and insulators alike; methfessel-paxton (order 1) metals only; tetrahedron "
        "(with Blöchl's corrections) insulators, and static cells of metals"
    )
    width_eV: float = quantity("eV", "Width of the smearing", default=0.05, gt=0, le=1)


class PotcarSettings(Settings):
    """Which projector-augmented-wave potentials, by symbol; their files stay with the licence."""

    family: Literal["PBE", "PBE_52", "PBE_54", "PBE_64"] = Field(description="Release, as pymatgen names it")
    symbols: dict[str, str] = Field(
        default_factory=dict, description="Symbol by element where it is not the plain one or that of the base set"
    )
    titles: dict[str, str] = Field(
        default_factory=dict, description="TITEL by element, where the very release date matters; refused if another"
    )
    sha256: dict[str, str] = Field(
        default_factory=dict, description="SHA-256 of the unpacked POTCAR file by element; refused if another"
    )


class VaspSettings(Settings):
    """VASP at one level of theory: everything that changes a label, and nothing else."""

    engine: Literal["vasp"] = Field(description="Which engine")
    functional: Functional = Field(description="Exchange and correlation, with the dispersion that belongs to it")
    base_set: BaseSet = Field(
        default="none",
        description="pymatgen set that the tags not named here come from. Both add Hubbard U to transition metals in "
        "oxides and fluorides, mit-relax to Mn and Fe in sulfides too; none adds none",
    )
    cutoff_eV: float = quantity("eV", "Plane-wave cutoff", gt=0, le=2000)
    density_cutoff_eV: float | None = quantity(
        "eV", "Cutoff of the augmentation density; VASP's own from the POTCAR if absent", default=None, gt=0, le=5000
    )
    precision: Literal["normal", "accurate"] = Field(default="accurate", description="Density of the FFT grids")
    projectors: Literal["reciprocal", "automatic"] = Field(
        default="reciprocal", description="Where projectors act; automatic takes real space for large cells"
    )
    k_points: KPoints = Field(description="Sampling of the Brillouin zone; one point along a vacuum")
    smearing: SmearingSettings = Field(description="Occupation of states")
    spin: bool = Field(description="Whether spins are free")
    initial_moments_uB: dict[str, float] = Field(
        default_factory=dict, description="Moments to start from by element; others as in the base set, or 0.6"
    )
    energy_tolerance_eV: float | None = quantity(
        "eV", "Where the electronic loop ends; that of the base set if absent", default=1e-6, gt=0, le=1e-2
    )
    dipole_correction: Literal["none", "slabs"] = Field(
        default="slabs", description="Whether cells with vacuum along one axis get a dipole correction"
    )
    potcars: PotcarSettings = Field(description="Potentials")

    @model_validator(mode="after")
    def _tolerance_is_given(self) -> Self:
        if self.energy_tolerance_eV is None and self.base_set == "none":
            raise ValueError("energy_tolerance_eV is absent and there is no base_set to take it from; give it")
        return self


class StaticCalculation(Settings):
    """Energies, forces and stress of one configuration."""

    kind: Literal["static"] = Field(default="static", description="What is calculated")


class RelaxCalculation(Settings):
    """A relaxation; it ends on forces or on the change of the energy, whichever is given."""

    kind: Literal["relax"] = Field(default="relax", description="What is calculated")
    free_axes: FreeAxes = Field(description="Which part of the cell is free; the ions always are")
    force_tolerance_eV_A: float | None = quantity("eV/Å", "Largest force at the end", default=None, gt=0, le=1)
    energy_tolerance_eV: float | None = quantity(
        "eV", "Change of the energy in the last step, in place of the force", default=None, gt=0, le=1
    )
    max_steps: int = Field(default=200, ge=1, le=10_000, description="Largest number of steps")

    @model_validator(mode="after")
    def _one_tolerance(self) -> Self:
        if (self.force_tolerance_eV_A is None) == (self.energy_tolerance_eV is None):
            raise ValueError("give either force_tolerance_eV_A or energy_tolerance_eV")
        return self


class DynamicsCalculation(Settings):
    """One segment of molecular dynamics; it goes on from the velocities of its structure where there are any."""

    kind: Literal["dynamics"] = Field(default="dynamics", description="What is calculated")
    ensemble: Ensemble = Field(description="What is held constant, and by what")
    timestep_fs: float = quantity("fs", "Time step", gt=0, le=10)
    n_steps: int = Field(ge=1, le=1_000_000, description="Steps")
    temperature_K: float = quantity("K", "Temperature at the start", gt=0, le=10_000)
    final_temperature_K: float | None = quantity(
        "K",
        "Temperature at the end of a linear ramp; the same as at the start if absent",
        default=None,
        gt=0,
        le=10_000,
    )
    friction_per_fs: float = quantity("1/fs", "Friction of Langevin's thermostat", default=0.01, gt=0, le=1)
    cell_friction_per_fs: float = quantity("1/fs", "Friction of the cell's, in npt", default=0.01, gt=0, le=1)
    cell_mass_amu: float = quantity("amu", "Mass of the cell, in npt", default=10.0, gt=0, le=1e6)
    pressure_GPa: float = quantity("GPa", "Pressure, in npt", default=0.0, ge=-100, le=1000)
    seed: int = Field(default=0, ge=0, le=899_999_999, description="Seed of velocities and thermostat")


class DosCalculation(Settings):
    """Total density of states and its projections on atoms, on a mesh denser than the level of theory's."""

    kind: Literal["dos"] = Field(default="dos", description="What is calculated")
    mesh_factor: int = Field(default=2, ge=1, le=5, description="Divisions are those of the level times this")
    n_energies: int = Field(default=3001, ge=301, le=20_000, description="Points on the energy axis")


class BaderCalculation(Settings):
    """The all-electron density for Bader charges: AECCAR0, AECCAR2 and CHGCAR of one configuration."""

    kind: Literal["bader"] = Field(default="bader", description="What is calculated")


class BandCurvatureCalculation(Settings):
    """Eigenvalues on a finite-difference stencil around one k-point, in the same self-consistent calculation."""

    kind: Literal["band-curvature"] = Field(default="band-curvature", description="What is calculated")
    k_point: tuple[float, float, float] = Field(
        default=(0.0, 0.0, 0.0), description="Extremum, in units of the reciprocal vectors"
    )
    step_per_A: float = quantity("1/Å", "Step of the stencil, with the factor 2π", default=0.02, gt=0, le=0.2)


VaspCalculation = Annotated[
    StaticCalculation
    | RelaxCalculation
    | DynamicsCalculation
    | DosCalculation
    | BaderCalculation
    | BandCurvatureCalculation,
    Field(discriminator="kind"),
]
