"""The smoke recipe with everything that takes time cut down, and the command line that runs it; for several tests."""

import json
import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).parent.parent.parent
SMOKE = ROOT / "configs" / "recipes" / "decomposition_interfaces" / "smoke.yaml"
INTERFACEFLOW = str(Path(sys.executable).parent / "interfaceflow")
TIME_LIMIT_S = 1500


def still_smaller() -> dict:
    """Return the smoke recipe with everything that takes time cut down."""
    recipe = yaml.safe_load(SMOKE.read_text())
    recipe["title"] = "Li(110)||LiCl(100), test"
    recipe["structures"]["slabs"]["n_layers"] = [3, 5]
    recipe["structures"]["production_cell"]["target_atoms"] = 270
    recipe["reference"]["force_tolerance_eV_A"] = 0.2
    for trajectory in recipe["training_set"]["trajectories"]:
        trajectory.update(n_steps=30, sample_every=5, strains=[0.0], n_atoms=16)
    # A repulsion below every distance of the training set goes through all jobs and leaves their numbers as they are.
    recipe["potential"].update(
        max_iterations=150, max_retraining_iterations=40, zbl={"inner_cutoff_A": 1.0, "outer_cutoff_A": 1.5}
    )
    recipe["learning"].update(
        duration_ps=0.5,
        max_rounds=2,
        max_labels_per_round=4,
        metal_cell_atoms=54,
        break_threshold=1000,
        cells=[{"cell": "interface", "temperature_K": 300}, {"cell": "metal", "temperature_K": 300}],
    )
    recipe["melting_point"].update(resolution_K=300, duration_ps=2, n_atoms=200)
    recipe["production"].update(
        ramp_ps=0.2, equilibration_ps=0.4, production_ps=2, segment_ps=1, frame_interval_ps=0.02
    )
    return recipe


def interfaceflow(*arguments: str, folder: Path) -> subprocess.CompletedProcess:
    return subprocess.run(
        [INTERFACEFLOW, *arguments], cwd=folder, capture_output=True, text=True, timeout=TIME_LIMIT_S, check=False
    )


def job_states(folder: Path) -> list[dict]:
    shown = interfaceflow("status", "--json", folder=folder)
    return json.loads(shown.stdout) if shown.returncode == 0 and shown.stdout else []
