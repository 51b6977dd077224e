"""Fitting, judging, selecting and going on, with and without the ZBL repulsion under the potential."""

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from jobflow.core.job import job
from jobflow.core.store import JobStore
from maggma.stores import MemoryStore

from interfaceflow.core.files import PROJECT_ROOT_VARIABLE, FileRef
from interfaceflow.core.formats.cfg import read_configurations
from interfaceflow.core.formats.labelled_file import read_labelled
from interfaceflow.core.labelled import LabelledConfiguration
from interfaceflow.datasets.dataset import Dataset, write_dataset
from interfaceflow.datasets.distances import minimum_distances
from interfaceflow.dynamics.data_file import write_data_file
from interfaceflow.dynamics.frame import LammpsFrame
from interfaceflow.dynamics.lammps_run import run_lammps, setup_lines
from interfaceflow.jobs.potentials import (
    evaluate_potential,
    fit_potential,
    pair_style_of,
    select_for_training,
    train_potential,
)
from interfaceflow.jobs.workspace import Workspace
from interfaceflow.potentials.mtp.calculator import MTPCalculator
from interfaceflow.potentials.zbl import compute_zbl
from interfaceflow.schemas.base import Provenance
from interfaceflow.schemas.datasets import DatasetDoc, PotentialDoc
from interfaceflow.schemas.settings import MtpSettings, ZBLSettings

LI2S = Path(__file__).parent.parent / "data" / "mtp" / "li2s"
SPECIES = ("Li", "S")
ZBL = ZBLSettings(inner_cutoff_A=1.5, outer_cutoff_A=3.0)  # reaches the bonds, so that the fit has to make up for it


def settings(zbl: ZBLSettings | None) -> MtpSettings:
    return MtpSettings(level=4, max_iterations=10, max_retraining_iterations=3, zbl=zbl)


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setenv(PROJECT_ROOT_VARIABLE, str(tmp_path))
    store = JobStore(MemoryStore())
    store.connect()
    return store


def output_of(wanted, store):
    return wanted.run(store).output


def labels_of(file: str, n: int, label) -> list[LabelledConfiguration]:
    """Return the first structures of a file with what ``label`` says are their energy, forces and stress."""
    labels = []
    for index, configuration in enumerate(read_configurations(LI2S / file)[:n]):
        atoms = configuration.to_atoms(SPECIES)
        energy, forces, stress = label(atoms)
        atoms.calc = None
        labels.append(
            LabelledConfiguration(atoms, energy, energy + 0.1, forces, stress, "0" * 64, f"{file} {index}", file, 300.0)
        )
    return labels


def as_calculated(atoms: Atoms):
    return atoms.get_potential_energy(), atoms.get_forces(), atoms.get_stress()


def dataset_of(label, folder: Path) -> DatasetDoc:
    dataset = Dataset(tuple(labels_of("train.cfg", 4, label)), tuple(labels_of("test.cfg", 2, label)))
    training, held_out = write_dataset(dataset, folder)
    return DatasetDoc(
        training=FileRef.of(training),
        held_out=FileRef.of(held_out),
        n_training=len(dataset.training),
        n_held_out=len(dataset.held_out),
        species=SPECIES,
        min_distances_A=minimum_distances(dataset.training),
        level_of_theory="test",
        physics_hash="0" * 64,
        provenance=Provenance(package_versions={}, host="test", wall_time_s=0.0),
    )


def lammps_forces(atoms: Atoms, potential: PotentialDoc, folder: Path):
    frame, pair_style = LammpsFrame.of(atoms.cell.array), pair_style_of(potential, folder)
    write_data_file(atoms, pair_style, frame, folder / "start.data")
    script = setup_lines(pair_style, "read_data start.data", timestep_fs=1.0)
    script += ["dump now all custom 1 now.dump id fx fy fz", "dump_modify now sort id format float %.17g", "run 0"]
    run_lammps(script, folder, "now")
    return frame.from_lammps(np.loadtxt(folder / "now.dump", skiprows=9)[:, 1:])


