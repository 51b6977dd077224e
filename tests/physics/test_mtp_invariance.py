"""What every interatomic potential owes physics, for random moment tensor potentials of one, two and four species."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from interfaceflow.potentials.mtp import _native as native

pytestmark = pytest.mark.physics

TEMPLATES = Path(__file__).parent.parent / "data" / "mtp" / "templates"
CUTOFF = 5.0
CELLS = {
    "cubic": 7.0 * np.eye(3),
    "skewed": np.array([[7.0, 0.0, 0.0], [3.4, 6.5, 0.0], [-2.9, 2.1, 6.0]]),
    "left-handed": np.array([[0.0, 7.5, 0.5], [6.5, 0.0, 0.0], [0.3, 1.0, 7.0]]),
    "smaller than the cutoff": np.array([[3.1, 0.0, 0.2], [1.4, 2.8, 0.0], [0.0, 0.4, 3.6]]),
}
N_ATOMS = {"smaller than the cutoff": 2}
PERIODIC = (True, True, True)


def random_potential(level, n_species, seed=0):
    """Return a template's basis with random coefficients that give energies and forces of the order of one."""
    template = native.Potential.read(TEMPLATES / f"{level}.almtp")
    rng = np.random.default_rng(seed)
    radial = (n_species, n_species, template.radial_funcs_count, template.radial_basis_size)
    return native.Potential(
        species_types=list(range(n_species)),
        min_dist=1.5,
        max_dist=CUTOFF,
        alpha_moments_count=template.alpha_moments_count,
        alpha_index_basic=template.alpha_index_basic,
        alpha_index_times=template.alpha_index_times,
        alpha_moment_mapping=template.alpha_moment_mapping,
        radial_coeffs=rng.normal(scale=0.05, size=radial),
        species_coeffs=rng.normal(size=n_species),
        moment_coeffs=rng.normal(scale=0.1, size=len(template.alpha_moment_mapping)),
    )


