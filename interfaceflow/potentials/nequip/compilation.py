"""Compiling and packaging of trained networks, in processes of their own."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from interfaceflow.core.child_process import run_child
from interfaceflow.core.errors import ExternalProgramError, UserInputError
from interfaceflow.potentials.nequip.model_files import (
    COMPILED_SUFFIX,
    PACKAGE_SUFFIX,
    ModelFile,
    check_fits,
    read_compiled_info,
)
from interfaceflow.potentials.nequip.training import child_environment

_TAIL_CHARACTERS: Final = 2000


def compile_nequip(checkpoint: ModelFile, save_to: Path, *, device: str = "cpu") -> ModelFile:
    """Compile a trained network for one kind of device; it then gives features, too.

    Parameters
    ----------
    checkpoint
        Of the trained network, or a package.
    save_to
        ``.nequip.pt2`` file; its log goes beside it.
    device
        ``"cpu"`` or ``"cuda"``: the only one the result runs on.

    Raises
    ------
    UserInputError
        If the name of the file does not end in ``.nequip.pt2``, or there is no C++ compiler.
    DataFileError
        If the checkpoint is not the file that was recorded.
    ExternalProgramError
        If the process failed.
    """
    if not save_to.name.endswith(COMPILED_SUFFIX):
        raise UserInputError(f"{save_to}: the name of a compiled network has to end in {COMPILED_SUFFIX}")
    compiler = os.environ.get("CXX", "g++")
    if shutil.which(compiler) is None:
        raise UserInputError(
            f"compiling a network needs a C++ compiler, and {compiler} is not found; install one (Debian: g++), or "
            "name one in $CXX"
        )
    words = ["-m", "interfaceflow.potentials.nequip.compile_process", str(checkpoint.checked())]
    part = _part_of(save_to, COMPILED_SUFFIX)
    _run([*words, str(part), device], part, save_to, "compiling")
    compiled = ModelFile.of(save_to)
    check_fits(read_compiled_info(compiled.path), compiled.path, device=device, species=None)
    return compiled


def package_nequip(checkpoint: ModelFile, save_to: Path) -> ModelFile:
    """Package a trained network with the code it needs, for other machines and other releases.

    The training file of the checkpoint has to be where it was.

    Parameters
    ----------
    checkpoint
        Of the trained network.
    save_to
        ``.nequip.zip`` file; its log goes beside it.

    Raises
    ------
    UserInputError
        If the name of the file does not end in ``.nequip.zip``.
    DataFileError
        If the checkpoint is not the file that was recorded.
    ExternalProgramError
        If the process failed.
    """
    if not save_to.name.endswith(PACKAGE_SUFFIX):
        raise UserInputError(f"{save_to}: the name of a packaged network has to end in {PACKAGE_SUFFIX}")
    part = _part_of(save_to, PACKAGE_SUFFIX)
    words = ["-m", "nequip.scripts.package", "build", str(checkpoint.checked()), str(part)]
    _run(words, part, save_to, "packaging")
    return ModelFile.of(save_to)


def _part_of(path: Path, suffix: str) -> Path:
    return path.resolve().with_name(f".{path.name.removesuffix(suffix)}.part{suffix}")


def _run(words: Sequence[str], part: Path, save_to: Path, what: str) -> None:
    """Run a Python module that writes ``part``, and move that to its place."""
    save_to.parent.mkdir(parents=True, exist_ok=True)
    log = save_to.with_name(f"{save_to.name}.log")
    part.unlink(missing_ok=True)
    try:
        status = run_child(
            [sys.executable, *words],
            folder=save_to.resolve().parent,
            environment=child_environment(),
            output=log.resolve(),
        )
        if status != 0 or not part.is_file():
            tail = log.read_text(encoding="utf-8", errors="replace").strip()[-_TAIL_CHARACTERS:] or "(nothing)"
            raise ExternalProgramError(
                f"{what} the network ended with status {status}. Its output ended with:\n{tail}\nAll of it is in {log}"
            )
        part.replace(save_to)
    finally:
        part.unlink(missing_ok=True)
