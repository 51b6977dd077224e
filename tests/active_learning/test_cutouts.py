from itertools import combinations

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.lj import LennardJones
from ase.neighborlist import neighbor_list
from hypothesis import given, settings
from hypothesis import strategies as st

from interfaceflow.active_learning.cutouts.boxes import choose_boxes, search_radius
from interfaceflow.active_learning.cutouts.charge import Change, charges_of, choose_changes
from interfaceflow.active_learning.cutouts.folding import fill_box, pair_limits
from interfaceflow.active_learning.cutouts.neighbourhoods import (
    CORE,
    FRAME_INDEX,
    PotentialOnTrial,
    cut_out_neighbourhoods,
)
from interfaceflow.active_learning.cutouts.relaxation import distances_in_box, relax_rim, wall
from interfaceflow.active_learning.cutouts.surroundings import find_surroundings, heights
from interfaceflow.core.errors import UserInputError
from interfaceflow.core.progress import SilentProgress
from interfaceflow.schemas.cutouts import CutoutSettings

JOINS = np.ones(3, bool)
MIN_DISTANCES_A = {"Cl-Li": 2.0, "Cl-Cl": 2.9, "Li-Li": 2.7}
CUTOFF_A = 4.0
LICL = {("binary", "Li"): 1.0, ("binary", "Cl"): -1.0, ("metal", "Li"): 0.0}


def neighbourhood_grades(atoms, cutoff=CUTOFF_A):
    """A stand-in for a grade that is one: a smooth function of each atom's neighbours within the cutoff, and no more.

    Large where the neighbours are not where a crystal has them: the length of the sum of their weighted directions.
    """
    first, vectors, distances = neighbor_list("iDd", atoms, cutoff)
    weights = (1.0 - distances / cutoff) ** 2 / distances
    sums = np.zeros((len(atoms), 3))
    np.add.at(sums, first, weights[:, None] * vectors)
    return 12.0 * np.linalg.norm(sums, axis=1)


def rock_salt(repeats=6, sigma=0.0, seed=0):
    """Lithium chloride, a = 5.13 Å, with Gaussian displacements."""
    atoms = bulk("LiCl", "rocksalt", a=5.13, cubic=True).repeat(repeats)
    atoms.set_array("phase", np.array(["binary"] * len(atoms)))
    atoms.set_array("origin_index", np.arange(len(atoms)))
    atoms.positions += np.random.default_rng(seed).normal(0.0, sigma, atoms.positions.shape) if sigma else 0.0
    return atoms


def random_packing(n_pairs=200, seed=0):
    """Ions at random, equally many of both, none nearer to another than 2.2 Å: a stand-in for a glass."""
    rng = np.random.default_rng(seed)
    edge = (2 * n_pairs / 0.045) ** (1 / 3)
    positions = np.empty((0, 3))
    while len(positions) < 2 * n_pairs:
        offered = rng.uniform(0.0, edge, 3)
        away = positions - offered
        if (np.linalg.norm(away - edge * np.rint(away / edge), axis=1) >= 2.2).all():
            positions = np.vstack([positions, offered])
    atoms = bulk("LiCl", "rocksalt", a=5.13, cubic=True).repeat(1)[[0, 1]].repeat((n_pairs, 1, 1))
    atoms.set_cell(np.eye(3) * edge)
    atoms.set_positions(positions)
    atoms.set_array("phase", np.array(["binary"] * len(atoms)))
    return atoms


