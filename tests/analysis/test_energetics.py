import pytest

from interfaceflow.analysis.energetics import (
    compute_interface_energy,
    compute_work_of_adhesion,
    compute_work_of_separation,
    fit_surface_energy,
    resists_voids,
)
from interfaceflow.core.errors import CalculationError

EV_PER_A2 = 16.02176634  # J/m2: 1.602176634e-19 J / 1e-20 m2


def test_slabs_that_obey_the_law_give_its_surface_energy_without_error():
    # 2 S gamma = 2 * 10 A2 * 0.05 eV/A2 = 1 eV
    fit = fit_surface_energy([1.0 - 2.0 * n for n in (9, 5, 7)], [9, 5, 7], 10.0, -2.0)
    assert fit.surface_energy_J_m2 == pytest.approx(0.05 * EV_PER_A2)
    assert fit.error_J_m2 == pytest.approx(0, abs=1e-12)
    assert fit.converged


def test_a_wrong_bulk_energy_shows_in_the_error_but_not_in_the_surface_energy():
    # The thickest slab against a bulk that is 0.01 eV too low differs by 9 * 0.01 eV; half of it is the error.
    fit = fit_surface_energy([1.0 - 2.0 * n for n in (5, 7, 9)], [5, 7, 9], 10.0, -2.01)
    assert fit.surface_energy_J_m2 == pytest.approx(0.05 * EV_PER_A2)
    assert fit.error_J_m2 == pytest.approx(0.09 / 2 / 20 * EV_PER_A2)
    assert not fit.converged


def test_slabs_that_oscillate_are_not_converged():
    fit = fit_surface_energy([1.0 - 10, 1.1 - 14, 1.0 - 18], [5, 7, 9], 10.0, -2.0)
    assert fit.error_J_m2 > 0.01
    assert not fit.converged


def test_one_thickness_is_not_enough():
    with pytest.raises(CalculationError, match="two thicknesses, got 1"):
        fit_surface_energy([-9.0, -9.0], [5, 5], 10.0, -2.0)


def test_interface_energies_by_hand():
    # (-99 - (-60 - 40)) eV over two interfaces of 25 A2: 0.02 eV/A2
    energy = compute_interface_energy(-99.0, [-60.0, -40.0], 25.0, 2)
    assert energy == pytest.approx(0.02 * EV_PER_A2)
    assert compute_work_of_separation(-99.0, [-59.0, -38.0], 25.0, 2) == pytest.approx(0.04 * EV_PER_A2)
    assert compute_work_of_adhesion(0.5, 0.4, 0.3) == pytest.approx(0.6)


def test_voids_are_resisted_where_the_metal_would_part_first():
    assert resists_voids(0.9, 0.4)
    assert not resists_voids(0.7, 0.4)
