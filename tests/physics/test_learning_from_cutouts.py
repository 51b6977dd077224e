"""Cells of 5,000 atoms that are too large to label teach their potentials through cut-outs, by the jobs.

The cell is the recipe's interface between lithium and lithium chloride, made thicker and repeated. Once it holds
defects that the training set has never seen, with the labels of one Lennard-Jones potential for all elements: no
chemistry, but instant, and grades know of labels only through the fit. Once it is the frame at which molecular dynamics
broke, with CHGNet's labels.
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
from interfaceflow.dynamics.guard import Guard
from interfaceflow.dynamics.guarded import GuardedSettings, run_guarded_md
from interfaceflow.flows.cutouts import CutoutLearningMaker
from interfaceflow.jobs.potentials import pair_style_of, train_potential
from interfaceflow.jobs.wiring import wire
from interfaceflow.reference.labels import take_label
from interfaceflow.reference.levels_of_theory import calculator_of
from interfaceflow.schemas.base import Provenance
from interfaceflow.schemas.cutouts import CutoutPlan, CutoutRoundDoc, CutoutSettings
from interfaceflow.schemas.datasets import DatasetDoc, PotentialDoc
from interfaceflow.schemas.learning_plan import LearningPlan
from interfaceflow.schemas.level_of_theory import ChgnetSettings, LennardJonesSettings, LevelOfTheory
from interfaceflow.schemas.settings import (
    InterfaceSettings,
    LearningCellSettings,
    LearningSettings,
    MtpSettings,
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

LENNARD_JONES = LevelOfTheory(
    name="one-for-all",
    description="One Lennard-Jones potential for lithium and chlorine",
    physics=LennardJonesSettings(engine="lennard-jones", sigma_A=2.4, epsilon_eV=0.2, cutoff_A=6.0),
)
CHGNET = LevelOfTheory(name="chgnet", description="CHGNet", physics=ChgnetSettings(engine="chgnet", weights="0.3.0"))
THRESHOLD = 1.5


def plan_of(level, max_iterations):
    """What the cut-outs' jobs use of it: the potential, the select threshold, the level, and the number of workers."""
    trajectory = ReferenceTrajectorySettings(cell="metal", temperatures_K=(300,), held_out_temperatures_K=(300,))
    return LearningPlan(
        training_set=TrainingSetSettings(trajectories=(trajectory,)),
        potential=MtpSettings(
            level=8, max_iterations=max_iterations, max_retraining_iterations=max_iterations, retraining_tolerance=1e-4
        ),
        learning=LearningSettings(
            select_threshold=THRESHOLD, cells=(LearningCellSettings(cell="metal", temperature_K=300),)
        ),
        vacancies=ProductionCellSettings(),
        level=level,
        reference=ReferenceSettings(n_workers=1),
        seed=1,
    )


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.setenv(PROJECT_ROOT_VARIABLE, str(tmp_path))
    return tmp_path


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


def store_dataset(folder, cells, level):
    """Label cells; the last is held out."""
    calculator = calculator_of(level)
    labels = []
    for number, atoms in enumerate(cells):
        name = "held out" if number + 1 == len(cells) else "small cells"
        atoms.calc = calculator
        labels.append(take_label(atoms, physics_hash=level.physics_hash, source=name, trajectory=name))
    dataset = make_dataset(labels, frozenset({"held out"}))
    training, held_out = write_dataset(dataset, folder)
    return DatasetDoc(
        training=FileRef.of(training),
        held_out=FileRef.of(held_out),
        n_training=len(dataset.training),
        n_held_out=1,
        species=dataset.species,
        min_distances_A=minimum_distances(dataset.training),
        level_of_theory=level.name,
        physics_hash=level.physics_hash,
        provenance=Provenance(package_versions={}, host="here", wall_time_s=0.0),
    )


def frame_with_defects(cell, rng):
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


def run_flow(flow):
    """Run a flow and return its documents."""
    results = run_locally(flow, store=JobStore(MemoryStore()), ensure_success=True, log=False)
    return [one.output for some in results.values() for one in some.values()]


def train(dataset, plan):
    job = wire(train_potential(dataset, plan.potential, plan.seed), "train potential", "cpu")
    return next(output for output in run_flow(Flow([job])) if isinstance(output, PotentialDoc))


