"""Docs of training data and potentials."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from interfaceflow.core.files import FileRef
from interfaceflow.schemas.base import Doc, quantity
from interfaceflow.schemas.nequip import NequIPGrade
from interfaceflow.schemas.settings import Sampling, ZBLSettings


class QuarantinedLabel(BaseModel):
    """A configuration whose label was not trusted."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str = Field(description="Where the configuration came from")
    reason: str = Field(description="Why its label was refused")


class PlannedRun(BaseModel):
    """A run of the ladder: what one must know of it to make a training set of its labels."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(description="Name of the run, and so of the trajectory")
    temperature_K: float = quantity("K", "Temperature", gt=0)
    held_out: bool = Field(description="Whether its configurations are for testing only")
    label_interval_fs: float = quantity("fs", "Time between labelled configurations", gt=0)
    sampling: Sampling = Field(default="interval", description="Which of them are kept")


class TrajectoryDoc(PlannedRun):
    """A run of the ladder, and what was kept of it."""

    n_frames: int = Field(ge=0, description="Configurations with a label one can trust")
    n_kept: int = Field(ge=0, description="How many of them were kept, before duplicates were left out")
    correlation_time_fs: float | None = Field(
        default=None, description="Integrated autocorrelation time of the energy, where it was asked for [fs]"
    )
    correlation_is_known: bool = Field(
        default=False, description="Whether the run is at least 20 such times long; else the time is only a guess"
    )


class PooledSystemDoc(BaseModel):
    """A system of a pooled training set."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(description="Name of the system")
    n_training: int = Field(ge=0, description="Its training configurations in the pooled set")
    n_held_out: int = Field(ge=0, description="Its held-out configurations in the pooled set")
    n_training_given: int = Field(ge=1, description="Training configurations it had of its own")
    training_sha256: str = Field(description="SHA-256 of the training file it came from")
    held_out_sha256: str = Field(description="SHA-256 of the held-out file it came from")


class DatasetDoc(Doc):
    """Labelled configurations: extended XYZ files, energies in eV, forces in eV/Å, stress in eV/Å3 (ASE's sign)."""

    training: FileRef = Field(description="Extended XYZ file of the training configurations")
    held_out: FileRef = Field(description="Extended XYZ file of the held-out configurations, other trajectories")
    n_training: int = Field(ge=1, description="Training configurations")
    n_held_out: int = Field(ge=0, description="Held-out configurations")
    species: tuple[str, ...] = Field(description="Elements, in the order of the potential's types")
    min_distances_A: dict[str, float] = Field(description="Smallest distance by pair, as 'Cl-Li' [Å]")
    quarantined: tuple[QuarantinedLabel, ...] = Field(default=(), description="Labels that were refused")
    trajectories: tuple[TrajectoryDoc, ...] = Field(default=(), description="The runs it was sampled from")
    systems: tuple[PooledSystemDoc, ...] = Field(
        default=(), description="The systems it was pooled from; none where there is one system"
    )
    n_duplicates: int = Field(default=0, ge=0, description="Configurations left out because another one was the same")
    electron_energy_eV: float | None = Field(
        default=None, description="Energy of an electron by which charged cells were aligned with neutral ones [eV]"
    )
    level_of_theory: str = Field(description="Name of the level of theory")
    physics_hash: str = Field(description="SHA-256 of its physics; one dataset has one")


class FitErrors(BaseModel):
    """Errors of a potential on a set of configurations."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    n_configurations: int = Field(ge=0, description="Configurations compared")
    energy_rmse_meV_atom: float = quantity("meV/atom", "Root mean square energy error", ge=0)
    energy_mae_meV_atom: float = quantity("meV/atom", "Mean absolute energy error", ge=0)
    force_rmse_eV_A: float = quantity("eV/Å", "Root mean square error of force components", ge=0)
    force_mae_eV_A: float = quantity("eV/Å", "Mean absolute error of force components", ge=0)
    force_rmse_by_species_eV_A: dict[str, float] = Field(description="The same by element [eV/Å]")
    stress_rmse_GPa: float = quantity("GPa", "Root mean square error of stress components", ge=0)


class ForceErrors(BaseModel):
    """Errors of a potential's forces on a group of atoms."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    n_atoms: int = Field(ge=1, description="Atoms compared, of all configurations together")
    rms_force_eV_A: float = quantity("eV/Å", "Root mean square of the reference's force components", ge=0)
    rmse_eV_A: float = quantity("eV/Å", "Root mean square error of force components", ge=0)
    mae_eV_A: float = quantity("eV/Å", "Mean absolute error of force components", ge=0)
    rmse_by_species_eV_A: dict[str, float] = Field(description="The root mean square error by element [eV/Å]")


