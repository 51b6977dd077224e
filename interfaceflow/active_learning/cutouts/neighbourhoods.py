"""From the extrapolating atoms of a large cell to small periodic cells that a reference calculation can label.

The idea is that of Hodapp and Shapeev, doi:10.1088/2632-2153/aba373, who complete extrapolating neighbourhoods around
dislocations to periodic cells of 100 to 200 atoms, and of the command of MLIP-3 that cuts them out,
doi:10.1063/5.0155887. What is different here: the box is found in the structure itself (`boxes`), formal charges are
balanced (`charge`), and a cut-out counts only when it has been shown to reproduce the grade it was made for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator
from numpy.typing import NDArray

from interfaceflow.active_learning.cutouts.boxes import Box, choose_boxes, search_radius
from interfaceflow.active_learning.cutouts.charge import Change, charges_of, choose_changes
from interfaceflow.active_learning.cutouts.folding import Filling, fill_box, pair_limits
from interfaceflow.active_learning.cutouts.relaxation import distances_in_box, relax_rim
from interfaceflow.active_learning.cutouts.surroundings import FloatArray, find_surroundings
from interfaceflow.core.errors import InterfaceflowError, UserInputError
from interfaceflow.core.labels import ORIGIN_INDEX, PHASE, REGION
from interfaceflow.core.progress import Progress
from interfaceflow.schemas.cutouts import CutoutSettings

CORE: Final = "core"
"""Array of a cut-out: which atoms are where they were in the frame."""
FRAME_INDEX: Final = "frame_index"
"""Array of a cut-out: index of each atom in the frame."""

# What an added ion costs for each room it lacks, in units of an ion removed far from the core.
_CROWDING_COST: Final = 5.0
# The rim is relaxed until no force on it is larger than this share of the forces in the frame.
_HOT_QUANTILE: Final = 0.98
# Boxes that are filled for each one whose rim is relaxed: filling is cheap.
_BOXES_FILLED: Final = 3
# Atoms tried before giving up, for each cut-out that is wanted.
_TRIES_PER_CUTOUT: Final = 3


@dataclass(frozen=True)
class PotentialOnTrial:
    """What cutting out needs to know of the potential that extrapolates.

    Attributes
    ----------
    cutoff_radius_A
        Its cutoff radius, Å.
    min_distances_A
        Smallest distance by pair in its training set, as ``"Cl-Li"``, Å.
    grades
        Gives the extrapolation grade of each atom, shape (n_atoms,), dimensionless.
    calculator
        Gives its energies and forces.
    """

    cutoff_radius_A: float
    min_distances_A: Mapping[str, float]
    grades: Callable[[Atoms], FloatArray]
    calculator: Calculator


@dataclass(frozen=True)
class Cutout:
    """An accepted cut-out.

    Attributes
    ----------
    atoms
        Periodic cell with the frame's labels and the arrays `CORE` and `FRAME_INDEX`; its first atom is the central
        one. ``info["charge_e"]`` is the sum of its formal charges where that is not zero.
    atom
        Index of the central atom in the frame.
    grade_in_frame, grade
        Extrapolation grade of the central atom, in the frame and here.
    n_core
        Atoms that are where they were: the central atom and its neighbours within the cutoff radius.
    charge_e
        Sum of the formal charges, e.
    n_added, n_removed
        Ions of the rim that were added and removed to reach it.
    coincidences
        How well the frame joins with itself along each cell vector, from 0 to 1.
    largest_rim_move_A
        Largest displacement in the relaxation of the rim, Å.
    covered
        Extrapolating atoms of the frame whose grades it reproduces, the central one among them.
    """

    atoms: Atoms
    atom: int
    grade_in_frame: float
    grade: float
    n_core: int
    charge_e: float
    n_added: int
    n_removed: int
    coincidences: tuple[float, float, float]
    largest_rim_move_A: float
    covered: tuple[int, ...]


@dataclass(frozen=True)
class Refusal:
    """A neighbourhood of which no cut-out was accepted: its central atom, its grade, and why."""

    atom: int
    grade: float
    reason: str


@dataclass(frozen=True)
class Cutouts:
    """The cut-outs of a frame, largest grade first, and the neighbourhoods that were given up."""

    accepted: tuple[Cutout, ...]
    refused: tuple[Refusal, ...]
    n_extrapolating: int
    largest_grade: float

    @property
    def n_covered(self) -> int:
        """Extrapolating atoms whose grade at least one cut-out reproduces."""
        return len({atom for cutout in self.accepted for atom in cutout.covered})


def cut_out_neighbourhoods(
    frame: Atoms,
    potential: PotentialOnTrial,
    formal_charges: Mapping[tuple[str, str], float],
    select_threshold: float,
    settings: CutoutSettings,
    progress: Progress,
) -> Cutouts:
    """Cut periodic cells out of a large one, around the atoms that a potential extrapolates on.

    For the atom of largest grade that no cut-out covers yet, box after box is tried, best first:

    1. the box is filled from the core outwards (`folding`);
    2. ions of the rim are removed or added until the sum of formal charges is the wanted one;
    3. the rim is relaxed, the core held;
    4. the cut-out is accepted if no pair is too close and the grade of the central atom is what it was in the frame.

    Parameters
    ----------
    frame
        Periodic cell with phase labels.
    potential
        The potential.
    formal_charges
        By phase and element, e.
    select_threshold
        Atoms with a larger grade extrapolate.
    settings
        Sizes and tolerances.
    progress
        Told of each atom that is tried.

    Raises
    ------
    UserInputError
        If the frame is not periodic in three directions, its atoms carry no phase, an element of a phase has no
        formal charge, or the frame is so small that it can be labelled whole.
    """
    _check_frame(frame, settings)
    charges = charges_of(frame.arrays[PHASE].tolist(), frame.get_chemical_symbols(), formal_charges)
    grades = potential.grades(frame)
    if not np.isfinite(grades).all():
        raise UserInputError(
            f"{np.count_nonzero(~np.isfinite(grades))} of {len(frame)} atoms of the frame have no finite extrapolation "
            "grade; the potential or its active set is damaged, train it again"
        )
    cutter = _Cutter(frame, potential, charges, grades, select_threshold, settings)
    waiting = [int(atom) for atom in np.argsort(-grades, kind="stable") if grades[atom] > select_threshold]
    n_extrapolating = len(waiting)
    accepted: list[Cutout] = []
    refused: list[Refusal] = []
    covered: set[int] = set()
    progress.start(min(settings.max_cutouts, n_extrapolating), "cut-out", "Cutting out neighbourhoods")
    for atom in waiting:
        if len(accepted) == settings.max_cutouts or len(refused) == _TRIES_PER_CUTOUT * settings.max_cutouts:
            break
        if atom in covered:
            continue
        outcome = cutter.cut_out(atom)
        if isinstance(outcome, Refusal):
            refused.append(outcome)
            progress.note(f"no cut-out of atom {atom} (grade {outcome.grade:.2f}): {outcome.reason}")
        else:
            accepted.append(outcome)
            covered.update(outcome.covered)
            progress.advance()
    return Cutouts(tuple(accepted), tuple(refused), n_extrapolating, float(grades.max()))


def _check_frame(frame: Atoms, settings: CutoutSettings) -> None:
    if PHASE not in frame.arrays:
        raise UserInputError(
            f"the atoms of {frame.get_chemical_formula()} carry no {PHASE} label, which decides their formal charges; "
            "use the extended XYZ file that interfaceflow wrote, or set the array"
        )
    if not frame.pbc.all() or frame.cell.rank != 3:
        raise UserInputError(
            "cut-outs are made from a cell that is periodic in three directions; give three cell vectors, "
            "with vacuum along the normal for a slab, and set all of pbc"
        )
    if len(frame) <= settings.max_atoms:
        raise UserInputError(
            f"the frame has {len(frame)} atoms and a cut-out may have {settings.max_atoms}: label it whole, "
            "or lower max_atoms"
        )


@dataclass(frozen=True)
class _FilledBox:
    """A box with balanced charges before its rim is relaxed.

    ``n_disturbed`` counts the atoms that its seams lost or gained.
    """

    atoms: Atoms
    box: Box
    changes: list[Change]
    n_disturbed: int

    @property
    def cost(self) -> float:
        """Cost of the box and of its filling: an atom too many or too few spoils its part of a seam."""
        return self.box.cost + float(self.n_disturbed / len(self.atoms) ** (2 / 3))


class _Cutter:
    """Cuts neighbourhoods out of one frame."""

    def __init__(
        self,
        frame: Atoms,
        potential: PotentialOnTrial,
        charges: FloatArray,
        grades: FloatArray,
        select_threshold: float,
        settings: CutoutSettings,
    ) -> None:
        self.frame, self.potential, self.settings = frame, potential, settings
        self.charges, self.grades = charges, grades
        self.extrapolating = grades > select_threshold
        forces = np.linalg.norm(potential.calculator.get_property("forces", frame), axis=1)
        hot = float(np.quantile(forces, _HOT_QUANTILE))
        self.force_tolerance_eV_A = max(settings.rim_force_tolerance_eV_A, hot)
        symbols, self.types = np.unique(frame.get_chemical_symbols(), return_inverse=True)
        _, phases = np.unique(frame.arrays[PHASE], return_inverse=True)
        self.kinds = phases * len(symbols) + self.types
        self.limits = pair_limits(symbols.tolist(), potential.min_distances_A, settings.closest_share)

    def cut_out(self, atom: int) -> Cutout | Refusal:
        """Try box after box around an atom."""
        cutoff = self.potential.cutoff_radius_A
        near = find_surroundings(self.frame, self.frame.positions[atom], 2 * cutoff)
        density = len(near.indices) / (4 / 3 * np.pi * (2 * cutoff) ** 3)
        radius = search_radius(cutoff, self.settings.max_atoms, density)
        around = find_surroundings(self.frame, self.frame.positions[atom], radius)
        boxes = choose_boxes(
            around,
            self.kinds[around.indices],
            self.frame.cell.array,
            cutoff_radius_A=cutoff,
            max_atoms=self.settings.max_atoms,
            n_boxes=_BOXES_FILLED * self.settings.max_boxes,
        )
        if not boxes:
            needed = int(np.ceil(density * (2 * cutoff) ** 3))
            return self._refuse(
                atom,
                f"no box of at most {self.settings.max_atoms} atoms holds a neighbourhood of {cutoff:g} Å; about "
                f"{needed} or more are needed, raise max_atoms",
            )
        filled = [self._fill(atom, box) for box in boxes]
        reasons = [outcome for outcome in filled if isinstance(outcome, str)]
        joined = [outcome for outcome in filled if isinstance(outcome, _FilledBox)]
        for one in sorted(joined, key=lambda one: one.cost)[: self.settings.max_boxes]:
            outcome = self._relax_and_judge(atom, one)
            if isinstance(outcome, Cutout):
                return outcome
            reasons.append(outcome)
        counted = "; ".join(f"{reason} ({n} of {len(reasons)} boxes)" for reason, n in Counter(reasons).items())
        return self._refuse(atom, counted)

    def _refuse(self, atom: int, reason: str) -> Refusal:
        return Refusal(atom, float(self.grades[atom]), reason)

    def _fill(self, atom: int, box: Box) -> _FilledBox | str:
        """Return a box with balanced charges and the rim as it was cut, or why there is none."""
        cutoff = self.potential.cutoff_radius_A
        reach = 0.5 * float(np.linalg.norm(box.vectors, axis=1).sum())
        around = find_surroundings(self.frame, self.frame.positions[atom], reach)
        core = around.distances <= cutoff
        types = self.types[around.indices]
        filling = fill_box(around, box.vectors, core, self.limits, types, joins=box.joins, cutoff_radius_A=cutoff)
        if filling is None:
            return "atoms of the core are too near to their images"
        charges = self.charges[around.indices]
        excess = float(charges[filling.members].sum()) - self.settings.charge_e
        offered = _offer_changes(filling, core, charges)
        changes = choose_changes(excess, offered, self.settings.max_changes)
        if changes is None:
            return f"{self.settings.max_changes} ions of the rim cannot balance the formal charges"
        members = _apply(filling.members, changes)
        if len(members) > self.settings.max_atoms:
            return f"the box holds more than {self.settings.max_atoms} atoms"
        return _FilledBox(
            atoms=self._build(around.indices[members], filling.positions[members], box, core[members]),
            box=box,
            changes=changes,
            n_disturbed=abs(len(filling.members) - filling.n_in_frame) + len(changes),
        )

    def _build(self, indices: NDArray[np.intp], positions: FloatArray, box: Box, core: NDArray[np.bool_]) -> Atoms:
        """Make the cell, its central atom first and in the middle, with the frame's labels."""
        cell = Atoms(
            self.frame.numbers[indices], positions=positions + box.vectors.sum(axis=0) / 2, cell=box.vectors, pbc=True
        )
        for name in (PHASE, REGION, ORIGIN_INDEX):
            if name in self.frame.arrays:
                cell.set_array(name, self.frame.arrays[name][indices])
        cell.set_array(CORE, core)
        cell.set_array(FRAME_INDEX, indices)
        if self.settings.charge_e:
            cell.info["charge_e"] = self.settings.charge_e
        return cell

    def _relax_and_judge(self, atom: int, filled: _FilledBox) -> Cutout | str:
        """Relax the rim and accept the cell, or say why not."""
        cell, box, changes = filled.atoms, filled.box, filled.changes
        core = cell.arrays[CORE]
        types = self.types[cell.arrays[FRAME_INDEX]]
        limits = self.limits[np.ix_(types, types)]
        try:
            relaxed = relax_rim(
                cell,
                core,
                self.potential.calculator,
                limits,
                force_tolerance_eV_A=self.force_tolerance_eV_A,
                max_steps=self.settings.rim_max_steps,
            )
        except InterfaceflowError:
            return "the potential cannot relax the rim"
        moves = relaxed.positions - cell.positions
        if not np.isfinite(moves).all():
            return "the potential cannot relax the rim"
        room = distances_in_box(relaxed.positions, box.vectors) / limits
        room[np.ix_(core, core)] = np.inf  # as it was in the frame; images were looked at when the box was filled
        if room.min() < 1.0:
            return f"atoms of the rim stay nearer than {self.settings.closest_share:g} of any training distance"
        grades = self.potential.grades(relaxed)
        before, after = float(self.grades[atom]), float(grades[0])
        if not abs(after - before) <= self.settings.grade_tolerance * before:
            return "the grade of the central atom is not reproduced"
        return Cutout(
            atoms=relaxed,
            atom=atom,
            grade_in_frame=before,
            grade=after,
            n_core=int(core.sum()),
            charge_e=float(self.charges[cell.arrays[FRAME_INDEX]].sum()),
            n_added=sum(change.adds for change in changes),
            n_removed=sum(not change.adds for change in changes),
            coincidences=box.coincidences,
            largest_rim_move_A=float(np.linalg.norm(moves, axis=1).max()),
            covered=self._covered(cell.arrays[FRAME_INDEX], grades),
        )

    def _covered(self, indices: NDArray[np.intp], grades: FloatArray) -> tuple[int, ...]:
        """Return the extrapolating atoms of the frame that have the same grade in a cut-out."""
        wanted = self.grades[indices]
        same = self.extrapolating[indices] & (np.abs(grades - wanted) <= self.settings.grade_tolerance * wanted)
        return tuple(sorted({int(index) for index in indices[same]}))


