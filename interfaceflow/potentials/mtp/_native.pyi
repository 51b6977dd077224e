"""Moment tensor potentials: the compiled core.

Theory: A. V. Shapeev, doi:10.1137/15M1054183; several species and the active learning of them:
K. Gubaev et al., doi:10.1016/j.commatsci.2018.09.031 and I. S. Novikov et al., doi:10.1088/2632-2153/abc9fe.

Conventions, in every function here:

- lengths in Å, energies in eV, forces in eV/Å;
- ``types`` are the integers of a ``.cfg`` file; a potential maps them through its ``species_types``;
- a stress is the virial MLIP calls *PlusStress*: minus the derivative of the energy with respect to strain, in
  eV, in the order xx, yy, zz, yz, xz, xy. With ASE's sign, ``plus_stress = -stress * volume``;
- the coefficients are one vector in MLIP-3's order: the radial ones with shape (species of the centre, species of
  the neighbour, radial function, Chebyshev polynomial), then one per species, then one per scalar moment;
- results do not depend on ``n_threads``.

Files that cannot be used raise `interfaceflow.core.errors.DataFileError`, arguments that cannot be used
`interfaceflow.core.errors.UserInputError`; both name what was given and what is allowed.
"""

import os
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int32]

def simd_name() -> str:
    """Return the instruction set the kernel runs on: ``avx512``, ``avx2`` or ``portable``.

    The best one the processor has, or the one that the environment variable ``INTERFACEFLOW_SIMD`` names at the
    first use.
    """

def simd_names() -> list[str]:
    """Return the instruction sets that this build and this processor can both run, best first."""

class Configuration:
    """One configuration of a ``.cfg`` file.

    Attributes
    ----------
    types
        Shape (n_atoms,).
    positions
        Shape (n_atoms, 3), in Å.
    cell
        Shape (3, 3), cell vectors in rows, in Å. A row of zeros is a direction without periodicity.
    energy
        In eV, or None.
    forces
        Shape (n_atoms, 3), in eV/Å, or None.
    plus_stress
        Shape (6,): xx, yy, zz, yz, xz, xy, in eV, or None.
    site_energies, charges, grades
        Shape (n_atoms,), or None. ``grades`` is the column ``nbh_grades``.
    features
        Text by name, such as ``MV_grade``; several lines are joined by a line feed.
    """

    types: IntArray
    positions: FloatArray
    cell: FloatArray
    energy: float | None
    forces: FloatArray | None
    plus_stress: FloatArray | None
    site_energies: FloatArray | None
    charges: FloatArray | None
    grades: FloatArray | None
    features: dict[str, str]

    def __init__(
        self,
        types: NDArray[np.integer],
        positions: FloatArray,
        cell: FloatArray,
        *,
        energy: float | None = None,
        forces: FloatArray | None = None,
        plus_stress: FloatArray | None = None,
        site_energies: FloatArray | None = None,
        charges: FloatArray | None = None,
        grades: FloatArray | None = None,
        features: dict[str, str] | None = None,
    ) -> None: ...
    def __len__(self) -> int: ...

def read_configurations(path: str | os.PathLike[str]) -> list[Configuration]:
    """Read a ``.cfg`` file.

    Raises
    ------
    DataFileError
        If the file is missing, truncated, or has a field that is unknown, incomplete or not a finite number. The
        text names the file, the line and the field.
    """

def parse_configurations(content: bytes, name: str = "<memory>") -> list[Configuration]:
    """Read the content of a ``.cfg`` file; ``name`` stands for the file in error messages."""

def format_configurations(configurations: Sequence[Configuration], *, lossless: bool = False) -> bytes:
    """Return the content of a ``.cfg`` file, in the layout of ``mlp``.

    Parameters
    ----------
    configurations
        What to write.
    lossless
        With 17 significant digits (as inside an ``.almtp``), instead of MLIP's fixed columns (positions and forces
        with 6 decimals, energies 12, stresses and grades 5).
    """

