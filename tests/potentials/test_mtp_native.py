"""The compiled core against `mlp`'s own output, and its derivatives against finite differences."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from interfaceflow.core.errors import UserInputError
from interfaceflow.potentials.mtp import _native as native

DATA = Path(__file__).parent.parent / "data" / "mtp" / "li2s"
POTENTIALS = ("level08.almtp", "level12.almtp", "level16.mtp")
WITH_ACTIVE_SET = ("level08", "level12")
MULTIPLICITY = np.array([1, 1, 1, 2, 2, 2])  # of xx, yy, zz, yz, xz, xy in the full tensor


def first_configurations(n):
    return native.read_configurations(DATA / "test.cfg")[:n]


def noisy_targets(configurations, configuration_set, rng):
    """Return references far enough from any potential, and uneven weights with some zeros."""
    n, n_atoms = len(configurations), configuration_set.n_atoms
    force_weights = rng.random(n_atoms)
    force_weights[::7] = 0.0
    forces = np.concatenate([c.forces for c in configurations]) + rng.normal(size=(n_atoms, 3))
    forces[::7] = np.nan  # where the weight is zero the reference is not looked at
    return {
        "energies": np.array([c.energy for c in configurations]) + rng.normal(size=n),
        "forces": forces,
        "plus_stresses": np.array([c.plus_stress for c in configurations]) + rng.normal(size=(n, 6)),
        "energy_weights": rng.random(n),
        "force_weights": force_weights,
        "stress_weights": 0.1 * rng.random(n),
    }


@pytest.mark.parametrize("file", POTENTIALS)
def test_energies_forces_and_stresses_are_those_of_mlp_to_the_printed_digits(file):
    potential = native.Potential.read(DATA / file)
    expected = native.read_configurations(DATA / Path(file).with_suffix(".efs.cfg"))
    found = native.ConfigurationSet.of(first_configurations(len(expected)), potential.max_dist).evaluate(potential)
    assert found.energies == pytest.approx([c.energy for c in expected], abs=1e-11)
    assert np.abs(found.forces - np.concatenate([c.forces for c in expected])).max() < 5.01e-7
    assert np.abs(found.plus_stresses - np.array([c.plus_stress for c in expected])).max() < 5.01e-6


@pytest.mark.parametrize("level", WITH_ACTIVE_SET)
def test_grades_with_the_files_own_active_set_are_those_of_mlp(level):
    potential = native.Potential.read(DATA / f"{level}.almtp")
    expected = native.read_configurations(DATA / f"{level}.grade.cfg")
    configuration_set = native.ConfigurationSet.of(first_configurations(len(expected)), potential.max_dist)
    assert np.abs(configuration_set.site_grades(potential) - np.concatenate([c.grades for c in expected])).max() < 1e-5
    grades = [float(c.features["MV_grade"]) for c in expected]
    assert configuration_set.configuration_grades(potential) == pytest.approx(grades, abs=1e-6)


@pytest.mark.parametrize("simd", ["avx512", "avx2", "portable"])
def test_every_kernel_gives_what_mlp_gives(simd):
    if simd not in native.simd_names():
        pytest.skip(f"this processor cannot run {simd}")
    tests = ["-k", "mlp and not kernel or finite", "tests/potentials/test_mtp_native.py"]
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "INTERFACEFLOW_SIMD": simd},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout


def test_an_unknown_kernel_is_refused():
    code = "from interfaceflow.potentials.mtp import _native; _native.simd_name()"
    environment = {**os.environ, "INTERFACEFLOW_SIMD": "mmx"}
    run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert "UserInputError" in run.stderr
    assert "INTERFACEFLOW_SIMD is 'mmx'" in run.stderr
    assert "portable" in run.stderr


@pytest.mark.parametrize("level", WITH_ACTIVE_SET)
def test_rows_of_the_active_set_are_site_gradients_of_its_configurations(level):
    potential = native.Potential.read(DATA / f"{level}.almtp")
    selection = potential.selection
    configuration_set = native.ConfigurationSet.of(selection.configurations, potential.max_dist)
    gradients = configuration_set.site_gradients(potential)
    checked = 0
    for row, (configuration, equation) in zip(selection.matrix, selection.rows, strict=True):
        if configuration < 0:
            continue
        n_atoms = len(selection.configurations[configuration])
        atom = configuration_set.offsets[configuration] + equation - (1 + 3 * n_atoms + 9)
        assert gradients[atom] == pytest.approx(row, rel=1e-10, abs=1e-12 * np.abs(row).max())
        checked += 1
    assert checked > 60
    assert selection.matrix @ selection.inverse == pytest.approx(np.eye(potential.n_coefficients), abs=1e-5)


@pytest.mark.parametrize("file", POTENTIALS)
def test_loss_is_its_definition_and_its_gradient_the_finite_difference(file):
    potential = native.Potential.read(DATA / file)
    configurations = first_configurations(2)
    configuration_set = native.ConfigurationSet.of(configurations, potential.max_dist)
    rng = np.random.default_rng(1)
    targets = noisy_targets(configurations, configuration_set, rng)
    loss, gradient = configuration_set.loss_and_gradient(potential, **targets)

    found = configuration_set.evaluate(potential)
    force_errors = np.nan_to_num(found.forces - targets["forces"])
    stress_errors = found.plus_stresses - targets["plus_stresses"]
    expected = (
        targets["energy_weights"] @ (found.energies - targets["energies"]) ** 2
        + targets["force_weights"] @ (force_errors**2).sum(axis=1)
        + targets["stress_weights"] @ (stress_errors**2 @ MULTIPLICITY)
    )
    assert loss == pytest.approx(expected, rel=1e-12)

    direction = rng.normal(size=potential.n_coefficients) * np.abs(potential.coefficients)
    start, step = potential.coefficients, 3e-7
    losses = []
    for sign in (1, -1):
        moved = potential.copy()
        moved.coefficients = start + sign * step * direction
        losses.append(configuration_set.loss_and_gradient(moved, **targets)[0])
    assert gradient @ direction == pytest.approx((losses[0] - losses[1]) / (2 * step), rel=1e-6)


@pytest.mark.parametrize("file", POTENTIALS[:2])
def test_linear_system_is_the_same_loss(file):
    potential = native.Potential.read(DATA / file)
    configurations = first_configurations(2)
    configuration_set = native.ConfigurationSet.of(configurations, potential.max_dist)
    targets = noisy_targets(configurations, configuration_set, np.random.default_rng(2))
    loss, gradient = configuration_set.loss_and_gradient(potential, **targets)
    matrix, vector, constant = configuration_set.linear_system(potential, **targets)
    linear = potential.coefficients[potential.n_radial_coefficients :]
    assert linear @ matrix @ linear - 2 * vector @ linear + constant == pytest.approx(loss, rel=1e-8)
    assert matrix == pytest.approx(matrix.T)
    slope = gradient[potential.n_radial_coefficients :]
    assert 2 * (matrix @ linear - vector) == pytest.approx(slope, rel=1e-7, abs=1e-7 * np.abs(slope).max())


@pytest.mark.parametrize("limit_MB", [0.0, 0.7])
def test_neighbours_that_do_not_fit_into_memory_are_found_again(limit_MB):
    potential = native.Potential.read(DATA / "level08.almtp")
    configurations = first_configurations(12)
    whole = native.ConfigurationSet.of(configurations, potential.max_dist)
    bounded = native.ConfigurationSet.of(configurations, potential.max_dist, memory_limit_MB=limit_MB)
    targets = noisy_targets(configurations, whole, np.random.default_rng(3))
    loss, gradient = whole.loss_and_gradient(potential, **targets)
    assert whole.loss(potential, **targets) == loss
    for n_threads in (1, 2):
        found = bounded.loss_and_gradient(potential, **targets, n_threads=n_threads)
        assert (found[0], found[1].tolist()) == (loss, gradient.tolist())
        assert np.array_equal(bounded.site_grades(potential, n_threads=n_threads), whole.site_grades(potential))
    assert np.array_equal(bounded.linear_system(potential, **targets)[0], whole.linear_system(potential, **targets)[0])


def test_energy_gradients_are_sums_of_site_gradients_and_finite_differences_of_the_energy():
    potential = native.Potential.read(DATA / "level08.almtp")
    configuration_set = native.ConfigurationSet.of(first_configurations(2), potential.max_dist)
    sites = configuration_set.site_gradients(potential)
    whole = configuration_set.energy_gradients(potential)
    offsets = configuration_set.offsets
    assert whole == pytest.approx(np.array([sites[a:b].sum(axis=0) for a, b in pairwise(offsets)]))
    start = potential.coefficients
    for k in (0, 17, 40, 64, 66, 74):  # radial, species, moments
        step = 1e-6 * max(abs(start[k]), 1e-3)
        energies = []
        for sign in (1, -1):
            moved = start.copy()
            moved[k] += sign * step
            potential.coefficients = moved
            energies.append(configuration_set.evaluate(potential).energies)
        assert whole[:, k] == pytest.approx((energies[0] - energies[1]) / (2 * step), rel=1e-5, abs=1e-5)


def test_a_configuration_mode_grade_is_the_scaled_row_against_the_inverse():
    potential = native.Potential.read(DATA / "level08.almtp")
    configuration_set = native.ConfigurationSet.of(first_configurations(3), potential.max_dist)
    selection = potential.selection
    selection.energy_weight, selection.site_energy_weight = 1.0, 0.0
    potential.selection = selection
    rows = configuration_set.energy_gradients(potential) / 96  # weight_scaling 2: divided by the number of atoms
    expected = np.abs(rows @ selection.inverse).max(axis=1)
    assert configuration_set.configuration_grades(potential) == pytest.approx(expected)
    with pytest.raises(UserInputError, match="al_mode=nbh"):
        configuration_set.site_grades(potential)


def test_results_do_not_depend_on_the_number_of_threads():
    potential = native.Potential.read(DATA / "level08.almtp")
    configurations = first_configurations(29)
    configuration_set = native.ConfigurationSet.of(configurations, potential.max_dist)
    targets = noisy_targets(configurations, configuration_set, np.random.default_rng(3))
    one = configuration_set.loss_and_gradient(potential, **targets, n_threads=1)
    two = configuration_set.loss_and_gradient(potential, **targets, n_threads=2)
    assert one[0] == two[0]
    assert np.array_equal(one[1], two[1])
    forces = [configuration_set.evaluate(potential, n_threads=n).forces for n in (1, 2)]
    assert np.array_equal(*forces)


def test_minimum_distances_are_those_of_ase():
    from ase import Atoms

    configuration = first_configurations(1)[0]
    configuration_set = native.ConfigurationSet.of([configuration], 5.0)
    types, distances = configuration_set.minimum_distances()
    atoms = Atoms(configuration.types, configuration.positions, cell=configuration.cell, pbc=True)
    every = atoms.get_all_distances(mic=True) + 100 * np.eye(len(atoms))
    assert types == [0, 1]
    for a in types:
        for b in types:
            expected = every[np.ix_(configuration.types == a, configuration.types == b)].min()
            assert distances[a, b] == pytest.approx(expected)


def test_what_a_set_cannot_be_used_with_is_said():
    potential = native.Potential.read(DATA / "level08.almtp")
    configuration = first_configurations(1)[0]
    with pytest.raises(UserInputError, match="longer than the cutoff"):
        native.ConfigurationSet.of([configuration], 4.0).evaluate(potential)
    types = configuration.types
    types[3] = 7
    configuration.types = types
    with pytest.raises(UserInputError, match=r"type 7; the potential knows the types 0, 1"):
        native.ConfigurationSet.of([configuration], 5.0).evaluate(potential)
    template = native.Potential.read(DATA.parent / "templates" / "08.almtp")
    assert not template.initialised
    with pytest.raises(UserInputError, match="no coefficients yet"):
        native.ConfigurationSet.of(first_configurations(1), 5.0).evaluate(template)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (([0, 0], np.zeros((1, 3)), np.eye(3), (True, True, True)), r"positions has the shape \(1,3,\)"),
        (([0], [[0.0, np.nan, 0.0]], 5 * np.eye(3), (True, True, True)), "position of atom 0 is not finite"),
        (([0], np.zeros((1, 3)), np.ones((3, 3)), (True, True, True)), "linearly dependent"),
        (([0], np.zeros((1, 3)), np.zeros((3, 3)), (True, False, False)), "periodic direction is zero"),
        (([0], np.zeros((1, 3)), 1e-3 * np.eye(3), (True, True, True)), "are its vectors in Angstrom"),
        (([0, 1], np.zeros((2, 3)), 5 * np.eye(3), (True, True, True)), "atoms 0 and 1 are at the same place"),
    ],
)
def test_a_structure_that_makes_no_sense_is_refused_by_its_index(entry, message):
    good = (np.array([0]), np.zeros((1, 3)), 5 * np.eye(3), (True, True, True))
    with pytest.raises(UserInputError, match=message) as caught:
        native.ConfigurationSet([good, tuple(np.asarray(part) for part in entry)], 5.0)
    assert "configuration 1" in str(caught.value)