class MtpDetails(BaseModel):
    """What is special about a moment tensor potential."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["mtp"] = Field(default="mtp", description="Kind of potential")
    level: int = Field(description="MTP level")
    zbl: ZBLSettings | None = Field(
        default=None,
        description="Cutoffs of the nuclear repulsion that was subtracted from the labels and has to be added to what "
        "the file gives; absent where the file is the whole potential",
    )
    iterations: int = Field(ge=0, description="Iterations of the fit")
    final_loss: float = Field(description="Loss as the engine prints it")
    engine: Literal["built-in", "mlip-3"] = Field(description="Engine that fitted it")


class AseDetails(BaseModel):
    """What is special about an ASE calculator in a potential's place; the file says which and with what arguments."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["ase"] = Field(default="ase", description="Kind of potential")
    calculator: str = Field(description="Import string of the calculator")


class NequIPFiles(BaseModel):
    """The files of one network."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    checkpoint: FileRef = Field(description=".ckpt file that a fit goes on from")
    compiled: FileRef = Field(description=".nequip.pt2 file that runs")


class NequIPDetails(BaseModel):
    """What is special about an equivariant network."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["nequip"] = Field(default="nequip", description="Kind of potential")
    networks: tuple[NequIPFiles, ...] = Field(
        min_length=1, description="The network; with a committee all of its networks, the potential first"
    )
    grade: NequIPGrade = Field(description="What its extrapolation grade is made from")
    grade_file: FileRef = Field(description="NumPy archive with the active sets, or the scales of the committee")
    device: Literal["cpu", "cuda"] = Field(description="Device that it was compiled for, the only one it runs on")
    precision: Literal["float32", "float64"] = Field(description="Floating-point type of the network")
    n_layers: int = Field(ge=1, description="Interaction layers")
    l_max: int = Field(ge=0, description="Largest rotation order of the features")
    n_features: int = Field(ge=1, description="Features of each rotation order")
    epochs: int = Field(ge=1, description="Passes over the training set")
    best_epoch: int = Field(ge=0, description="The pass whose network was kept, from 0")
    validation_loss: float = Field(description="Loss on the validation part after that pass")


PotentialDetails = Annotated[MtpDetails | NequIPDetails | AseDetails, Field(discriminator="kind")]

_FIELDS_OF_MTP_IN_VERSION_1 = ("level", "zbl", "iterations", "final_loss", "engine")


class PotentialDoc(Doc):
    """A potential: its file, what it was fitted to, how far from the labels it is, and what is special about its kind.

    ``model.kind`` says which kind it is, and with it what `file` holds.
    """

    file: FileRef = Field(
        description="mtp: .almtp file with the selection state; nequip: compiled network; ase: JSON file with "
        "calculator and arguments"
    )
    species: tuple[str, ...] = Field(description="Elements, in the order of the potential's types")
    cutoff_radius_A: float | None = Field(
        gt=0, json_schema_extra={"unit": "Å"}, description="Cutoff radius; absent where it is not known [Å]"
    )
    n_training: int = Field(ge=0, description="Configurations it was trained on")
    n_without_stress: int = Field(
        default=0, ge=0, description="How many of them counted without a stress: cells with vacuum, or no label of it"
    )
    dataset_sha256: str = Field(description="SHA-256 of the training file")
    training_errors: FitErrors = Field(description="Errors on the training set")
    held_out_errors: FitErrors = Field(description="Errors on the held-out set")
    early_stop: bool = Field(
        default=False, description="Whether the held-out set chose the potential, so that errors on it are too small"
    )
    warm_start: bool = Field(description="Whether the fit went on from a trained potential")
    min_distances_A: dict[str, float] = Field(description="Smallest distance by pair in the training set [Å]")
    physics_hash: str = Field(description="SHA-256 of the physics of its labels")
    has_grade: bool = Field(default=True, description="Whether it has an extrapolation grade")
    model: PotentialDetails = Field(description="What is special about its kind")

    @model_validator(mode="before")
    @classmethod
    def _from_before_there_were_kinds(cls, stored: Any) -> Any:
        """Read a moment tensor potential that was stored when there was no other kind."""
        if not isinstance(stored, dict) or "level" not in stored:
            return stored
        model = {name: stored[name] for name in _FIELDS_OF_MTP_IN_VERSION_1 if name in stored}
        return {name: value for name, value in stored.items() if name not in model} | {"model": model | {"kind": "mtp"}}


class ParityDoc(Doc):
    """Held-out configurations: reference against potential."""

    errors: FitErrors = Field(description="Errors on the held-out set")
    errors_by_temperature: dict[str, FitErrors] = Field(default_factory=dict, description="The same by temperature [K]")
    errors_by_system: dict[str, FitErrors] = Field(
        default_factory=dict, description="The same by system, where several share the training set"
    )
    force_errors_by_region: dict[str, ForceErrors] = Field(
        default_factory=dict, description="Errors of forces by phase and region of the atoms, as 'metal interface'"
    )
    arrays: FileRef = Field(
        description="NumPy archive: energy_reference, energy_potential [eV/atom], "
        "force_reference, force_potential [eV/Å], force_species"
    )
    potential_sha256: str = Field(description="SHA-256 of the potential")
