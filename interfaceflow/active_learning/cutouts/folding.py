"""Filling a periodic box with the surroundings of an atom.

Atoms are taken from the core outwards, a little beyond the faces of the box too. One is left out where, folded into
the box, it would be too near to an image of one already taken. In a crystal whose lattice the box repeats, that takes
every site exactly once, also where an atom has swung across a face and out of the box or its image into it. At a seam
between unlike things it removes what overlaps; there nothing is taken from beyond the face, since what would fill a gap
on this side belongs to the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from interfaceflow.active_learning.cutouts.relaxation import distances_in_box
from interfaceflow.active_learning.cutouts.surroundings import FloatArray, Surroundings, heights

# Atoms this far outside the box may fill a gap within it, Å: what thermal motion takes across a face.
_MARGIN_A: Final = 1.5
LEAST_ROOM: Final = 0.8
"""An atom that was left out may come back where it has this share of the room it needs; relaxation does the rest."""


@dataclass(frozen=True)
class Filling:
    """What fills a box.

    Attributes
    ----------
    members
        Atoms taken, as positions in the surroundings, shape (n,): the core, nearest first, then the rim outwards.
    n_in_frame
        Atoms that the frame has within the box.
    positions
        Of all atoms of the surroundings, folded into the box whose middle is the centre, shape (n_surroundings, 3), Å.
    spare
        Atoms that were left out for being a little too near to an image, most room first, shape (m,): any of them may
        be added.
    spare_room
        Distance of each of them to the nearest atom taken, in units of the smallest allowed, shape (m,): from
        `LEAST_ROOM` to 1.
    """

    members: NDArray[np.intp]
    n_in_frame: int
    positions: FloatArray
    spare: NDArray[np.intp]
    spare_room: FloatArray


def fill_box(
    surroundings: Surroundings,
    box: FloatArray,
    core: NDArray[np.bool_],
    limits: FloatArray,
    types: NDArray[np.intp],
    *,
    joins: NDArray[np.bool_],
    cutoff_radius_A: float,
) -> Filling | None:
    """Fill a box with the surroundings of its middle.

    Parameters
    ----------
    surroundings
        Of the central atom, far enough out to reach the corners of the box.
    box
        Cell vectors as rows, shape (3, 3), Å; opposite faces at least two cutoff radii apart.
    core
        Which atoms of the surroundings are kept come what may, shape (n,).
    limits
        Smallest allowed distance by pair of types, shape (n_types, n_types), Å.
    types
        Type of each atom of the surroundings, shape (n,).
    joins
        Whether the structure joins along each of the box's vectors, shape (3,).
    cutoff_radius_A
        Nothing but the core may come nearer than this to the central atom, Å.

    Returns
    -------
    Filling
        None where atoms of the core would be too near to their own images.
    """
    fractions = surroundings.vectors @ np.linalg.inv(box)
    folded = (fractions - np.rint(fractions)) @ box
    outwards = np.abs(fractions).max(axis=1)
    reach = 0.5 + np.where(joins, _MARGIN_A / heights(box), 0.0)
    within = (np.abs(fractions) <= reach).all(axis=1)
    intruding = ~core & (np.linalg.norm(folded, axis=1) < cutoff_radius_A)
    others = np.flatnonzero(~core & ~intruding & within)
    others = others[np.argsort(outwards[others], kind="stable")]
    candidates = np.concatenate([np.flatnonzero(core), others])
    in_box = distances_in_box(surroundings.vectors[candidates], box)
    with np.errstate(divide="ignore"):
        in_box /= limits[np.ix_(types[candidates], types[candidates])]
    room = _where_the_box_matters(surroundings.vectors[candidates], box, in_box)
    n_core = int(core.sum())
    if (room[:n_core, :n_core] < 1.0).any():
        return None
    taken = np.zeros(len(candidates), bool)
    taken[:n_core] = True
    for number in range(n_core, len(candidates)):
        taken[number] = room[number, taken].min(initial=np.inf) >= 1.0
    spare, spare_room = _choose_spare(room, taken, in_box)
    n_in_frame = int((outwards <= 0.5).sum())
    return Filling(candidates[taken], n_in_frame, folded, candidates[spare], spare_room)


def pair_limits(symbols: Sequence[str], min_distances_A: Mapping[str, float], share: float) -> FloatArray:
    """Return the smallest allowed distance by pair of elements, shape (n, n), Å.

    Parameters
    ----------
    symbols
        The elements.
    min_distances_A
        Smallest distance in the training set by pair, as ``"Cl-Li"``, Å; a pair it lacks gets the smallest of all.
    share
        The part of it that is allowed.
    """
    smallest = min(min_distances_A.values(), default=0.0)
    return share * np.array(
        [[min_distances_A.get("-".join(sorted((one, other))), smallest) for other in symbols] for one in symbols]
    ).reshape(len(symbols), len(symbols))


def _choose_spare(
    room: FloatArray, taken: NDArray[np.bool_], in_box: FloatArray
) -> tuple[NDArray[np.intp], FloatArray]:
    """Return the atoms left out that nearly fit, beside all taken and beside one another, and the room of each."""
    left_out = np.flatnonzero(~taken)
    rooms = room[np.ix_(left_out, np.flatnonzero(taken))].min(axis=1, initial=np.inf)
    chosen: list[int] = []
    for number in np.argsort(-rooms, kind="stable"):
        if rooms[number] >= LEAST_ROOM and in_box[left_out[number], left_out[chosen]].min(initial=np.inf) >= LEAST_ROOM:
            chosen.append(int(number))
    return left_out[chosen], rooms[chosen]


def _where_the_box_matters(vectors: FloatArray, box: FloatArray, in_box: FloatArray) -> FloatArray:
    """Return the room between pairs of atoms that the box has brought nearer to each other; infinite for the others.

    Two atoms as near to each other in the frame as they are in the box are none of the box's doing.
    """
    in_frame = np.linalg.norm(vectors[None, :] - vectors[:, None], axis=2)
    return np.where(distances_in_box(vectors, box) < in_frame - 1e-6, in_box, np.inf)
