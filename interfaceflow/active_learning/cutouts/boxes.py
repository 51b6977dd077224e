"""Periodic boxes in which the surroundings of an atom join with themselves.

A box vector t joins well where the structure near one face of the box, moved by t, coincides with the structure near
the opposite face. Along lattice vectors of a crystal, and along vectors of the common cell of two crystals at their
interface, it does so up to thermal motion; across a seam between unlike things it does not. The vectors are found in
the structure itself, hot and defective as it is, so no crystal has to be known beforehand and a glass is a case like
any other: one where no vector is good and every seam costs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from interfaceflow.active_learning.cutouts.surroundings import FloatArray, Surroundings

# Two atoms this far apart no longer count as coinciding, Å: below half of every bond, above thermal displacements.
_COINCIDENCE_A: Final = 1.2
# Atoms this near to the middle of a face tell how well its vector joins, in cutoff radii; the central atom's own
# first neighbours, which may be a defect, do not.
_FACE_RADIUS: Final = 1.4
_DEFECT_RADIUS: Final = 0.6
# No point of a crystal is farther from the nearest atom than this, Å (2.2 in LiCl, 2.0 in lithium).
_LARGEST_HOLE_A: Final = 2.5
_LENGTH_STEP_A: Final = 0.5
# A crystal has hundreds of good vectors; a longer one has to be better by this much per Å to be kept before a shorter.
_LENGTH_COST_PER_A: Final = 0.02
_FINDS_KEPT: Final = 48
_FREE_KEPT: Final = 8
# Boxes with two vectors nearer to each other than 55 degrees are left out: |cos| of the angle.
_LARGEST_COSINE: Final = 0.58
# A seam of which this share does not coincide joins no better than one of unlike things: where two crystals meet,
# one of them fits and the other does not.
_TORN: Final = 0.5
# No seam is counted as better than this, so that of equally good boxes the least skewed is the best.
_LEAST_TORN: Final = 0.02
# What a torn seam does to the core fades over this distance, Å: about a screening length of ions and electrons.
_SCREENING_A: Final = 2.5
# Share of the largest number of atoms at which boxes end, since some are denser than the surroundings.
_PACKING: Final = 0.97
# Small boxes are cheap to label: 1000 Å3 cost as much as a torn seam 7.5 Å away from the core.
_VOLUME_COST_PER_A3: Final = 5.0e-5
_KIND_SPACING_A: Final = 1000.0


@dataclass(frozen=True)
class Box:
    """A periodic box.

    Attributes
    ----------
    vectors
        Its cell vectors as rows, shape (3, 3), Å; right-handed.
    coincidences
        How well the structure joins along each of them, from 0 to 1.
    cost
        How much its torn seams disturb the core, plus a little for the volume; see `choose_boxes`.
    """

    vectors: FloatArray
    coincidences: tuple[float, float, float]
    cost: float

    @property
    def joins(self) -> NDArray[np.bool_]:
        """Whether the structure joins along each of its vectors, shape (3,)."""
        return np.array(self.coincidences) > 1.0 - _TORN


def choose_boxes(
    surroundings: Surroundings,
    kinds: NDArray[np.intp],
    frame_cell: FloatArray,
    *,
    cutoff_radius_A: float,
    max_atoms: int,
    n_boxes: int,
) -> list[Box]:
    """Choose boxes around an atom that leave its neighbourhood whole, best first.

    Opposite faces are at least two cutoff radii apart, so that no neighbour is another one's image. Among such boxes
    the best have their torn seams far from the core: least is the sum over the three pairs of faces of
    (1 - coincidence) / 0.5, but at most 1, times exp(-rim / 2.5 Å), the rim being the distance from the core to the
    face. The volume costs a little, too.

    Parameters
    ----------
    surroundings
        Of the atom, out to `search_radius`.
    kinds
        What makes two atoms alike (element and phase), shape (n_atoms of the surroundings,).
    frame_cell
        Cell vectors of the frame as rows, shape (3, 3), Å: exact where they are short enough, and the directions of
        its faces for seams that join nowhere.
    cutoff_radius_A
        Of the potential, Å.
    max_atoms
        Largest number of atoms of a box.
    n_boxes
        Largest number of boxes to return.

    Returns
    -------
    boxes
        Fewer than asked for, or none, where so few atoms cannot hold the neighbourhood.
    """
    smallest = 2 * cutoff_radius_A
    largest_volume = _PACKING * max_atoms / _density(surroundings, smallest)
    longest = largest_volume / smallest**2
    if longest < smallest:
        return []
    scorer = _Scorer(surroundings, kinds, cutoff_radius_A)
    own = frame_cell[np.linalg.norm(frame_cell, axis=1) <= longest]
    found, found_scores = _find_coincident(scorer, smallest, longest)
    free, free_scores = _free_vectors(scorer, frame_cell, smallest, longest)
    # The frame repeats itself exactly along its own vectors; a vector beside a better one is the same in a worse place.
    alone = [_is_far_from(one, own) for one in found]
    vectors, scores = np.concatenate([own, found[alone]]), np.concatenate([np.ones(len(own)), found_scores[alone]])
    alone = [_is_far_from(one, vectors) for one in free]
    vectors, scores = np.concatenate([vectors, free[alone]]), np.concatenate([scores, free_scores[alone]])
    return _combine(vectors, scores, smallest, largest_volume, n_boxes)


def _is_far_from(vector: FloatArray, others: FloatArray) -> bool:
    """Tell whether a vector, or its opposite, is not one of the others in a slightly different place."""
    distances = np.minimum(np.linalg.norm(others - vector, axis=1), np.linalg.norm(others + vector, axis=1))
    return bool((distances > _COINCIDENCE_A).all())


def search_radius(cutoff_radius_A: float, max_atoms: int, density_A3: float) -> float:
    """Return out to where `choose_boxes` has to know the surroundings, Å."""
    longest = max_atoms / density_A3 / (2 * cutoff_radius_A) ** 2
    return 0.5 * max(longest, 2 * cutoff_radius_A) + _FACE_RADIUS * cutoff_radius_A + _COINCIDENCE_A


def _density(surroundings: Surroundings, radius_A: float) -> float:
    """Return the number density within a radius, 1/Å3."""
    return float((surroundings.distances <= radius_A).sum() / (4 / 3 * np.pi * radius_A**3))


class _Scorer:
    """Measures how well the structure coincides with itself along a vector.

    Atoms x near the face at -t/2 are moved by t and compared with what is there. The coincidence is the mean of
    1 - (d / tolerance)^2, d the distance to the nearest atom of the same kind, or 0 beyond the tolerance.
    """

    def __init__(self, surroundings: Surroundings, kinds: NDArray[np.intp], cutoff_radius_A: float) -> None:
        self.defect_radius_A = _DEFECT_RADIUS * cutoff_radius_A
        far = surroundings.distances > self.defect_radius_A
        self.positions = surroundings.vectors[far]
        self.kinds = kinds[far]
        self.radius_A = _FACE_RADIUS * cutoff_radius_A
        self._tree = KDTree(self.positions)
        # A fourth coordinate keeps kinds apart.
        self._tree_of_kinds = KDTree(np.column_stack([self.positions, _KIND_SPACING_A * self.kinds]))

    def pairs(self, shortest_A: float, longest_A: float) -> FloatArray:
        """Return the vectors between atoms of one kind on opposite sides of the centre, shape (n, 3), Å."""
        lengths = np.linalg.norm(self.positions, axis=1)
        reach = 2 * _LARGEST_HOLE_A
        ends = np.flatnonzero((2 * lengths >= shortest_A - reach) & (2 * lengths <= longest_A + reach))
        partners = self._tree.query_ball_point(-self.positions[ends], reach, return_sorted=True)
        first = np.repeat(ends, [len(some) for some in partners])
        second = np.concatenate([np.asarray(some, int) for some in partners]) if len(ends) else np.empty(0, int)
        alike = self.kinds[first] == self.kinds[second]
        vectors = self.positions[first[alike]] - self.positions[second[alike]]
        norms = np.linalg.norm(vectors, axis=1)
        return _half_space(vectors[(norms >= shortest_A) & (norms <= longest_A)])

    def score(self, vectors: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the coincidence of each vector, shape (n,), and the vectors moved to their mean residual, (n, 3)."""
        near = self._tree.query_ball_point(-0.5 * vectors, self.radius_A)
        owner = np.repeat(np.arange(len(vectors)), [len(some) for some in near])
        members = np.concatenate([np.asarray(some, int) for some in near]) if len(owner) else np.empty(0, int)
        moved = self.positions[members] + vectors[owner]
        kept = np.linalg.norm(moved, axis=1) > self.defect_radius_A
        owner, members, moved = owner[kept], members[kept], moved[kept]
        counts = np.bincount(owner, minlength=len(vectors))
        queries = np.column_stack([moved, _KIND_SPACING_A * self.kinds[members]])
        distances, nearest = self._tree_of_kinds.query(queries, distance_upper_bound=_COINCIDENCE_A)
        matched = np.isfinite(distances)
        weights = np.where(matched, 1.0 - (np.where(matched, distances, 0.0) / _COINCIDENCE_A) ** 2, 0.0)
        totals = np.bincount(owner, weights, minlength=len(vectors))
        residuals = np.zeros_like(vectors)
        shift = self.positions[nearest[matched]] - moved[matched]
        for axis in range(3):
            residuals[:, axis] = np.bincount(
                owner[matched], weights[matched] * shift[:, axis], minlength=len(vectors)
            ) / np.maximum(totals, 1e-9)
        return totals / np.maximum(counts, 1), vectors + residuals


