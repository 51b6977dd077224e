import numpy as np
import pytest
from ase.build import bulk

from interfaceflow.datasets.ladder import (
    derive_seed,
    near_cubic_repeats,
    plan_trajectories,
    strain_along_normal,
    strain_isotropically,
)
from interfaceflow.schemas.settings import TrainingSetSettings


@pytest.fixture
def cells():
    return {
        "metal": bulk("Li", "bcc", a=3.44),
        "binary": bulk("LiCl", "rocksalt", a=5.13, cubic=True),
        "interface": bulk("Li", "bcc", a=3.44, cubic=True).repeat((1, 1, 3)),
    }


def settings(*families):
    return TrainingSetSettings(trajectories=families)


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
    assert {plan.temperature_K for plan in plans if plan.held_out} == {450.0}
    assert len({plan.name for plan in plans}) == len(plans) == len({plan.seed for plan in plans})
    assert (plans[-1].n_steps, plans[-1].sample_every) == (12, 3)
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
