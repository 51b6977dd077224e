"""The wheel holds everything, and works away from the checkout."""

import os
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def distributions(tmp_path_factory):
    """Build sdist and wheel, the wheel from the sdist, in an isolated environment."""
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "build", "--outdir", folder, ROOT], check=True, capture_output=True, text=True
    )
    return next(folder.glob("*.tar.gz")), next(folder.glob("*.whl"))


@pytest.mark.slow
def test_sdist_and_wheel_hold_configs_recipes_and_native_parts(distributions):
    sdist, wheel = distributions
    in_wheel = zipfile.ZipFile(wheel).namelist()
    for wanted in (
        "interfaceflow/configs/recipes/decomposition_interfaces/smoke.yaml",
        "interfaceflow/configs/levels_of_theory/chgnet.yaml",
        "interfaceflow/workflows/decomposition_interfaces/recipe.py",
        "interfaceflow/workflows/decomposition_interfaces/structures/LiCl.cif",
        "interfaceflow/py.typed",
    ):
        assert wanted in in_wheel
    assert any(name.startswith("interfaceflow/potentials/mtp/_native.") for name in in_wheel)
    assert any(name.endswith("mtpplugin.so") for name in in_wheel)
    with tarfile.open(sdist) as archive:
        assert any(name.endswith("native/CMakeLists.txt") for name in archive.getnames())


@pytest.mark.slow
def test_the_wheel_works_from_outside_the_checkout(distributions, tmp_path):
    environment = tmp_path / "venv"
    venv.create(environment, with_pip=True)
    python = environment / "bin" / "python"
    # The dependencies are borrowed from the environment that runs the tests: only the wheel itself is on trial.
    site_packages = next((environment / "lib").glob("python*/site-packages"))
    (site_packages / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    subprocess.run([python, "-m", "pip", "install", "-q", "--no-deps", distributions[1]], check=True)
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    code = "import interfaceflow, interfaceflow.potentials.mtp._native as n; print(interfaceflow.__file__, n.__file__)"
    shown = subprocess.run([python, "-c", code], cwd=tmp_path, env=clean, check=True, capture_output=True, text=True)
    assert all(str(environment) in path for path in shown.stdout.split())
    subprocess.run(
        [environment / "bin" / "interfaceflow", "init", "decomposition_interfaces", "pair"],
        cwd=tmp_path,
        env=clean,
        check=True,
    )
    assert (tmp_path / "pair").is_dir()
