"""The config of a training process, from typed settings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from interfaceflow.potentials.nequip.labels import LabelStatistics
from interfaceflow.schemas.nequip import NequIPSettings

MONITORED: Final = "val0_epoch/weighted_sum"
EPOCH_LOG: Final = "epochs.jsonl"
BEST: Final = "best"
TRAINING_FILE: Final = "training.xyz"
VALIDATION_FILE: Final = "validation.xyz"

_PARTS: Final = "interfaceflow.potentials.nequip.lightning_parts"
_LEARNING_RATE_FACTOR: Final = 0.5
_LEAST_LEARNING_RATE: Final = 1e-6

Config = dict[str, Any]


def model_config(settings: NequIPSettings, species: Sequence[str], statistics: LabelStatistics, seed: int) -> Config:
    """Return the network to build, with the numbers it starts from.

    Parameters
    ----------
    settings
        Its architecture.
    species
        Chemical symbols in the order of its types.
    statistics
        Of the training set.
    seed
        Of its first weights.
    """
    return {
        "_target_": "nequip.model.NequIPGNNModel",
        "seed": seed,
        "model_dtype": settings.precision,
        "type_names": list(species),
        **architecture(settings),
        "avg_num_neighbors": statistics.mean_neighbours,
        "per_type_energy_scales": dict.fromkeys(species, statistics.force_scale_eV_A),
        "per_type_energy_shifts": {
            name: float(shift) for name, shift in zip(species, statistics.energy_shifts_eV, strict=True)
        },
        "per_type_energy_scales_trainable": False,
        "per_type_energy_shifts_trainable": False,
    }


def architecture(settings: NequIPSettings) -> Config:
    """Return what has to be the same in a network that a fit goes on from."""
    return {
        "r_max": settings.cutoff_radius_A,
        "num_layers": settings.n_layers,
        "l_max": settings.l_max,
        "parity": settings.parity,
        "num_features": settings.n_features,
        "num_bessels": settings.n_bessel,
        "radial_mlp_depth": settings.radial_mlp_depth,
        "radial_mlp_width": settings.radial_mlp_width,
    }


def training_config(
    settings: NequIPSettings,
    model: Config,
    folder: Path,
    *,
    device: str,
    fit_stress: bool,
    start_from: Path | None,
) -> Config:
    """Return the whole config of a training process.

    Parameters
    ----------
    settings
        How it is trained.
    model
        From `model_config`, or that of the network the fit goes on from.
    folder
        With the labels; checkpoints and the log go there.
    device
        ``"cpu"`` or ``"cuda"``.
    fit_stress
        Whether any label has a stress.
    start_from
        Checkpoint whose weights the fit starts from; None for random ones.
    """
    callbacks: list[Config] = [
        {
            "_target_": "lightning.pytorch.callbacks.ModelCheckpoint",
            "dirpath": str(folder),
            "filename": BEST,
            "monitor": MONITORED,
            "mode": "min",
            "save_last": True,
            "enable_version_counter": False,
        },
        {
            "_target_": "lightning.pytorch.callbacks.EarlyStopping",
            "monitor": MONITORED,
            "patience": settings.early_stopping_patience,
            "mode": "min",
        },
        {"_target_": f"{_PARTS}.EpochLog", "path": str(folder / EPOCH_LOG)},
    ]
    if start_from is not None:
        callbacks.append({"_target_": f"{_PARTS}.StartFrom", "checkpoint": str(start_from)})
    return {
        "run": ["train"],
        "data": _data(settings, model, folder),
        "trainer": {
            "_target_": "lightning.Trainer",
            "accelerator": "gpu" if device == "cuda" else "cpu",
            "devices": 1,
            "max_epochs": settings.max_epochs if start_from is None else settings.max_retraining_epochs,
            "num_sanity_val_steps": 0,
            "enable_progress_bar": False,
            "enable_model_summary": False,
            "logger": False,
            "callbacks": callbacks,
        },
        "training_module": _module(settings, model, fit_stress=fit_stress and settings.stress_weight > 0),
    }


def _data(settings: NequIPSettings, model: Config, folder: Path) -> Config:
    loader = {"_target_": "torch.utils.data.DataLoader", "num_workers": 0}
    return {
        "_target_": "nequip.data.datamodule.ASEDataModule",
        "seed": model["seed"],
        "train_file_path": str(folder / TRAINING_FILE),
        "val_file_path": str(folder / VALIDATION_FILE),
        "transforms": [
            {
                "_target_": "nequip.data.transforms.ChemicalSpeciesToAtomTypeMapper",
                "model_type_names": list(model["type_names"]),
            },
            {"_target_": "nequip.data.transforms.NeighborListTransform", "r_max": model["r_max"]},
        ],
        "train_dataloader": {**loader, "batch_size": settings.batch_size, "shuffle": True},
        "val_dataloader": {**loader, "batch_size": settings.batch_size},
    }


def _module(settings: NequIPSettings, model: Config, *, fit_stress: bool) -> Config:
    errors = _squared_errors(settings, fit_stress=fit_stress)
    module: Config = {
        "_target_": f"nequip.train.{'EMALightningModule' if settings.ema else 'NequIPLightningModule'}",
        "model": model,
        "loss": errors,
        "val_metrics": errors,
        "optimizer": {"_target_": "torch.optim.Adam", "lr": settings.learning_rate, "amsgrad": True},
        "lr_scheduler": {
            "scheduler": {
                "_target_": "torch.optim.lr_scheduler.ReduceLROnPlateau",
                "factor": _LEARNING_RATE_FACTOR,
                "patience": max(1, settings.early_stopping_patience // 4),
                "min_lr": _LEAST_LEARNING_RATE,
            },
            "monitor": MONITORED,
            "interval": "epoch",
            "frequency": 1,
        },
    }
    if settings.ema:
        module["ema_decay"] = settings.ema_decay
    return module


def _squared_errors(settings: NequIPSettings, *, fit_stress: bool) -> Config:
    """Return the weighted sum that is both minimised and watched; its weights are normalised to a sum of one."""
    mean_squared = {"_target_": "nequip.train.MeanSquaredError"}
    terms: list[Config] = [
        {
            "name": "energy_mse",
            "field": {"_target_": "nequip.data.PerAtomModifier", "field": "total_energy"},
            "coeff": settings.energy_weight,
            "metric": mean_squared,
        },
        {"name": "forces_mse", "field": "forces", "coeff": settings.force_weight, "metric": mean_squared},
    ]
    if fit_stress:
        metric = {"_target_": f"{_PARTS}.LabelledStressSquaredError"}
        terms.append({"name": "stress_mse", "field": "stress", "coeff": settings.stress_weight, "metric": metric})
    return {"_target_": "nequip.train.MetricsManager", "metrics": terms}
