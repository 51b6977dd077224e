import numpy as np
import pytest

from interfaceflow.core.files import FileRef
from interfaceflow.jobs.learning import is_near
from interfaceflow.schemas.structures import StructureFile


def cell_of_volume(factor):
    cell = factor ** (1 / 3) * np.array([[4.0, 0.0, 0.0], [1.0, 5.0, 0.0], [0.5, 0.3, 6.0]])
    return StructureFile(
        file=FileRef(uri="a.xyz", sha256="0" * 64, n_bytes=1),
        formula="Li",
        n_atoms=1,
        cell_A=tuple(tuple(row) for row in cell.tolist()),
    )


@pytest.mark.parametrize(("factor", "goes_on"), [(1.0, True), (1.1, True), (1.2, False), (0.95, True), (0.85, False)])
def test_a_run_whose_cell_has_swollen_or_shrunk_starts_again(factor, goes_on):
    assert is_near(cell_of_volume(factor), cell_of_volume(1.0)) is goes_on
