"""Settings of an equivariant network (NequIP) and of its training."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from interfaceflow.schemas.base import Settings, quantity

NequIPDevice = Literal["cpu", "cuda", "auto"]
NequIPGrade = Literal["latent", "committee"]


class NequIPSettings(Settings):
    """The equivariant network and how it is trained."""

    kind: Literal["nequip"] = Field(default="nequip", description="Kind of potential")
    cutoff_radius_A: float = quantity("Å", "Cutoff radius of one layer", default=5.0, ge=2, le=12)
    n_layers: int = Field(default=3, ge=1, le=8, description="Interaction layers; an atom sees n_layers cutoff radii")
    l_max: int = Field(default=1, ge=0, le=4, description="Largest rotation order of the features")
    parity: bool = Field(default=False, description="Whether features of odd mirror parity are kept, too")
    n_features: int = Field(default=32, ge=1, le=512, description="Features of each rotation order")
    n_bessel: int = Field(default=8, ge=1, le=64, description="Bessel functions that encode a distance")
    radial_mlp_depth: int = Field(default=1, ge=1, le=5, description="Hidden layers of the radial networks")
    radial_mlp_width: int = Field(default=64, ge=1, le=1024, description="Width of those layers")
    batch_size: int = Field(default=4, ge=1, le=4096, description="Configurations in one step")
    max_epochs: int = Field(default=200, ge=1, le=100_000, description="Passes over the training set in a first fit")
    max_retraining_epochs: int = Field(
        default=60, ge=1, le=100_000, description="Passes in a fit that goes on from a trained network"
    )
    learning_rate: float = quantity("1", "Step of the optimiser (Adam)", default=0.01, gt=0, le=1)
    energy_weight: float = quantity("1", "Weight of the squared energy error, (eV/atom)²", default=1.0, ge=0)
    force_weight: float = quantity("1", "Weight of the squared force error, (eV/Å)²", default=1.0, ge=0)
    stress_weight: float = quantity("1", "Weight of the squared stress error, (eV/Å³)²", default=100.0, ge=0)
    validation_fraction: float = quantity(
        "1", "Share of the configurations, in whole trajectories, that ends the fit", default=0.15, gt=0, lt=0.5
    )
    early_stopping_patience: int = Field(
        default=40, ge=1, le=100_000, description="The fit ends after so many epochs without a better validation loss"
    )
    ema: bool = Field(default=True, description="Whether the network is the running average of the optimiser's steps")
    ema_decay: float = quantity("1", "Decay of that average for each step", default=0.99, ge=0, lt=1)
    precision: Literal["float32", "float64"] = Field(
        default="float32", description="Floating-point type of the network"
    )
    device: NequIPDevice = Field(default="auto", description="Where it is trained and run; 'auto' is a GPU if there is")
    grade: NequIPGrade = Field(
        default="latent",
        description="Extrapolation grade: D-optimality of the features its layers make, or the spread of a committee",
    )
    committee_size: int = Field(default=4, ge=2, le=32, description="Networks of a committee")

    @model_validator(mode="after")
    def _something_is_fitted(self) -> Self:
        if self.energy_weight == self.force_weight == self.stress_weight == 0:
            raise ValueError(
                "energy_weight, force_weight and stress_weight are all 0, so nothing would be fitted; give a positive "
                "force_weight, for example 1"
            )
        return self
