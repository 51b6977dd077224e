import numpy as np
import pytest
from ase.build import bulk, surface
from pydantic import ValidationError

from interfaceflow.core.errors import UserInputError
from interfaceflow.datasets.ladder import (
    derive_seed,
    near_cubic_repeats,
    plan_trajectories,
    remove_at_random,
    strain_along_normal,
    strain_in_plane,
    strain_isotropically,
)
from interfaceflow.schemas.settings import TrainingSetSettings, VacancySettings


@pytest.fixture
def cells():
    return {
        "metal": bulk("Li", "bcc", a=3.44),
        "binary": bulk("LiCl", "rocksalt", a=5.13, cubic=True),
        "interface": bulk("Li", "bcc", a=3.44, cubic=True).repeat((1, 1, 3)),
    }


def settings(*families, **others):
    return TrainingSetSettings(trajectories=families, **others)


def test_temperatures_times_strains_and_held_out_runs_apart(cells):
    plans = plan_trajectories(
        cells,
        settings(
            {
                "cell": "metal",
                "n_atoms": 16,
                "temperatures_K": [300, 600],
                "held_out_temperatures_K": [450],
                "strains": [-0.02, 0.02],
            },
            {"cell": "interface", "temperatures_K": [300], "strains": [0.01], "n_steps": 12, "sample_every": 3},
        ),
        seed=7,
    )
    assert len(plans) == 3 * 2 + 1
    assert {plan.run.temperature_K for plan in plans if plan.run.held_out} == {450.0}
    assert len({plan.run.name for plan in plans}) == len(plans) == len({plan.seed for plan in plans})
    assert (plans[-1].family.n_steps, plans[-1].family.sample_every) == (12, 3)
    np.testing.assert_allclose(plans[-1].atoms.cell.lengths(), [3.44, 3.44, 3 * 3.44 * 1.01])


def test_a_family_added_at_the_end_changes_no_seed(cells):
    first = {"cell": "metal", "n_atoms": 16, "temperatures_K": [300], "held_out_temperatures_K": [450]}
    second = {"cell": "binary", "n_atoms": 16, "temperatures_K": [300]}
    short = plan_trajectories(cells, settings(first), seed=7)
    long = plan_trajectories(cells, settings(first, second), seed=7)
    assert [plan.seed for plan in short] == [plan.seed for plan in long][: len(short)]
    assert derive_seed(7, "a") != derive_seed(8, "a") != derive_seed(8, "b")


@pytest.mark.parametrize("n_atoms", [54, 128, 250])
@pytest.mark.parametrize("name", ["metal", "binary"])
def test_repeats_come_near_the_number_of_atoms_and_to_a_cube(cells, name, n_atoms):
    repeated = cells[name].repeat(near_cubic_repeats(cells[name], n_atoms))
    heights = 1 / np.linalg.norm(repeated.cell.reciprocal().array, axis=1)
    assert 0.6 * n_atoms <= len(repeated) <= 1.6 * n_atoms
    assert heights.max() / heights.min() <= 1.5


def test_a_long_cell_is_repeated_across(cells):
    assert near_cubic_repeats(cells["interface"], 54) == (3, 3, 1)


def test_a_cell_larger_than_asked_for_stays_single(cells):
    assert near_cubic_repeats(cells["binary"], 1) == (1, 1, 1)


def test_isotropic_strain_scales_lengths_and_keeps_fractions(cells):
    strained = strain_isotropically(cells["binary"], -0.02)
    np.testing.assert_allclose(strained.cell.array, 0.98 * cells["binary"].cell.array)
    np.testing.assert_allclose(strained.get_scaled_positions(), cells["binary"].get_scaled_positions(), atol=1e-12)


@pytest.mark.parametrize("turned", [False, True])
def test_strain_along_the_normal_keeps_the_plane(cells, turned):
    atoms = cells["interface"]
    atoms.set_cell(atoms.cell.array + np.array([[0, 0, 0], [0.4, 0, 0], [0.5, 0.2, 0]]), scale_atoms=True)
    if turned:
        atoms.rotate(40, (1, 2, 3), rotate_cell=True)
    strained = strain_along_normal(atoms, 0.03)
    np.testing.assert_allclose(strained.cell.array[:2], atoms.cell.array[:2], atol=1e-12)
    assert strained.get_volume() == pytest.approx(1.03 * atoms.get_volume())
    np.testing.assert_allclose(
        strained.get_scaled_positions(wrap=False), atoms.get_scaled_positions(wrap=False), atol=1e-9
    )


def test_strain_in_the_plane_keeps_heights(cells):
    slab = surface(cells["binary"], (1, 1, 0), 3, vacuum=6.0, periodic=True)
    slab.set_cell(slab.cell.array + np.array([[0, 0, 0], [0, 0, 0], [1.1, 0.4, 0]]))
    slab.rotate(40, (1, 2, 3), rotate_cell=True)
    normal = np.cross(*slab.cell.array[:2])
    normal /= np.linalg.norm(normal)
    strained = strain_in_plane(slab, -0.05)
    np.testing.assert_allclose(strained.cell.array[:2], 0.95 * slab.cell.array[:2], atol=1e-12)
    np.testing.assert_allclose(strained.positions @ normal, slab.positions @ normal, atol=1e-9)
    assert strained.get_volume() == pytest.approx(0.95**2 * slab.get_volume())


