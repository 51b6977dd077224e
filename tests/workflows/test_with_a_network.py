"""The smoke recipe, smaller still, with a network in place of the moment tensor potential: same commands and report."""

import json

import pytest
import yaml
from smaller_recipe import interfaceflow, job_states, still_smaller


def with_a_network(recipe: dict) -> dict:
    """Put a tiny network in the potential's place; only strained cells teach it the metal's equation of state."""
    recipe["title"] = "Li(110)||LiCl(100), network"
    recipe["potential"] = {
        "kind": "nequip",
        "n_layers": 2,
        "l_max": 1,
        "n_features": 16,
        "radial_mlp_width": 32,
        "batch_size": 2,
        "max_epochs": 60,
        "max_retraining_epochs": 20,
        "stress_weight": 1000.0,
        "device": "cpu",
    }
    for trajectory in recipe["training_set"]["trajectories"]:
        if trajectory["cell"] == "metal":
            trajectory["strains"] = [-0.03, 0.0, 0.04]
    recipe["reference"]["force_tolerance_eV_A"] = 0.3
    recipe["learning"].update(break_threshold=3)
    # So small a network melts the metal near 250 K.
    recipe["melting_point"].update(lowest_K=100, highest_K=600, resolution_K=350)
    del recipe["production"]["n_ranks"]
    return recipe


@pytest.mark.slow
def test_the_recipe_runs_with_a_network_in_place_of_mtp(tmp_path):
    config = tmp_path / "test.yaml"
    config.write_text(yaml.safe_dump(with_a_network(still_smaller())))

    done = interfaceflow("run", str(config), folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr

    assert {job["state"] for job in job_states(tmp_path)} == {"COMPLETED"}
    potentials = json.loads(interfaceflow("query", "potentials", "--json", folder=tmp_path).stdout)
    assert {(row["kind"], row["has_grade"]) for row in potentials} == {("nequip", True)}
    assert all(row["held_out_force_rmse_eV_A"] < 0.2 for row in potentials)
    rounds = json.loads(interfaceflow("query", "rounds", "--json", folder=tmp_path).stdout)
    assert all(row["largest_grade"] > 0 for row in rounds)
    production = json.loads(interfaceflow("query", "production", "--json", folder=tmp_path).stdout)
    assert len(production) == 3 and all(row["largest_grade"] > 0 for row in production)
    transport = json.loads(interfaceflow("query", "transport", "--json", folder=tmp_path).stdout)
    assert {(row["label"], row["direction"]) for row in transport} == {
        (label, direction) for label in ("metal-Li", "binary-Li") for direction in ("in-plane", "out-of-plane")
    }
    report = (tmp_path / "report.html").read_text()
    assert "NequIP network of 2 layers" in report
    assert "Li(110)||LiCl(100), network" in report