def random_structure(cell_name, n_species, seed=1):
    """Return types, positions (some outside the cell) and cell of a structure without close contacts."""
    rng = np.random.default_rng(seed)
    cell = CELLS[cell_name]
    n_atoms = N_ATOMS.get(cell_name, 9)
    grid = np.stack(np.meshgrid(*[np.arange(3)] * 3), axis=-1).reshape(-1, 3)[:: max(27 // n_atoms, 1)][:n_atoms] / 3
    fractional = grid + 0.05 * rng.random((n_atoms, 3)) + rng.integers(-2, 3, (n_atoms, 3))
    types = np.arange(n_atoms) % n_species
    return types, fractional @ cell, cell


def evaluate(potential, *structures, periodic=PERIODIC):
    return native.ConfigurationSet([(*s, periodic) for s in structures], CUTOFF).evaluate(potential)


every_case = pytest.mark.parametrize("cell_name", CELLS)
every_species_count = pytest.mark.parametrize("n_species", [1, 2, 4])


@every_case
@every_species_count
@pytest.mark.parametrize("level", ["08", "12"])
def test_forces_are_minus_the_gradient_of_the_energy(cell_name, n_species, level):
    potential = random_potential(level, n_species)
    types, positions, cell = random_structure(cell_name, n_species)
    step = 1e-4
    moved = []
    for i in range(len(types)):
        for axis in range(3):
            for sign in (1, -1):
                other = positions.copy()
                other[i, axis] += sign * step
                moved.append((types, other, cell))
    energies = evaluate(potential, *moved).energies.reshape(-1, 3, 2)
    numerical = -(energies[..., 0] - energies[..., 1]) / (2 * step)
    forces = evaluate(potential, (types, positions, cell)).forces
    assert np.abs(forces).max() > 1e-3
    assert forces == pytest.approx(numerical, abs=1e-6 * max(1.0, np.abs(forces).max()))
    assert forces.sum(axis=0) == pytest.approx(np.zeros(3), abs=1e-10)


@every_case
@every_species_count
def test_virial_is_minus_the_gradient_of_the_energy_in_strain(cell_name, n_species):
    potential = random_potential("12", n_species)
    types, positions, cell = random_structure(cell_name, n_species)
    step = 1e-5
    numerical = []
    for a, b in [(0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1)]:
        strained = []
        for sign in (1, -1):
            strain = np.eye(3)
            strain[a, b] += sign * step / 2
            strain[b, a] += sign * step / 2
            strained.append((types, positions @ strain, cell @ strain))
        plus, minus = evaluate(potential, *strained).energies
        numerical.append(-(plus - minus) / (2 * step))
    found = evaluate(potential, (types, positions, cell)).plus_stresses[0]
    assert found == pytest.approx(numerical, abs=1e-6 * max(1.0, np.abs(found).max()))


@every_case
@every_species_count
def test_rotation_translation_and_permutation_change_nothing(cell_name, n_species):
    potential = random_potential("12", n_species)
    types, positions, cell = random_structure(cell_name, n_species)
    rng = np.random.default_rng(5)
    rotation = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    order = rng.permutation(len(types))
    base, turned, shifted, permuted, mirrored = (
        evaluate(potential, structure)
        for structure in (
            (types, positions, cell),
            (types, positions @ rotation, cell @ rotation),
            (types, positions + rng.normal(size=3), cell),
            (types[order], positions[order], cell),
            (types, -positions, -cell),
        )
    )
    for other in (turned, shifted, permuted, mirrored):
        assert other.energies == pytest.approx(base.energies, rel=1e-11)
    scale = max(1.0, np.abs(base.forces).max())
    assert turned.forces == pytest.approx(base.forces @ rotation, abs=1e-10 * scale)
    assert shifted.forces == pytest.approx(base.forces, abs=1e-10 * scale)
    assert permuted.forces == pytest.approx(base.forces[order], abs=1e-10 * scale)
    assert mirrored.forces == pytest.approx(-base.forces, abs=1e-10 * scale)


@every_case
@every_species_count
def test_a_supercell_has_the_energy_and_the_forces_of_its_cells(cell_name, n_species):
    potential = random_potential("12", n_species)
    types, positions, cell = random_structure(cell_name, n_species)
    repeats = (3, 1, 2)
    shifts = np.array([(a, b, c) for a in range(3) for b in range(1) for c in range(2)]) @ cell
    supercell = (
        np.tile(types, len(shifts)),
        np.concatenate([positions + shift for shift in shifts]),
        cell * np.array(repeats)[:, None],
    )
    small, large = evaluate(potential, (types, positions, cell)), evaluate(potential, supercell)
    assert large.energies == pytest.approx(len(shifts) * small.energies, rel=1e-11)
    assert large.plus_stresses == pytest.approx(len(shifts) * small.plus_stresses, rel=1e-9, abs=1e-9)
    scale = max(1.0, np.abs(small.forces).max())
    assert large.forces == pytest.approx(np.tile(small.forces, (len(shifts), 1)), abs=1e-10 * scale)


@every_case
def test_another_choice_of_lattice_vectors_is_the_same_crystal(cell_name):
    potential = random_potential("12", 2)
    types, positions, cell = random_structure(cell_name, 2)
    sheared = np.array([[1, 0, 0], [2, 1, 0], [-1, 3, 1]]) @ cell
    base, other = evaluate(potential, (types, positions, cell)), evaluate(potential, (types, positions, sheared))
    assert other.energies == pytest.approx(base.energies, rel=1e-11)
    assert other.forces == pytest.approx(base.forces, abs=1e-10 * max(1.0, np.abs(base.forces).max()))


@pytest.mark.parametrize("periodic", [(False, False, False), (True, False, False), (True, False, True)])
def test_a_direction_without_periodicity_is_one_with_a_wide_gap(periodic):
    potential = random_potential("12", 2)
    types, positions, cell = random_structure("cubic", 2)
    wide = cell * np.where(periodic, 1.0, 10.0)[:, None]
    open_cell = cell * np.array(periodic, float)[:, None]
    gap = evaluate(potential, (types, positions, wide))
    for given in (cell, open_cell):
        found = evaluate(potential, (types, positions, given), periodic=periodic)
        assert found.energies == pytest.approx(gap.energies, rel=1e-12)
        assert found.forces == pytest.approx(gap.forces, abs=1e-11)


def test_an_isolated_atom_has_the_energy_of_its_species_and_pairs_end_smoothly_at_the_cutoff():
    potential = random_potential("08", 2)
    energies = []
    for distance in (CUTOFF - 1e-6, CUTOFF, CUTOFF + 1.0):
        pair = (np.array([0, 1]), np.array([[0.0, 0.0, 0.0], [distance, 0.0, 0.0]]), np.zeros((3, 3)))
        found = evaluate(potential, pair, periodic=(False, False, False))
        energies.append(found.energies[0])
        assert np.abs(found.forces).max() < 1e-4
    assert energies == pytest.approx([potential.species_coeffs.sum()] * 3, abs=1e-9)


def test_configurations_of_a_set_do_not_see_each_other():
    potential = random_potential("12", 4)
    structures = [
        random_structure(name, n, seed) for seed, (name, n) in enumerate(zip(CELLS, (4, 2, 1, 2), strict=True))
    ]
    together = evaluate(potential, *structures)
    alone = [evaluate(potential, structure) for structure in structures]
    assert together.energies == pytest.approx(np.concatenate([one.energies for one in alone]), rel=1e-13)
    assert together.forces == pytest.approx(np.concatenate([one.forces for one in alone]), abs=1e-12)


@every_case
def test_neighbours_beyond_the_potentials_cutoff_do_not_matter(cell_name):
    potential = random_potential("12", 2)
    structure = (*random_structure(cell_name, 2), PERIODIC)
    exact, wide = (native.ConfigurationSet([structure], cutoff).evaluate(potential) for cutoff in (CUTOFF, 6.3))
    assert wide.energies == pytest.approx(exact.energies, rel=1e-13)
    assert wide.forces == pytest.approx(exact.forces, abs=1e-11 * max(1.0, np.abs(exact.forces).max()))