def interface_frame(sigma=0.05, seed=0):
    """Eight layers of rock salt on twelve of body-centred metal, in coincidence 3 to 3, repeated in the plane.

    The metal is stretched to 0.75 of the salt's constant: an analytic stand-in with two interfaces.
    """
    salt = bulk("LiCl", "rocksalt", a=5.13, cubic=True).repeat((1, 1, 4))
    metal = bulk("Li", "bcc", a=3.42, cubic=True).repeat((3, 3, 6))
    salt = salt.repeat((2, 2, 1))
    metal.set_cell([*salt.cell.lengths()[:2], metal.cell.lengths()[2]], scale_atoms=True)
    height = salt.cell.lengths()[2]
    metal.positions[:, 2] += height + 0.3
    atoms = salt + metal
    atoms.set_cell([*salt.cell.lengths()[:2], height + 6 * 3.42 + 0.6])
    atoms.set_array("phase", np.array(["binary"] * len(salt) + ["metal"] * len(metal)))
    atoms = atoms.repeat((3, 3, 1))
    atoms.positions += np.random.default_rng(seed).normal(0.0, sigma, atoms.positions.shape)
    return atoms


def potential(grades=neighbourhood_grades):
    calculator = LennardJones(sigma=2.3, epsilon=0.1, rc=4.0, ro=3.0, smooth=True)
    return PotentialOnTrial(CUTOFF_A, MIN_DISTANCES_A, grades, calculator)


def cut(frame, threshold=1.5, grades=neighbourhood_grades, charges=LICL, **changes):
    given_settings = CutoutSettings(max_atoms=100, max_cutouts=2, rim_max_steps=40).model_copy(update=changes)
    return cut_out_neighbourhoods(frame, potential(grades), charges, threshold, given_settings, SilentProgress())


def with_defect(frame, atom=0):
    """Push one ion off its site, by 1 Å."""
    frame.positions[atom] += (0.6, 0.6, 0.5)
    return frame


def charge_of(atoms, charges=LICL):
    return sum(charges[pair] for pair in zip(atoms.arrays["phase"], atoms.get_chemical_symbols(), strict=True))


def check_cutout(frame, cutout, max_atoms=100, charge=0.0):
    atoms = cutout.atoms
    assert len(atoms) <= max_atoms
    assert atoms.pbc.all() and atoms.cell.volume > 0 and np.linalg.det(atoms.cell.array) > 0
    assert heights(atoms.cell.array).min() >= 2 * CUTOFF_A - 1e-6
    assert charge_of(atoms) == pytest.approx(charge)
    assert cutout.charge_e == pytest.approx(charge)
    # The central atom, first of all, has the very neighbours it had, at the very places.
    core = atoms.arrays[CORE]
    assert core[0] and core.sum() == cutout.n_core
    inside = find_surroundings(frame, frame.positions[cutout.atom], CUTOFF_A)
    assert sorted(atoms.arrays[FRAME_INDEX][core]) == sorted(inside.indices)
    moved = atoms.positions[core] - atoms.positions[0]
    np.testing.assert_allclose(moved, inside.vectors, rtol=0, atol=1e-9)
    assert (atoms.numbers == frame.numbers[atoms.arrays[FRAME_INDEX]]).all()
    assert (atoms.arrays["phase"] == frame.arrays["phase"][atoms.arrays[FRAME_INDEX]]).all()
    # No pair is too close but those that were in the core.
    symbols = sorted(set(atoms.get_chemical_symbols()))
    limits = pair_limits(symbols, MIN_DISTANCES_A, 0.9)
    types = np.array([symbols.index(symbol) for symbol in atoms.get_chemical_symbols()])
    room = distances_in_box(atoms.positions, atoms.cell.array) / limits[np.ix_(types, types)]
    room[np.ix_(core, core)] = np.inf
    assert room.min() >= 1.0
    assert cutout.atom in cutout.covered
    assert cutout.grade == pytest.approx(cutout.grade_in_frame, rel=0.05)
    assert neighbourhood_grades(atoms)[0] == pytest.approx(neighbourhood_grades(frame)[cutout.atom], rel=0.05)


# Whole cut-outs


