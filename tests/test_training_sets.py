"""The published ladders give what their papers state, and the how-to page runs as printed."""

import re
from pathlib import Path

import pytest
import yaml
from argon import pairs, store_argon
from ase.build import bulk

from interfaceflow.core.files import PROJECT_ROOT_VARIABLE
from interfaceflow.datasets.ladder import plan_trajectories
from interfaceflow.reference.workers import stop_workers
from interfaceflow.schemas.settings import TrainingSetSettings

ROOT = Path(__file__).parent.parent
LADDERS = ROOT / "configs" / "training_sets"
PAGE = (ROOT / "docs" / "how-to" / "training-sets.md").read_text()


def ladder(name):
    return TrainingSetSettings.model_validate(yaml.safe_load((LADDERS / f"{name}.yaml").read_text()))


def cells():
    salt = bulk("LiCl", "rocksalt", a=5.13, cubic=True)
    return {
        "metal": bulk("Li", "bcc", a=3.44, cubic=True),
        "binary": salt,
        "interface": salt.repeat((2, 2, 3)),
        "binary_slab": salt.repeat((1, 1, 3)),
    }


def sampled_ps(settings, family):
    return family.n_steps * settings.timestep_fs / 1000


@pytest.mark.parametrize("path", sorted(LADDERS.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_ladder_can_be_laid_out(path):
    plans = plan_trajectories(cells(), ladder(path.stem), seed=1)
    assert len({plan.run.name for plan in plans}) == len(plans)
    assert {plan.run.held_out for plan in plans} == {True, False}


def test_paper_000_ten_picoseconds_at_500_K():
    settings = ladder("lms_lss_pair")
    trained_on = [family for family in settings.trajectories if family.temperatures_K]
    assert settings.timestep_fs == 1
    assert {(family.cell, family.temperatures_K) for family in trained_on} == {("interface", (500.0,))}
    assert all(sampled_ps(settings, family) >= 10 for family in trained_on)


def test_paper_001_at_1000_K_after_a_ramp_every_step():
    settings = ladder("decomposition_interfaces")
    assert settings.timestep_fs == 2
    for family in settings.trajectories:
        if family.temperatures_K:
            assert family.temperatures_K == (1000.0,)
            assert family.ramp_steps * settings.timestep_fs == 2000
            assert 14 <= sampled_ps(settings, family) <= 20
            assert 7000 <= family.n_steps / family.sample_every <= 10_000
        else:
            assert family.held_out_temperatures_K == (300.0, 500.0)
            assert sampled_ps(settings, family) == 4
            assert family.n_steps / family.sample_every == 2000
    # 0.8 % of 128 and of 108 lithium atoms is one, as in the paper: 127 and 215 atoms are left.
    sizes = {len(plan.atoms) for plan in plan_trajectories(cells(), settings, seed=1) if "vacancies" in plan.run.name}
    assert {127, 215} <= sizes


def test_paper_002_every_10_fs_after_2_ps():
    settings = ladder("amorphous_coating")
    for family in settings.trajectories:
        assert family.equilibration_steps * settings.timestep_fs == 2000
        assert family.sample_every * settings.timestep_fs == 10
        if family.temperatures_K:
            assert family.temperatures_K == (1000.0,)
            assert sampled_ps(settings, family) == 13


def test_paper_004_twelve_runs_of_a_hundred_snapshots():
    settings = ladder("argyrodite_grain_boundary")
    for family in settings.trajectories:
        assert family.temperatures_K == (300.0, 600.0, 900.0, 1200.0)
        assert family.strains == (-0.05, 0.0, 0.05)
        assert family.n_runs == 12
        assert sampled_ps(settings, family) == 10
        assert family.n_steps // family.sample_every == 100
    plans = plan_trajectories(cells(), settings, seed=1)
    assert sum(plan.run.held_out for plan in plans) / len(plans) == pytest.approx(0.1, abs=0.03)


def test_the_ladder_of_the_page_is_one():
    (text,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    settings = TrainingSetSettings.model_validate(yaml.safe_load(text)["training_set"])
    atoms = cells()["interface"]
    assert len(plan_trajectories({"interface": atoms}, settings, seed=1)) == 12


@pytest.mark.slow
def test_the_scripts_of_the_page_run(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv(PROJECT_ROOT_VARIABLE, str(tmp_path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "levels").mkdir()
    for name, epsilon in (("first-level", 0.09), ("second-level", 0.08)):
        level = pairs(name, epsilon_eV=epsilon).model_dump(mode="json")
        (tmp_path / "levels" / f"{name}.yaml").write_text(yaml.safe_dump(level))
    names = {
        "coating": store_argon(tmp_path / "coating"),
        "electrolyte": store_argon(tmp_path / "electrolyte", "Ar2Kr2"),
    }
    for script in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        exec(script, names)
    stop_workers()
    printed = capsys.readouterr().out
    assert re.search(r"^coating \d\.\d+$", printed, re.MULTILINE)
    assert "second-level against first-level" in printed
