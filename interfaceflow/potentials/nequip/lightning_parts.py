"""What the training process loads by name from its config: run in that process only."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any, cast

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint
from nequip.train import MeanSquaredError


class LabelledStressSquaredError(MeanSquaredError):  # type: ignore[misc]
    """Mean squared error over the stresses that have a label; zero for a batch of cells without any."""

    def update(self, preds: torch.Tensor, target: torch.Tensor) -> None:
        """Take the stresses of a batch; where the label is NaN there is none."""
        labelled = torch.isfinite(target)
        super().update(preds[labelled], target[labelled])

    def compute(self) -> torch.Tensor:
        """Return the mean."""
        mean: torch.Tensor = self.sum / self.count.clamp(min=1)
        return mean

    def __str__(self) -> str:
        return "labelled_mse"


class EpochLog(Checkpoint):
    """Appends a line of JSON for each epoch: its number, the losses, and the processor time used since the start.

    It is a `Checkpoint` because the trainer calls those last, when the epoch's training loss is known.

    Parameters
    ----------
    path
        The file; a process that goes on from a checkpoint appends to it.
    """

    def __init__(self, path: str) -> None:
        self._path = Path(path)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the line."""
        values = {name: float(value) for name, value in trainer.callback_metrics.items()}
        line = {"epoch": trainer.current_epoch, "cpu_time_s": time.process_time(), **values}
        with self._path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(line) + "\n")


class StartFrom(Callback):
    """Starts a fit from the weights of a trained network: its running average, where it has one.

    Parameters
    ----------
    checkpoint
        Of the trained network, of the same architecture.
    """

    def __init__(self, checkpoint: str) -> None:
        self._checkpoint = checkpoint

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Put the weights into the new network."""
        state = torch.load(self._checkpoint, map_location="cpu", weights_only=False)["state_dict"]
        model = cast(torch.nn.Module, pl_module.model)
        model.load_state_dict(_under(state, "model."))
        averages = _under(state, "ema.ema_weight_")
        with torch.no_grad():
            for index, weight in enumerate(model.parameters()):
                if averages:
                    weight.copy_(averages[str(index)])
                if hasattr(pl_module, "ema"):
                    getattr(pl_module.ema, f"ema_weight_{index}").copy_(weight)


def _under(state: dict[str, Any], prefix: str) -> dict[str, Any]:
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
