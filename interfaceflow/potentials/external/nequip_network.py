"""A compiled network as a potential beside LAMMPS, with its extrapolation grade."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers
from numpy.typing import NDArray

from interfaceflow.core.errors import UserInputError
from interfaceflow.potentials.external.evaluator import Evaluation, FloatArray
from interfaceflow.potentials.nequip.committee import CommitteeGrade
from interfaceflow.potentials.nequip.latent_grade import LatentGrade
from interfaceflow.potentials.nequip.model import NequIPModel, load_model
from interfaceflow.potentials.nequip.model_files import ModelFile


class NequIPEvaluator:
    """A network behind the interface of potentials beside LAMMPS.

    Parameters
    ----------
    model
        The network.
    grade
        What its grades are made from.
    species
        Chemical symbols in the order of LAMMPS' types.
    """

    def __init__(self, model: NequIPModel, grade: LatentGrade | CommitteeGrade, species: Sequence[str]) -> None:
        self._model = model
        self._grade = grade
        self._numbers = np.array([atomic_numbers[symbol] for symbol in species])

    def evaluate(
        self, types: NDArray[np.intp], positions_A: FloatArray, cell_A: FloatArray, *, with_grades: bool
    ) -> Evaluation:
        """Compute one configuration."""
        atoms = Atoms(self._numbers[types], positions=positions_A, cell=cell_A, pbc=True)
        found = self._model.compute(atoms)
        assert found.stress_eV_A3 is not None
        grades = self._grade.grades_of(self._model, atoms, found) if with_grades else None
        return Evaluation(found.energy_eV, found.forces_eV_A, found.stress_eV_A3, grades)


def network_words(device: str, grade: str, grade_file: Path, files: Sequence[ModelFile]) -> tuple[str, ...]:
    """Return what the program beside LAMMPS has to be told about a network.

    Parameters
    ----------
    device
        ``"cpu"`` or ``"cuda"``.
    grade
        ``"latent"`` or ``"committee"``.
    grade_file
        What the grade was saved to.
    files
        The compiled network; with a committee, all of its networks, the potential first.
    """
    return (device, grade, str(grade_file), *(word for file in files for word in (str(file.path), file.sha256)))


def make_evaluator(species: Sequence[str], words: Sequence[str]) -> NequIPEvaluator:
    """Load the network and the grade that `network_words` tells of.

    Raises
    ------
    UserInputError
        If the words are not such words; if a file is damaged or not the one recorded; if the network was compiled for
        another device, or does not know an element.
    """
    if len(words) < 5 or len(words) % 2 == 0:
        raise UserInputError(
            "a network is given by its device, 'latent' or 'committee', the grade's file, and a path and a SHA-256 for "
            f"each compiled network, not by: {' '.join(words) or 'nothing'}"
        )
    device, kind, grade_file, *files = words
    models = [
        load_model(ModelFile(Path(path), sha256), device=device, species=species)
        for path, sha256 in zip(files[::2], files[1::2], strict=True)
    ]
    grade: LatentGrade | CommitteeGrade
    grade = CommitteeGrade.load(Path(grade_file), models) if kind == "committee" else LatentGrade.load(Path(grade_file))
    return NequIPEvaluator(models[0], grade, species)
