"""motep with its C extension: the peer that a package registry has."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator
from ase.data import atomic_numbers
from start import SPECIES, TRAINING_SET

from interfaceflow.core.formats.cfg import read_configurations
from interfaceflow.potentials.mtp.loss import LossWeights

if TYPE_CHECKING:
    from motep.grade.grader import Grader
    from motep.potentials.mtp.data import MTPData

MOTEP = "motep, C extension"
_ENGINE = "cext"


def has_motep() -> bool:
    """Return whether motep is installed; where it is not, say how to install it."""
    if find_spec("motep") is not None:
        return True
    print("motep is not installed, so it is not in the tables: pip install -e '.[benchmark]' installs it", flush=True)
    return False


def motep_calculator(text_potential: Path) -> Calculator:
    """Return motep's calculator.

    Parameters
    ----------
    text_potential
        A potential without active set, the only kind that motep reads. (The same for every function below.)
    """
    from motep.calculator import MTP

    calculator: Calculator = MTP(_motep_potential(text_potential), engine=_ENGINE, mode="run")
    return calculator


def motep_grader(text_potential: Path) -> Grader:
    """Return motep's grades of neighbourhoods, with an active set of its own from the training set."""
    from motep.grade.grader import Grader

    grader = Grader(_motep_potential(text_potential), seed=1, engine=_ENGINE, mode="neighborhood")
    grader.update(_training_set())
    return grader


def motep_loss_and_gradient(text_potential: Path) -> Callable[[], tuple[float, np.ndarray]]:
    """Return a function that computes motep's loss of the training set and its gradient.

    Weights are such that it is MLIP-3's loss, without its penalty: all configurations have the same number of atoms.
    """
    from motep.loss import LossFunction, LossSetting

    potential = _motep_potential(text_potential)
    images = _training_set()
    (n_atoms,) = {len(atoms) for atoms in images}
    weights = LossWeights()
    setting = LossSetting(
        energy_weight=weights.energy / n_atoms,
        forces_weight=weights.force,
        stress_weight=weights.stress / n_atoms,
        energy_per_atom=False,
        forces_per_atom=False,
        stress_times_volume=True,
    )
    loss = LossFunction(images, potential, setting, engine=_ENGINE)
    parameters = potential.parameters

    def evaluate() -> tuple[float, np.ndarray]:
        return float(loss(parameters)), loss.jac(parameters)

    return evaluate


def _motep_potential(text_potential: Path) -> MTPData:
    from motep.io.mlip.mtp import read_mtp

    potential = read_mtp(str(text_potential))
    potential.species = [atomic_numbers[symbol] for symbol in SPECIES]
    return potential


def _training_set() -> list[Atoms]:
    return [one.to_atoms(SPECIES) for one in read_configurations(TRAINING_SET)]