class SelectionState:
    """The active set of a potential: what ``#MVS_v1.1`` holds in an ``.almtp`` file.

    Attributes
    ----------
    energy_weight, force_weight, stress_weight, site_energy_weight
        What the rows of the active set are: energies of configurations (``--al_mode=cfg``: 1, 0, 0, 0) or site
        energies of neighbourhoods (``--al_mode=nbh``: 0, 0, 0, 1).
    weight_scaling
        A configuration's row is divided by n_atoms ** (weight_scaling / 2); MLIP-3 writes 2.
    matrix
        A, shape (n, n): one row per selected equation, columns in the order of the coefficients.
    inverse
        The inverse of A, shape (n, n): ``matrix @ inverse`` is the identity. (The file holds its transpose.)
    rows
        Shape (n, 2): the configuration and the equation a row of A came from, (-1, -1) where it is still a row of
        1e-5 times the identity. Equations of a configuration of N atoms: 0 is the energy, 1 + 3 i + axis a force,
        1 + 3 N + 0..8 the stress, 1 + 3 N + 9 + i the site energy of atom i.
    configurations
        The configurations that ``rows`` points to. Writing them sets the feature ``selected_eqn_inds`` from
        ``rows``.
    """

    energy_weight: float
    force_weight: float
    stress_weight: float
    site_energy_weight: float
    weight_scaling: int
    matrix: FloatArray
    inverse: FloatArray
    rows: IntArray
    configurations: list[Configuration]

    def __init__(
        self,
        *,
        energy_weight: float,
        force_weight: float,
        stress_weight: float,
        site_energy_weight: float,
        weight_scaling: int,
        matrix: FloatArray,
        inverse: FloatArray,
        rows: NDArray[np.integer],
        configurations: Sequence[Configuration],
    ) -> None: ...

class Potential:
    """A moment tensor potential: its basis, its coefficients and, if it has one, its active set.

    Attributes returned as arrays are copies: change a potential by assigning to the property.
    """

    name: str
    """The file's ``potential_name``."""
    tag: str
    """The file's ``potential_tag``."""
    scaling: float
    """Factor on every radial function."""
    min_dist: float
    """Where the Chebyshev variable is -1, in Å."""
    max_dist: float
    """Cutoff radius, in Å."""
    radial_coeffs: FloatArray
    """Shape (S, S, F, B)."""
    species_coeffs: FloatArray
    """Shape (S,), in eV."""
    moment_coeffs: FloatArray
    """Shape (n scalar moments,), in eV."""
    coefficients: FloatArray
    """All of them, shape (n_coefficients,), in MLIP-3's order."""
    selection: SelectionState | None
    """The active set, or None. Setting one of another size than ``n_coefficients`` is refused."""

    def __init__(
        self,
        *,
        species_types: Sequence[int],
        min_dist: float,
        max_dist: float,
        alpha_moments_count: int,
        alpha_index_basic: NDArray[np.integer],
        alpha_index_times: NDArray[np.integer],
        alpha_moment_mapping: NDArray[np.integer],
        radial_coeffs: FloatArray,
        species_coeffs: FloatArray,
        moment_coeffs: FloatArray,
        scaling: float = 1.0,
        name: str = "MTP",
        tag: str = "",
    ) -> None:
        """Build a potential from arrays.

        Parameters
        ----------
        species_types
            The integer of each species in ``.cfg`` files, shape (S,); usually 0, 1, ...
        min_dist, max_dist
            In Å.
        alpha_moments_count
            Number of moments, basic ones and contractions.
        alpha_index_basic
            Shape (n, 4): radial function and powers of x, y, z of each basic moment.
        alpha_index_times
            Shape (m, 4): a, b, factor, c stands for moment[c] += factor * moment[a] * moment[b].
        alpha_moment_mapping
            Moments that are scalars of the energy, shape (K,).
        radial_coeffs, species_coeffs, moment_coeffs
            Shapes (S, S, F, B), (S,), (K,).
        scaling
            Factor on every radial function.
        name, tag
            Words for the file.

        Raises
        ------
        UserInputError
            If shapes do not fit together or an index is out of range.
        """

    @staticmethod
    def read(path: str | os.PathLike[str]) -> Potential:
        """Read an ``.mtp`` or ``.almtp`` file, of MLIP-2 or MLIP-3, trained or not.

        Raises
        ------
        DataFileError
            If the file is missing, truncated, holds a number that is not finite, counts that do not fit, or a radial
            basis other than ``RBChebyshev``. The text names the file and the field.
        """

    @staticmethod
    def parse(content: bytes, name: str = "<memory>") -> Potential:
        """Read the content of a potential's file; ``name`` stands for the file in error messages."""

    def serialise(self) -> bytes:
        """Return the content of the file, byte for byte as MLIP-3 writes it (with the active set, if there is one).

        Raises
        ------
        UserInputError
            If a coefficient is not a finite number.
        """

    def copy(self) -> Potential:
        """Return an independent copy, with its active set."""

    @property
    def initialised(self) -> bool:
        """Whether the file held coefficients; a template does not, and all of them read as zero. Set by assigning."""
    @property
    def species_types(self) -> list[int]:
        """The integer of each species in ``.cfg`` files."""
    @property
    def species_count(self) -> int:
        """S."""
    @property
    def radial_funcs_count(self) -> int:
        """F."""
    @property
    def radial_basis_size(self) -> int:
        """B."""
    @property
    def alpha_moments_count(self) -> int:
        """Number of moments, basic ones and contractions."""
    @property
    def alpha_index_basic(self) -> IntArray:
        """Shape (n, 4)."""
    @property
    def alpha_index_times(self) -> IntArray:
        """Shape (m, 4)."""
    @property
    def alpha_moment_mapping(self) -> IntArray:
        """Shape (K,)."""
    @property
    def n_coefficients(self) -> int:
        """S * S * F * B + S + K."""
    @property
    def n_radial_coefficients(self) -> int:
        """S * S * F * B: where the linear coefficients start in ``coefficients``."""

