"""A project folder with a finished flow in it."""

from pathlib import Path

import pytest
from demo_flow import DemoFlow

from interfaceflow.core.files import PROJECT_ROOT_VARIABLE


@pytest.fixture
def demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DemoFlow:
    monkeypatch.setenv(PROJECT_ROOT_VARIABLE, str(tmp_path))
    return DemoFlow(tmp_path)