@pytest.mark.parametrize("kind", ["cubic", "skewed", "wrapped", "turned"])
def test_a_defect_in_a_crystal_is_cut_out_in_a_cell_of_whole_lattice_vectors(kind):
    frame = with_defect(rock_salt(4, sigma=0.08), atom=3)
    if kind == "skewed":
        frame.set_cell(np.array([[1, 0, 0], [1, 1, 0], [0, -1, 1]]) @ frame.cell.array)
    if kind == "wrapped":
        frame.positions += (11.0, -3.0, 40.0)
        frame.wrap()
    if kind == "turned":
        frame.rotate(35, (1, 2, 3), rotate_cell=True)
    cutouts = cut(frame)
    assert cutouts.accepted and cutouts.accepted[0].atom == np.argmax(neighbourhood_grades(frame))
    best = cutouts.accepted[0]
    check_cutout(frame, best)
    assert min(best.coincidences) > 0.8
    assert best.n_added == best.n_removed == 0
    # Every site once: the density is the crystal's, to what the measured vectors differ from the true ones.
    assert len(best.atoms) / best.atoms.get_volume() == pytest.approx(8 / 5.13**3, rel=0.02)
    assert best.largest_rim_move_A < 0.5


@pytest.mark.slow
@settings(max_examples=8, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    sigma=st.floats(0.0, 0.2),
    atom=st.integers(0, 511),
    charge=st.sampled_from([-1.0, 0.0, 1.0]),
)
def test_every_cut_out_keeps_its_core_its_charge_and_its_distances(seed, sigma, atom, charge):
    frame = with_defect(rock_salt(4, sigma=sigma, seed=seed), atom)
    cutouts = cut(frame, charge_e=charge, max_cutouts=1)
    assert cutouts.accepted or cutouts.refused
    for cutout in cutouts.accepted:
        check_cutout(frame, cutout, charge=charge)
        assert cutout.atoms.info.get("charge_e", 0.0) == charge
    for refusal in cutouts.refused:
        assert "boxes" in refusal.reason


@pytest.mark.slow
def test_a_glass_is_cut_out_too():
    frame = random_packing()
    threshold = float(np.sort(neighbourhood_grades(frame))[-6])
    cutouts = cut(frame, threshold=threshold, max_changes=6, max_cutouts=3)
    assert cutouts.accepted
    for cutout in cutouts.accepted:
        check_cutout(frame, cutout)


def test_an_interface_joins_along_the_common_vectors_of_both_crystals():
    frame = interface_frame()
    contact = 4 * 5.13 - 2.0
    frame = with_defect(frame, atom=int(np.argmin(np.linalg.norm(frame.positions - (15.0, 15.0, contact), axis=1))))
    cutouts = cut(frame, max_cutouts=1, max_atoms=140)
    best = cutouts.accepted[0]
    check_cutout(frame, best, max_atoms=140)
    assert set(best.atoms.arrays["phase"]) == {"metal", "binary"}
    assert sorted(best.coincidences)[1] > 0.8


def test_cutting_out_is_deterministic():
    first, second = (cut(with_defect(rock_salt(4, sigma=0.1), 3)) for _ in range(2))
    for one, other in zip(first.accepted, second.accepted, strict=True):
        np.testing.assert_array_equal(one.atoms.positions, other.atoms.positions)
        np.testing.assert_array_equal(one.atoms.cell.array, other.atoms.cell.array)


def test_one_cut_out_covers_what_it_reproduces():
    frame = with_defect(rock_salt(4), atom=3)
    grades = neighbourhood_grades(frame)
    cutouts = cut(frame, threshold=0.5, max_cutouts=8)
    covered = {atom for cutout in cutouts.accepted for atom in cutout.covered}
    assert cutouts.n_extrapolating == (grades > 0.5).sum() > len(cutouts.accepted)
    assert cutouts.n_covered == len(covered)
    for cutout in cutouts.accepted:
        again = neighbourhood_grades(cutout.atoms)
        index = cutout.atoms.arrays[FRAME_INDEX]
        for atom in cutout.covered:
            assert np.abs(again[index == atom] - grades[atom]).min() <= 0.05 * grades[atom]