class Evaluation:
    """Energies and their derivatives for every configuration of a set.

    Attributes
    ----------
    energies
        Shape (n_configurations,), in eV.
    site_energies
        Shape (n_atoms,), in eV.
    forces
        Shape (n_atoms, 3), in eV/Å.
    plus_stresses
        Shape (n_configurations, 6), in eV: minus dE/dstrain in the order xx, yy, zz, yz, xz, xy. ASE's stress is
        ``-plus_stress / volume``.
    """

    @property
    def energies(self) -> FloatArray: ...
    @property
    def site_energies(self) -> FloatArray: ...
    @property
    def forces(self) -> FloatArray: ...
    @property
    def plus_stresses(self) -> FloatArray: ...

class ConfigurationSet:
    """Configurations with their neighbour lists, built once and used many times.

    Atoms of all configurations are numbered through; those of configuration ``i`` are
    ``offsets[i]:offsets[i + 1]``. Cells may be smaller than the cutoff, skewed and left-handed, positions need not be
    wrapped, and each direction may be periodic or not.
    """

    def __init__(
        self,
        configurations: Sequence[tuple[NDArray[np.integer], FloatArray, FloatArray, Sequence[bool]]],
        cutoff: float,
        *,
        memory_limit_MB: float = 1e9,
    ) -> None:
        """Build the neighbour lists.

        Parameters
        ----------
        configurations
            For each: types (n_atoms,), positions (n_atoms, 3) in Å, cell vectors (3, 3) in rows in Å, and whether each
            of the three directions is periodic.
        cutoff
            In Å; a potential of a longer ``max_dist`` is refused later.
        memory_limit_MB
            For packed neighbour lists, about a kilobyte an atom. Those that do not fit are found anew at every use.

        Raises
        ------
        UserInputError
            If shapes do not fit, a number is not finite, two atoms coincide, or the periodic cell vectors are
            linearly dependent. The text names the configuration by its index.
        """

    @staticmethod
    def of(configurations: Sequence[Configuration], cutoff: float, *, memory_limit_MB: float = 1e9) -> ConfigurationSet:
        """Build the set from configurations of a ``.cfg`` file."""

    def __len__(self) -> int: ...
    @property
    def n_atoms(self) -> int:
        """Atoms in all configurations together."""
    @property
    def offsets(self) -> NDArray[np.int64]:
        """Shape (n_configurations + 1,)."""
    @property
    def types(self) -> IntArray:
        """Shape (n_atoms,)."""
    @property
    def cutoff(self) -> float:
        """In Å."""
    def minimum_distances(self) -> tuple[list[int], FloatArray]:
        """Return the types that occur (T of them, sorted) and the smallest distance of each pair of them, in Å.

        The matrix has shape (T, T); it holds infinity where no such pair lies within the cutoff.
        """

    def evaluate(self, potential: Potential, *, n_threads: int = 1) -> Evaluation:
        """Return energies, forces and stresses.

        Raises
        ------
        UserInputError
            If a type is none of the potential's species, the potential's cutoff is longer than the set's, or it has no
            coefficients yet. (The same for every method below.)
        """

    def loss(
        self,
        potential: Potential,
        *,
        energies: FloatArray,
        forces: FloatArray,
        plus_stresses: FloatArray,
        energy_weights: FloatArray,
        force_weights: FloatArray,
        stress_weights: FloatArray,
        n_threads: int = 1,
    ) -> float:
        """Return the weighted sum of squared errors that `loss_and_gradient` describes, at a third of its cost."""

    def loss_and_gradient(
        self,
        potential: Potential,
        *,
        energies: FloatArray,
        forces: FloatArray,
        plus_stresses: FloatArray,
        energy_weights: FloatArray,
        force_weights: FloatArray,
        stress_weights: FloatArray,
        n_threads: int = 1,
    ) -> tuple[float, FloatArray]:
        """Return a weighted sum of squared errors, and its gradient with respect to all coefficients.

        The loss is the sum over configurations c of energy_weights[c] * (E - E_ref)**2 plus the sum over atoms a of
        force_weights[a] * |F - F_ref|**2 plus the sum over configurations of stress_weights[c] * |S - S_ref|**2, the
        last norm over all nine components (those off the diagonal count twice). Where a weight is zero the reference is
        not looked at and may be NaN.

        Parameters
        ----------
        potential
            Its coefficients are the variables.
        energies, forces, plus_stresses
            References: shapes (n_configurations,), (n_atoms, 3), (n_configurations, 6).
        energy_weights, force_weights, stress_weights
            Shapes (n_configurations,), (n_atoms,), (n_configurations,).
        n_threads
            Threads to use.

        Returns
        -------
        loss, gradient
            The gradient has shape (n_coefficients,).
        """

    def linear_system(
        self,
        potential: Potential,
        *,
        energies: FloatArray,
        forces: FloatArray,
        plus_stresses: FloatArray,
        energy_weights: FloatArray,
        force_weights: FloatArray,
        stress_weights: FloatArray,
        n_threads: int = 1,
    ) -> tuple[FloatArray, FloatArray, float]:
        """Return the same loss as a quadratic form in the linear coefficients, at fixed radial coefficients.

        With x the species coefficients followed by the moment coefficients, the loss is
        ``x @ matrix @ x - 2 * vector @ x + constant``, so that the best x solves ``matrix @ x = vector``.

        Returns
        -------
        matrix, vector, constant
            Shapes (L, L) and (L,), L = S + K.
        """

    def site_gradients(self, potential: Potential, *, n_threads: int = 1) -> FloatArray:
        """Return the derivative of each site energy with respect to each coefficient: (n_atoms, n_coefficients)."""

    def energy_gradients(self, potential: Potential, *, n_threads: int = 1) -> FloatArray:
        """Return the derivative of each configuration's energy with respect to each coefficient.

        Shape (n_configurations, n_coefficients): `site_gradients` summed over atoms.
        """

    def site_grades(self, potential: Potential, *, n_threads: int = 1) -> FloatArray:
        """Return each neighbourhood's extrapolation grade, shape (n_atoms,): max |row @ inverse| of the active set.

        Raises
        ------
        UserInputError
            If the potential has no active set, or its set is not one of neighbourhoods.
        """

    def configuration_grades(self, potential: Potential, *, n_threads: int = 1) -> FloatArray:
        """Return each configuration's extrapolation grade, shape (n_configurations,).

        For an active set of neighbourhoods it is the largest grade of the configuration's atoms; for one of
        configurations it is max |row @ inverse| of the configuration's own row.

        Raises
        ------
        UserInputError
            If the potential has no active set, or its set holds force or stress equations.
        """