def _offer_changes(filling: Filling, core: NDArray[np.bool_], charges: FloatArray) -> list[Change]:
    """List the ions of the rim that may go and those that may come, with what each costs.

    Far from the core is cheaper than near to it, and an ion that was left out costs the more the less room it has.
    """
    distances = np.linalg.norm(filling.positions, axis=1)
    farthest = float(distances[filling.members].max())
    nearness = np.clip(1.0 - distances / farthest, 0.0, 1.0)
    removable = filling.members[~core[filling.members]]
    removals = [
        Change(atom=int(atom), adds=False, charge_e=-float(charges[atom]), cost=1.0 + float(nearness[atom]))
        for atom in removable
    ]
    additions = [
        Change(
            atom=int(atom),
            adds=True,
            charge_e=float(charges[atom]),
            cost=1.0 + float(nearness[atom]) + _CROWDING_COST * (1.0 - float(room)),
        )
        for atom, room in zip(filling.spare, filling.spare_room, strict=True)
    ]
    return removals + additions


def _apply(members: NDArray[np.intp], changes: list[Change]) -> NDArray[np.intp]:
    removed = [change.atom for change in changes if not change.adds]
    added = [change.atom for change in changes if change.adds]
    return np.concatenate([members[~np.isin(members, removed)], np.array(added, dtype=np.intp)])
