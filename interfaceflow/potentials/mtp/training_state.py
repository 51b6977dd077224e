"""What a fit knows between two iterations, and the checkpoint file that holds it.

A fit that goes on from its state takes the same steps as one that was never interrupted, on the same machine to the
last digit. A checkpoint also holds a hash of everything that decides those steps, so that a fit never goes on from
the checkpoint of another.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from interfaceflow.core.errors import DataFileError
from interfaceflow.core.files import write_atomically
from interfaceflow.potentials.mtp.minimise import LbfgsState

FloatArray = NDArray[np.float64]

_FORMAT = "interfaceflow-mlp checkpoint 1"


class Stage(StrEnum):
    """Where a fit is."""

    RACE = "race of random starts"
    PRETRAINING = "pre-training"
    FIT = "fit"


@dataclass(frozen=True)
class BestValidation:
    """The potential that does best on the validation set.

    Attributes
    ----------
    iteration
        When it was found.
    loss
        On the training set, dimensionless.
    validation_loss
        On the validation set, dimensionless.
    coefficients
        Shape (n_coefficients,).
    """

    iteration: int
    loss: float
    validation_loss: float
    coefficients: FloatArray


@dataclass(frozen=True)
class TrainingState:
    """All that a fit knows between two iterations.

    Attributes
    ----------
    stage
        Where it is.
    searches
        Of random starts that race, in order; one when the race is over.
    pretraining_iterations
        Made so far.
    losses
        After pre-training: the loss at the last iterations, as many as the rule to stop looks at.
    iterations
        Made after pre-training.
    ridge
        See `Loss.ridge`.
    best
        None without a validation set, or before it was looked at.
    """

    stage: Stage = Stage.RACE
    searches: tuple[LbfgsState, ...] = ()
    pretraining_iterations: int = 0
    losses: tuple[float, ...] = ()
    iterations: int = 0
    ridge: FloatArray | None = None
    best: BestValidation | None = None


def identity_of(*parts: bytes | str) -> str:
    """Return a hash of everything that decides the steps of a fit: contents of files, and settings in words."""
    digest = hashlib.sha256()
    for part in parts:
        content = part.encode() if isinstance(part, str) else part
        digest.update(len(content).to_bytes(8, "little") + content)
    return digest.hexdigest()


def write_checkpoint(path: Path, identity: str, state: TrainingState) -> None:
    """Write a state to a file, atomically."""
    arrays: dict[str, FloatArray] = {
        "counts": np.array([state.pretraining_iterations, state.iterations], dtype=float),
        "losses": np.array(state.losses),
    }
    for index, search in enumerate(state.searches):
        arrays[f"scalars_{index}"] = np.array([search.iterations, search.value])
        arrays[f"point_{index}"], arrays[f"gradient_{index}"] = search.point, search.gradient
        arrays[f"steps_{index}"], arrays[f"changes_{index}"] = search.steps, search.changes
    if state.ridge is not None:
        arrays["ridge"] = state.ridge
    if state.best is not None:
        arrays["best_scalars"] = np.array([state.best.iteration, state.best.loss, state.best.validation_loss])
        arrays["best_coefficients"] = state.best.coefficients
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, format=np.array([_FORMAT, identity, state.stage]), **arrays)
    write_atomically(path, buffer.getvalue())


def read_checkpoint(path: Path, identity: str) -> TrainingState | None:
    """Return the state in a file, None where there is no file.

    Raises
    ------
    DataFileError
        If the file is damaged, or of another fit.
    """
    try:
        content = path.read_bytes()
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            found = {name: np.asarray(arrays[name]) for name in arrays.files}
        written_by, written_for, stage = found["format"].tolist()
        if written_by == _FORMAT and written_for == identity:
            return _state_of(found, Stage(stage))
    except FileNotFoundError:
        return None
    except (KeyError, ValueError, OSError, EOFError, zipfile.BadZipFile) as problem:
        raise DataFileError(f"{path}: not a checkpoint that can be read ({problem})") from problem
    raise DataFileError(
        f"{path}: the checkpoint of another fit (the starting potential, a set of configurations or a setting differs)"
    )


def _state_of(arrays: dict[str, FloatArray], stage: Stage) -> TrainingState:
    pretraining_iterations, iterations = (int(count) for count in arrays["counts"])
    searches = tuple(
        LbfgsState(
            iterations=int(arrays[f"scalars_{index}"][0]),
            point=arrays[f"point_{index}"],
            value=float(arrays[f"scalars_{index}"][1]),
            gradient=arrays[f"gradient_{index}"],
            steps=arrays[f"steps_{index}"],
            changes=arrays[f"changes_{index}"],
        )
        for index in range(sum(name.startswith("scalars_") for name in arrays))
    )
    best: BestValidation | None = None
    if "best_scalars" in arrays:
        iteration, loss, validation_loss = (float(value) for value in arrays["best_scalars"])
        best = BestValidation(int(iteration), loss, validation_loss, arrays["best_coefficients"])
    return TrainingState(
        stage=stage,
        searches=searches,
        pretraining_iterations=pretraining_iterations,
        losses=tuple(arrays["losses"].tolist()),
        iterations=iterations,
        ridge=arrays.get("ridge"),
        best=best,
    )
