import json

import numpy as np
import pytest
from doc_jobs import energetics, energetics_by_replacement, relaxations, transport
from jobflow import Flow
from small_project import QuietObserver, add_test_flow

from interfaceflow.core.errors import DataFileError, UserInputError
from interfaceflow.launch.backend import own_project
from interfaceflow.launch.runner import run_jobs
from interfaceflow.schemas.energetics import EnergeticsDoc
from interfaceflow.schemas.structures import RelaxationDoc
from interfaceflow.schemas.transport import TransportDoc
from interfaceflow.store import open_project, project
from interfaceflow.store.rebuild import docs_in
from interfaceflow.store.tables import KINDS

pytestmark = pytest.mark.filterwarnings("ignore:Some jobs are not connected")


@pytest.fixture
def finished(root):
    flow = Flow([transport(300.0), transport(450.0), relaxations(3), energetics_by_replacement()])
    with own_project(root) as backend:
        record = add_test_flow(backend, flow)
        assert run_jobs(backend, record.flow_uuid, QuietObserver()).status == "completed"
    return record


def test_docs_come_back_as_their_classes(finished):
    results = open_project().load_results()
    assert results.flow_uuid == finished.flow_uuid
    assert results.settings == finished.settings
    docs = results.all_of(TransportDoc)
    assert [doc.temperature_K for doc in docs] == [300.0, 450.0]
    assert docs[0] == transport.original(300.0)
    assert len(results.all_of(RelaxationDoc)) == 3
    assert results.all_of(EnergeticsDoc) == [energetics.original()]
    times = [stored.completed_on for stored in results.docs]
    assert times == sorted(times)


def test_transport_has_a_row_for_each_temperature_label_and_direction(finished):
    table = open_project().query("transport")
    assert list(zip(table["temperature_K"], table["label"], table["direction"], strict=True)) == [
        (300.0, "metal-Li", "in-plane"),
        (300.0, "binary-Li", "out-of-plane"),
        (450.0, "metal-Li", "in-plane"),
        (450.0, "binary-Li", "out-of-plane"),
    ]
    limit = table.iloc[1]
    assert np.isnan(limit["tracer_diffusivity_cm2_s"])
    assert limit["upper_cm2_s"] == 1e-8
    assert limit["reason"] == "too few hops"
    rows = json.loads(table.to_json(orient="records", double_precision=15))
    assert rows[0]["tracer_diffusivity_cm2_s"] == 2e-6
    assert rows[1]["tracer_diffusivity_cm2_s"] is None
    assert rows[0]["reason"] is None


@pytest.mark.parametrize(
    ("where", "n_rows"),
    [
        ("temperature_K>300", 2),
        ("temperature_K >= 300", 4),
        ("label=metal-Li", 2),
        ("label != metal-Li", 2),
        (["temperature_K<400", "direction==in-plane"], 1),
        ("metal_is_solid=true", 2),
        ("tracer_diffusivity_cm2_s>1e-7", 2),
        ("temperature_K>1000", 0),
        (None, 4),
    ],
)
def test_filters(finished, where, n_rows):
    assert len(open_project().query("transport", where)) == n_rows


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("temperature>300", "Did you mean 'temperature_K'"),
        ("temperature_K>warm", "'warm' is not a number"),
        ("temperature_K>300 K", "'300 K' is not a number"),
        ("temperature_K 300", "expected COLUMN"),
        ("temperature_K>", "expected COLUMN"),
        ("label>metal", "holds text"),
        ("metal_is_solid=maybe", "neither true nor false"),
    ],
)
def test_filters_that_cannot_be_read(finished, where, message):
    with pytest.raises(UserInputError, match=message):
        open_project().query("transport", where)


def test_every_kind_has_its_columns_with_and_without_rows(finished):
    project = open_project()
    for name, kind in KINDS.items():
        assert tuple(project.query(name).columns) == kind.columns
    assert project.query("energetics")["caveats"].tolist() == ["a; b"]
    assert project.query("relaxations")["energy_per_atom_eV"].tolist() == pytest.approx([-1.9, -2.4, -2.9])


def test_an_unknown_kind_is_refused_with_the_nearest(finished):
    with pytest.raises(UserInputError, match="Did you mean 'transport'"):
        open_project().query("transports")


def test_a_folder_without_a_project(tmp_path):
    with pytest.raises(UserInputError, match="there is no interfaceflow project here"):
        open_project(tmp_path)


def test_a_doc_of_another_schema_is_named(finished):
    stored = {"@module": "interfaceflow.schemas.energetics", "@class": "EnergeticsDoc", "@version": None}
    with pytest.raises(DataFileError, match=r"EnergeticsDoc of job here does not fit its schema: provenance"):
        list(docs_in(stored, "here"))


def test_only_schemas_of_the_package_are_rebuilt():
    assert list(docs_in({"@module": "subprocess", "@class": "Popen"}, "here")) == []
    assert list(docs_in({"a": [{"b": 3}], "c": None}, "here")) == []


def test_mongodb_uris_are_checked(monkeypatch):
    with pytest.raises(UserInputError, match="names no database"):
        open_project(mongodb_uri="mongodb://localhost:27017")
    with pytest.raises(UserInputError, match="is not a MongoDB URI"):
        open_project(mongodb_uri="http://localhost")
    monkeypatch.setattr(project, "_SERVER_TIMEOUT_MS", 200)
    with pytest.raises(UserInputError, match=r"MongoDB at 127.0.0.1:1 cannot be used") as caught:
        open_project(mongodb_uri="mongodb://me:secret@127.0.0.1:1/interfaceflow")
    assert "secret" not in str(caught.value)
