import numpy as np
import pytest

from interfaceflow.core.errors import UserInputError
from interfaceflow.core.progress import SilentProgress
from interfaceflow.reference.labelling import LabelRequest, label_configurations
from interfaceflow.reference.levels_of_theory import calculator_of, load_level_of_theory
from interfaceflow.reference.workers import stop_workers


@pytest.fixture(autouse=True, scope="module")
def _no_workers_left():
    yield
    stop_workers()


def test_a_bad_configuration_is_quarantined_and_the_others_are_labelled(argon, argon_level):
    requests = [LabelRequest(argon.copy(), f"frame {i}", "run", 40.0) for i in range(4)]
    requests[2].atoms.positions[1] = requests[2].atoms.positions[0] + (0.3, 0.0, 0.0)
    trusted, quarantined = label_configurations(requests, argon_level, 2, SilentProgress())
    assert [label.source for label in trusted] == ["frame 0", "frame 1", "frame 3"]
    assert [label.source for label in quarantined] == ["frame 2"]
    assert "too close" in quarantined[0].reason
    argon.calc = calculator_of(argon_level)
    np.testing.assert_allclose(trusted[0].forces_eV_A, argon.get_forces(), atol=1e-12)


def test_nothing_to_label_is_no_trouble(argon_level):
    assert label_configurations([], argon_level, 2, SilentProgress()) == ([], [])


def test_a_charged_cell_is_refused_before_anything_is_computed(argon):
    argon.info["charge_e"] = -1.0
    with pytest.raises(UserInputError, match="frame 0: the cell has a charge of -1 e"):
        label_configurations(
            [LabelRequest(argon, "frame 0", "run")], load_level_of_theory("chgnet"), 2, SilentProgress()
        )
