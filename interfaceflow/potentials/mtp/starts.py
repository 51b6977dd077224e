"""Where a fit begins: random radial functions, or those of a potential that was trained before."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from interfaceflow.core.errors import UserInputError
from interfaceflow.potentials.mtp._native import Potential

FloatArray = NDArray[np.float64]


def random_start(
    template: Potential, types: Sequence[int], min_dist: float, generator: np.random.Generator
) -> Potential:
    """Return an untrained potential with random radial functions of unit norm.

    Parameters
    ----------
    template
        Its moments and its cutoff.
    types
        Species.
    min_dist
        Where the radial basis starts, in Å.
    generator
        Source of the random numbers.
    """
    shape = (len(types), len(types), template.radial_funcs_count, template.radial_basis_size)
    return _rebuilt(
        template,
        types,
        min_dist,
        radial_coeffs=_normalised(generator.normal(size=shape)),
        species_coeffs=np.zeros(len(types)),
        moment_coeffs=np.zeros(len(template.alpha_moment_mapping)),
        # The basis function T_b(r) (r - cutoff)^2 is then of order one.
        scaling=1.0 / (template.max_dist - min_dist) ** 2,
    )


def continued_start(potential: Potential, types: Sequence[int], min_dist: float, seed: int) -> Potential:
    """Return a trained potential on the basis of another set: same functions, more species where there are more.

    Parameters
    ----------
    potential
        Trained before.
    types
        Species of the set.
    min_dist
        Where the radial basis is to start, in Å.
    seed
        Of the radial functions of new species.

    Raises
    ------
    UserInputError
        If a species of the potential does not occur in the set.
    """
    known = potential.species_types
    absent = [kind for kind in known if kind not in types]
    if absent:
        raise UserInputError(
            f"the potential's species {', '.join(map(str, absent))} do not occur in the training set (types "
            f"{', '.join(map(str, types))}): train a new potential, or add configurations with them"
        )
    everything = [*known, *(kind for kind in types if kind not in known)]
    old, new = len(known), len(everything)
    generator = np.random.default_rng(seed)
    radial = generator.normal(size=(new, new, potential.radial_funcs_count, potential.radial_basis_size))
    radial *= 0.1 * np.sqrt(np.mean(potential.radial_coeffs**2))
    radial[:old, :old] = moved_radial_coeffs(potential.radial_coeffs, potential.min_dist, min_dist, potential.max_dist)
    return _rebuilt(
        potential,
        everything,
        min_dist,
        radial_coeffs=_normalised(radial),
        species_coeffs=np.concatenate([potential.species_coeffs, np.zeros(new - old)]),
        moment_coeffs=potential.moment_coeffs,
        scaling=potential.scaling,
    )


def moved_radial_coeffs(radial_coeffs: FloatArray, old_min_dist: float, min_dist: float, max_dist: float) -> FloatArray:
    """Return the coefficients of the same radial functions on a basis with another ``min_dist``.

    The change is exact: both bases span the polynomials of the same degree.

    Parameters
    ----------
    radial_coeffs
        Shape (S, S, F, B).
    old_min_dist, min_dist
        Where the basis starts before and after, in Å.
    max_dist
        Cutoff radius, in Å.
    """
    degree = radial_coeffs.shape[-1] - 1
    nodes = np.cos(np.pi * (np.arange(degree + 1) + 0.5) / (degree + 1))
    distances = 0.5 * (min_dist + max_dist) + 0.5 * (max_dist - min_dist) * nodes
    old_variable = (2 * distances - (old_min_dist + max_dist)) / (max_dist - old_min_dist)
    old_basis = np.polynomial.chebyshev.chebvander(old_variable, degree)
    new_basis = np.polynomial.chebyshev.chebvander(nodes, degree)
    return np.asarray(radial_coeffs @ np.linalg.solve(new_basis, old_basis).T, dtype=float)


def _normalised(radial_coeffs: FloatArray) -> FloatArray:
    """Return the coefficients with each radial function of unit norm over all pairs of species."""
    norms = np.sqrt(np.sum(radial_coeffs**2, axis=(0, 1, 3)))
    return np.asarray(radial_coeffs / np.where(norms > 0, norms, 1.0)[None, None, :, None], dtype=float)


def _rebuilt(
    potential: Potential,
    types: Sequence[int],
    min_dist: float,
    *,
    radial_coeffs: FloatArray,
    species_coeffs: FloatArray,
    moment_coeffs: FloatArray,
    scaling: float,
) -> Potential:
    return Potential(
        species_types=list(types),
        min_dist=min_dist,
        max_dist=potential.max_dist,
        alpha_moments_count=potential.alpha_moments_count,
        alpha_index_basic=potential.alpha_index_basic,
        alpha_index_times=potential.alpha_index_times,
        alpha_moment_mapping=potential.alpha_moment_mapping,
        radial_coeffs=radial_coeffs,
        species_coeffs=species_coeffs,
        moment_coeffs=moment_coeffs,
        scaling=scaling,
        name=potential.name,
        tag=potential.tag,
    )
