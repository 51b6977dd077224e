"""The rows that a selection chooses from, computed in blocks that fit into memory."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from enum import StrEnum

import numpy as np

from interfaceflow.core.errors import DataFileError, UserInputError
from interfaceflow.potentials.maxvol import FloatArray, IntArray
from interfaceflow.potentials.mtp._native import Configuration, ConfigurationSet, Potential, SelectionState

WEIGHT_SCALING = 2
"""A configuration's row is divided by n_atoms to half this power."""

_BYTES_PER_MB = 1e6
_BYTES_PER_NUMBER = 8
# While a block is computed its neighbour lists need about as much as its rows.
_SHARE_OF_BLOCK = 0.5


class SelectionMode(StrEnum):
    """What a row of the active set is; the values are those of ``--al_mode``."""

    NEIGHBOURHOODS = "nbh"
    CONFIGURATIONS = "cfg"

    @classmethod
    def of(cls, state: SelectionState) -> SelectionMode:
        """Return the mode of a stored active set.

        Raises
        ------
        UserInputError
            If the set was made from force or stress equations, which only MLIP writes and nobody uses.
        """
        weights = (state.energy_weight, state.force_weight, state.stress_weight, state.site_energy_weight)
        match tuple(weight != 0 for weight in weights):
            case (False, False, False, True):
                return cls.NEIGHBOURHOODS
            case (True, False, False, False):
                return cls.CONFIGURATIONS
        raise UserInputError(
            "the potential's active set mixes equations (weights of energy, force, stress and site energy: "
            f"{', '.join(f'{weight:g}' for weight in weights)}); supported are 1, 0, 0, 0 (--al_mode=cfg) and "
            "0, 0, 0, 1 (--al_mode=nbh): train the potential again"
        )


def refuse_memory_limit(memory_limit_MB: float, n_atoms: int, n_coefficients: int) -> None:
    """Refuse a limit that does not hold the rows of a single configuration.

    Parameters
    ----------
    memory_limit_MB
        In MB.
    n_atoms
        Of the largest configuration.
    n_coefficients
        Of the potential.

    Raises
    ------
    UserInputError
        If it does not.
    """
    needed = _BYTES_PER_NUMBER * n_coefficients * n_atoms / _BYTES_PER_MB
    if needed > memory_limit_MB:
        raise UserInputError(
            f"a memory limit of {memory_limit_MB:g} MB does not hold the rows of the largest configuration "
            f"({n_atoms} atoms, {n_coefficients} coefficients): give at least {math.ceil(needed)} MB"
        )


class _Block:
    """Rows of some configurations; kept after they were computed once, if they may be."""

    def __init__(
        self,
        potential: Potential,
        configurations: Sequence[Configuration],
        mode: SelectionMode,
        *,
        kept: bool,
        n_threads: int,
    ) -> None:
        self._potential = potential
        self._configurations = configurations
        self._mode = mode
        self._kept = kept
        self._n_threads = n_threads
        self._rows: FloatArray | None = None

    @property
    def n_rows(self) -> int:
        """How many rows these are."""
        by_configuration = self._mode is SelectionMode.CONFIGURATIONS
        return len(self._configurations) if by_configuration else sum(map(len, self._configurations))

    def rows(self) -> FloatArray:
        """Return the rows, shape (n_rows, n_coefficients)."""
        if self._rows is not None:
            return self._rows
        rows = self._compute()
        if self._kept:
            self._rows = rows
        return rows

    def _compute(self) -> FloatArray:
        atoms = ConfigurationSet.of(self._configurations, self._potential.max_dist)
        if self._mode is SelectionMode.NEIGHBOURHOODS:
            return atoms.site_gradients(self._potential, n_threads=self._n_threads)
        sizes = np.maximum(np.diff(atoms.offsets), 1).astype(float)
        gradients = atoms.energy_gradients(self._potential, n_threads=self._n_threads)
        return np.asarray(gradients / (sizes ** (WEIGHT_SCALING / 2))[:, None], dtype=float)


class _Blocks:
    """Goes through the rows of blocks, as often as one likes."""

    def __init__(self, blocks: Sequence[_Block]) -> None:
        self._blocks = blocks

    def __iter__(self) -> Iterator[FloatArray]:
        return (block.rows() for block in self._blocks)


