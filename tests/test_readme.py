"""The README's commands are the ones that are run."""

from pathlib import Path

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def test_ci_calls_the_test_command_of_the_readme():
    command = README.split("## Test it")[1].split("```")[1].strip()
    assert command in (ROOT / ".ci" / "run").read_text().splitlines()


def test_the_reading_route_exists():
    route = README.split("## Read the code")[1].split("##")[0]
    named = [part.split(")")[0] for part in route.split("](")[1:]]
    assert len(named) >= 4
    assert [name for name in named if not (ROOT / name).is_file()] == []


def test_the_recipe_of_the_run_command_exists():
    command = README.split("## Run it")[1].split("```")[1]
    assert (ROOT / command.split("interfaceflow run ")[1].strip()).is_file()
