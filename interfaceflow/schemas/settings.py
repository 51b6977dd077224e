"""The parts of a recipe's config file, with units and ranges."""

from __future__ import annotations

import re
from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, JsonValue, model_validator

from interfaceflow.core.labels import PhaseLabel, PhasePair
from interfaceflow.schemas.base import Settings, quantity
from interfaceflow.schemas.nequip import NequIPSettings


def _check_miller(indices: tuple[int, int, int]) -> tuple[int, int, int]:
    if indices == (0, 0, 0):
        raise ValueError("Miller indices 0 0 0 name no plane; give for example [1, 1, 0]")
    return indices


def _check_import_string(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*", text):
        raise ValueError(
            f"{text!r} is no import string; give 'package.module:Name', for example 'ase.calculators.lj:LennardJones'"
        )
    return text


MillerIndices = Annotated[tuple[int, int, int], AfterValidator(_check_miller)]
Temperature = Annotated[float, Field(gt=0, le=5000, json_schema_extra={"unit": "K"})]
Precision = Literal["double", "mixed"]
SiteNequIPStyle = Literal["pair_nequip", "mliap"]
Strain = Annotated[float, Field(gt=-0.3, lt=0.3, json_schema_extra={"unit": "1"})]


class CrystalSettings(Settings):
    """One of the two crystals."""

    cif: str = Field(description="CIF file, beside the config or in the installed recipe's structures/")
    miller: MillerIndices = Field(description="Surface that meets the other crystal, as Miller indices")


class SlabSettings(Settings):
    """Slabs for surface energies."""

    n_layers: tuple[Annotated[int, Field(ge=1, le=100)], ...] = Field(
        default=(5, 7, 9), min_length=2, description="Numbers of layers; the surface energy is the intercept over them"
    )
    vacuum_A: float = quantity("Å", "Vacuum between a slab and its image", default=15.0, ge=5, le=50)

    @model_validator(mode="after")
    def _thicknesses_differ(self) -> Self:
        if len(set(self.n_layers)) < 2:
            raise ValueError(
                f"n_layers {list(self.n_layers)} are all the same; a line through them needs two thicknesses"
            )
        return self


class LatticeMatchSettings(Settings):
    """Lattice match and the two-interface cell, whatever the two crystals are."""

    phases: ClassVar[PhasePair]

    max_area_A2: float = quantity("Å2", "Largest area of the matched cell", default=120.0, gt=0, le=2000)
    max_strain: float = quantity(
        "1", "Largest principal strain, all of it on the first of the two crystals", default=0.05, gt=0, le=0.2
    )
    max_atoms: int = Field(default=120, ge=4, le=2000, description="Largest number of atoms in the matched cell")
    min_distance_A: float = quantity("Å", "Least distance between atoms of the two crystals", default=2.0, ge=1, le=4)

    @property
    def thicknesses_A(self) -> tuple[float, float]:
        """Least thicknesses of the two crystals, in the order of `phases` [Å]."""
        raise NotImplementedError


class InterfaceSettings(LatticeMatchSettings):
    """Lattice match and the two-interface cell of a metal and a binary."""

    phases = ("metal", "binary")

    metal_thickness_A: float = quantity("Å", "Least thickness of the metal", default=12.0, ge=4, le=100)
    binary_thickness_A: float = quantity("Å", "Least thickness of the binary", default=10.0, ge=4, le=100)

    @property
    def thicknesses_A(self) -> tuple[float, float]:
        """Least thicknesses of metal and binary [Å]."""
        return self.metal_thickness_A, self.binary_thickness_A


class ProductionCellSettings(Settings):
    """The large cell for production MD."""

    target_atoms: int = Field(default=1000, ge=50, le=200_000, description="Wanted number of atoms before vacancies")
    vacancy_species: str = Field(default="Li", description="Element of which atoms are removed")
    vacancy_fraction: float = quantity(
        "1", "Share of that element's atoms to remove, all from the interface region", default=0.01, ge=0, le=0.2
    )
    interface_region_width_A: float = quantity(
        "Å", "Atoms this near to an interface plane are in region 'interface'", default=4.0, gt=0, le=30
    )


class CrystalPairSettings(Settings):
    """Two crystals and the cells built from them, whatever the two are."""

    interface: LatticeMatchSettings
    production_cell: ProductionCellSettings = Field(
        default=ProductionCellSettings(), description="The large cell for production MD"
    )

    @property
    def crystals(self) -> dict[PhaseLabel, CrystalSettings]:
        """The crystals by phase; the first takes the strain."""
        raise NotImplementedError


class StructuresSettings(CrystalPairSettings):
    """The two crystals and the cells built from them."""

    metal: CrystalSettings = Field(description="The metal; it takes all of the strain")
    binary: CrystalSettings = Field(description="The binary compound; it keeps its bulk in-plane vectors")
    slabs: SlabSettings = Field(default=SlabSettings(), description="Slabs for surface energies")
    interface: InterfaceSettings = Field(default=InterfaceSettings(), description="The two-interface cell")

    @property
    def crystals(self) -> dict[PhaseLabel, CrystalSettings]:
        """Metal and binary."""
        return {"metal": self.metal, "binary": self.binary}


class ReferenceSettings(Settings):
    """The reference calculation that labels configurations."""

    level_of_theory: str = Field(default="chgnet", description="Name of a file in configs/levels_of_theory/")
    force_tolerance_eV_A: float = quantity("eV/Å", "Relaxations stop at this largest force", default=0.03, gt=0, le=1)
    max_steps: int = Field(default=300, ge=1, le=100_000, description="Relaxations give up after this many steps")
    n_workers: int = Field(default=2, ge=1, le=1024, description="Processes that label at the same time")
    n_ranks: int | None = Field(
        default=None,
        ge=1,
        le=4096,
        description="MPI ranks of one calculation, where the engine has them; the level of theory's if not given",
    )
    max_quarantined_share: float = quantity(
        "1",
        "The flow stops where more than this share of a batch of labels cannot be trusted",
        default=0.25,
        ge=0,
        le=1,
    )
    steps_per_segment: int = Field(
        default=500,
        ge=1,
        le=1_000_000,
        description="MD steps that one job does at most, where the engine runs as jobs (VASP, CP2K)",
    )


class VacancySettings(Settings):
    """Atoms that are left out of a cell."""

    species: str = Field(description="Element of which atoms are removed")
    fraction: float = quantity(
        "1",
        "Share of that element's atoms to remove, at least one; from the interface region where the cell has one",
        gt=0,
        le=0.2,
    )
    charge_e: float = quantity(
        "e", "Net charge that each of them leaves in the cell: -1 where Li+ is removed", default=0.0, ge=-6, le=6
    )


Sampling = Literal["interval", "decorrelated"]


class ReferenceTrajectorySettings(Settings):
    """One family of short reference MD runs: a cell, over temperatures and strains."""

    cell: str = Field(description="Which cell is run; a slab is the thinnest of those for the surface energy")
    n_atoms: int = Field(
        default=64, ge=1, le=2000, description="Bulk cells and slabs are repeated to about this many atoms"
    )
    vacancies: VacancySettings | None = Field(
        default=None, description="Atoms to leave out, other ones in each run; none if not given"
    )
    temperatures_K: tuple[Temperature, ...] = Field(default=(), description="Temperatures of the training runs [K]")
    held_out_temperatures_K: tuple[Temperature, ...] = Field(
        default=(), description="Temperatures of runs that are only for testing [K]"
    )
    strains: tuple[Strain, ...] = Field(
        default=(0.0,),
        min_length=1,
        description="Strains: isotropic for bulk, along the normal for the interface, in the plane for slabs [1]",
    )
    ramp_steps: int = Field(default=0, ge=0, le=1_000_000, description="MD steps in which each run is heated up first")
    ramp_from_K: Temperature = Field(default=100.0, description="Temperature at which heating starts [K]")
    equilibration_steps: int = Field(
        default=0, ge=0, le=1_000_000, description="MD steps at temperature before the first configuration"
    )
    n_steps: int = Field(
        default=60, ge=1, le=1_000_000, description="MD steps of each run from which configurations are kept"
    )
    sample_every: int = Field(default=6, ge=1, description="A configuration is kept every so many steps")
    sampling: Sampling = Field(
        default="interval",
        description="'decorrelated' keeps, of those, only configurations at least twice the measured autocorrelation "
        "time of the energy apart",
    )

    @property
    def is_slab(self) -> bool:
        """Whether the cell is a slab, with a vacuum along its normal."""
        return self.cell.endswith("_slab")

    @property
    def n_runs(self) -> int:
        """Number of runs for training: temperatures times strains."""
        return len(self.temperatures_K) * len(self.strains)

    @model_validator(mode="after")
    def _something_is_run(self) -> Self:
        if not self.temperatures_K and not self.held_out_temperatures_K:
            raise ValueError("give temperatures_K, held_out_temperatures_K or both; with neither, nothing is run")
        return self

    @model_validator(mode="after")
    def _something_is_kept(self) -> Self:
        if self.sample_every > self.n_steps:
            raise ValueError(
                f"sample_every ({self.sample_every}) is larger than n_steps ({self.n_steps}), so no configuration "
                "would be kept; give at most n_steps"
            )
        return self

    @model_validator(mode="after")
    def _heating_goes_up(self) -> Self:
        coldest = min(*self.temperatures_K, *self.held_out_temperatures_K, 5000.0)
        if self.ramp_steps and self.ramp_from_K > coldest:
            raise ValueError(
                f"ramp_from_K ({self.ramp_from_K:g}) is above the lowest temperature ({coldest:g} K), so that run "
                "would be cooled; give a lower ramp_from_K"
            )
        return self


class MetalBinaryTrajectorySettings(ReferenceTrajectorySettings):
    """One family of short reference MD runs of a metal, a binary, their slabs or their interface."""

    cell: Literal["interface", "metal", "binary", "metal_slab", "binary_slab"] = Field(
        description="Which cell is run; a slab is the thinnest of those for the surface energy"
    )


class TrainingSetSettings(Settings):
    """The training set before active learning."""

    timestep_fs: float = quantity("fs", "Time step of reference MD", default=2.0, gt=0, le=5)
    trajectories: tuple[ReferenceTrajectorySettings, ...] = Field(min_length=1, description="What is run")
    held_out_fraction: float = quantity(
        "1",
        "Share of the training runs that are for testing instead, whole runs drawn at random; beside those at "
        "held_out_temperatures_K",
        default=0.0,
        ge=0,
        lt=1,
    )
    electron_energy_eV: float | None = Field(
        default=None,
        description="Energy of one electron in its reservoir, by which charged cells are aligned with neutral ones; "
        "without it the two do not share a training set [eV]",
    )

    @property
    def has_slabs(self) -> bool:
        """Whether a slab is run."""
        return any(family.is_slab for family in self.trajectories)

    @model_validator(mode="after")
    def _held_out_exists(self) -> Self:
        if not self.held_out_fraction and not any(family.held_out_temperatures_K for family in self.trajectories):
            raise ValueError(
                "no trajectory has held_out_temperatures_K and there is no held_out_fraction, so there would be "
                "nothing to test the potential on; give at least one"
            )
        return self

    @model_validator(mode="after")
    def _charged_cells_are_aligned(self) -> Self:
        charged = any(family.vacancies is not None and family.vacancies.charge_e for family in self.trajectories)
        if charged and self.electron_energy_eV is None:
            raise ValueError(
                "vacancies.charge_e makes charged cells, which share a training set with the neutral ones only with "
                "their energies aligned; give electron_energy_eV, the energy of one electron in its reservoir, or "
                "charge_e: 0"
            )
        return self

    @model_validator(mode="after")
    def _something_is_trained_on(self) -> Self:
        n_runs = sum(family.n_runs for family in self.trajectories)
        if not n_runs:
            raise ValueError("all runs are at held_out_temperatures_K; give temperatures_K to train on")
        if self.held_out_fraction and max(1, round(self.held_out_fraction * n_runs)) >= n_runs:
            raise ValueError(
                f"held_out_fraction ({self.held_out_fraction:g}) of {n_runs} runs leaves none to train on; whole runs "
                "are held out, so give more temperatures or strains, or a smaller fraction"
            )
        return self


class MetalBinaryTrainingSetSettings(TrainingSetSettings):
    """The training set of a metal and a binary before active learning."""

    trajectories: tuple[MetalBinaryTrajectorySettings, ...] = Field(min_length=1, description="What is run")


class ZBLSettings(Settings):
    """Screened repulsion of nuclei (Ziegler, Biersack, Littmark) under the potential."""

    inner_cutoff_A: float = quantity("Å", "Up to this distance the force is whole", gt=0, le=12)
    outer_cutoff_A: float = quantity("Å", "From this distance on there is none; best below every bond", gt=0, le=12)

    @model_validator(mode="after")
    def _cutoffs_in_order(self) -> Self:
        if self.outer_cutoff_A <= self.inner_cutoff_A:
            raise ValueError(
                f"outer_cutoff_A ({self.outer_cutoff_A:g}) must be larger than inner_cutoff_A "
                f"({self.inner_cutoff_A:g}); the outer one is best shorter than every bond, for example 1 and 2"
            )
        return self


class MtpSettings(Settings):
    """A moment tensor potential and how it is fitted."""

    kind: Literal["mtp"] = Field(default="mtp", description="Kind of potential; this one where none is named")
    level: Literal[2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28] = Field(default=8, description="MTP level")
    cutoff_radius_A: float = quantity("Å", "Cutoff radius", default=5.0, ge=2, le=12)
    energy_weight: float = quantity("1", "Weight of energies in the loss", default=1.0, ge=0)
    force_weight: float = quantity("1", "Weight of forces in the loss", default=0.01, ge=0)
    stress_weight: float = quantity("1", "Weight of stresses in the loss", default=0.001, ge=0)
    weight_scaling: int = Field(
        default=1, ge=0, le=2, description="Energy weights are divided by the number of atoms to this power"
    )
    weight_scaling_forces: int = Field(
        default=0, ge=0, le=2, description="Force weights are divided by the number of atoms to this power"
    )
    max_iterations: int = Field(default=200, ge=1, le=100_000, description="Iterations of the first fit")
    max_retraining_iterations: int = Field(
        default=60, ge=1, le=100_000, description="Iterations of a fit that goes on from a trained potential"
    )
    retraining_tolerance: float = quantity(
        "1",
        "A fit that goes on ends earlier when the loss falls by less than this share of itself in 20 iterations",
        default=0.02,
        ge=0,
        lt=1,
    )
    early_stop: bool = Field(
        default=False,
        description="End a fit when its loss on the held-out set no longer falls, and keep what was best there; the "
        "held-out errors in the report then judge a potential that was chosen by them, and are too small",
    )
    memory_limit_MB: float = quantity(
        "MB",
        "Memory of the built-in engine for neighbour lists, and for the rows of selections",
        default=2000.0,
        ge=50,
    )
    mlp: str | None = Field(
        default=None, description="Path of a site's MLIP-3 binary; the built-in engine where it is not given"
    )
    zbl: ZBLSettings | None = Field(
        default=None,
        description="Nuclear repulsion, subtracted from the labels before a fit and added in MD; none if not given",
    )

    @model_validator(mode="after")
    def _repulsion_within_cutoff(self) -> Self:
        if self.zbl is not None and self.zbl.outer_cutoff_A > self.cutoff_radius_A:
            raise ValueError(
                f"zbl.outer_cutoff_A ({self.zbl.outer_cutoff_A:g}) must not be larger than cutoff_radius_A "
                f"({self.cutoff_radius_A:g}): a fit cannot balance what it does not see; give a distance shorter than "
                "every bond, for example 2"
            )
        return self


class AseSettings(Settings):
    """Any ASE calculator in the potential's place: it drives MD and is compared with the labels, but is not fitted."""

    kind: Literal["ase"] = Field(description="Kind of potential")
    calculator: Annotated[str, AfterValidator(_check_import_string)] = Field(
        description="Import string 'package.module:Name' of a calculator's class, or of a function that returns one",
    )
    arguments: dict[str, JsonValue] = Field(
        default_factory=dict,
        description="Its keyword arguments; the name of a file beside the config becomes that file's path",
    )
    needs_gpu: bool = Field(default=False, description="Whether the jobs that run it are for workers with a GPU")


def _kind_or_mtp(given: object) -> object:
    """Take a potential that names no kind for a moment tensor potential, as it was when there was no other."""
    return {"kind": "mtp", **given} if isinstance(given, dict) else given


PotentialSettings = Annotated[
    Annotated[MtpSettings | NequIPSettings | AseSettings, Field(discriminator="kind")], BeforeValidator(_kind_or_mtp)
]


class LearningCellSettings(Settings):
    """One MD run of every learning round."""

    cell: str = Field(description="Which cell is run")
    temperature_K: Temperature = Field(description="Temperature [K]")


class MetalBinaryLearningCellSettings(LearningCellSettings):
    """One MD run of every learning round of a metal and a binary."""

    cell: Literal["interface", "interface_with_vacancies", "metal"] = Field(description="Which cell is run")


StopRule = Literal["no_break", "no_candidate"]


class LearningSettings(Settings):
    """Active learning on the fly."""

    select_threshold: float = quantity("1", "Frames with a larger grade are candidates", default=1.5, ge=1)
    break_threshold: float = quantity("1", "MD stops at this extrapolation grade", default=10.0, gt=1)
    cells: tuple[LearningCellSettings, ...] = Field(min_length=1, description="MD runs of every round")
    duration_ps: float = quantity("ps", "Time each run has to last without a break", default=20.0, gt=0)
    timestep_fs: float = quantity("fs", "Time step", default=2.0, gt=0, le=5)
    max_rounds: int = Field(default=8, ge=1, le=1000, description="The loop gives up after this many rounds")
    stop_rule: StopRule = Field(
        default="no_break",
        description="The loop ends when no run of a round breaks; with 'no_candidate', only when no frame is above the "
        "select threshold either",
    )
    max_labels_per_round: int = Field(default=16, ge=1, le=10_000, description="Largest number of labels in a round")

    @model_validator(mode="after")
    def _thresholds_in_order(self) -> Self:
        if self.break_threshold <= self.select_threshold:
            raise ValueError(
                f"break_threshold ({self.break_threshold}) must be larger than select_threshold "
                f"({self.select_threshold}); the usual pair is 10 and 1.5"
            )
        return self


class MetalBinaryLearningSettings(LearningSettings):
    """Active learning of a metal and a binary on the fly."""

    cells: tuple[MetalBinaryLearningCellSettings, ...] = Field(min_length=1, description="MD runs of every round")
    metal_cell_atoms: int = Field(default=128, ge=16, le=2000, description="Atoms of the metal learning cell, about")


class MeltingPointSettings(Settings):
    """Detection of the metal's melting point by two-phase coexistence."""

    lowest_K: Temperature = Field(default=250.0, description="The bracket starts here [K]")
    highest_K: Temperature = Field(default=750.0, description="The bracket ends here [K]")
    resolution_K: float = quantity("K", "The bracket is narrowed to this width", default=40.0, gt=0, le=500)
    n_atoms: int = Field(default=400, ge=100, le=100_000, description="Atoms of the coexistence cell, about")
    duration_ps: float = quantity("ps", "Time given to each temperature", default=20.0, gt=0)

    @model_validator(mode="after")
    def _bracket_in_order(self) -> Self:
        if self.highest_K <= self.lowest_K:
            raise ValueError(f"highest_K ({self.highest_K}) must be above lowest_K ({self.lowest_K})")
        return self


class ProductionSettings(Settings):
    """Production MD, at temperatures that a recipe chooses in its own way."""

    @property
    def n_temperatures(self) -> int:
        """Number of runs."""
        raise NotImplementedError

    timestep_fs: float = quantity("fs", "Time step", default=2.0, gt=0, le=5)
    ramp_ps: float = quantity("ps", "Heating from a low temperature", default=2.0, gt=0)
    equilibration_ps: float = quantity("ps", "Equilibration with the normal stress relaxed", default=5.0, gt=0)
    production_ps: float = quantity("ps", "Production at constant cell", default=50.0, gt=0)
    segment_ps: float = quantity("ps", "Length of a segment, each with a restart file", default=25.0, gt=0)
    frame_interval_ps: float = quantity("ps", "Time between stored frames", default=0.1, gt=0)
    grade_every: int = Field(default=10, ge=1, description="The extrapolation grade is computed every so many steps")
    n_ranks: int | None = Field(
        default=None,
        ge=1,
        le=4096,
        description="MPI ranks of one run; where it is not given, 2 for a moment tensor potential and 1 for others",
    )
    precision: Precision = Field(
        default="double",
        description="'mixed' computes in single precision between positions and forces: faster at high levels, with "
        "forces off by some 1e-6 eV/Å",
    )
    nequip_style: Literal["external", "pair_nequip", "mliap"] = Field(
        default="external",
        description="How LAMMPS runs a network: 'external' beside the installed LAMMPS; 'pair_nequip' or 'mliap' in a "
        "site's own, without an extrapolation grade in production",
    )
    lammps_command: str | None = Field(
        default=None,
        description="Command that starts a site's LAMMPS for nequip_style pair_nequip or mliap, launcher and options "
        "included, such as 'srun -n 1 lmp -k on g 1 -sf kk -pk kokkos newton on neigh half'",
    )

    @model_validator(mode="after")
    def _site_has_a_command(self) -> Self:
        if (self.nequip_style == "external") != (self.lammps_command is None):
            raise ValueError(
                f"nequip_style: {self.nequip_style} and lammps_command: {self.lammps_command} do not go together: "
                "'pair_nequip' and 'mliap' run in a site's own LAMMPS and need the command that starts it, 'external' "
                "runs in the installed one"
            )
        return self

    @model_validator(mode="after")
    def _frames_fit(self) -> Self:
        if 1000.0 * self.frame_interval_ps < 0.999 * self.timestep_fs:
            raise ValueError(
                f"frame_interval_ps ({self.frame_interval_ps:g}) is shorter than timestep_fs ({self.timestep_fs:g}); "
                f"give at least {self.timestep_fs / 1000.0:g} ps"
            )
        if self.frame_interval_ps > self.production_ps:
            raise ValueError(
                f"frame_interval_ps ({self.frame_interval_ps:g}) is longer than production_ps "
                f"({self.production_ps:g}), so no motion would be stored; the usual interval is 0.1 ps"
            )
        return self


class MetalProductionSettings(ProductionSettings):
    """Production MD below the melting point of a metal."""

    fractions_of_melting_point: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = Field(
        default=(0.7, 0.8, 0.9),
        min_length=3,
        description="Temperatures, as shares of the melting point that the potential gives the metal [1]",
    )

    @property
    def n_temperatures(self) -> int:
        """Number of runs."""
        return len(self.fractions_of_melting_point)


class AnalysisSettings(Settings):
    """Transport analysis."""

    mobile_species: str = Field(default="Li", description="Element whose diffusion is asked for")
    hop_length_A: float = quantity("Å", "Length of one hop, for counting effective hops", default=2.5, gt=0, le=10)
    confidence: float = quantity("1", "Coverage of the stated intervals", default=0.68, gt=0.5, lt=1)
    groups: Literal["phase", "region"] = Field(
        default="phase",
        description="Whether atoms are grouped by the crystal they started in, or by their region at the start: the "
        "interior of either crystal, or the interface",
    )
    framework: bool = Field(
        default=False, description="Whether the elements that are not mobile are followed, too: a framework that holds"
    )


class RecipeSettings(Settings):
    """What the config files of all recipes have in common; each recipe's own are in `interfaceflow.schemas.recipes`."""

    recipe: str = Field(description="Name of the recipe")
    title: str = Field(min_length=1, max_length=120, description="Shown in the report and in status")
    seed: int = Field(default=1, ge=0, le=2**31 - 1, description="Every random number follows from it")
    structures: CrystalPairSettings
    reference: ReferenceSettings = Field(default=ReferenceSettings(), description="The reference calculation")
    training_set: TrainingSetSettings = Field(description="The training set before active learning")
    potential: PotentialSettings = Field(default=MtpSettings(), description="The potential and its fit")
    learning: LearningSettings = Field(description="Active learning on the fly")
    production: ProductionSettings
    analysis: AnalysisSettings = Field(default=AnalysisSettings(), description="Transport analysis")

    @model_validator(mode="after")
    def _only_a_network_has_its_styles(self) -> Self:
        style = self.production.nequip_style
        if style != "external" and self.potential.kind != "nequip":
            raise ValueError(
                f"production.nequip_style: {style} is for potential.kind: nequip, and {self.potential.kind} is given; "
                "leave nequip_style out"
            )
        return self

    @model_validator(mode="after")
    def _one_rank_outside_lammps(self) -> Self:
        n_ranks = self.production.n_ranks
        if self.potential.kind != "mtp" and n_ranks is not None and n_ranks > 1:
            raise ValueError(
                f"production.n_ranks: {n_ranks} is not possible with potential.kind: {self.potential.kind}: such a "
                "potential is computed for all atoms in one process beside LAMMPS; leave n_ranks out, or give 1"
            )
        return self
