"""Damaged files, a full disk, a folder that cannot be written."""

import errno
import os
import shutil
from pathlib import Path

import pytest
from jobflow import Flow
from sleepy_jobs import full_disk, loop_flow, nap, traces
from small_project import QuietObserver, add_test_flow

from interfaceflow.core.errors import DataFileError, UserInputError
from interfaceflow.launch.backend import look_at_project, own_project
from interfaceflow.launch.embedded import CheckpointError
from interfaceflow.launch.inputs import check_folder
from interfaceflow.launch.jobs_of_flow import read_flow
from interfaceflow.launch.runner import StorageError, run_jobs
from interfaceflow.store import snapshot


@pytest.mark.parametrize("name", ["launchpad.json", "outputs.json"])
@pytest.mark.parametrize("keep", [0, 10, 0.5, -1])
def test_a_truncated_file_is_refused_and_the_way_back_works(root, name, keep):
    with own_project(root) as backend:
        record = add_test_flow(backend, loop_flow(1, 0.0))
        run_jobs(backend, record.flow_uuid, QuietObserver())
    path = root / ".interfaceflow" / name
    whole = path.read_bytes()
    damaged = whole[: int(len(whole) * keep) if isinstance(keep, float) else keep]
    path.write_bytes(damaged)
    with pytest.raises(DataFileError, match=rf"(?s){name}: .* is truncated or damaged.*cp .*{name}.bak"):
        look_at_project(root)
    with pytest.raises(DataFileError), own_project(root):
        pass
    assert path.read_bytes() == damaged

    shutil.copy(f"{path}.bak", path)
    with own_project(root) as backend:
        outcome = run_jobs(backend, record.flow_uuid, QuietObserver())
    assert outcome.status == "completed"


def test_a_changed_byte_is_noticed(root):
    with own_project(root) as backend:
        add_test_flow(backend, nap(1))
    path = root / ".interfaceflow" / "launchpad.json"
    path.write_bytes(path.read_bytes().replace(b"READY", b"REEDY"))
    with pytest.raises(DataFileError, match="check sum"):
        look_at_project(root)


def test_a_deleted_launchpad_is_not_taken_for_a_new_project(root):
    with own_project(root) as backend:
        add_test_flow(backend, nap(1))
        add_test_flow(backend, nap(2))
    (root / ".interfaceflow" / "launchpad.json").unlink()
    with pytest.raises(DataFileError, match="the launchpad is gone"):
        look_at_project(root)


def test_a_disk_that_fills_up_loses_nothing(root, monkeypatch):
    """Let the n-th write fail, for every n, and go on with a disk that has room."""
    real_write = snapshot.write_atomically
    n_writes = 0
    n_failures = 0
    for failing in range(1, 40):
        folder = root / str(failing)
        folder.mkdir()
        monkeypatch.setenv("INTERFACEFLOW_PROJECT", str(folder))
        with own_project(folder) as backend:
            record = add_test_flow(backend, Flow([nap(1), nap(2)]))
            n_writes = 0

            def write(path: Path, content: str, failing: int = failing) -> None:
                nonlocal n_writes
                n_writes += 1
                if n_writes == failing:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                real_write(path, content)

            monkeypatch.setattr(snapshot, "write_atomically", write)
            try:
                run_jobs(backend, record.flow_uuid, QuietObserver())
            except (CheckpointError, StorageError) as error:
                n_failures += 1
                assert "No space left on device" in str(error)
                assert "run the same command again" in str(error)
            monkeypatch.setattr(snapshot, "write_atomically", real_write)
        with own_project(folder) as backend:
            outcome = run_jobs(backend, record.flow_uuid, QuietObserver())
        assert outcome.status == "completed"
        assert sorted(d["output"] for d in backend.store.outputs.query()) == [1, 2]
        if n_writes < failing:
            break
    assert n_failures == failing - 1 == 6  # a checkout, an output and a completion for each of the two jobs


def test_a_job_without_room_is_put_back(backend, root):
    record = add_test_flow(backend, full_disk("flag"))
    with pytest.raises(StorageError, match=r"No space left on device.*put back"):
        run_jobs(backend, record.flow_uuid, QuietObserver())
    (job,) = read_flow(backend, record.flow_uuid).jobs.values()
    assert job.state == "READY"
    (root / "flag").touch()
    assert run_jobs(backend, record.flow_uuid, QuietObserver()).status == "completed"
    assert len(traces(root)) == 2


def test_a_folder_that_cannot_be_written_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(errno.EROFS, "Read-only file system")))
    with pytest.raises(UserInputError, match="cannot be written to \\(Read-only file system\\)"):
        check_folder(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_project_whose_lock_cannot_be_written_is_refused(tmp_path):
    (tmp_path / ".interfaceflow" / "lock").mkdir(parents=True)
    with pytest.raises(UserInputError, match="cannot be written to \\(Is a directory\\)"), own_project(tmp_path):
        pass


def test_a_project_can_be_moved(root, monkeypatch):
    with own_project(root) as backend:
        record = add_test_flow(backend, loop_flow(1, 0.0))
    moved = root / "elsewhere"
    moved.mkdir()
    shutil.move(root / ".interfaceflow", moved / ".interfaceflow")
    monkeypatch.setenv("INTERFACEFLOW_PROJECT", str(moved))
    with own_project(moved) as backend:
        assert run_jobs(backend, record.flow_uuid, QuietObserver()).status == "completed"