def _find_coincident(scorer: _Scorer, shortest_A: float, longest_A: float) -> tuple[FloatArray, FloatArray]:
    """Find the vectors along which the structure coincides best with itself; they and their coincidences."""
    vectors = _distinct(scorer.pairs(shortest_A, longest_A), 1.0)
    if not len(vectors):
        return np.empty((0, 3)), np.empty(0)
    # From one pair of hot atoms to the mean over all pairs: two refinements bring a vector to its place.
    for _ in range(2):
        _, vectors = scorer.score(vectors)
        vectors = _distinct(_half_space(vectors), 0.5)
    scores, _ = scorer.score(vectors)
    costs = 1.0 - scores + _LENGTH_COST_PER_A * np.linalg.norm(vectors, axis=1)
    order = np.argsort(np.round(costs, 6), kind="stable")
    vectors, scores = vectors[order], scores[order]
    kept = _distinct_indices(vectors, 0.6)
    # Refinement may have shortened a vector below what a box needs.
    kept = kept[np.linalg.norm(vectors[kept], axis=1) >= shortest_A][:_FINDS_KEPT]
    return vectors[kept], scores[kept]


def _free_vectors(
    scorer: _Scorer, frame_cell: FloatArray, shortest_A: float, longest_A: float
) -> tuple[FloatArray, FloatArray]:
    """Return vectors normal to the frame's faces, short ones and long ones, with their coincidences."""
    normals = np.linalg.inv(frame_cell).T
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    lengths = np.arange(shortest_A, longest_A + 1e-9, _LENGTH_STEP_A)
    vectors, scores = [], []
    for normal in normals:
        along = lengths[:, None] * normal
        coincidences, _ = scorer.score(along)
        parts = np.array_split(np.arange(len(lengths)), min(_FREE_KEPT, len(lengths)))
        best = [part[np.argmax(np.round(coincidences[part], 6))] for part in parts]
        vectors.append(along[best])
        scores.append(coincidences[best])
    return np.concatenate(vectors), np.concatenate(scores)


