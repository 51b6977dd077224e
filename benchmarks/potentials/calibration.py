"""Which grade knows where a network is wrong: latent features against a committee, and a moment tensor potential.

    .venv/bin/python benchmarks/potentials/make_data.py DATA
    .venv/bin/python benchmarks/potentials/calibration.py DATA --json calibration.json --png calibration.png

Networks of several seeds and a moment tensor potential are fitted to the cool configurations of DATA. On the hot ones
the grade of each atom is set against the true error of its force: rank correlation, the curve of what thresholds
catch, and what 1.5, 5 and 10 catch. An error is large when it is more than ``--factor`` times the root mean square
error on the held-out cool configurations, and gross above 1 eV/Å.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
from ase import Atoms
from fits import SPECIES, fit_mtp, fit_networks
from make_data import read_part
from numpy.typing import NDArray

from interfaceflow.core.labelled import LabelledConfiguration
from interfaceflow.potentials.calibration import Calibration, calibrate_grade
from interfaceflow.potentials.mtp.calculator import MTPCalculator
from interfaceflow.potentials.nequip.calculator import NequIPCalculator
from interfaceflow.potentials.nequip.committee import build_committee_grade
from interfaceflow.potentials.nequip.latent_grade import build_latent_grade
from interfaceflow.potentials.nequip.model import load_model
from interfaceflow.schemas.nequip import NequIPSettings

FloatArray = NDArray[np.float64]
THRESHOLDS = (1.5, 5.0, 10.0)
GROSS_ERROR_EV_A = 1.0
Judge = Callable[[Atoms], tuple[FloatArray, FloatArray]]


def errors_and_grades(judge: Judge, labels: list[LabelledConfiguration]) -> tuple[FloatArray, FloatArray]:
    """Return the length of the force error and the grade of every atom."""
    errors, grades = [], []
    for label in labels:
        forces, grade = judge(label.atoms)
        errors.append(np.linalg.norm(forces - label.forces_eV_A, axis=1))
        grades.append(grade)
    return np.concatenate(errors), np.concatenate(grades)


def judge_of(calculator: MTPCalculator | NequIPCalculator) -> Judge:
    """Return the forces and grades of a calculator as a function of atoms."""

    def judge(atoms: Atoms) -> tuple[FloatArray, FloatArray]:
        grades = calculator.get_property("extrapolation_grades", atoms)
        return calculator.results["forces"], grades

    return judge


def by_run(labels: list[LabelledConfiguration], values: FloatArray) -> dict[str, float]:
    """Return the median over atoms for each run."""
    names = np.concatenate([[label.trajectory] * len(label.atoms) for label in labels])
    return {str(name): float(np.median(values[names == name])) for name in dict.fromkeys(names)}


def plot(found: dict[str, Calibration], scatter: dict[str, tuple[FloatArray, FloatArray]], path: Path) -> None:
    """Draw grade against error, and the curves."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, len(found) + 1, figsize=(4.2 * (len(found) + 1), 3.8), layout="constrained")
    for axis, (name, one) in zip(axes, found.items(), strict=False):
        errors, grades = scatter[name]
        axis.loglog(np.maximum(grades, 1e-3), errors, ".", markersize=2, alpha=0.25, color="0.5")
        axis.loglog(one.bin_grade, one.bin_error_eV_A, "o-", color="tab:red", label="median")
        axis.axhline(one.large_error_eV_A, color="k", linewidth=0.7, linestyle=":")
        for threshold in (1.5, 10.0):
            axis.axvline(threshold, color="tab:blue", linewidth=0.7)
        axis.set(
            title=f"{name}\nrank correlation {one.rank_correlation:.2f}", xlabel="grade", ylabel="force error, eV/Å"
        )
        axes[-1].plot(one.false_positive_rate, one.true_positive_rate, label=f"{name}: area {one.area:.2f}")
    axes[-1].plot([0, 1], [0, 1], color="0.7", linewidth=0.7)
    axes[-1].set(xlabel="share of good atoms flagged", ylabel="share of bad atoms flagged", title="all thresholds")
    axes[-1].legend()
    figure.savefig(path, dpi=120)


def main() -> None:
    """Fit, compare, and write what was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--networks", type=int, default=4)
    parser.add_argument("--epochs", type=int, default=150)
    parser.add_argument("--features", type=int, default=16)
    parser.add_argument("--level", type=int, default=8)
    parser.add_argument("--iterations", type=int, default=150)
    parser.add_argument("--factor", type=float, default=3.0)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--png", type=Path)
    options = parser.parse_args()
    training, held_out, hot = (read_part(options.data, part) for part in ("training", "held_out", "hot"))
    settings = NequIPSettings(
        n_layers=2,
        n_features=options.features,
        radial_mlp_width=32,
        max_epochs=options.epochs,
        batch_size=4,
        device="cpu",
    )
    folder = options.data / "fits"
    runs = fit_networks(training, held_out, folder, settings, range(1, options.networks + 1))
    models = [load_model(run.checkpoint, species=SPECIES) for run in runs]
    structures = [label.atoms for label in training]
    latent = build_latent_grade(models[0], structures, runs[0].checkpoint.sha256)
    committee = build_committee_grade(models, structures)
    potential = fit_mtp(training, folder, level=options.level, iterations=options.iterations)
    judges = {
        "latent features": judge_of(NequIPCalculator(models[0], grade=latent)),
        "committee": judge_of(NequIPCalculator(models[0], grade=committee)),
        f"MTP level {options.level}": judge_of(MTPCalculator(potential.path, SPECIES)),
    }
    found, scatter, tables = {}, {}, {}
    for name, judge in judges.items():
        cool_errors, cool_grades = errors_and_grades(judge, held_out)
        large = options.factor * float(np.sqrt(np.mean(cool_errors**2)))
        errors, grades = errors_and_grades(judge, hot)
        found[name] = calibrate_grade(grades, errors, large_error_eV_A=large, thresholds=THRESHOLDS)
        gross = calibrate_grade(grades, errors, large_error_eV_A=GROSS_ERROR_EV_A, thresholds=THRESHOLDS)
        scatter[name] = (errors, grades)
        one = found[name]
        tables[name] = {
            "error_cool_rms_eV_A": float(np.sqrt(np.mean(cool_errors**2))),
            "error_hot_rms_eV_A": float(np.sqrt(np.mean(errors**2))),
            "cool_grade_quantiles_50_99_100": np.quantile(cool_grades, (0.5, 0.99, 1.0)).tolist(),
            "n_atoms": one.n_atoms,
            "rank_correlation": one.rank_correlation,
            "area": one.area,
            "large_error_eV_A": one.large_error_eV_A,
            "share_large": one.share_large,
            "thresholds": [asdict(outcome) for outcome in one.thresholds],
            "share_of_gross_errors": gross.share_large,
            "gross_errors_flagged": {outcome.threshold: outcome.recall for outcome in gross.thresholds},
            "median_grade_by_run": by_run(hot, grades),
            "median_error_by_run_eV_A": by_run(hot, errors),
        }
    tables["latent features"]["directions_seen"] = [one.n_seen for one in latent.active_sets]
    text = json.dumps(tables, indent=1)
    print(text)
    if options.json:
        options.json.write_text(text + "\n", encoding="utf-8")
    if options.png:
        plot(found, scatter, options.png)


if __name__ == "__main__":
    main()
