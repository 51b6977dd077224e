import sys
from pathlib import Path

import pytest

from interfaceflow.core.files import PROJECT_ROOT_VARIABLE

sys.path.insert(0, str(Path(__file__).parent.parent / "launch"))  # the small jobs of that room's tests


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv(PROJECT_ROOT_VARIABLE, str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path
