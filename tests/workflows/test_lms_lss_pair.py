"""The smoke recipe of the stand-in pair, smaller still, through the command line from end to end."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent.parent
SMOKE = ROOT / "configs" / "recipes" / "lms_lss_pair" / "smoke.yaml"
INTERFACEFLOW = str(Path(sys.executable).parent / "interfaceflow")
TIME_LIMIT_S = 900


def still_smaller() -> dict:
    """Return the smoke recipe with everything that takes time cut down, and a small moment tensor potential."""
    recipe = yaml.safe_load(SMOKE.read_text())
    recipe["title"] = "stand-in pair, test"
    recipe["structures"]["interface"].update(max_atoms=45, cathode_thickness_A=7, electrolyte_thickness_A=7)
    recipe["structures"]["production_cell"].update(target_atoms=160, interface_region_width_A=2)
    recipe["reference"]["force_tolerance_eV_A"] = 0.2
    for trajectory in recipe["training_set"]["trajectories"]:
        trajectory.update(n_steps=32, sample_every=4, strains=[0.0], n_atoms=18)
    recipe["potential"] = {"level": 8, "max_iterations": 150, "max_retraining_iterations": 40}
    recipe["learning"].update(
        duration_ps=0.2,
        max_rounds=2,
        max_labels_per_round=4,
        bulk_cell_atoms=18,
        break_threshold=100_000,
        cells=[{"cell": "interface", "temperature_K": 300}, {"cell": "electrolyte", "temperature_K": 300}],
    )
    recipe["production"].update(
        temperatures_K=[200, 300],
        ramp_ps=0.1,
        equilibration_ps=0.2,
        production_ps=2,
        segment_ps=1,
        frame_interval_ps=0.02,
    )
    return recipe


def interfaceflow(*arguments: str, folder: Path) -> subprocess.CompletedProcess:
    return subprocess.run(
        [INTERFACEFLOW, *arguments], cwd=folder, capture_output=True, text=True, timeout=TIME_LIMIT_S, check=False
    )


def query(kind: str, folder: Path) -> list[dict]:
    return json.loads(interfaceflow("query", kind, "--json", folder=folder).stdout)


@pytest.mark.slow
def test_the_pair_goes_from_two_crystals_to_diffusion_by_region(tmp_path):
    (tmp_path / "test.yaml").write_text(yaml.safe_dump(still_smaller()))
    ran = interfaceflow("run", "test.yaml", folder=tmp_path)
    assert ran.returncode == 0, ran.stdout + ran.stderr

    jobs = json.loads(interfaceflow("status", "--json", folder=tmp_path).stdout)
    assert {job["state"] for job in jobs} == {"COMPLETED"}
    assert not any("melting" in job["name"] or "slabs" in job["name"] for job in jobs)

    relaxed = {row["name"]: row for row in query("relaxations", tmp_path)}
    assert set(relaxed) == {"cathode", "electrolyte", "interface"}
    assert relaxed["interface"]["n_atoms"] == 40
    assert query("melting-point", tmp_path) == []
    assert query("energetics", tmp_path) == []
    production = query("production", tmp_path)
    assert [row["temperature_K"] for row in production] == [200, 300]
    assert all(row["status"] == "completed" for row in production)
    assert all(row["metal_solid_fraction"] is None for row in production)

    transport = query("transport", tmp_path)
    assert {(row["label"], row["direction"]) for row in transport} == {
        (label, direction)
        for label in ("cathode-Li", "interface-Li", "electrolyte-Li")
        for direction in ("in-plane", "out-of-plane")
    }
    # Every lithium atom of the production cell is in one region, and in one only.
    n_lithium = 4 * (12 + 8)
    for temperature in (200, 300):
        rows = [row for row in transport if row["temperature_K"] == temperature and row["direction"] == "in-plane"]
        assert sum(row["n_atoms"] for row in rows) == n_lithium

    report = (tmp_path / "report.html").read_text()
    assert "the cathode stands in for Li14Mn2S9 (mp-756198); the electrolyte stands in for Li10Si2S9" in report
    assert "Does the framework hold?" in report
    assert 'id="melting"' not in report
    assert 'id="energies"' not in report
    assert "metal" not in report.replace("metal-binary", "").split("<main>")[1].split('id="settings"')[0]


def test_the_pair_that_ships_is_what_its_files_say():
    import numpy as np
    from interfaceflow.workflows import lms_lss_pair

    from interfaceflow.structures.crystals import formal_charges, read_crystal, reduced_formula

    folder = Path(lms_lss_pair.__file__).parent / "structures"
    for name, formula, charges in (
        ("LMS-stand-in", "Li6MnS4", {"Li": 1.0, "Mn": 2.0, "S": -2.0}),
        ("LSS-stand-in", "Li4SiS4", {"Li": 1.0, "Si": 4.0, "S": -2.0}),
    ):
        text = (folder / f"{name}.cif").read_text()
        assert text.startswith("# STAND-IN, NOT Li1")
        crystal = read_crystal(folder / f"{name}.cif")
        assert sorted(reduced_formula(crystal)) == sorted(formula)
        assert formal_charges(crystal) == charges
        n_sulfur = int(np.sum(crystal.symbols == "S"))
        assert n_sulfur == 16
        n_cations = len(crystal) - n_sulfur
        assert 2 * n_sulfur - n_cations == {"LMS-stand-in": 4, "LSS-stand-in": 12}[name]  # empty antifluorite sites
