"""Levels of moment tensor potentials: which products of moments a potential of a level holds.

A moment M(mu, nu) is a tensor of rank nu made with radial function mu; its level is 2 + 4 mu + nu. A basis function
is a full contraction of up to four moments, and its level is the sum of theirs. A potential of level L holds all
basis functions up to L (A. V. Shapeev, doi:10.1137/15M1054183; I. S. Novikov et al., doi:10.1088/2632-2153/abc9fe).

A contraction is a multigraph: moments are its nodes, contracted pairs of indices its edges. This module lists the
graphs up to isomorphism, takes each apart into two smaller ones along the cheapest cut, and numbers what comes out.
The tables are those of MLIP-3's templates, entry by entry, so that files can be exchanged.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, combinations_with_replacement, groupby, permutations, product

import numpy as np
from numpy.typing import NDArray

from interfaceflow.core.errors import UserInputError

LEVELS = tuple(range(2, 29, 2))
_MAX_MOMENTS_PER_PRODUCT = 4
# MLIP-3's templates stop here, which matters from level 26 on.
_MAX_RANK = 10
_MAX_RADIAL_INDEX = 5

Exponents = tuple[int, int, int]
Component = tuple[Exponents, ...]


@dataclass(frozen=True)
class MomentBasis:
    """The contraction tables of a level, as they stand in an ``.almtp`` file.

    Attributes
    ----------
    level
        Largest level of a basis function.
    basic_moments
        Shape (n, 4): radial function and powers of x, y, z of each component of a basic moment.
    contractions
        Shape (m, 4): a row a, b, factor, c stands for moment[c] += factor * moment[a] * moment[b].
    scalar_moments
        Shape (K,): the moments that are basis functions of the energy.
    moment_count
        Number of moments, basic ones and contractions.
    """

    level: int
    basic_moments: NDArray[np.int64]
    contractions: NDArray[np.int64]
    scalar_moments: NDArray[np.int64]
    moment_count: int

    @property
    def radial_function_count(self) -> int:
        """Number of radial functions that the basic moments use."""
        return int(self.basic_moments[:, 0].max()) + 1


@dataclass(frozen=True, order=True)
class _Graph:
    """A product of moments in canonical form; the order of the fields is the order of the tables.

    Attributes
    ----------
    radial
        Radial function of each node, ascending.
    rows
        For each node its rank, then the number of edges to each later node. Of all numberings of the nodes that keep
        ``radial``, the smallest ``rows`` is taken.
    """

    radial: tuple[int, ...]
    rows: tuple[tuple[int, ...], ...]

    @property
    def ranks(self) -> tuple[int, ...]:
        return tuple(row[0] for row in self.rows)

    def edges(self) -> list[list[int]]:
        n = len(self.radial)
        matrix = [[0] * n for _ in range(n)]
        for i, row in enumerate(self.rows):
            for j, count in enumerate(row[1:], start=i + 1):
                matrix[i][j] = matrix[j][i] = count
        return matrix

    def open_indices(self) -> list[int]:
        """Return, for each node, how many of its tensor indices are not contracted."""
        return [rank - sum(row) for rank, row in zip(self.ranks, self.edges(), strict=True)]


def _canonical(
    radial: Sequence[int], ranks: Sequence[int], edges: Sequence[Sequence[int]]
) -> tuple[_Graph, tuple[int, ...]]:
    """Return the canonical form of a graph, and which node of the input each of its nodes is."""
    by_radial = sorted(range(len(radial)), key=lambda node: radial[node])
    same_radial = [tuple(group) for _, group in groupby(by_radial, key=lambda node: radial[node])]

    def numberings() -> Iterator[tuple[tuple[tuple[int, ...], ...], tuple[int, ...]]]:
        for choice in product(*(permutations(group) for group in same_radial)):
            order = tuple(node for group in choice for node in group)
            yield (
                tuple(
                    (ranks[node], *(edges[node][other] for other in order[place + 1 :]))
                    for place, node in enumerate(order)
                ),
                order,
            )

    rows, order = min(numberings())
    return _Graph(tuple(radial[node] for node in order), rows), order


def _scalar_graphs(level: int) -> list[_Graph]:
    """Return every full contraction up to a level, once each, in the order of the templates."""
    found: set[_Graph] = set()
    for size in range(1, _MAX_MOMENTS_PER_PRODUCT + 1):
        pairs = list(combinations(range(size), 2))
        for radial in combinations_with_replacement(range(_MAX_RADIAL_INDEX + 1), size):
            edge_budget = (level - sum(2 + 4 * mu for mu in radial)) // 2
            for counts in _compositions(len(pairs), edge_budget):
                edges = [[0] * size for _ in range(size)]
                for (i, j), count in zip(pairs, counts, strict=True):
                    edges[i][j] = edges[j][i] = count
                ranks = [sum(row) for row in edges]
                if max(ranks) <= _MAX_RANK:
                    found.add(_canonical(radial, ranks, edges)[0])
    return sorted(found, key=lambda graph: (len(graph.radial), graph))


def _compositions(parts: int, total: int) -> Iterator[tuple[int, ...]]:
    """Yield all tuples of ``parts`` non-negative integers with a sum of at most ``total``."""
    if total < 0:
        return
    if parts == 0:
        yield ()
        return
    for first in range(total + 1):
        for rest in _compositions(parts - 1, total - first):
            yield (first, *rest)


def _cheapest_cut(graph: _Graph) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the two sets of nodes with the fewest edges between them; single nodes and low numbers first."""
    size, edges = len(graph.radial), graph.edges()
    cuts = []
    for part_size in range(1, size // 2 + 1):
        for part in combinations(range(size), part_size):
            rest = tuple(node for node in range(size) if node not in part)
            cuts.append((sum(edges[i][j] for i in part for j in rest), part_size, part, rest))
    *_, part, rest = min(cuts)
    return part, rest


def _subgraph(graph: _Graph, nodes: Sequence[int]) -> tuple[_Graph, tuple[int, ...]]:
    """Return the canonical graph of some nodes, cut edges left open, and which node each of its nodes is."""
    edges = graph.edges()
    part, order = _canonical(
        [graph.radial[node] for node in nodes],
        [graph.ranks[node] for node in nodes],
        [[edges[i][j] for j in nodes] for i in nodes],
    )
    return part, tuple(nodes[place] for place in order)


def _with_intermediates(scalars: Sequence[_Graph]) -> list[_Graph]:
    """Return the scalars and all the graphs that are needed to build them, each after its parts."""
    needed: set[_Graph] = set()
    waiting = list(scalars)
    while waiting:
        graph = waiting.pop()
        if graph in needed:
            continue
        needed.add(graph)
        if len(graph.radial) > 1:
            waiting.extend(_subgraph(graph, nodes)[0] for nodes in _cheapest_cut(graph))

    def place(graph: _Graph) -> tuple[int, bool, _Graph]:
        size = len(graph.radial)
        peels_one_node = size > 1 and len(_cheapest_cut(graph)[0]) == 1
        return size, peels_one_node, graph

    return sorted(needed, key=place)


def _exponents(degree: int) -> list[Exponents]:
    """Return the powers of x, y, z of all monomials of a degree, x first."""
    return [(x, y, degree - x - y) for x in range(degree, -1, -1) for y in range(degree - x, -1, -1)]


def _multiplicity(powers: Exponents) -> int:
    """Return how many index tuples of a symmetric tensor give the same component."""
    return math.factorial(sum(powers)) // math.prod(math.factorial(power) for power in powers)


def _component_terms(
    graph: _Graph, numbers: dict[tuple[_Graph, Component], int]
) -> Iterator[tuple[Component, tuple[tuple[int, int, int], ...]]]:
    """Yield each component of a tensor with its terms (moment, moment, factor).

    A component is named by the powers of x, y, z of each node's open indices.
    """
    part, rest = _cheapest_cut(graph)
    (part_graph, part_order), (rest_graph, rest_order) = _subgraph(graph, part), _subgraph(graph, rest)
    edges = graph.edges()
    cut = [(i, j, edges[i][j]) for i in part for j in rest if edges[i][j]]
    summed = list(product(*(_exponents(count) for *_, count in cut)))
    for component in product(*(_exponents(count) for count in graph.open_indices())):
        terms: Counter[tuple[int, int]] = Counter()
        for powers_of_cut in summed:
            powers = [list(node) for node in component]
            for (i, j, _), edge_powers in zip(cut, powers_of_cut, strict=True):
                for axis, power in enumerate(edge_powers):
                    powers[i][axis] += power
                    powers[j][axis] += power
            node_powers = [(x, y, z) for x, y, z in powers]
            first = numbers[part_graph, tuple(node_powers[node] for node in part_order)]
            second = numbers[rest_graph, tuple(node_powers[node] for node in rest_order)]
            pair = (first, second) if first <= second else (second, first)
            terms[pair] += math.prod(map(_multiplicity, powers_of_cut))
        yield component, tuple((*pair, factor) for pair, factor in sorted(terms.items()))


def generate_basis(level: int) -> MomentBasis:
    """Return the contraction tables of a level.

    Parameters
    ----------
    level
        One of `LEVELS`; 2 and 4 hold so few functions that their training may not be stable.

    Raises
    ------
    UserInputError
        If there is no such level.
    """
    if level not in LEVELS:
        raise UserInputError(f"level {level!r} does not exist; allowed are the even numbers from 2 to 28")
    scalars = _scalar_graphs(level)
    basic: list[tuple[int, int, int, int]] = []
    contractions: list[tuple[int, int, int, int]] = []
    numbers: dict[tuple[_Graph, Component], int] = {}
    known_terms: dict[tuple[tuple[int, int, int], ...], int] = {}
    for graph in _with_intermediates(scalars):
        if len(graph.radial) == 1:
            for powers in _exponents(graph.ranks[0]):
                numbers[graph, (powers,)] = len(basic)
                basic.append((graph.radial[0], *powers))
            continue
        for component, terms in _component_terms(graph, numbers):
            number = known_terms.get(terms)
            if number is None:  # components that symmetry makes equal share a number
                number = known_terms[terms] = len(basic) + len(known_terms)
                contractions.extend((first, second, factor, number) for first, second, factor in terms)
            numbers[graph, component] = number
    return MomentBasis(
        level=level,
        basic_moments=np.array(basic, dtype=np.int64),
        contractions=np.array(contractions, dtype=np.int64).reshape(-1, 4),
        scalar_moments=np.array([numbers[graph, ((0, 0, 0),) * len(graph.radial)] for graph in scalars]),
        moment_count=len(basic) + len(known_terms),
    )


def untrained_potential(
    level: int,
    *,
    species_count: int,
    min_dist: float = 2.0,
    cutoff_radius: float = 5.0,
    radial_basis_size: int = 8,
) -> str:
    """Return the content of an untrained ``.almtp`` file.

    Parameters
    ----------
    level
        One of `LEVELS`.
    species_count
        Number of species; types in ``.cfg`` files count from 0.
    min_dist
        Where the radial basis starts, in Å. Training sets it from the training set.
    cutoff_radius
        Where every radial function ends, in Å.
    radial_basis_size
        Number of Chebyshev polynomials per radial function.

    Raises
    ------
    UserInputError
        If a value is out of its range.
    """
    if not 1 <= species_count <= 100:
        raise UserInputError(f"species_count = {species_count}: allowed are 1 to 100")
    if not (math.isfinite(cutoff_radius) and 0 <= min_dist < cutoff_radius):
        raise UserInputError(
            f"min_dist = {min_dist:g} Å and cutoff = {cutoff_radius:g} Å: needed is 0 <= min_dist < cutoff"
        )
    if not 2 <= radial_basis_size <= 64:
        raise UserInputError(f"radial_basis_size = {radial_basis_size}: allowed are 2 to 64")
    basis = generate_basis(level)

    def braces(rows: NDArray[np.int64]) -> str:
        return "{" + ", ".join("{" + ", ".join(map(str, row)) + "}" for row in rows.tolist()) + "}"

    return "\n".join(
        [
            "MTP",
            "version = 1.1.0",
            f"potential_name = MTP_level_{level:02d}",
            f"species_count = {species_count}",
            "potential_tag = ",
            "radial_basis_type = RBChebyshev",
            f"\tmin_dist = {min_dist:.15g}",
            f"\tmax_dist = {cutoff_radius:.15g}",
            f"\tradial_basis_size = {radial_basis_size}",
            f"\tradial_funcs_count = {basis.radial_function_count}",
            f"alpha_moments_count = {basis.moment_count}",
            f"alpha_index_basic_count = {len(basis.basic_moments)}",
            f"alpha_index_basic = {braces(basis.basic_moments)}",
            f"alpha_index_times_count = {len(basis.contractions)}",
            f"alpha_index_times = {braces(basis.contractions)}",
            f"alpha_scalar_moments = {len(basis.scalar_moments)}",
            "alpha_moment_mapping = {" + ", ".join(map(str, basis.scalar_moments.tolist())) + "}",
            "",
        ]
    )
