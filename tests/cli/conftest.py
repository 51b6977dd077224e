from pathlib import Path
from types import SimpleNamespace

import pytest

from interfaceflow.cli.main import run_command
from interfaceflow.core.files import PROJECT_ROOT_VARIABLE
from interfaceflow.launch import run

SMOKE = Path(__file__).parent.parent.parent / "configs" / "recipes" / "decomposition_interfaces" / "smoke.yaml"


@pytest.fixture
def root(tmp_path, monkeypatch):
    """Be in an empty folder; leave no trace of it in the environment."""
    monkeypatch.setenv(PROJECT_ROOT_VARIABLE, str(tmp_path))
    monkeypatch.delenv("INTERFACEFLOW_MLP", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def command(capsys):
    """Run a command in this process; return its exit code, stdout and stderr."""

    def run_here(*words: str) -> tuple[int, str, str]:
        code = run_command(list(words))
        said = capsys.readouterr()
        return code, said.out, said.err

    return run_here


@pytest.fixture
def recipe_of_test_jobs(monkeypatch):
    """Let ``run`` build a flow of small jobs instead of the recipe's."""

    def install(build_flow) -> None:
        recipe = SimpleNamespace(build_flow=lambda settings, inputs: build_flow())
        monkeypatch.setattr(run, "import_module", lambda name: recipe)

    return install


@pytest.fixture
def config(root):
    path = root / "smoke.yaml"
    path.write_text(SMOKE.read_text())
    return path