def test_nothing_extrapolates_nothing_is_cut():
    cutouts = cut(rock_salt(4), threshold=1.5)
    assert not cutouts.accepted and not cutouts.refused and cutouts.n_extrapolating == 0


# Refusals


def test_a_grade_that_looks_beyond_the_neighbourhood_is_not_reproduced():
    frame = with_defect(rock_salt(4), atom=3)
    cutouts = cut(frame, 2.0 * len(frame), lambda atoms: neighbourhood_grades(atoms) * len(atoms), max_boxes=1)
    assert not cutouts.accepted
    assert "grade of the central atom is not reproduced" in cutouts.refused[0].reason


def test_too_few_atoms_for_a_neighbourhood():
    cutouts = cut(with_defect(rock_salt(4), atom=3), max_atoms=20)
    assert not cutouts.accepted
    assert "no box of at most 20 atoms holds a neighbourhood of 4 Å" in cutouts.refused[0].reason


def test_a_charge_out_of_reach():
    cutouts = cut(with_defect(rock_salt(4), atom=3), charge_e=5.0, max_changes=2)
    assert not cutouts.accepted
    assert "2 ions of the rim cannot balance the formal charges" in cutouts.refused[0].reason


def test_a_frame_without_phases():
    frame = rock_salt(4)
    del frame.arrays["phase"]
    with pytest.raises(UserInputError, match="carry no phase label"):
        cut(frame)


def test_a_frame_that_can_be_labelled_whole():
    with pytest.raises(UserInputError, match="label it whole"):
        cut(rock_salt(2))


def test_a_frame_with_an_open_direction():
    frame = rock_salt(4)
    frame.pbc = (True, True, False)
    with pytest.raises(UserInputError, match="periodic in three directions"):
        cut(frame)


def test_grades_that_are_no_numbers():
    with pytest.raises(UserInputError, match="train it again"):
        cut(rock_salt(4), grades=lambda atoms: np.full(len(atoms), np.nan))


def test_an_element_without_a_formal_charge():
    with pytest.raises(UserInputError, match="no formal charge is given for Cl in phase 'binary'"):
        cut(rock_salt(4), charges={("binary", "Li"): 1.0})


# Boxes


@pytest.mark.parametrize("sigma", [0.0, 0.15])
def test_boxes_of_a_crystal_are_lattice_vectors(sigma):
    frame = rock_salt(6, sigma=sigma)
    density = 8 / 5.13**3
    around = find_surroundings(frame, frame.positions[0], search_radius(4.0, 100, density))
    boxes = choose_boxes(
        around,
        frame.numbers[around.indices],
        frame.cell.array,
        cutoff_radius_A=4.0,
        max_atoms=100,
        n_boxes=4,
    )
    assert len(boxes) == 4
    for box in boxes:
        halves = box.vectors / (5.13 / 2)  # of a face-centred lattice: whole numbers with an even sum
        np.testing.assert_allclose(halves, np.rint(halves), atol=0.15)
        assert (np.rint(halves).sum(axis=1) % 2 == 0).all()
        assert heights(box.vectors).min() >= 8.0 - 1e-9
        assert np.linalg.det(box.vectors) > 0
        assert min(box.coincidences) > (0.99 if sigma == 0 else 0.8)


def test_a_frame_that_is_thin_enough_joins_with_itself_exactly():
    frame = random_packing(n_pairs=40).repeat((3, 3, 1))
    around = find_surroundings(frame, frame.positions[0], 30.0)
    kinds = frame.numbers[around.indices]
    best, *_ = choose_boxes(around, kinds, frame.cell.array, cutoff_radius_A=4.0, max_atoms=140, n_boxes=4)
    across = best.vectors[np.argmax(np.abs(best.vectors[:, 2]))]
    np.testing.assert_array_equal(np.abs(across), frame.cell.array[2])
    np.testing.assert_allclose(np.abs(np.linalg.det(best.vectors)), frame.cell.volume / 9, rtol=1e-6)
    assert min(best.coincidences) > 0.999


