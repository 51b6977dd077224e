import pytest

from interfaceflow.core.files import PROJECT_ROOT_VARIABLE


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv(PROJECT_ROOT_VARIABLE, str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path