def learn_from(frame, cell, dataset, potential, plan, folder):
    """Run the flow on a frame; the documents of its passes."""
    write_structure(frame, folder / "frame.xyz")
    write_structure(cell, folder / "interface.xyz")
    interface_file = StructureFile(
        file=FileRef.of(folder / "interface.xyz"),
        formula=cell.get_chemical_formula(),
        n_atoms=len(cell),
        cell_A=cell.cell.array.tolist(),
    )
    maker = CutoutLearningMaker(plan=CutoutPlan(learning=plan, cutouts=CutoutSettings(max_cutouts=12, max_passes=5)))
    flow = maker.make(FileRef.of(folder / "frame.xyz"), dataset, potential, interface_file)
    passes = [output for output in run_flow(flow) if isinstance(output, CutoutRoundDoc)]
    return sorted(passes, key=lambda document: document.pass_index)


def check_passes(passes, dataset):
    """Every cut-out is what it should be, and the last potential knows the frame."""
    for document in passes:
        assert document.n_labels == len(document.cutouts.cutouts) > 0
        assert not document.quarantined
        for record in document.cutouts.cutouts:
            assert record.n_atoms <= 150
            assert record.charge_e == 0
            assert record.grade == pytest.approx(record.grade_in_frame, rel=0.05)
        for atoms in read_structures(document.cutouts.frames.path()):
            salt = atoms.arrays["phase"] == "binary"
            assert (atoms.numbers[salt] == 3).sum() == (atoms.numbers[salt] == 17).sum()
    labelled = read_labelled(passes[-1].dataset.training.path())
    assert len(labelled) == dataset.n_training + sum(document.n_labels for document in passes)
    assert "core" not in labelled[-1].atoms.arrays
    assert passes[-1].largest_grade_after < THRESHOLD
    assert passes[-1].n_extrapolating_after == 0


def test_defects_in_a_large_cell_are_learned_from_cut_outs(project):
    rng = np.random.default_rng(2026)
    plan = plan_of(LENNARD_JONES, max_iterations=60)
    small = interface(12.0, 10.0).repeat((2, 1, 1))
    kinds = [(sigma, strain) for sigma in (0.05, 0.1, 0.15) for strain in (-0.02, 0.0, 0.03)]
    cells = [displace(small, sigma, rng, strain) for sigma, strain in [*kinds, (0.1, 0.0)]]
    dataset = store_dataset(project, cells, LENNARD_JONES)
    potential = train(dataset, plan)
    thick = interface(28.0, 26.0)
    frame = frame_with_defects(thick, rng)
    assert len(frame) > 5000
    passes = learn_from(frame, thick, dataset, potential, plan, project)
    assert passes[0].largest_grade_before > 100
    check_passes(passes, dataset)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")  # of CHGNet and its packages
def test_hot_dynamics_in_a_large_cell_is_learned_from_cut_outs(project):
    rng = np.random.default_rng(3)
    plan = plan_of(CHGNET, max_iterations=150)
    structures = Path(recipe.__file__).parent / "structures"
    small = [
        interface(12.0, 10.0).repeat((2, 1, 1)),
        read_crystal(structures / "LiCl.cif").repeat((2, 2, 2)),
        read_crystal(structures / "Li.cif").repeat((3, 3, 3)),
    ]
    cells = [displace(one, sigma, rng, k) for one in small for sigma in (0.06, 0.12) for k in (-0.015, 0.02)]
    dataset = store_dataset(project, [*cells, displace(small[0], 0.1, rng)], CHGNET)
    potential = train(dataset, plan)
    thick = interface(28.0, 26.0)
    start = build_production_atoms(thick, choose_repeats(thick, 5000))
    guard = Guard(break_threshold=10.0, every=5, min_distances_A=potential.min_distances_A)
    md = GuardedSettings(temperature_K=500.0, duration_ps=2.0, timestep_fs=2.0, select_threshold=THRESHOLD, guard=guard)
    run = run_guarded_md(start, pair_style_of(potential, project), md, project, seed=5)
    assert run.broke
    passes = learn_from(run.breaking.atoms, thick, dataset, potential, plan, project)
    first = passes[0]
    assert first.cutouts.n_extrapolating > 100
    assert first.cutouts.largest_grade == pytest.approx(run.largest_grade, rel=0.05)
    check_passes(passes, dataset)
