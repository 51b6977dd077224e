"""A cell of 5,000 atoms that is too large to label teaches its potential through cut-outs, by the jobs.

Labels are those of one Lennard-Jones potential for all elements: no chemistry, but instant, and grades know nothing of
labels except through the fit. The cell is the recipe's interface between lithium and lithium chloride, made thicker,
repeated, displaced as at room temperature, with defects that the training set has never seen.
"""

from pathlib import Path

import interfaceflow.workflows.decomposition_interfaces as recipe
import numpy as np
import pytest
from jobflow import Flow, JobStore, run_locally
from maggma.stores import MemoryStore

from interfaceflow.core.files import PROJECT_ROOT_VARIABLE, FileRef
from interfaceflow.core.formats.labelled_file import read_labelled
from interfaceflow.core.formats.structure_file import read_structures, write_structure
from interfaceflow.datasets.dataset import make_dataset, write_dataset
from interfaceflow.datasets.distances import minimum_distances
from interfaceflow.flows.cutouts import CutoutLearningMaker
from interfaceflow.jobs.potentials import train_potential
from interfaceflow.jobs.wiring import wire
from interfaceflow.reference.labels import take_label
from interfaceflow.reference.levels_of_theory import calculator_of
from interfaceflow.schemas.base import Provenance
from interfaceflow.schemas.cutouts import CutoutPlan, CutoutRoundDoc, CutoutSettings
from interfaceflow.schemas.datasets import DatasetDoc
from interfaceflow.schemas.learning_plan import LearningPlan
from interfaceflow.schemas.level_of_theory import LennardJonesSettings, LevelOfTheory
from interfaceflow.schemas.settings import (
    InterfaceSettings,
    LearningCellSettings,
    LearningSettings,
    PotentialSettings,
    ProductionCellSettings,
    ReferenceSettings,
    ReferenceTrajectorySettings,
    TrainingSetSettings,
)
from interfaceflow.schemas.structures import StructureFile
from interfaceflow.structures.crystals import read_crystal
from interfaceflow.structures.interfaces import build_interface_cell
from interfaceflow.structures.production import build_production_atoms, choose_repeats
from interfaceflow.structures.surfaces import orient_crystal

pytestmark = [
    pytest.mark.physics,
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:cd is deprecated:FutureWarning"),
]

SALT_MIDDLE = 0.243
"""Of the salt along the normal, as a share of the cell."""

LEVEL = LevelOfTheory(
    name="one-for-all",
    description="One Lennard-Jones potential for lithium and chlorine",
    physics=LennardJonesSettings(engine="lennard-jones", sigma_A=2.4, epsilon_eV=0.2, cutoff_A=6.0),
)
PLAN = LearningPlan(
    training_set=TrainingSetSettings(
        trajectories=(ReferenceTrajectorySettings(cell="metal", temperatures_K=(300,), held_out_temperatures_K=(300,)),)
    ),
    potential=PotentialSettings(level=8, max_iterations=60, max_retraining_iterations=60),
    learning=LearningSettings(cells=(LearningCellSettings(cell="metal", temperature_K=300),)),
    vacancies=ProductionCellSettings(),
    level=LEVEL,
    reference=ReferenceSettings(n_workers=1),
    seed=1,
)


def interface(metal_thickness_A, binary_thickness_A):
    structures = Path(recipe.__file__).parent / "structures"
    metal = orient_crystal(read_crystal(structures / "Li.cif"), (1, 1, 0))
    binary = orient_crystal(read_crystal(structures / "LiCl.cif"), (1, 0, 0))
    settings = InterfaceSettings(
        max_area_A2=90,
        max_atoms=400,
        metal_thickness_A=metal_thickness_A,
        binary_thickness_A=binary_thickness_A,
    )
    return build_interface_cell(metal, binary, settings, 3.0).atoms


def displace(atoms, sigma, rng, strain=0.0):
    moved = atoms.copy()
    moved.set_cell(moved.cell.array * (1.0 + strain), scale_atoms=True)
    # Without the tails, whose few pairs nearly touch: their labels are quarantined, as they should be.
    moved.positions += np.clip(rng.normal(0.0, sigma, moved.positions.shape), -2.0 * sigma, 2.0 * sigma)
    return moved


def label(atoms, trajectory):
    atoms.calc = calculator_of(LEVEL)
    return take_label(atoms, physics_hash=LEVEL.physics_hash, source=trajectory, trajectory=trajectory)


