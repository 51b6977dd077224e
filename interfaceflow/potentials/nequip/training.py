"""Training of a network in a process of its own.

The process dies with its owner. It leaves a checkpoint after every epoch, so that a training which was ended, or
killed, goes on from there when it is asked for again with the same inputs; one that was done is not repeated.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import sys
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from interfaceflow.core.child_process import run_child
from interfaceflow.core.errors import CalculationError, ExternalProgramError, UserInputError
from interfaceflow.core.files import sha256_of, write_atomically
from interfaceflow.core.labelled import LabelledConfiguration
from interfaceflow.core.progress import Progress, SilentProgress
from interfaceflow.potentials.nequip.config import (
    BEST,
    EPOCH_LOG,
    MONITORED,
    TRAINING_FILE,
    VALIDATION_FILE,
    Config,
    architecture,
    model_config,
    training_config,
)
from interfaceflow.potentials.nequip.labels import has_stress, labels_as_text, measure_labels, split_by_trajectory
from interfaceflow.potentials.nequip.model_files import CHECKPOINT_SUFFIX, ModelFile, resolve_device
from interfaceflow.schemas.nequip import NequIPSettings

_DONE: Final = "run.json"
_LAST: Final = "last.ckpt"
_CONFIG: Final = "config"
_TAIL_CHARACTERS: Final = 2000
_TRAINING_LOSS: Final = "train_loss_epoch/weighted_sum"
# Of the errors watched on the validation set, the square roots a user understands: their names and units.
_ERRORS: Final = {
    "val0_epoch/energy_mse": "energy_rmse_eV_atom",
    "val0_epoch/forces_mse": "force_rmse_eV_A",
    "val0_epoch/stress_mse": "stress_rmse_eV_A3",
}


@dataclass(frozen=True)
class NequIPRun:
    """A training that is done.

    Attributes
    ----------
    checkpoint
        The network of the epoch that was best on the validation set.
    epochs
        Epochs made, over all processes that took part.
    training_loss, validation_loss
        Weighted squared error after each epoch, the weights normalised to a sum of one, shape (epochs,).
    best_epoch
        Epoch of the checkpoint, from 0.
    best_errors
        Root mean square errors on the validation set at that epoch: ``energy_rmse_eV_atom``, ``force_rmse_eV_A`` and,
        where any label has a stress, ``stress_rmse_eV_A3``.
    n_training, n_validation
        Configurations in the two parts.
    n_without_stress
        Training configurations whose stress was left out.
    cpu_time_s
        Processor time of the epochs that count, start-up of the processes included, s.
    """

    checkpoint: ModelFile
    epochs: int
    training_loss: tuple[float, ...]
    validation_loss: tuple[float, ...]
    best_epoch: int
    best_errors: dict[str, float]
    n_training: int
    n_validation: int
    n_without_stress: int
    cpu_time_s: float


def train_nequip(
    training: Sequence[LabelledConfiguration],
    species: Sequence[str],
    settings: NequIPSettings,
    seed: int,
    folder: Path,
    *,
    validation: Sequence[LabelledConfiguration] | None = None,
    start_from: ModelFile | None = None,
    progress: Progress | None = None,
) -> NequIPRun:
    """Train a network, or go on with a training of the same inputs that was not finished.

    Parameters
    ----------
    training
        Labelled configurations. Their ``free_energy_eV``, forces and, where there is one, stress are fitted. Give no
        stress to a cell with vacuum.
    species
        Chemical symbols in the order of the network's types.
    settings
        Architecture and training.
    seed
        Seed of the weights, of the order of the configurations and of the split.
    folder
        A folder for this training is made in it.
    validation
        Configurations that choose the epoch to keep; None to take whole trajectories from the training ones.
    start_from
        Checkpoint of a network to go on from, of the same species and architecture.
    progress
        Told of each epoch.

    Raises
    ------
    UserInputError
        If the labels cannot be fitted, or ``start_from`` is another kind of network; nothing is computed then.
    DataFileError
        If ``start_from`` is not the file that was recorded.
    CalculationError
        If the training diverged.
    ExternalProgramError
        If the process failed.
    """
    device = resolve_device(settings.device)
    kept, checked = list(training), list(validation or ())
    if validation is None:
        kept, checked = split_by_trajectory(training, settings.validation_fraction, seed)
    statistics = measure_labels(kept, species, settings.cutoff_radius_A)
    measure_labels(checked, species, settings.cutoff_radius_A)
    if start_from is None:
        model = model_config(settings, species, statistics, seed)
    else:
        model = _model_to_go_on_from(start_from, species, settings)

    texts = {TRAINING_FILE: labels_as_text(kept), VALIDATION_FILE: labels_as_text(checked)}
    run_folder = folder.resolve() / f"nequip-{_identity(texts, settings, seed, model, start_from)}"
    run_folder.mkdir(parents=True, exist_ok=True)
    done = _finished(run_folder)
    if done is None:
        for name, text in texts.items():
            write_atomically(run_folder / name, text)
        config = training_config(
            settings,
            model,
            run_folder,
            device=device,
            fit_stress=statistics.has_stress,
            start_from=None if start_from is None else start_from.checked(),
        )
        _run(run_folder, config, progress or SilentProgress())
        done = _finish(run_folder)
    best_epoch, history = done
    best = history[best_epoch]
    return NequIPRun(
        checkpoint=ModelFile.of(run_folder / f"{BEST}{CHECKPOINT_SUFFIX}"),
        epochs=len(history),
        training_loss=tuple(one.get(_TRAINING_LOSS, math.nan) for one in history),
        validation_loss=tuple(one.get(MONITORED, math.nan) for one in history),
        best_epoch=best_epoch,
        best_errors={name: math.sqrt(best[key]) for key, name in _ERRORS.items() if key in best},
        n_training=len(kept),
        n_validation=len(checked),
        n_without_stress=sum(not has_stress(one) for one in kept),
        cpu_time_s=_cpu_time_s(history),
    )


def child_environment(n_threads: int = 1) -> dict[str, str]:
    """Return the environment of processes that run a network: few threads, and no service that would be asked."""
    return {
        **os.environ,
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", str(n_threads)),
        "PYTHONWARNINGS": "ignore",
        "WANDB_MODE": "disabled",
        "HF_HUB_OFFLINE": "1",
    }


def _model_to_go_on_from(start_from: ModelFile, species: Sequence[str], settings: NequIPSettings) -> Config:
    """Return the config of a trained network, after checking that the settings ask for the same."""
    import torch

    state = torch.load(start_from.checked(), map_location="cpu", weights_only=False)
    model: dict[str, Any] = state["hyper_parameters"]["info_dict"]["training_module"]["model"]
    wanted: dict[str, Any] = {
        "type_names": list(species),
        "model_dtype": settings.precision,
        **architecture(settings),
    }
    differing = {key: (model.get(key), value) for key, value in wanted.items() if model.get(key) != value}
    if differing:
        listed = "; ".join(f"{key}: {old} there, {new} asked for" for key, (old, new) in differing.items())
        raise UserInputError(
            f"a fit cannot go on from {start_from.path}: the network differs ({listed}). Ask for the same species and "
            "architecture, or train from scratch"
        )
    return dict(model)


def _identity(
    texts: dict[str, str], settings: NequIPSettings, seed: int, model: Config, start_from: ModelFile | None
) -> str:
    """Return a short hash of everything that decides what a training gives."""
    start = None if start_from is None else start_from.sha256
    parts = [*texts.values(), settings.model_dump_json(), json.dumps([seed, start, model], sort_keys=True)]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]


def _run(folder: Path, config: Config, progress: Progress) -> None:
    """Run the training process to its end, from its last checkpoint if it left one."""
    last = folder / _LAST
    if zipfile.is_zipfile(last):
        callbacks = config["trainer"]["callbacks"]
        config["trainer"]["callbacks"] = [one for one in callbacks if not one["_target_"].endswith(".StartFrom")]
        config["ckpt_path"] = str(last)
    else:
        (folder / EPOCH_LOG).unlink(missing_ok=True)
    config["hydra"] = {"run": {"dir": str(folder)}, "output_subdir": None}
    write_atomically(folder / f"{_CONFIG}.yaml", yaml.safe_dump(config, sort_keys=False))
    log = folder / "train.log"
    watcher = _EpochWatcher(folder / EPOCH_LOG, progress)
    watcher.start(int(config["trainer"]["max_epochs"]))
    status = run_child(
        [sys.executable, "-m", "nequip.scripts.train", "-cp", str(folder), "-cn", _CONFIG],
        folder=folder,
        environment=child_environment(),
        output=log,
        watch=watcher,
    )
    watcher()
    if status != 0:
        tail = log.read_text(encoding="utf-8", errors="replace").strip()[-_TAIL_CHARACTERS:] or "(nothing)"
        raise ExternalProgramError(
            f"the training process ended with status {status}. Its output ended with:\n{tail}\nAll of it is in {log}. "
            "Run again to go on from its last checkpoint"
        )


def _finish(folder: Path) -> tuple[int, list[dict[str, float]]]:
    """Check what a training process left, and record that it is done."""
    history = _read_history(folder / EPOCH_LOG)
    losses = [one.get(MONITORED, math.nan) for one in history]
    finite = [index for index, loss in enumerate(losses) if math.isfinite(loss)]
    best = folder / f"{BEST}{CHECKPOINT_SUFFIX}"
    if not finite or not best.is_file():
        raise CalculationError(
            f"the training diverged: no epoch of {len(history)} has a finite validation loss. Give a smaller "
            f"learning_rate, or look for absurd labels; its log is {folder / 'train.log'}"
        )
    best_epoch = min(finite, key=lambda index: losses[index])
    record = {"best_epoch": best_epoch, "checkpoint_sha256": sha256_of(best), "history": history}
    write_atomically(folder / _DONE, json.dumps(record))
    return best_epoch, history


def _finished(folder: Path) -> tuple[int, list[dict[str, float]]] | None:
    """Return what an earlier call with the same inputs found, if it was done and its network is unchanged."""
    try:
        record = json.loads((folder / _DONE).read_text(encoding="utf-8"))
        unchanged = sha256_of(folder / f"{BEST}{CHECKPOINT_SUFFIX}") == record["checkpoint_sha256"]
    except (OSError, ValueError, KeyError):
        return None
    return (record["best_epoch"], record["history"]) if unchanged else None


def _read_history(path: Path) -> list[dict[str, float]]:
    """Read the epochs' lines; of an epoch that was made again after a kill the last one counts."""
    by_epoch: dict[int, dict[str, float]] = {}
    if path.is_file():
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                values = json.loads(line)
            except ValueError:
                continue
            by_epoch[int(values["epoch"])] = values
    return [by_epoch[epoch] for epoch in sorted(by_epoch)]


def _cpu_time_s(history: Sequence[dict[str, float]]) -> float:
    """Add up what each process that took part used; each counts from its own start."""
    times = [one.get("cpu_time_s", 0.0) for one in history]
    ends = [time for time, following in zip(times, [*times[1:], 0.0], strict=True) if following < time]
    return float(sum(ends))


class _EpochWatcher:
    """Follows the epochs' log and tells a progress reporter about them."""

    def __init__(self, path: Path, progress: Progress) -> None:
        self._path = path
        self._progress = progress
        self._done = 0

    def start(self, max_epochs: int) -> None:
        """Say how many epochs there are at most."""
        self._progress.start(max_epochs, "epoch", "Training the network")

    def __call__(self) -> None:
        """Report the epochs made since the last call."""
        history = _read_history(self._path)
        if len(history) <= self._done:
            return
        last = history[-1]
        best = min((one[MONITORED] for one in history if MONITORED in one), default=math.nan)
        self._progress.status(
            f"loss {last.get(_TRAINING_LOSS, math.nan):.4g}, validation {last.get(MONITORED, math.nan):.4g} "
            f"(best {best:.4g})"
        )
        self._progress.advance(len(history) - self._done)
        self._done = len(history)