def test_no_box_where_the_neighbourhood_does_not_fit():
    frame = rock_salt(6)
    around = find_surroundings(frame, frame.positions[0], 20.0)
    kinds = frame.numbers[around.indices]
    assert not choose_boxes(around, kinds, frame.cell.array, cutoff_radius_A=6.0, max_atoms=60, n_boxes=4)


# Filling


def test_every_site_is_taken_once_however_hot_the_crystal_is():
    frame = rock_salt(6, sigma=0.2)
    box = 2 * 5.13 * np.eye(3)
    around = find_surroundings(frame, frame.positions[5], 12.0)
    types = (frame.numbers[around.indices] == 17).astype(int)
    core = around.distances <= 4.0
    limits = pair_limits(["Li", "Cl"], {"Cl-Li": 1.7, "Cl-Cl": 2.4, "Li-Li": 2.4}, 0.9)
    filling = fill_box(around, box, core, limits, types, joins=JOINS, cutoff_radius_A=4.0)
    sites = frame.arrays["origin_index"][around.indices[filling.members]]
    assert len(filling.members) == 64
    assert len(set(sites)) == 64
    assert (types[filling.members] == 1).sum() == 32
    assert core[filling.members[: core.sum()]].all()


def test_nothing_is_taken_from_beyond_a_seam_that_does_not_join():
    frame = rock_salt(6)
    box = np.diag([2 * 5.13, 2 * 5.13, 9.0])
    around = find_surroundings(frame, frame.positions[5], 12.0)
    types = (frame.numbers[around.indices] == 17).astype(int)
    core = around.distances <= 4.0
    limits = pair_limits(["Li", "Cl"], MIN_DISTANCES_A, 0.5)
    filling = fill_box(around, box, core, limits, types, joins=np.array([True, True, False]), cutoff_radius_A=4.0)
    assert np.abs(around.vectors[filling.members, 2]).max() <= 4.5
    assert len(filling.members) == 3 * 16  # layers at -2.57, 0 and 2.57 Å


def test_a_core_too_near_to_its_own_images():
    frame = Atoms("Li3", positions=[[0.0, 0, 0], [3.9, 0, 0], [-3.9, 0, 0]], cell=50 * np.eye(3), pbc=True)
    around = find_surroundings(frame, frame.positions[0], 10.0)
    limits = pair_limits(["Li"], {"Li-Li": 2.0}, 1.0)
    core = np.ones(3, bool)
    assert fill_box(around, 8.0 * np.eye(3), core, limits, np.zeros(3, int), joins=JOINS, cutoff_radius_A=4.0) is None
    assert (
        fill_box(around, 10.0 * np.eye(3), core, limits, np.zeros(3, int), joins=JOINS, cutoff_radius_A=4.0) is not None
    )


def test_limits_of_pairs_that_the_training_set_lacks_are_its_smallest():
    limits = pair_limits(["Cl", "Li"], {"Cl-Li": 2.0, "Li-Li": 2.5}, 0.9)
    np.testing.assert_allclose(limits, [[1.8, 1.8], [1.8, 2.25]])


# Charges


def changes_of(charges):
    return [Change(atom, adds=False, charge_e=-charge, cost=1.0 + 0.01 * atom) for atom, charge in enumerate(charges)]


def test_no_excess_no_change():
    assert choose_changes(0.0, changes_of([1, -2]), 4) == []


def test_lithium_sulfide_loses_an_ion_or_two():
    offered = changes_of([1, 1, 1, -2, -2])
    assert [change.atom for change in choose_changes(1.0, offered, 4)] == [0]
    # A sulfur ion is worth two: one lithium goes with it.
    assert sorted(change.atom for change in choose_changes(-1.0, offered, 4)) == [0, 3]
    assert choose_changes(-1.0, offered, 1) is None