def _combine(
    vectors: FloatArray, scores: FloatArray, smallest_height_A: float, largest_volume_A3: float, n_boxes: int
) -> list[Box]:
    """Combine vectors to the boxes of least cost."""
    triples = np.array(
        [(i, j, k) for i in range(len(vectors)) for j in range(i + 1, len(vectors)) for k in range(j + 1, len(vectors))]
    ).reshape(-1, 3)
    a, b, c = (vectors[triples[:, column]] for column in range(3))
    areas = np.stack([np.linalg.norm(np.cross(*pair), axis=1) for pair in ((b, c), (c, a), (a, b))], axis=1)
    volumes = np.abs(np.einsum("ni,ni->n", a, np.cross(b, c)))
    units = [some / np.linalg.norm(some, axis=1, keepdims=True) for some in (a, b, c)]
    cosines = np.stack([np.abs((units[i] * units[j]).sum(axis=1)) for i, j in ((0, 1), (1, 2), (2, 0))])
    allowed = (
        (volumes <= largest_volume_A3)
        & (volumes >= (smallest_height_A - 1e-9) * areas.max(axis=1))
        & (cosines.max(axis=0) <= _LARGEST_COSINE)
    )
    triples, areas, volumes = triples[allowed], areas[allowed], volumes[allowed]
    torn = np.clip((1.0 - scores[triples]) / _TORN, _LEAST_TORN, 1.0)
    rims = (volumes[:, None] / areas - smallest_height_A) / 2
    costs = (torn * np.exp(-rims / _SCREENING_A)).sum(axis=1) + _VOLUME_COST_PER_A3 * volumes
    order = np.argsort(np.round(costs, 6), kind="stable")[:n_boxes]
    return [_box(vectors[triples[number]], scores[triples[number]], float(costs[number])) for number in order]


def _box(vectors: FloatArray, scores: FloatArray, cost: float) -> Box:
    if np.linalg.det(vectors) < 0:
        vectors = -vectors
    first, second, third = (float(score) for score in scores)
    return Box(vectors, (first, second, third), cost)


def _half_space(vectors: FloatArray) -> FloatArray:
    """Return vectors, each or its opposite: those of one half of space, whose border no lattice is likely to touch."""
    return np.asarray(vectors * np.where(vectors @ np.sqrt([1.0, 2.0, 3.0]) < 0, -1.0, 1.0)[:, None])


def _distinct(vectors: FloatArray, spacing_A: float) -> FloatArray:
    return vectors[_distinct_indices(vectors, spacing_A)]


def _distinct_indices(vectors: FloatArray, spacing_A: float) -> NDArray[np.intp]:
    """Return the first vector of every cube of a grid, in the vectors' order."""
    _, first = np.unique(np.rint(vectors / spacing_A).astype(int), axis=0, return_index=True)
    return np.sort(first)
