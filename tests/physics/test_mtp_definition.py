"""Moment tensor potentials of one to six species against their definition, doi:10.1137/15M1054183, written in NumPy."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from numpy.polynomial import chebyshev

from interfaceflow.core.errors import UserInputError
from interfaceflow.potentials.mtp import _native as native
from interfaceflow.potentials.mtp.levels import untrained_potential

pytestmark = pytest.mark.physics

MIN_DIST, CUTOFF = 1.6, 4.2
N_ATOMS = 13
# The usual levels; then radial functions whose monomials are neither complete nor fewer from one to the next.
BASES = ("4", "6", "8", "10", "12", "14", "16", "18", "20", "22", "uneven")


def basis_of(name, n_species, radial_basis_size):
    """Return a random potential's basis as keyword arguments."""
    if name == "uneven":
        return {
            "alpha_moments_count": 9,
            "alpha_index_basic": [(1, 0, 0, 0), (0, 1, 0, 0), (1, 0, 2, 1), (2, 0, 0, 1), (2, 1, 1, 1)],
            "alpha_index_times": [(0, 0, 2, 7), (2, 3, -3, 6), (1, 4, 1, 6), (7, 6, 1, 5), (7, 7, 2, 8)],
            "alpha_moment_mapping": [0, 5, 8, 7, 2],
        }
    content = untrained_potential(
        int(name), species_count=n_species, min_dist=MIN_DIST, cutoff_radius=CUTOFF, radial_basis_size=radial_basis_size
    )
    template = native.Potential.parse(content.encode())
    names = ("alpha_moments_count", "alpha_index_basic", "alpha_index_times", "alpha_moment_mapping")
    return {name: getattr(template, name) for name in names}


def random_potential(name, n_species, radial_basis_size=8):
    rng = np.random.default_rng(n_species)
    basis = basis_of(name, n_species, radial_basis_size)
    n_functions = 1 + max(int(one[0]) for one in basis["alpha_index_basic"])
    return native.Potential(
        species_types=[3 * kind + 1 for kind in range(n_species)],
        min_dist=MIN_DIST,
        max_dist=CUTOFF,
        radial_coeffs=rng.normal(scale=0.1, size=(n_species, n_species, n_functions, radial_basis_size)),
        species_coeffs=rng.normal(size=n_species),
        moment_coeffs=rng.normal(scale=0.1, size=len(basis["alpha_moment_mapping"])),
        scaling=0.7,
        **basis,
    )


def random_cluster(n_species):
    """Return types, and positions no two of which are closer than 1.7 Å."""
    rng = np.random.default_rng(10 + n_species)
    positions = np.empty((0, 3))
    while len(positions) < N_ATOMS:
        tried = 6.0 * rng.random(3)
        if len(positions) == 0 or np.linalg.norm(positions - tried, axis=1).min() > 1.7:
            positions = np.vstack([positions, tried])
    return 3 * (np.arange(N_ATOMS) % n_species) + 1, positions


def defined_site_energies(potential, types, positions):
    species = [potential.species_types.index(kind) for kind in types]
    energies = []
    for centre in range(len(types)):
        moments = np.zeros(potential.alpha_moments_count)
        for other in range(len(types)):
            vector = positions[other] - positions[centre]
            distance = np.linalg.norm(vector)
            if other == centre or distance >= CUTOFF:
                continue
            variable = (2 * distance - (MIN_DIST + CUTOFF)) / (CUTOFF - MIN_DIST)
            coefficients = potential.radial_coeffs[species[centre], species[other]]
            radial = 0.7 * (distance - CUTOFF) ** 2 * chebyshev.chebval(variable, coefficients.T)
            for index, (mu, a, b, c) in enumerate(potential.alpha_index_basic):
                moments[index] += radial[mu] * np.prod((vector / distance) ** [a, b, c])
        for first, second, factor, target in potential.alpha_index_times:
            moments[target] += factor * moments[first] * moments[second]
        scalars = moments[list(potential.alpha_moment_mapping)]
        energies.append(potential.species_coeffs[species[centre]] + scalars @ potential.moment_coeffs)
    return np.array(energies)


def evaluated(potential, types, positions):
    entry = (types, positions, np.zeros((3, 3)), (False, False, False))
    return native.ConfigurationSet([entry], CUTOFF).evaluate(potential)


@pytest.mark.parametrize("n_species", [1, 2, 3, 4, 5, 6])
@pytest.mark.parametrize("name", BASES)
def test_site_energies_are_as_defined_and_forces_their_derivatives(name, n_species):
    potential, (types, positions) = random_potential(name, n_species), random_cluster(n_species)
    found = evaluated(potential, types, positions)
    scale = np.abs(found.site_energies).max()
    assert found.site_energies == pytest.approx(defined_site_energies(potential, types, positions), abs=1e-11 * scale)
    for atom, axis in ((0, 0), (5, 1), (12, 2)):
        shift = np.zeros_like(positions)
        shift[atom, axis] = 1e-5
        energies = [evaluated(potential, types, positions + sign * shift).energies[0] for sign in (1, -1)]
        slope = (energies[1] - energies[0]) / 2e-5
        assert found.forces[atom, axis] == pytest.approx(slope, abs=1e-6 * np.abs(found.forces).max())


@pytest.mark.parametrize("radial_basis_size", [2, 5, 10, 12, 13, 24])
def test_any_number_of_chebyshev_polynomials_will_do(radial_basis_size):
    potential, (types, positions) = random_potential("10", 2, radial_basis_size), random_cluster(2)
    found = evaluated(potential, types, positions).site_energies
    assert found == pytest.approx(defined_site_energies(potential, types, positions), rel=1e-10)


def test_monomials_of_absurd_degree_are_refused():
    basis = basis_of("uneven", 1, 8) | {"alpha_index_basic": [(0, 20, 20, 20), *[(0, 0, 0, 0)] * 4]}
    potential = native.Potential(
        species_types=[0],
        min_dist=MIN_DIST,
        max_dist=CUTOFF,
        radial_coeffs=np.ones((1, 1, 1, 8)),
        species_coeffs=np.ones(1),
        moment_coeffs=np.ones(5),
        **basis,
    )
    with pytest.raises(UserInputError, match="degree 60; supported are up to 24"):
        evaluated(potential, np.zeros(2, int), np.array([[0.0, 0, 0], [2.0, 0, 0]]))


@pytest.mark.parametrize("simd", native.simd_names())
def test_every_instruction_set_computes_the_same(simd):
    """All of the above once more, where the process does not run on this instruction set anyway."""
    if simd == native.simd_name():
        return
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-x",
        "-p",
        "no:cacheprovider",
        __file__,
        "-k",
        "not instruction_set",
    ]
    done = subprocess.run(
        command, env=os.environ | {"INTERFACEFLOW_SIMD": simd}, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stdout[-3000:]
