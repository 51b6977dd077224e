"""The loss that training minimises: MLIP-3's, term by term.

loss = (1 / K) sum over K configurations of [ w_E dE^2 + sum over atoms w_F |dF|^2 + w_S |dS|^2 ] + penalty + ridge

The penalty keeps the radial functions normalised and orthogonal, the ridge keeps the linear coefficients determined.
Both are MLIP-3's too; for a potential whose linear coefficients were not solved for yet, the ridge is 1e-10 for all.
At given radial coefficients the loss is quadratic in the others, which `Loss.solve_linear` therefore solves for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from interfaceflow.core.errors import CalculationError, UserInputError
from interfaceflow.potentials.mtp._native import Configuration, ConfigurationSet, Potential

FloatArray = NDArray[np.float64]

_RIDGE = 1e-10
MEMORY_LIMIT_MB = 2000.0
"""Of a fit's neighbour lists, and of the rows that a selection chooses from."""


@dataclass(frozen=True)
class LossWeights:
    """Weights of the terms of the loss.

    Attributes
    ----------
    energy
        Of (energy difference)^2, 1/eV^2.
    force
        Of |force difference|^2 of each atom, in Å^2/eV^2.
    stress
        Of |PlusStress difference|^2 over nine components, in 1/eV^2.
    size_power
        ``weight_scaling``: energy weights are divided by n_atoms to this power. Stress weights are always divided by
        n_atoms: MLIP-3 says otherwise and does so.
    force_size_power
        ``weight_scaling_forces``: the same for force weights.
    force_softening
        ``scale_by_force`` s, in (eV/Å)^2: where positive, the weight of a force F is multiplied by s / (|F|^2 + s).
        F is the label. MLIP-3 takes the force it predicts there, and leaves that out of the gradient: what it follows
        is then the gradient of no function, and wrong forces weigh less the larger they are. With this option alone
        does the loss differ from what ``mlp`` prints as f.
    penalty
        Of radial functions that are not orthonormal.
    """

    energy: float = 1.0
    force: float = 0.01
    stress: float = 0.001
    size_power: int = 1
    force_size_power: int = 0
    force_softening: float = 0.0
    penalty: float = 1e-6


class Loss:
    """The loss of potentials on one training set, neighbour lists built once.

    Parameters
    ----------
    configurations
        The training set. What a configuration is not labelled with does not count.
    cutoff_radius
        Of the potentials, in Å.
    weights
        Of the terms.
    ridge
        Of the linear coefficients, shape (n_linear,), from an earlier fit; None to set it at the first solution.
    memory_limit_MB
        For packed neighbour lists, about a kilobyte an atom; those that do not fit are found anew at every use.
    n_threads
        Threads to use.

    Attributes
    ----------
    atoms
        The configurations with their neighbour lists.
    ridge
        What is in use, or None before the first solution.

    Raises
    ------
    UserInputError
        If the set is empty or none of its labels has a weight.
    """

    def __init__(
        self,
        configurations: Sequence[Configuration],
        cutoff_radius: float,
        weights: LossWeights,
        *,
        ridge: FloatArray | None = None,
        memory_limit_MB: float = MEMORY_LIMIT_MB,
        n_threads: int = 1,
    ) -> None:
        used = [configuration for configuration in configurations if len(configuration)]
        if not used:
            raise UserInputError("the training set is empty: there is nothing to train on")
        self.atoms = ConfigurationSet.of(used, cutoff_radius, memory_limit_MB=memory_limit_MB)
        self._weights = weights
        self._n_threads = n_threads
        self._labels = _labels(used, weights)
        if not any(self._labels[name].any() for name in ("energy_weights", "force_weights", "stress_weights")):
            raise UserInputError(
                "nothing to train on: the configurations have no labels whose weight is above zero (weights: energy "
                f"{weights.energy:g}, force {weights.force:g}, stress {weights.stress:g})"
            )
        self.ridge = ridge

    def data_term(self, potential: Potential) -> float:
        """Return the loss without penalty and ridge; times K it is what ``mlp calculate_loss`` prints."""
        return self.atoms.loss(potential, n_threads=self._n_threads, **self._labels)

    def value_and_gradient(self, potential: Potential) -> tuple[float, FloatArray]:
        """Return the loss and its derivative with respect to all coefficients, shape (n_coefficients,)."""
        value, gradient = self.atoms.loss_and_gradient(potential, n_threads=self._n_threads, **self._labels)
        penalty, penalty_gradient = radial_penalty(potential.radial_coeffs)
        n_radial = potential.n_radial_coefficients
        linear = potential.coefficients[n_radial:]
        ridge = np.full(len(linear), _RIDGE) if self.ridge is None else self.ridge
        gradient[:n_radial] += self._weights.penalty * penalty_gradient.ravel()
        gradient[n_radial:] += 2 * ridge * linear
        return value + self._weights.penalty * penalty + float(ridge @ linear**2), gradient

    def solve_linear(self, potential: Potential) -> None:
        """Give the species and moment coefficients the values that minimise the loss.

        The ridge is set at the first call, and again when it is no longer in proportion to the equations.

        Raises
        ------
        CalculationError
            If the equations hold numbers that are not finite.
        """
        matrix, vector, _ = self.atoms.linear_system(potential, n_threads=self._n_threads, **self._labels)
        if not (np.isfinite(matrix).all() and np.isfinite(vector).all()):
            raise CalculationError("the linear equations of the fit are not finite: check labels and distances")
        diagonal = np.diagonal(matrix)
        ridge = _RIDGE * np.maximum(diagonal, 1.0 / len(self.atoms))
        if self.ridge is None or np.abs(np.log(self.ridge / ridge)).max() > np.log(100.0):
            self.ridge = ridge
        coefficients = potential.coefficients
        coefficients[potential.n_radial_coefficients :] = _solve_scaled(matrix, self.ridge, vector)
        potential.coefficients = coefficients