class RowPool:
    """The rows of several groups of configurations, numbered through.

    Parameters
    ----------
    potential
        Its coefficients define the rows.
    groups
        Configurations, group by group.
    mode
        What a row is.
    memory_limit_MB
        Memory for rows, in MB. Where all rows need more than that they are computed block by block, each time anew.
    n_threads
        Threads to use.

    Raises
    ------
    UserInputError
        If the limit does not hold the rows of the largest configuration.
    """

    def __init__(
        self,
        potential: Potential,
        groups: Sequence[Sequence[Configuration]],
        mode: SelectionMode,
        *,
        memory_limit_MB: float,
        n_threads: int,
    ) -> None:
        self._sizes = np.array([len(one) for group in groups for one in group], dtype=np.int64)
        per_configuration = np.ones_like(self._sizes) if mode is SelectionMode.CONFIGURATIONS else self._sizes
        self._mode = mode
        self._n_coefficients = potential.n_coefficients
        self._starts = np.concatenate([[0], np.cumsum(per_configuration)])
        refuse_memory_limit(memory_limit_MB, int(self._sizes.max(initial=0)), potential.n_coefficients)
        n_atoms_in_memory = int(memory_limit_MB * _BYTES_PER_MB / (_BYTES_PER_NUMBER * potential.n_coefficients))
        fits = self._sizes.sum() <= n_atoms_in_memory
        n_atoms_of_block = n_atoms_in_memory if fits else int(_SHARE_OF_BLOCK * n_atoms_in_memory)
        self._groups = [
            [
                _Block(potential, part, mode, kept=bool(fits), n_threads=n_threads)
                for part in _split(group, n_atoms_of_block)
            ]
            for group in groups
        ]

    def blocks(self, *, group: int | None = None) -> _Blocks:
        """Return the rows of all groups, or of the group of this index."""
        return _Blocks(self._all_blocks() if group is None else self._groups[group])

    def n_rows(self, n_configurations: int | None = None) -> int:
        """Return the number of rows of the first so many configurations, None for all."""
        return int(self._starts[-1 if n_configurations is None else n_configurations])

    def locate(self, rows: IntArray) -> tuple[IntArray, IntArray]:
        """Return each row's configuration, and the number of its equation there as the ``.almtp`` file counts."""
        owners = np.searchsorted(self._starts, rows, side="right") - 1
        if self._mode is SelectionMode.CONFIGURATIONS:
            return owners, np.zeros_like(owners)
        return owners, _first_site_equation(self._sizes[owners]) + rows - self._starts[owners]

    def find(self, configuration: int, equation: int) -> int:
        """Return the row of an equation of a configuration.

        Raises
        ------
        DataFileError
            If there is none.
        """
        first = 0 if self._mode is SelectionMode.CONFIGURATIONS else _first_site_equation(self._sizes[configuration])
        row = int(self._starts[configuration] + equation - first)
        if not self._starts[configuration] <= row < self._starts[configuration + 1]:
            raise DataFileError(
                f"the potential's active set names equation {equation} of configuration {configuration}, which does "
                "not exist: the file is damaged; train the potential again"
            )
        return row

    def rows(self, indices: IntArray) -> FloatArray:
        """Return some rows, shape (len(indices), n_coefficients)."""
        rows = np.empty((len(indices), self._n_coefficients))
        start = 0
        for block in self._all_blocks():
            inside = (indices >= start) & (indices < start + block.n_rows)
            if inside.any():
                rows[inside] = block.rows()[indices[inside] - start]
            start += block.n_rows
        return rows

    def _all_blocks(self) -> list[_Block]:
        return [block for blocks in self._groups for block in blocks]


def _first_site_equation(size: IntArray | int) -> IntArray | int:
    """Return where the site energies of a configuration stand: behind the energy, the forces and the stress."""
    return 1 + 3 * size + 9


def _split(configurations: Sequence[Configuration], n_atoms: int) -> Iterator[Sequence[Configuration]]:
    """Yield runs of configurations of at most so many atoms, or one."""
    start, total = 0, 0
    for index, configuration in enumerate(configurations):
        if index > start and total + len(configuration) > n_atoms:
            yield configurations[start:index]
            start, total = index, 0
        total += len(configuration)
    if start < len(configurations):
        yield configurations[start:]
