import pytest
from jobflow import Flow
from sleepy_jobs import add, fail_until, loop_flow, nap, replaced_by_failure, traces
from small_project import QuietObserver, add_test_flow

from interfaceflow.core.errors import UserInputError
from interfaceflow.jobs.workspace import workspace_folder
from interfaceflow.launch.jobs_of_flow import read_flow
from interfaceflow.launch.outputs import mark_for_clearing
from interfaceflow.launch.rerun import plan_failed, plan_job, rerun
from interfaceflow.launch.runner import run_jobs


def stored_output(backend, uuid: str):
    return backend.store.outputs.query_one({"uuid": uuid, "index": 1})


def test_other_branches_go_on_and_the_failed_one_runs_again(backend, root):
    failing, other = fail_until("flag"), nap(1)
    after = add(failing.output, 1)
    record = add_test_flow(backend, Flow([failing, other, after]))
    observer = QuietObserver()
    outcome = run_jobs(backend, record.flow_uuid, observer)
    assert outcome.status == "failed"
    assert observer.errors == ["RuntimeError: no file flag"]
    assert {job.name: job.state for job in outcome.state.jobs.values()} == {
        "fail_until": "FIZZLED",
        "nap": "COMPLETED",
        "add": "WAITING",
    }
    (failed,) = outcome.state.in_state("FIZZLED")
    assert "no file flag" in (root / failed.launch_folder / "log").read_text()

    (root / "flag").touch()
    plan = plan_failed(backend, record.flow_uuid)
    assert [job.name for job in plan.cleared] == ["fail_until"]
    rerun(backend, plan)
    outcome = run_jobs(backend, record.flow_uuid, QuietObserver())
    assert outcome.status == "completed"
    assert stored_output(backend, after.uuid)["output"] == 8
    assert sum("nap1" in line for line in traces(root)) == 1


def test_a_failure_inside_a_replacement_is_cured_from_the_failed_child_on(backend, root):
    replaced = replaced_by_failure("flag")
    after = add(replaced.output, 1)
    record = add_test_flow(backend, Flow([replaced, after]))
    outcome = run_jobs(backend, record.flow_uuid, QuietObserver())
    # store_inputs could run though its parent failed; what follows would then fail for want of its output
    assert [job.name for job in outcome.state.in_state("FIZZLED")] == ["fail_until"]
    assert outcome.status == "failed"

    (root / "flag").touch()
    plan = plan_failed(backend, record.flow_uuid)
    assert [job.name for job in plan.chosen] == ["fail_until"]
    rerun(backend, plan)
    outcome = run_jobs(backend, record.flow_uuid, QuietObserver())
    assert outcome.status == "completed"
    assert len(outcome.state.jobs) == 4
    assert stored_output(backend, after.uuid)["output"] == 8
    assert sum("replaced_by_failure" in line for line in traces(root)) == 1


def test_a_finished_dynamic_job_is_never_repeated(backend):
    record = add_test_flow(backend, loop_flow(1, 0.0))
    state = run_jobs(backend, record.flow_uuid, QuietObserver()).state
    first_loop = next(job for job in state.jobs.values() if job.name == "loop" and job.is_dynamic)
    before_it = next(job for job in state.jobs.values() if first_loop.fw_id in job.children)
    for job in (first_loop, before_it):
        with pytest.raises(UserInputError, match=rf"loop \({first_loop.uuid[:8]}\)"):
            plan_job(backend, record.flow_uuid, job.uuid)
    assert read_flow(backend, record.flow_uuid) == state


def test_a_rerun_removes_what_a_job_stored_and_only_that(backend, root):
    first, second = nap(1), nap(2)
    after = add(first.output, second.output)
    record = add_test_flow(backend, Flow([first, second, after]))
    run_jobs(backend, record.flow_uuid, QuietObserver())
    folders = {job.uuid: workspace_folder(root, job.name, job.uuid, 1) for job in (first, second, after)}
    for folder in folders.values():
        folder.mkdir(parents=True)
        (folder / "file").touch()

    plan = plan_job(backend, record.flow_uuid, first.uuid[:8])
    assert {job.uuid for job in plan.cleared} == {first.uuid, after.uuid}
    rerun(backend, plan)
    assert [uuid for uuid, folder in folders.items() if folder.exists()] == [second.uuid]
    assert [document["uuid"] for document in backend.store.outputs.query()] == [second.uuid]
    outcome = run_jobs(backend, record.flow_uuid, QuietObserver())
    assert [job.launches for job in outcome.state.jobs.values() if job.uuid == second.uuid] == [1]
    assert stored_output(backend, after.uuid)["output"] == 3


def test_clearing_that_was_cut_short_is_finished_by_the_next_run(backend, root):
    only = nap(1)
    record = add_test_flow(backend, only)
    state = run_jobs(backend, record.flow_uuid, QuietObserver()).state
    (job,) = state.jobs.values()
    workspace = workspace_folder(root, job.name, job.uuid, 1)
    workspace.mkdir(parents=True)
    with backend.launchpad.change():
        backend.launchpad.rerun_fw(job.fw_id)
        mark_for_clearing(backend, [job.fw_id])
    outcome = run_jobs(backend, record.flow_uuid, QuietObserver())
    assert outcome.status == "completed"
    assert not workspace.exists()
    assert backend.launchpad.fireworks.count_documents({"spec._interfaceflow_clear": True}) == 0


def test_unknown_and_unfinished_jobs_are_refused(backend):
    record = add_test_flow(backend, nap(1))
    (job,) = read_flow(backend, record.flow_uuid).jobs.values()
    with pytest.raises(UserInputError, match="no job has a uuid that begins with 'zzz'"):
        plan_job(backend, record.flow_uuid, "zzz")
    with pytest.raises(UserInputError, match="is READY"):
        plan_job(backend, record.flow_uuid, job.uuid)
    with pytest.raises(UserInputError, match="has no failed job"):
        plan_failed(backend, record.flow_uuid)