def _solve_scaled(matrix: FloatArray, ridge: FloatArray, vector: FloatArray) -> FloatArray:
    """Solve (matrix + diag(ridge)) x = vector, after a scaling that makes the diagonal one."""
    from scipy.linalg.lapack import dposv

    scale = 1.0 / np.sqrt(np.diagonal(matrix) + ridge)
    scaled = matrix * (scale[:, None] * scale)
    np.fill_diagonal(scaled, 1.0)
    _, solution, failed = dposv(scaled, scale * vector)
    if failed:
        # Rounding has left no Cholesky factor.
        solution = np.linalg.lstsq(scaled, scale * vector)[0]
    return np.asarray(scale * solution, dtype=float)


def radial_penalty(radial_coeffs: FloatArray) -> tuple[float, FloatArray]:
    """Return how far the radial functions are from orthonormal, and its gradient.

    Parameters
    ----------
    radial_coeffs
        Shape (S, S, F, B).

    Returns
    -------
    penalty, gradient
        With C_k the coefficients of radial function k over all pairs of species: the sum over k of (|C_k|^2 - 1)^2
        plus the sum over k < l of (C_k . C_l)^2; the gradient has the shape of ``radial_coeffs``.
    """
    functions = radial_coeffs.transpose(2, 0, 1, 3).reshape(radial_coeffs.shape[2], -1)
    overlaps = functions @ functions.T
    norms = np.diagonal(overlaps) - 1.0
    mixed = overlaps - np.diag(np.diagonal(overlaps))
    value = float(norms @ norms + 0.5 * np.sum(mixed**2))
    gradient = 2 * (mixed @ functions) + 4 * norms[:, None] * functions
    n_species, _, n_functions, n_basis = radial_coeffs.shape
    return value, gradient.reshape(n_functions, n_species, n_species, n_basis).transpose(1, 2, 0, 3)


def _labels(configurations: Sequence[Configuration], weights: LossWeights) -> dict[str, FloatArray]:
    """Return the arguments that the compiled core takes: labels, and weights with all scalings in them."""
    count = len(configurations)
    energies, energy_weights = np.zeros(count), np.zeros(count)
    stresses, stress_weights = np.zeros((count, 6)), np.zeros(count)
    forces: list[FloatArray] = []
    force_weights: list[FloatArray] = []
    for index, configuration in enumerate(configurations):
        n_atoms = len(configuration)
        if configuration.energy is not None:
            energies[index] = configuration.energy
            energy_weights[index] = weights.energy / (count * n_atoms**weights.size_power)
        if configuration.plus_stress is not None:
            stresses[index] = configuration.plus_stress
            stress_weights[index] = weights.stress / (count * n_atoms)
        if configuration.forces is None:
            forces.append(np.zeros((n_atoms, 3)))
            force_weights.append(np.zeros(n_atoms))
            continue
        of_atoms = np.full(n_atoms, weights.force / (count * n_atoms**weights.force_size_power))
        if weights.force_softening > 0:
            of_atoms *= weights.force_softening / ((configuration.forces**2).sum(axis=1) + weights.force_softening)
        forces.append(configuration.forces)
        force_weights.append(of_atoms)
    return {
        "energies": energies,
        "forces": np.concatenate(forces),
        "plus_stresses": stresses,
        "energy_weights": energy_weights,
        "force_weights": np.concatenate(force_weights),
        "stress_weights": stress_weights,
    }
