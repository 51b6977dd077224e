import logging
import re

import pytest
from jobflow import Flow
from sleepy_jobs import nap
from small_project import QuietObserver, add_test_flow, inputs, settings

from interfaceflow.core.errors import UserInputError
from interfaceflow.core.progress import progress_reporter
from interfaceflow.jobs.wiring import wire
from interfaceflow.launch.flows import choose_flow
from interfaceflow.launch.jobs_of_flow import read_flow
from interfaceflow.launch.progress_file import RecordedProgress, read_progress
from interfaceflow.launch.runner import run_jobs
from interfaceflow.launch.status import flow_status


def test_the_same_config_goes_on_and_then_is_finished(backend):
    assert choose_flow(backend, settings(), inputs()).action == "start"
    record = add_test_flow(backend, nap(1))
    choice = choose_flow(backend, settings(), inputs())
    assert (choice.action, choice.record) == ("continue", record)
    run_jobs(backend, record.flow_uuid, QuietObserver())
    choice = choose_flow(backend, settings(), inputs())
    assert (choice.action, choice.record) == ("finished", record)


def test_a_changed_config_of_an_unfinished_flow_stops_with_the_difference(backend):
    record = add_test_flow(backend, nap(1))
    changed = settings().model_copy(update={"seed": 7})
    with pytest.raises(UserInputError, match=r"(?s)not finished.*seed: 1 -> 7.*--new"):
        choose_flow(backend, changed, inputs())
    run_jobs(backend, record.flow_uuid, QuietObserver())
    assert choose_flow(backend, changed, inputs()).action == "start"


def test_a_record_without_a_flow_is_forgotten(backend, monkeypatch):
    monkeypatch.setattr(backend.launchpad, "add_wf", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        add_test_flow(backend, nap(1))
    monkeypatch.undo()
    assert choose_flow(backend, settings(), inputs()).action == "start"
    record = add_test_flow(backend, nap(2))
    assert [known.flow_uuid for known in backend.store.list_flows()] == [record.flow_uuid]


def test_a_category_is_kept_and_does_not_keep_a_job_from_running(backend):
    record = add_test_flow(backend, Flow([wire(nap(1), "nap", "gpu")]))
    (job,) = run_jobs(backend, record.flow_uuid, QuietObserver()).state.jobs.values()
    assert (job.category, job.state) == ("gpu", "COMPLETED")


def test_status_tells_states_times_and_what_is_left(backend, root):
    record = add_test_flow(backend, nap(1, 0.05))
    run_jobs(backend, record.flow_uuid, QuietObserver())
    later = add_test_flow(backend, Flow([nap(2), nap(3)]), title="later")
    status = flow_status(root)
    assert status.record.flow_uuid == later.flow_uuid
    assert [row[1:4] for row in status.table()] == [("nap", "READY", "0"), ("nap", "READY", "0")]
    assert "0 of 2 jobs" in status.summary()
    assert re.search(r"the rest takes about [\d.]+ s", status.summary())
    assert "1 of 1 jobs" in flow_status(root, record.flow_uuid[:6]).summary()
    with pytest.raises(UserInputError, match="no flow has a uuid that begins with 'zz'"):
        flow_status(root, "zz")


def test_progress_reaches_status(backend, root, caplog):
    caplog.set_level(logging.INFO)
    before = progress_reporter()
    record = add_test_flow(backend, nap(1))
    run_jobs(backend, record.flow_uuid, QuietObserver())
    assert progress_reporter() is before
    progress = RecordedProgress(before, backend.folder)
    progress.start_job(3)
    progress.start(10, "label", "Labelling")
    assert str(read_progress(backend.folder)) == "Labelling: 0 of 10 labels"
    assert read_progress(backend.folder).fw_id == 3


def test_order_of_jobs_is_that_of_the_flow(backend):
    jobs = [nap(number) for number in range(4)]
    record = add_test_flow(backend, Flow(jobs))
    assert [job.uuid for job in read_flow(backend, record.flow_uuid).jobs.values()] == [job.uuid for job in jobs]
