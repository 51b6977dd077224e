import numpy as np
import pytest

from interfaceflow.core.errors import UserInputError
from interfaceflow.core.progress import SilentProgress
from interfaceflow.reference.labelling import LabelRequest, label_configurations
from interfaceflow.reference.levels_of_theory import calculator_of, load_level_of_theory
from interfaceflow.reference.workers import stop_workers
from interfaceflow.schemas.ase_calculator import AseSettings
from interfaceflow.schemas.level_of_theory import LevelOfTheory


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


def test_labels_that_are_kept_are_not_computed_again(argon, argon_level, tmp_path):
    requests = [LabelRequest(argon.copy(), f"frame {i}", "run", 40.0) for i in range(2)]
    first, _ = label_configurations(requests[:1], argon_level, 1, SilentProgress(), tmp_path)
    (kept,) = tmp_path.glob("label-*.xyz")
    kept.write_text(kept.read_text().replace(f"energy={first[0].energy_eV}", "energy=-1.0"))
    labels, _ = label_configurations(requests, argon_level, 1, SilentProgress(), tmp_path)
    assert labels[0].energy_eV == -1.0
    assert labels[1].energy_eV == pytest.approx(first[0].energy_eV)
    assert len(list(tmp_path.glob("label-*.xyz"))) == 2


def test_a_kept_label_of_other_physics_is_not_taken(argon, argon_level, tmp_path):
    label_configurations([LabelRequest(argon, "frame", "run")], argon_level, 1, SilentProgress(), tmp_path)
    physics = argon_level.physics.model_copy(update={"epsilon_eV": 0.2})
    other = argon_level.model_copy(update={"physics": physics})
    (label,), _ = label_configurations([LabelRequest(argon, "frame", "run")], other, 1, SilentProgress(), tmp_path)
    assert label.physics_hash == other.physics_hash


def test_labels_that_are_no_numbers_are_quarantined(argon, tmp_path):
    physics = AseSettings(engine="ase", calculator="broken_calculators:NotANumber", package_version="of this test")
    level = LevelOfTheory(name="broken", description="Gives NaN", physics=physics)
    requests = [LabelRequest(argon, f"frame {i}", "run") for i in range(2)]
    for _ in range(2):  # the second time from what was kept
        labels, quarantined = label_configurations(requests, level, 1, SilentProgress(), tmp_path)
        assert labels == []
        assert {label.reason for label in quarantined} == {"energy, forces or stress are not finite numbers"}


def test_a_calculation_that_did_not_converge_is_quarantined_and_the_batch_goes_on(argon):
    physics = AseSettings(engine="ase", calculator="broken_calculators:ConvergesNowAndThen", package_version="1")
    level = LevelOfTheory(name="broken", description="Converges every other time", physics=physics)
    requests = [LabelRequest(argon.copy(), f"frame {i}", "run") for i in range(4)]
    for i, request in enumerate(requests):
        request.atoms.positions[0] += 0.01 * i
    labels, quarantined = label_configurations(requests, level, 1, SilentProgress())
    assert len(labels) == len(quarantined) == 2
    assert {label.reason for label in quarantined} == {"the calculation did not converge"}
