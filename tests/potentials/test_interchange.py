"""Files go from the built-in engine to a site's MLIP-3 and back; runs where INTERFACEFLOW_MLP names one."""

import os
from pathlib import Path

import numpy as np
import pytest

from interfaceflow.core.formats.cfg import read_configurations, write_configurations
from interfaceflow.potentials.mlp import Mlp, MlpTrainingSettings, write_untrained_potential
from interfaceflow.potentials.mlp_executable import MLP_VARIABLE

LI2S = Path(__file__).parents[1] / "data" / "mtp" / "li2s"
SITE = os.environ.get(MLP_VARIABLE)

pytestmark = pytest.mark.skipif(not SITE, reason=f"no MLIP-3: name its binary in ${MLP_VARIABLE}")


@pytest.fixture
def engines(monkeypatch) -> dict[str, Mlp]:
    monkeypatch.delenv(MLP_VARIABLE)
    return {"ours": Mlp(), "theirs": Mlp(SITE)}


def grades(mlp: Mlp, potential: Path, configurations: Path) -> np.ndarray:
    output = potential.with_suffix(".graded.cfg")
    mlp.calculate_grade(potential, configurations, output=output, log=potential.with_suffix(".log"))
    return np.array([one.grade for one in read_configurations(output)])


@pytest.mark.parametrize("mode", ["nbh", "cfg"])
@pytest.mark.parametrize(("first", "second"), [("ours", "theirs"), ("theirs", "ours")])
def test_one_engine_goes_on_where_the_other_ended(tmp_path, engines, first, second, mode):
    training_set, candidates = tmp_path / "train.cfg", LI2S / "test.cfg"
    write_configurations(training_set, read_configurations(LI2S / "train.cfg")[:8])
    start, fitted, again = tmp_path / "start.almtp", tmp_path / "fitted.almtp", tmp_path / "again.almtp"
    write_untrained_potential(start, 6, species_count=2)
    settings = MlpTrainingSettings(iteration_limit=3, selection_mode=mode)
    before = engines[first].train(start, training_set, save_to=fitted, log=tmp_path / "1.log", settings=settings)

    np.testing.assert_allclose(
        grades(engines[first], fitted, candidates), grades(engines[second], fitted, candidates), rtol=1e-6, atol=2e-6
    )
    selected = tmp_path / "selected.cfg"
    assert engines[second].select_add(fitted, training_set, candidates, selected=selected, log=tmp_path / "s.log") > 0

    after = engines[second].train(fitted, training_set, save_to=again, log=tmp_path / "2.log", settings=settings)
    # MLIP-3 solves for the linear coefficients after its last line; its ridge is another in a new process.
    assert after.loss < 1.1 * before.loss
    for engine in engines.values():
        assert grades(engine, again, training_set).max() < 1.001 + 2e-6
