import errno
import os

import pytest
from jobflow import JobStore

from interfaceflow.store import snapshot
from interfaceflow.store.document_store import DocumentFileStore


@pytest.fixture
def store(tmp_path):
    opened = DocumentFileStore(str(tmp_path / "outputs.json"))
    opened.connect()
    return opened


def test_documents_survive_and_are_replaced_by_uuid_and_index(tmp_path, store):
    job_store = JobStore(store)
    for output in (1, 2):
        job_store.update({"uuid": "a", "index": 1, "output": output})
    job_store.update({"uuid": "a", "index": 2, "output": 3})
    again = DocumentFileStore(str(tmp_path / "outputs.json"))
    again.connect()
    assert sorted((d["index"], d["output"]) for d in again.query()) == [(1, 2), (2, 3)]
    again.remove_docs({"index": 1})
    store.connect(force_reset=True)
    assert [d["index"] for d in store.query()] == [2]


def test_a_write_that_fails_changes_neither_file_nor_memory(store, monkeypatch):
    store.update({"uuid": "a", "output": 1})

    def fail(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(snapshot, "write_atomically", fail)
    with pytest.raises(OSError, match="No space left"):
        store.update({"uuid": "a", "output": 2})
    with pytest.raises(OSError, match="No space left"):
        store.remove_docs({})
    assert [d["output"] for d in store.query()] == [1]


def test_a_relative_path_is_refused():
    with pytest.raises(ValueError, match="must be absolute"):
        DocumentFileStore("outputs.json")