def test_an_ion_that_was_left_out_may_come_back():
    offered = [*changes_of([1, 1]), Change(7, adds=True, charge_e=-1.0, cost=0.5)]
    assert [change.atom for change in choose_changes(1.0, offered, 4)] == [7]


@settings(max_examples=60, deadline=None)
@given(
    charges=st.lists(st.sampled_from([-2.0, -1.0, 0.0, 1.0, 3.0]), max_size=7),
    excess=st.integers(-4, 4),
    most=st.integers(0, 3),
)
def test_changes_are_the_cheapest_that_balance(charges, excess, most):
    offered = changes_of(charges)
    balanced = [
        some
        for n in range(most + 1)
        for some in combinations(offered, n)
        if abs(excess + sum(change.charge_e for change in some)) < 1e-9
    ]
    chosen = choose_changes(float(excess), offered, most)
    if not balanced:
        assert chosen is None
    else:
        assert len(chosen) <= most
        assert excess + sum(change.charge_e for change in chosen) == pytest.approx(0.0)
        least = min(sum(change.cost for change in some) for some in balanced)
        assert sum(change.cost for change in chosen) == pytest.approx(least)


def test_charges_are_by_phase_and_element():
    charges = charges_of(["metal", "binary", "binary"], ["Li", "Li", "Cl"], LICL)
    np.testing.assert_array_equal(charges, [0.0, 1.0, -1.0])


# The rim


def test_forces_of_the_wall_are_the_gradient_of_its_energy():
    rng = np.random.default_rng(2)
    positions, box = rng.uniform(0.0, 9.0, (12, 3)), np.array([[9.0, 0, 0], [2.0, 9.0, 0], [1.0, -2.0, 9.5]])
    reach = np.full((12, 12), 3.0)
    _, forces = wall(positions, box, reach)
    for atom, axis in ((0, 0), (5, 1), (11, 2)):
        step = np.zeros_like(positions)
        step[atom, axis] = 1e-5
        slope = (wall(positions + step, box, reach)[0] - wall(positions - step, box, reach)[0]) / 2e-5
        assert forces[atom, axis] == pytest.approx(-slope, abs=1e-4)


def test_the_wall_keeps_ions_apart_that_the_potential_draws_together():
    frame = rock_salt(2, sigma=0.05)
    frame.positions[40] += (0.7, 0.0, 0.0)
    core = np.arange(len(frame)) < 20
    limits = np.full((len(frame), len(frame)), 2.2)
    greedy = LennardJones(sigma=1.2, epsilon=5.0, rc=4.0, ro=3.0, smooth=True)
    relaxed = relax_rim(frame, core, greedy, limits, force_tolerance_eV_A=0.1, max_steps=100)
    bare = relax_rim(frame, core, greedy, np.zeros_like(limits), force_tolerance_eV_A=0.1, max_steps=100)
    assert distances_in_box(bare.positions, frame.cell.array).min() < 1.5
    assert distances_in_box(relaxed.positions, frame.cell.array).min() > 2.0
    np.testing.assert_array_equal(relaxed.positions[core], frame.positions[core])


def test_surroundings_hold_every_image_once():
    atoms = bulk("Li", "bcc", a=3.5)
    found = find_surroundings(atoms, atoms.positions[0] + (7.0, 0.0, 3.5), 10.0)
    shell = 0.5 * 3.5 * np.sqrt([0, 3, 4, 8, 11, 12, 16, 19, 20, 24, 27, 32])
    counts = [1, 8, 6, 12, 24, 8, 6, 24, 24, 24, 32, 12]
    expected = np.repeat(shell, counts)
    np.testing.assert_allclose(found.distances, expected[expected <= 10.0], atol=1e-9)
