"""Where two surfaces fit: coincidence cells with all of the strain on one of them.

The cells are those of Zur and McGill, doi:10.1063/1.333084. Their search compares one reduced basis of
either lattice and allows tolerances on lengths and angles; here every pair of vectors of the strained surface that
fits a reduced basis of the other is tried and its principal strains are measured, so none within the limits is missed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from interfaceflow.core.errors import UserInputError
from interfaceflow.schemas.settings import LatticeMatchSettings
from interfaceflow.structures.surfaces import Surface

AREA_TIE = 0.01
"""Areas this close (relative) count as equal when the best match is chosen."""
WIDER_STRAIN = 0.2
SEARCH_AREA_A2 = 200.0
"""How much further, and how far at most for large strains, the nearest miss is looked for."""


@dataclass(frozen=True)
class LatticeMatch:
    """A coincidence cell of two surfaces.

    Attributes
    ----------
    strained_matrix, kept_matrix
        In-plane vectors of the cell in those of each surface, integers, shape (2, 2), rows.
    deformation
        Map of the strained surface's in-plane row vectors onto those of the other, shape (2, 2).
    principal_strains
        Strains of that surface along its two principal directions, larger first [1].
    area_A2
        Area of the cell [Å2].
    """

    strained_matrix: NDArray[np.int64]
    kept_matrix: NDArray[np.int64]
    deformation: NDArray[np.float64]
    principal_strains: tuple[float, float]
    area_A2: float

    @property
    def strained_multiple(self) -> int:
        """Cells of the strained surface in the match."""
        return round(abs(float(np.linalg.det(self.strained_matrix))))

    @property
    def kept_multiple(self) -> int:
        """Cells of the other surface in the match."""
        return round(abs(float(np.linalg.det(self.kept_matrix))))

    @property
    def largest_strain(self) -> float:
        """Largest principal strain, without its sign [1]."""
        return max(abs(strain) for strain in self.principal_strains)


def find_matches(strained: Surface, kept: Surface, max_area_A2: float, max_strain: float) -> list[LatticeMatch]:
    """Find the distinct coincidence cells of two surfaces, smallest area first, then smallest strain.

    Parameters
    ----------
    strained
        Surface that is strained.
    kept
        Surface that keeps its in-plane vectors.
    max_area_A2
        Largest area of the cell [Å2].
    max_strain
        Largest principal strain [1].
    """
    distinct: dict[tuple[float, float, float], LatticeMatch] = {}
    for multiple in range(1, int(max_area_A2 / abs(np.linalg.det(kept.in_plane)) + 1e-9) + 1):
        for kept_matrix in _sublattices(kept.in_plane, multiple):
            for match in _match_cell(strained, kept, kept_matrix, max_strain):
                high, low = match.principal_strains
                distinct.setdefault((round(match.area_A2, 2), round(high, 4), round(low, 4)), match)
    return sorted(distinct.values(), key=lambda match: (round(match.area_A2, 2), match.largest_strain))


def choose_match(
    strained: Surface, kept: Surface, layers: tuple[float, float], settings: LatticeMatchSettings
) -> LatticeMatch:
    """Choose the match of smallest area within the limits; of equal areas, the one with the smallest strain.

    Parameters
    ----------
    strained, kept
        The surface that is strained, and the one that keeps its in-plane vectors.
    layers
        How many bulk repeats of each the cell will hold, which sets its number of atoms.
    settings
        Limits on area, strain and number of atoms.

    Raises
    ------
    UserInputError
        If there is none; the message names the nearest miss and the limits that it fails.
    """

    def count_atoms(match: LatticeMatch) -> int:
        return round(
            match.strained_multiple * layers[0] * len(strained.atoms)
            + match.kept_multiple * layers[1] * len(kept.atoms)
        )

    matches = find_matches(strained, kept, settings.max_area_A2, settings.max_strain)
    within = [match for match in matches if count_atoms(match) <= settings.max_atoms]
    if within:
        smallest = within[0].area_A2
        return min(
            (match for match in within if match.area_A2 <= smallest * (1 + AREA_TIE)),
            key=lambda match: match.largest_strain,
        )
    wider = [
        *find_matches(strained, kept, settings.max_area_A2 + SEARCH_AREA_A2, 1.5 * settings.max_strain),
        *find_matches(
            strained, kept, min(settings.max_area_A2, SEARCH_AREA_A2), max(WIDER_STRAIN, settings.max_strain)
        ),
    ]
    raise UserInputError(_explain_no_match(strained, kept, [(match, count_atoms(match)) for match in wider], settings))


def _sublattices(vectors: NDArray[np.float64], multiple: int) -> Iterator[NDArray[np.int64]]:
    """Yield every sublattice with a given area multiple once, in its shortest right-handed basis."""
    for first in (divisor for divisor in range(1, multiple + 1) if multiple % divisor == 0):
        second = multiple // first
        for shear in range(second):
            matrix = np.array([[first, shear], [0, second]], dtype=np.int64)
            yield _shortest_basis(matrix, vectors)


def _shortest_basis(matrix: NDArray[np.int64], vectors: NDArray[np.float64]) -> NDArray[np.int64]:
    """Reduce a plane's basis (Lagrange): shortest vectors, the shorter one first, right-handed."""
    metric = vectors @ vectors.T
    a, b = matrix
    while True:
        if b @ metric @ b < a @ metric @ a:
            a, b = b, a
        fold = round(float(a @ metric @ b) / float(a @ metric @ a))
        longer = b - fold * a
        if longer @ metric @ longer > b @ metric @ b * (1 - 1e-9):
            break
        b = longer
    handedness = np.linalg.det(np.array([a, b]) @ vectors)
    return np.array([a, b if handedness > 0 else -b])