def store_dataset(folder, rng):
    """Label a few small interface cells, displaced and strained a little."""
    cell = interface(12.0, 10.0).repeat((2, 1, 1))
    kinds = [(sigma, strain) for sigma in (0.05, 0.1, 0.15) for strain in (-0.02, 0.0, 0.03)]
    labels = [label(displace(cell, sigma, rng, strain), "small cells") for sigma, strain in kinds]
    held_out = label(displace(cell, 0.1, rng), "held out")
    dataset = make_dataset([*labels, held_out], frozenset({"held out"}))
    training, tested = write_dataset(dataset, folder)
    return DatasetDoc(
        training=FileRef.of(training),
        held_out=FileRef.of(tested),
        n_training=len(dataset.training),
        n_held_out=1,
        species=dataset.species,
        min_distances_A=minimum_distances(dataset.training),
        level_of_theory=LEVEL.name,
        physics_hash=LEVEL.physics_hash,
        provenance=Provenance(package_versions={}, host="here", wall_time_s=0.0),
    )


def large_frame(cell, rng):
    """Repeat the thick interface and put defects into the salt: exchanged ions, an interstitial ion, a vacancy."""
    frame = displace(build_production_atoms(cell, choose_repeats(cell, 5000)), 0.1, rng)
    heights = frame.get_scaled_positions()[:, 2]
    salt = np.flatnonzero((frame.arrays["phase"] == "binary") & (np.abs(heights - SALT_MIDDLE) < 0.1))
    lithium = rng.choice(salt[frame.numbers[salt] == 3], 4, replace=False)
    for atom in lithium[:2]:
        chlorine = salt[frame.numbers[salt] == 17]
        nearest = chlorine[np.argmin(frame.get_distances(atom, chlorine, mic=True))]
        frame.positions[[atom, nearest]] = frame.positions[[nearest, atom]]
    frame.positions[lithium[2]] += (1.82, 0.0, 1.28)  # the middle of a cube of eight ions
    del frame[int(lithium[3])]
    return frame


def describe(cell, path):
    write_structure(cell, path)
    return StructureFile(
        file=FileRef.of(path), formula=cell.get_chemical_formula(), n_atoms=len(cell), cell_A=cell.cell.array.tolist()
    )


def test_cut_outs_bring_the_grades_of_a_large_cell_below_the_select_threshold(tmp_path, monkeypatch):
    monkeypatch.setenv(PROJECT_ROOT_VARIABLE, str(tmp_path))
    rng = np.random.default_rng(2026)
    dataset = store_dataset(tmp_path, rng)
    thick = interface(28.0, 26.0)
    frame = large_frame(thick, rng)
    assert len(frame) > 5000
    write_structure(frame, tmp_path / "frame.xyz")

    training = wire(train_potential(dataset, PLAN.potential, PLAN.seed), "train potential", "cpu")
    maker = CutoutLearningMaker(plan=CutoutPlan(learning=PLAN, cutouts=CutoutSettings(max_cutouts=10)))
    learning = maker.make(
        FileRef.of(tmp_path / "frame.xyz"), dataset, training.output, describe(thick, tmp_path / "interface.xyz")
    )
    flow = Flow([training, learning], output=learning.output)
    results = run_locally(flow, store=JobStore(MemoryStore()), ensure_success=True, log=False)
    passes = sorted(
        (one.output for some in results.values() for one in some.values() if isinstance(one.output, CutoutRoundDoc)),
        key=lambda document: document.pass_index,
    )

    first, last = passes[0], passes[-1]
    threshold = PLAN.learning.select_threshold
    assert first.largest_grade_before > 2 * threshold
    assert last.largest_grade_after < threshold
    assert last.n_extrapolating_after == 0
    for document in passes:
        assert document.n_labels == len(document.cutouts.cutouts) > 0
        for record in document.cutouts.cutouts:
            assert record.n_atoms <= 150
            assert record.charge_e == 0
            assert record.grade == pytest.approx(record.grade_in_frame, rel=0.05)
        cells = read_structures(document.cutouts.frames.path())
        for atoms in cells:
            salt = atoms.arrays["phase"] == "binary"
            assert (atoms.numbers[salt] == 3).sum() == (atoms.numbers[salt] == 17).sum()
    labelled = read_labelled(last.dataset.training.path())
    assert len(labelled) == dataset.n_training + sum(document.n_labels for document in passes)
    assert "core" not in labelled[-1].atoms.arrays
