"""Files of networks, and which of them may be loaded.

Loading any of them runs what is in it: a checkpoint (``.ckpt``) and a package (``.nequip.zip``) hold pickles, a
compiled model (``.nequip.pt2``) holds machine code. So a file is loaded only if its SHA-256 is the one that was
recorded when it was made here, or that the user gave for a file from elsewhere.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from interfaceflow.core.errors import DataFileError, UserInputError
from interfaceflow.core.files import sha256_of
from interfaceflow.potentials.nequip.layer_features import LAST_LAYER

CHECKPOINT_SUFFIX: Final = ".ckpt"
PACKAGE_SUFFIX: Final = ".nequip.zip"
COMPILED_SUFFIX: Final = ".nequip.pt2"


@dataclass(frozen=True)
class ModelFile:
    """A file of a network, and the SHA-256 by which it is trusted.

    Attributes
    ----------
    path
        The file: ``.ckpt``, ``.nequip.zip`` or ``.nequip.pt2``.
    sha256
        Of its content, hexadecimal, as it was recorded.
    """

    path: Path
    sha256: str

    @classmethod
    def of(cls, path: Path) -> ModelFile:
        """Record a file that was made here, just now. Never call it on a file from elsewhere.

        Raises
        ------
        DataFileError
            If it is absent.
        """
        if not path.is_file():
            raise DataFileError(f"{path}: no such file")
        return cls(path.resolve(), sha256_of(path))

    def checked(self) -> Path:
        """Return the path, after checking that the file is the one that was recorded.

        Raises
        ------
        DataFileError
            If it is absent, no file of a network, or another than was recorded.
        """
        if not self.path.is_file():
            raise DataFileError(f"{self.path}: no such file; rerun the job that wrote it")
        if not self.path.name.endswith((CHECKPOINT_SUFFIX, PACKAGE_SUFFIX, COMPILED_SUFFIX)):
            raise DataFileError(
                f"{self.path}: not a file of a network; allowed are {CHECKPOINT_SUFFIX}, {PACKAGE_SUFFIX} and "
                f"{COMPILED_SUFFIX} (a model scripted for an older PyTorch has to be packaged or compiled anew)"
            )
        found = sha256_of(self.path)
        if found != self.sha256:
            raise DataFileError(
                f"{self.path}: refused, since loading such a file runs the code in it, and its SHA-256 "
                f"({found[:12]}...) is not the one recorded ({self.sha256[:12] or 'none'}...). If you trust where it "
                "comes from, give its SHA-256 (sha256sum prints it) beside its path"
            )
        return self.path


@dataclass(frozen=True)
class ModelInfo:
    """What a compiled network says about itself.

    Attributes
    ----------
    species
        Chemical symbols in the order of its types.
    cutoff_radius_A
        Cutoff radius of one layer, Å.
    device
        ``"cpu"`` or ``"cuda"``: the only one it runs on.
    precision
        ``"float32"`` or ``"float64"``.
    inputs, outputs
        Names of the fields it takes and gives, in order.
    """

    species: tuple[str, ...]
    cutoff_radius_A: float
    device: str
    precision: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    @property
    def has_features(self) -> bool:
        """Whether it gives the features that grades are made from."""
        return LAST_LAYER in self.outputs


def read_compiled_info(path: Path) -> ModelInfo:
    """Read what a compiled network says about itself, without running anything in it.

    Parameters
    ----------
    path
        ``.nequip.pt2`` file.

    Raises
    ------
    DataFileError
        If the file is truncated, damaged or no compiled network.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if name.endswith("metadata.json")]
            tables = [json.loads(archive.read(name)) for name in names]
    except (OSError, zipfile.BadZipFile, ValueError) as problem:
        raise DataFileError(f"{path}: not a compiled network, or damaged ({problem}); compile it again") from problem
    for table in tables:
        if isinstance(table, dict) and "type_names" in table:
            return ModelInfo(
                species=tuple(table["type_names"].split()),
                cutoff_radius_A=float(table["r_max"]),
                device=table["AOTI_DEVICE_KEY"],
                precision=table["model_dtype"],
                inputs=tuple(table["nequip_aoti_inputs"].split()),
                outputs=tuple(table["nequip_aoti_outputs"].split()),
            )
    raise DataFileError(f"{path}: says nothing about a network; compile it again from its checkpoint")


def check_fits(info: ModelInfo, path: Path, *, device: str, species: Sequence[str] | None) -> None:
    """Refuse a compiled network that cannot do what is asked.

    Parameters
    ----------
    info
        What it says about itself.
    path
        Its file, for the message.
    device
        Where it is to run, ``"cpu"`` or ``"cuda"``.
    species
        Elements it has to know; None for any.

    Raises
    ------
    UserInputError
        If it was compiled for another device, or does not know an element.
    """
    if info.device != device:
        raise UserInputError(
            f"{path} was compiled for {info.device} and cannot run on {device}; ask for device: {info.device}, or "
            f"compile the checkpoint again for {device}"
        )
    unknown = sorted(set(species or ()) - set(info.species))
    if unknown:
        raise UserInputError(
            f"{path} does not know {', '.join(unknown)}; it was trained for {', '.join(info.species)}. Train a network "
            f"with {', '.join(unknown)} in its training set"
        )


def resolve_device(device: str) -> str:
    """Return ``"cpu"`` or ``"cuda"`` for what the settings ask.

    Raises
    ------
    UserInputError
        If a GPU is asked for and there is none.
    """
    import torch

    available = bool(torch.cuda.is_available())
    if device == "auto":
        return "cuda" if available else "cpu"
    if device == "cuda" and not available:
        raise UserInputError(
            "device: cuda was asked for, but PyTorch finds no GPU here; give device: cpu, or run on a machine with one"
        )
    return device