def _match_cell(
    strained: Surface, kept: Surface, kept_matrix: NDArray[np.int64], max_strain: float
) -> list[LatticeMatch]:
    """Find the pairs of lattice vectors that a small enough strain, and any rotation, makes this cell of the other.

    A strain of at most e changes each length by at most a factor 1 - e to 1 + e, so only lattice vectors in two
    rings need to be paired.
    """
    cell = kept_matrix @ kept.in_plane
    short, long = (
        _vectors_in_ring(strained.in_plane, length / (1 + max_strain), length / (1 - max_strain))
        for length in np.linalg.norm(cell, axis=1)
    )
    pairs = np.stack(np.broadcast_arrays(short[:, None], long[None, :]), axis=2).reshape(-1, 2, 2)
    volumes = np.abs(np.linalg.det(pairs @ strained.in_plane))
    area = float(np.linalg.det(cell))
    pairs = pairs[(volumes * (1 + max_strain) ** 2 >= area) & (volumes * (1 - max_strain) ** 2 <= area)]
    deformations = np.linalg.solve(pairs @ strained.in_plane, np.broadcast_to(cell, pairs.shape))
    strains = np.linalg.svd(deformations, compute_uv=False) - 1.0
    within = np.flatnonzero(np.abs(strains).max(axis=1) <= max_strain)
    # Of equal strains, the first is kept: one that leaves the crystal the right way up, then the smallest rotation.
    maps = deformations[within]
    rotations = np.abs(np.arctan2(maps[:, 0, 1] - maps[:, 1, 0], maps[:, 0, 0] + maps[:, 1, 1]))
    order = np.lexsort((np.round(rotations, 6), np.linalg.det(maps) < 0))
    return [
        LatticeMatch(
            strained_matrix=pairs[index],
            kept_matrix=kept_matrix,
            deformation=deformations[index],
            principal_strains=(float(strains[index, 0]), float(strains[index, 1])),
            area_A2=area,
        )
        for index in within[order]
    ]


def _vectors_in_ring(vectors: NDArray[np.float64], shortest: float, longest: float) -> NDArray[np.int64]:
    """Return the lattice vectors, shape (n, 2), whose lengths [Å] are within a ring."""
    reach = np.ceil(longest * np.linalg.norm(np.linalg.inv(vectors), axis=0)).astype(int)
    grid = np.stack(
        np.meshgrid(*(np.arange(-n, n + 1, dtype=np.int64) for n in reach), indexing="ij"), axis=-1
    ).reshape(-1, 2)
    lengths = np.linalg.norm(grid @ vectors, axis=1)
    return np.asarray(grid[(lengths >= shortest - 1e-9) & (lengths <= longest + 1e-9)])


def _explain_no_match(
    strained: Surface, kept: Surface, candidates: list[tuple[LatticeMatch, int]], settings: LatticeMatchSettings
) -> str:
    limits = f"max_area_A2 {settings.max_area_A2:g}, max_strain {settings.max_strain:g}, max_atoms {settings.max_atoms}"
    opening = f"{strained.name} and {kept.name}: no lattice match within {limits}"
    if not candidates:
        return (
            f"{opening}, and none even {SEARCH_AREA_A2:g} Å2 larger or with strains up to {WIDER_STRAIN:g}. "
            "Choose other Miller indices"
        )

    def excess(candidate: tuple[LatticeMatch, int]) -> float:
        match, n_atoms = candidate
        return max(
            match.area_A2 / settings.max_area_A2,
            match.largest_strain / settings.max_strain,
            n_atoms / settings.max_atoms,
        )

    match, n_atoms = min(candidates, key=excess)
    failed = [
        name
        for name, given, limit in (
            ("max_area_A2", match.area_A2, settings.max_area_A2),
            ("max_strain", match.largest_strain, settings.max_strain),
            ("max_atoms", n_atoms, settings.max_atoms),
        )
        if given > limit
    ]
    high, low = match.principal_strains
    return (
        f"{opening}. The nearest miss has an area of {match.area_A2:.1f} Å2, principal strains of {high:+.2%} and "
        f"{low:+.2%} on {strained.name} and {n_atoms} atoms; it fails {' and '.join(failed)}. "
        "Raise that limit, or choose other Miller indices"
    )