@pytest.mark.parametrize("zbl", [None, ZBL], ids=["alone", "with zbl"])
def test_the_fit_sees_the_labels_without_the_repulsion_and_everyone_else_sees_all(zbl, store, tmp_path):
    dataset = dataset_of(as_calculated, tmp_path)
    potential = output_of(train_potential(dataset, settings(zbl), 1), store)
    assert potential.model.zbl == zbl

    labels = read_labelled(dataset.training.path())
    (given,) = tmp_path.glob(".interfaceflow/files/train_potential-*/training.cfg")
    for label, fitted in zip(labels, read_configurations(given), strict=True):
        energy, forces, stress = label.free_energy_eV, label.forces_eV_A, label.stress_eV_A3
        if zbl is not None:
            repulsion = compute_zbl(label.atoms, zbl)
            assert repulsion.energy_eV > 1.0
            energy, forces = energy - repulsion.energy_eV, forces - repulsion.forces_eV_A
            stress = stress + repulsion.plus_stress_eV / label.atoms.get_volume()
        assert fitted.energy == pytest.approx(energy, abs=1e-9)
        assert fitted.forces == pytest.approx(forces, abs=1e-9)
        assert fitted.plus_stress == pytest.approx(-stress * label.atoms.get_volume(), abs=1e-8)

    calculator = MTPCalculator(potential.file.path(), SPECIES, zbl=zbl)
    held_out = read_labelled(dataset.held_out.path())
    parity = output_of(evaluate_potential(dataset, potential), store)
    arrays = np.load(parity.arrays.path())
    predicted = np.concatenate([calculator.get_property("forces", label.atoms) for label in held_out])
    assert arrays["force_reference"] == pytest.approx(np.concatenate([label.forces_eV_A for label in held_out]))
    assert arrays["force_potential"] == pytest.approx(predicted, abs=1e-6)
    assert parity.errors == potential.held_out_errors
    stresses = [calculator.get_property("stress", label.atoms) - np.asarray(label.stress_eV_A3) for label in held_out]
    assert parity.errors.stress_rmse_GPa == pytest.approx(160.2176634 * np.sqrt(np.mean(np.square(stresses))), rel=1e-3)
    assert parity.errors.force_rmse_eV_A < 0.3  # neither taken off twice nor added twice: the repulsion is larger

    atoms = held_out[0].atoms
    assert lammps_forces(atoms, potential, tmp_path) == pytest.approx(
        calculator.get_property("forces", atoms), abs=1e-10
    )


@job
def select_and_go_on(dataset: DatasetDoc, potential: PotentialDoc, given: MtpSettings):
    workspace = Workspace()
    strange = read_labelled(dataset.held_out.path())[0].atoms
    strange.positions[0] += (0.8, 0.0, 0.0)
    chosen = select_for_training(workspace, [strange], dataset, potential, given)
    return len(chosen), fit_potential(workspace, dataset, given, 1, previous=potential)


def test_going_on_from_a_potential_keeps_its_repulsion(store, tmp_path):
    dataset = dataset_of(as_calculated, tmp_path)
    first = output_of(train_potential(dataset, settings(ZBL), 1), store)
    n_chosen, second = output_of(select_and_go_on(dataset, first, settings(ZBL)), store)
    assert n_chosen == 1
    assert (second.model.zbl, second.warm_start) == (ZBL, True)
    # It goes on where the first fit ended, so it saw the same labels.
    assert 0.5 * first.model.final_loss < second.model.final_loss <= first.model.final_loss


def bare_nuclei_eV(distance, first, second):
    """Return the published energy of two nuclei of these charges."""
    x = distance * (first**0.23 + second**0.23) / 0.46850
    screening = 0.18175 * np.exp(-3.19980 * x) + 0.50986 * np.exp(-0.94229 * x)
    screening += 0.28022 * np.exp(-0.40290 * x) + 0.02817 * np.exp(-0.20162 * x)
    return 14.3996454785 * first * second / distance * screening


def zbl_alone(atoms: Atoms):
    found = compute_zbl(atoms, ZBL)
    return found.energy_eV, found.forces_eV_A, -found.plus_stress_eV / atoms.get_volume()


@pytest.mark.physics
def test_two_atoms_half_an_angstrom_apart_repel_as_bare_nuclei_do(store, tmp_path):
    """Of a reference that is nothing but ZBL the overlay leaves nothing to the fit, which then adds nothing in MD.

    Nothing but the ninth decimal of the stored labels, that is, which a polynomial makes larger far below its data.
    """
    potential = output_of(train_potential(dataset_of(zbl_alone, tmp_path), settings(ZBL), 1), store)
    for symbols in ("Li2", "LiS", "S2"):
        pair = Atoms(symbols, [[5, 5, 5], [5, 5, 5.5]], cell=[10] * 3, pbc=True)
        before, after = (bare_nuclei_eV(0.5 + shift, *pair.numbers) for shift in (-1e-5, 1e-5))
        force = (before - after) / 2e-5
        expected = np.array([[0, 0, -force], [0, 0, force]])
        assert lammps_forces(pair, potential, tmp_path) == pytest.approx(expected, rel=1e-4, abs=1e-4)
