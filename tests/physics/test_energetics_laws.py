"""Laws that surface, interface and adhesion energies obey, with ASE's effective medium theory as a real potential."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT
from scipy.optimize import minimize_scalar

from interfaceflow.analysis.energetics import (
    compute_interface_energy,
    compute_work_of_adhesion,
    compute_work_of_separation,
    fit_surface_energy,
)
from interfaceflow.schemas.settings import InterfaceSettings
from interfaceflow.structures.crystals import count_formula_units
from interfaceflow.structures.interfaces import InterfaceCell, build_interface_cell
from interfaceflow.structures.references import build_strained_bulk, separate_slabs
from interfaceflow.structures.slabs import build_slab
from interfaceflow.structures.surfaces import Surface, orient_crystal

pytestmark = pytest.mark.physics

SETTINGS = InterfaceSettings(max_area_A2=30, max_strain=0.1, metal_thickness_A=9.0, binary_thickness_A=9.0)


def energy_of(atoms: Atoms) -> float:
    atoms = atoms.copy()
    atoms.calc = EMT()
    return float(atoms.get_potential_energy())


def relaxed_crystal(symbol: str) -> Atoms:
    """The cubic crystal at its lowest energy."""
    best = minimize_scalar(
        lambda a: energy_of(bulk(symbol, "fcc", a=a, cubic=True)), bounds=(3.4, 4.3), options={"xatol": 1e-8}
    )
    return bulk(symbol, "fcc", a=float(best.x), cubic=True)


def relax_normal(atoms: Atoms) -> Atoms:
    """Stretch a cell along its normal, affinely, to its lowest energy."""

    def stretched(factor: float) -> Atoms:
        cell = atoms.copy()
        cell.set_cell(cell.cell.array * [1, 1, factor], scale_atoms=True)
        return cell

    best = minimize_scalar(lambda factor: energy_of(stretched(factor)), bounds=(0.85, 1.15), options={"xatol": 1e-8})
    return stretched(float(best.x))


def references(
    cell: InterfaceCell, metal: Surface, binary: Surface, interface: Atoms
) -> tuple[list[float], list[float]]:
    """Energies of both phases for as many formula units as the cell holds: free, and strained along with the cell."""
    free, strained = [], []
    for surface, matrix, units in (
        (metal, cell.match.strained_matrix, cell.strained_formula_units),
        (binary, cell.match.kept_matrix, cell.kept_formula_units),
    ):
        free.append(units * energy_of(surface.atoms) / count_formula_units(surface.atoms))
        bulk_cell = relax_normal(build_strained_bulk(surface, matrix, interface))
        strained.append(units * energy_of(bulk_cell) / count_formula_units(bulk_cell))
    return free, strained


def surface_energy(surface: Surface) -> float:
    layers = (7, 9, 11)
    slabs = [build_slab(surface, n_layers, 12.0) for n_layers in layers]
    area = float(np.linalg.det(surface.in_plane))
    fit = fit_surface_energy([energy_of(slab) for slab in slabs], layers, area, energy_of(surface.atoms))
    assert fit.converged
    return fit.surface_energy_J_m2


@pytest.mark.parametrize("miller", [(1, 0, 0), (1, 1, 0), (1, 1, 1)])
def test_a_perfect_crystal_cut_and_rejoined(miller):
    surface = orient_crystal(relaxed_crystal("Cu"), miller)
    thickness = 6 * surface.repeat_A  # planes repeat after two or three, so that both slabs hold whole sequences
    settings = SETTINGS.model_copy(update={"metal_thickness_A": thickness, "binary_thickness_A": thickness})
    cell = build_interface_cell(surface, surface, settings, 3.0)
    area, n = cell.match.area_A2, 2
    free, strained = references(cell, surface, surface, cell.atoms)
    energy = energy_of(cell.atoms)
    formation = compute_interface_energy(energy, free, area, n)
    interfacial = compute_interface_energy(energy, strained, area, n)
    assert formation == pytest.approx(0, abs=1e-6)
    assert interfacial == pytest.approx(0, abs=1e-6)

    gamma = surface_energy(surface)
    assert gamma > 0.5
    assert compute_work_of_adhesion(gamma, gamma, interfacial) == pytest.approx(2 * gamma)
    slabs = separate_slabs(cell.atoms, 12.0)
    separation = compute_work_of_separation(energy, [energy_of(slab) for slab in slabs.values()], area, n)
    assert separation == pytest.approx(2 * gamma, abs=2e-3)


def test_a_strained_perfect_crystal_has_elastic_energy_only_and_as_the_square_of_strain():
    surface = orient_crystal(relaxed_crystal("Cu"), (1, 0, 0))
    thickness = 4 * surface.repeat_A
    settings = SETTINGS.model_copy(update={"metal_thickness_A": thickness, "binary_thickness_A": thickness})
    cell = build_interface_cell(surface, surface, settings, 3.0)
    elastic = []
    for strain in (0.005, -0.005, 0.01, -0.01):
        interface = cell.atoms.copy()
        interface.set_cell(interface.cell.array * [1 + strain, 1 + strain, 1.0], scale_atoms=True)
        interface = relax_normal(interface)
        area = float(np.linalg.det(interface.cell.array[:2, :2]))
        free, strained = references(cell, surface, surface, interface)
        interfacial = compute_interface_energy(energy_of(interface), strained, area, 2)
        assert interfacial == pytest.approx(0, abs=1e-5)
        elastic.append((compute_interface_energy(energy_of(interface), free, area, 2) - interfacial) * area)
    # The mean over both signs has no third-order part; fourth order is of the relative size of the strain squared.
    assert sum(elastic[2:]) / sum(elastic[:2]) == pytest.approx(4, rel=0.01)


def test_the_elastic_part_is_the_metal_s_strain_energy():
    metal, binary = (orient_crystal(relaxed_crystal(symbol), (1, 0, 0)) for symbol in ("Ag", "Pd"))
    cell = build_interface_cell(metal, binary, SETTINGS, 3.0)
    area = cell.match.area_A2
    free, strained = references(cell, metal, binary, cell.atoms)
    energy = energy_of(cell.atoms)
    elastic = compute_interface_energy(energy, free, area, 2) - compute_interface_energy(energy, strained, area, 2)
    assert strained[1] == pytest.approx(free[1], abs=1e-6)  # the binary keeps its in-plane vectors
    assert elastic == pytest.approx((strained[0] - free[0]) / (2 * area) * 16.02176634, abs=1e-9)
    assert elastic > 0.01


def test_surface_energies_are_ordered_by_how_densely_the_surface_is_packed():
    crystal = relaxed_crystal("Cu")
    close_packed, square, open_rows = (
        surface_energy(orient_crystal(crystal, hkl)) for hkl in ((1, 1, 1), (1, 0, 0), (1, 1, 0))
    )
    assert close_packed < square < open_rows
