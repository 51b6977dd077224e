"""A moment tensor potential against a network on the same data: errors, cost of the fit, speed in dynamics.

    .venv/bin/python benchmarks/potentials/make_data.py DATA
    .venv/bin/python benchmarks/potentials/mtp_vs_nequip.py DATA --json mtp_vs_nequip.json

Times are processor seconds of one thread, since wall times of a busy machine mean nothing.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
from ase import units
from ase.calculators.calculator import Calculator
from ase.md.velocitydistribution import thermalize_momenta
from ase.md.verlet import VelocityVerlet
from fits import SPECIES, fit_mtp, fit_networks
from make_data import lithium_sulfide, read_part

from interfaceflow.core.formats.configuration import Configuration
from interfaceflow.core.labelled import LabelledConfiguration
from interfaceflow.potentials.evaluation import compare_labels
from interfaceflow.potentials.mtp.calculator import MTPCalculator
from interfaceflow.potentials.nequip.calculator import NequIPCalculator
from interfaceflow.potentials.nequip.compilation import compile_nequip
from interfaceflow.potentials.nequip.latent_grade import build_latent_grade
from interfaceflow.potentials.nequip.model import load_model
from interfaceflow.potentials.nequip.model_files import ModelFile
from interfaceflow.schemas.nequip import NequIPSettings

TIMESTEP_FS = 1.0
TEMPERATURE_K = 300.0


def errors(calculator: Calculator, labels: list[LabelledConfiguration]) -> dict[str, float]:
    """Return root mean square errors on labelled configurations."""
    reference, computed = [], []
    for label in labels:
        atoms = label.atoms.copy()
        atoms.calc = calculator
        reference.append(
            Configuration.from_atoms(
                atoms, SPECIES, energy=label.free_energy_eV, forces=label.forces_eV_A, stress=label.stress_eV_A3
            )
        )
        computed.append(
            Configuration.from_atoms(
                atoms,
                SPECIES,
                energy=atoms.get_potential_energy(),
                forces=atoms.get_forces(),
                stress=atoms.get_stress(),
            )
        )
    found = compare_labels(reference, computed, SPECIES).errors
    return {
        "energy_rmse_meV_atom": found.energy_rmse_meV_atom,
        "force_rmse_eV_A": found.force_rmse_eV_A,
        "stress_rmse_GPa": found.stress_rmse_GPa,
    }


def cpu_ms_per_step(calculator: Calculator, repeats: tuple[int, int, int], n_steps: int, *, grades: bool) -> float:
    """Return processor milliseconds of a step of NVE dynamics in ASE, with grades on each step or without."""
    atoms = lithium_sulfide(0.0, 0, 1).repeat(repeats)
    thermalize_momenta(atoms, 2 * TEMPERATURE_K, rng=np.random.default_rng(1))
    atoms.calc = calculator
    dynamics = VelocityVerlet(atoms, TIMESTEP_FS * units.fs)
    if grades:
        dynamics.attach(lambda: calculator.get_property("extrapolation_grades", atoms))
    dynamics.run(3)
    started = time.process_time()
    dynamics.run(n_steps)
    return 1000.0 * (time.process_time() - started) / n_steps


def main() -> None:
    """Fit, compare, and write what was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--seed", type=int, default=1, help="seed of the network")
    parser.add_argument("--epochs", type=int, default=150)
    parser.add_argument("--features", type=int, default=16)
    parser.add_argument("--levels", type=int, nargs="+", default=[8, 16])
    parser.add_argument("--iterations", type=int, default=150)
    parser.add_argument("--steps", type=int, default=50, help="steps of dynamics that are timed")
    parser.add_argument("--eager", action="store_true", help="do not compile the network")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    training, held_out, hot = (read_part(options.data, part) for part in ("training", "held_out", "hot"))
    folder = options.data / "fits"
    settings = NequIPSettings(
        n_layers=2,
        n_features=options.features,
        radial_mlp_width=32,
        max_epochs=options.epochs,
        batch_size=4,
        device="cpu",
    )
    (run,) = fit_networks(training, held_out, folder, settings, [options.seed])
    models = {"NequIP, checkpoint": load_model(run.checkpoint)}
    found: dict[str, object] = {"epochs": run.epochs, "n_training": len(training)}
    if not options.eager:
        path = folder / f"network-{run.checkpoint.sha256[:12]}.nequip.pt2"
        compiled = ModelFile.of(path) if path.is_file() else compile_nequip(run.checkpoint, path)
        models["NequIP, compiled"] = load_model(compiled)
    structures = [label.atoms for label in training]
    contestants: dict[str, tuple[Calculator, float]] = {}
    for level in options.levels:
        fit = fit_mtp(training, folder, level=level, iterations=options.iterations)
        contestants[f"MTP level {level}"] = (MTPCalculator(fit.path, SPECIES), fit.cpu_time_s)
    for name, model in models.items():
        grade = build_latent_grade(model, structures, run.checkpoint.sha256)
        contestants[name] = (NequIPCalculator(model, grade=grade), run.cpu_time_s)
    for name, (calculator, cpu_time_s) in contestants.items():
        found[name] = {
            "fit_cpu_s": cpu_time_s,
            "held_out": errors(calculator, held_out),
            "hot": errors(calculator, hot),
            "md_cpu_ms_per_step": {
                f"{24 * int(np.prod(repeats))} atoms{', grades' if grades else ''}": cpu_ms_per_step(
                    calculator, repeats, options.steps, grades=grades
                )
                for repeats in ((1, 1, 1), (2, 2, 1), (4, 4, 2))
                for grades in (False, True)
            },
        }
    text = json.dumps(found, indent=1)
    print(text)
    if options.json:
        options.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