def test_slabs_are_repeated_in_their_plane_alone(cells):
    cells["binary_slab"] = surface(cells["binary"], (1, 0, 0), 3, vacuum=6.0, periodic=True)
    family = {"cell": "binary_slab", "n_atoms": 100, "temperatures_K": [300], "held_out_temperatures_K": [400]}
    for plan in plan_trajectories(cells, settings(family), seed=1):
        np.testing.assert_allclose(plan.atoms.cell.lengths() / cells["binary_slab"].cell.lengths(), [2, 2, 1])


def test_a_slab_that_is_not_there_is_named(cells):
    family = {"cell": "metal_slab", "temperatures_K": [300], "held_out_temperatures_K": [400]}
    with pytest.raises(UserInputError, match=r"no cell 'metal_slab' here; available: binary, interface, metal"):
        plan_trajectories(cells, settings(family), seed=1)


def test_every_run_has_vacancies_of_its_own(cells):
    family = {
        "cell": "metal",
        "n_atoms": 64,
        "vacancies": {"species": "Li", "fraction": 0.02},
        "temperatures_K": [300, 400, 500],
        "held_out_temperatures_K": [600],
    }
    plans = plan_trajectories(cells, settings(family), seed=1)
    assert {len(plan.atoms) for plan in plans} == {63}
    whole = plan_trajectories(cells, settings(family | {"vacancies": None}), seed=1)[0].atoms
    missing = {
        int(np.argmax(np.linalg.norm(whole.positions[:, None] - plan.atoms.positions, axis=2).min(axis=1)))
        for plan in plans
    }
    assert len(missing) > 1


def test_vacancies_of_an_interface_are_in_its_interface_region(cells):
    atoms = cells["interface"].repeat((2, 2, 1))
    atoms.set_array("region", np.where(atoms.positions[:, 2] < 3, "interface", "interior"))
    n_interface = int((atoms.arrays["region"] == "interface").sum())
    kept = remove_at_random(atoms, VacancySettings(species="Li", fraction=0.1), seed=3)
    assert len(kept) == len(atoms) - 2
    assert (kept.arrays["region"] == "interface").sum() == n_interface - 2


def test_each_ion_that_is_removed_leaves_its_charge(cells):
    atoms = cells["binary"].repeat((2, 1, 1))
    vacancies = VacancySettings(species="Li", fraction=0.2, charge_e=-1.0)
    assert remove_at_random(atoms, vacancies, seed=1).info == {"charge_e": -2.0}
    family = {"cell": "binary", "n_atoms": 16, "vacancies": vacancies, "held_out_temperatures_K": [400]}
    (_, plan) = plan_trajectories(
        cells,
        settings({"cell": "metal", "temperatures_K": [300]}, family, electron_energy_eV=2.5),
        seed=1,
    )
    assert plan.atoms.info["charge_e"] == -2.0


def test_vacancies_that_cannot_be_made_are_refused(cells):
    with pytest.raises(UserInputError, match=r"'Na' is not in Cl4Li4, which holds Cl, Li"):
        remove_at_random(cells["binary"], VacancySettings(species="Na", fraction=0.1), seed=1)
    with pytest.raises(UserInputError, match=r"removing 1 Li atoms from Li, of 1 that may go.*larger n_atoms"):
        remove_at_random(cells["metal"], VacancySettings(species="Li", fraction=0.1), seed=1)


def test_a_share_of_whole_runs_is_held_out(cells):
    family = {"cell": "metal", "n_atoms": 16, "temperatures_K": [300, 600], "strains": [-0.05, 0, 0.05]}
    plans = plan_trajectories(cells, settings(family, held_out_fraction=0.3), seed=7)
    assert sum(plan.run.held_out for plan in plans) == 2
    assert [plan.seed for plan in plans] == [
        plan.seed for plan in plan_trajectories(cells, settings(family, held_out_fraction=0.5), seed=7)
    ]


@pytest.mark.parametrize(
    ("family", "others", "message"),
    [
        ({"ramp_steps": 10, "ramp_from_K": 400}, {}, r"ramp_from_K \(400\) is above the lowest temperature \(300 K\)"),
        ({"held_out_temperatures_K": []}, {}, "nothing to test the potential on"),
        ({"temperatures_K": []}, {}, "all runs are at held_out_temperatures_K"),
        ({"temperatures_K": [], "held_out_temperatures_K": []}, {}, "with neither, nothing is run"),
        ({}, {"held_out_fraction": 0.3}, "held_out_fraction .0.3. of 1 runs leaves none to train on"),
        (
            {"vacancies": {"species": "Li", "fraction": 0.1, "charge_e": -1}},
            {},
            "charged cells.*give electron_energy_eV",
        ),
        ({"vacancies": {"species": "Li", "fraction": 0.5}}, {}, "less than or equal to 0.2"),
    ],
)
def test_ladders_that_make_no_sense_are_refused(family, others, message):
    given = {"cell": "metal", "temperatures_K": [300], "held_out_temperatures_K": [400]} | family
    with pytest.raises(ValidationError, match=message):
        settings(given, **others)
