"""Tables of results: every row fills the columns that are announced, none less and none more."""

import pytest
from demo_flow import DemoFlow, flow_results

from interfaceflow.core.files import PROJECT_ROOT_VARIABLE
from interfaceflow.schemas.learning import LearningRoundDoc
from interfaceflow.schemas.settings import ZBLSettings
from interfaceflow.store.tables import KINDS, build_table


@pytest.fixture
def results(tmp_path, monkeypatch):
    monkeypatch.setenv(PROJECT_ROOT_VARIABLE, str(tmp_path))
    return DemoFlow(tmp_path).results()


@pytest.mark.parametrize("kind", KINDS)
def test_rows_have_the_columns_of_their_kind(kind, results):
    for row in KINDS[kind].rows(results):
        assert tuple(row) == KINDS[kind].columns


def test_potentials_say_what_has_to_be_added_to_their_file(results):
    (last,) = results.all_of(LearningRoundDoc)[-1:]
    assert build_table("potentials", lambda: results)["zbl_outer_cutoff_A"].isna().all()
    zbl = ZBLSettings(inner_cutoff_A=1.0, outer_cutoff_A=2.0)
    model = last.potential.model.model_copy(update={"zbl": zbl})
    overlaid = last.model_copy(update={"potential": last.potential.model_copy(update={"model": model})})
    (row,) = build_table("potentials", lambda: flow_results([("explore", overlaid)])).to_dict("records")
    assert (row["zbl_inner_cutoff_A"], row["zbl_outer_cutoff_A"]) == (1.0, 2.0)
