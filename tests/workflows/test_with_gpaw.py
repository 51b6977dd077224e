"""The smoke recipe on a cell of a dozen atoms, labelled by real density functional theory: same commands and report."""

import json

import pytest
import yaml
from smaller_recipe import interfaceflow, job_states, still_smaller

# Far from converged, so that a label takes seconds; gpaw-pbe is the same engine with numbers to be believed.
QUICK = """
name: gpaw-quick
description: GPAW, PBE, far from converged in cutoff and k-points
physics: {engine: gpaw, cutoff_eV: 250, k_spacing_per_A: 1.0, smearing_width_eV: 0.2}
"""


def with_gpaw(recipe: dict) -> dict:
    """Name another level of theory and another surface, and cut down every cell that is labelled."""
    recipe["title"] = "Li(100)||LiCl(100), GPAW"
    recipe["reference"]["level_of_theory"] = "gpaw-quick"
    recipe["structures"]["metal"]["miller"] = [1, 0, 0]
    recipe["structures"]["slabs"] = {"n_layers": [3, 5], "vacuum_A": 6}
    recipe["structures"]["interface"].update(max_strain=0.12, metal_thickness_A=8, binary_thickness_A=5, max_atoms=16)
    recipe["structures"]["production_cell"]["target_atoms"] = 200
    for trajectory in recipe["training_set"]["trajectories"]:
        trajectory.update(
            n_steps=12, sample_every=4, n_atoms=8, temperatures_K=[300], held_out_temperatures_K=[400], strains=[0.0]
        )
    recipe["learning"].update(metal_cell_atoms=16, max_rounds=1, duration_ps=0.2)
    return recipe


@pytest.mark.slow
def test_the_recipe_runs_with_labels_by_gpaw(tmp_path):
    config = tmp_path / "test.yaml"
    config.write_text(yaml.safe_dump(with_gpaw(still_smaller())))
    (tmp_path / "gpaw-quick.yaml").write_text(QUICK)

    done = interfaceflow("run", str(config), folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr

    assert {job["state"] for job in job_states(tmp_path)} == {"COMPLETED"}
    datasets = json.loads(interfaceflow("query", "datasets", "--json", folder=tmp_path).stdout)
    assert {row["level_of_theory"] for row in datasets} == {"gpaw-quick"}
    report = (tmp_path / "report.html").read_text()
    assert "labels by gpaw-quick" in report
    assert "Li(100)||LiCl(100), GPAW" in report
