import numpy as np
import pytest
from ase.build import bulk
from hypothesis import given
from hypothesis import strategies as st
from pymatgen.io.ase import AseAtomsAdaptor
from stand_in import vasp_settings

from interfaceflow.reference.vasp.input_set import VaspInputs
from interfaceflow.reference.vasp.kpoints import mesh_divisions
from interfaceflow.schemas.vasp import (
    BandCurvatureCalculation,
    DosCalculation,
    MeshByDivisions,
    MeshByLength,
    MeshBySpacing,
    MeshPerAtom,
    StaticCalculation,
)

SKEWED = np.array([[4.0, 0, 0], [1.0, 5.0, 0], [0.5, 0.7, 12.0]])


def spacings(cell, divisions):
    return 2 * np.pi * np.linalg.norm(np.linalg.inv(cell).T, axis=1) / divisions


@pytest.mark.parametrize("cell", [np.diag([4.0, 5.0, 12.0]), SKEWED])
@given(spacing=st.floats(0.1, 1.5))
def test_spacing_is_kept_by_the_coarsest_mesh(cell, spacing):
    divisions = np.array(mesh_divisions(cell, 8, MeshBySpacing(scheme="spacing", spacing_per_A=spacing), None))
    assert (spacings(cell, divisions) <= spacing * (1 + 1e-6)).all()
    coarser = np.where(divisions > 1, divisions - 1, divisions)
    assert (spacings(cell, coarser)[divisions > 1] > spacing).all()


@pytest.mark.parametrize("cell", [np.diag([4.0, 5.0, 12.0]), SKEWED])
@given(target=st.integers(1, 3000), n_atoms=st.integers(1, 40))
def test_points_per_atom_are_reached_by_the_coarsest_mesh(cell, target, n_atoms):
    mesh = np.array(mesh_divisions(cell, n_atoms, MeshPerAtom(scheme="per-atom", points_times_atoms=target), None))
    assert mesh.prod() * n_atoms >= target
    # No mesh of one larger spacing has enough points.
    largest = spacings(cell, np.ones(3)) / np.maximum(mesh - 1, 1)
    coarser = largest[mesh > 1].min() if (mesh > 1).any() else np.inf
    if np.isfinite(coarser):
        assert np.ceil(spacings(cell, np.ones(3)) / coarser - 1e-8).prod() * n_atoms < target


def test_length_rounds_to_the_nearest():
    scheme = MeshByLength(scheme="length", length_A=25)
    assert mesh_divisions(np.diag([5.7158, 10.0, 60.0]), 12, scheme, None) == (4, 3, 1)


def test_one_point_does_across_a_vacuum():
    scheme = MeshBySpacing(scheme="spacing", spacing_per_A=0.2)
    assert mesh_divisions(np.diag([4.0, 4.0, 25.0]), 8, scheme, 2) == (8, 8, 1)
    assert mesh_divisions(np.diag([4.0, 4.0, 25.0]), 8, scheme, None) == (8, 8, 2)


def test_a_supercell_is_sampled_alike():
    scheme = MeshBySpacing(scheme="spacing", spacing_per_A=0.3)
    assert mesh_divisions(np.diag([5.0, 5.0, 5.0]), 8, scheme, None) == (5, 5, 5)
    assert mesh_divisions(np.diag([25.0, 5.0, 5.0]), 40, scheme, None) == (1, 5, 5)


def files(calculation, **changes):
    structure = AseAtomsAdaptor.get_structure(bulk("Li", "bcc", a=3.5))
    return VaspInputs(vasp_settings(**changes), calculation).get_input_set(structure, potcar_spec=True)


def test_the_centre_of_a_mesh_is_as_asked():
    mesh = {"scheme": "divisions", "divisions": [2, 2, 2]}
    assert str(files(StaticCalculation(), k_points=mesh).kpoints.style) == "Gamma"
    shifted = files(StaticCalculation(), k_points=mesh | {"centre": "monkhorst-pack"}).kpoints
    assert str(shifted.style) == "Monkhorst"
    assert MeshByDivisions.model_validate(mesh).centre == "gamma"


def test_a_density_of_states_has_a_denser_mesh():
    scf, dos = files(StaticCalculation()).kpoints.kpts[0], files(DosCalculation(mesh_factor=2)).kpoints.kpts[0]
    assert dos == tuple(2 * n for n in scf)


def test_a_stencil_follows_the_mesh_at_no_weight():
    kpoints = files(BandCurvatureCalculation(k_point=(0.5, 0, 0), step_per_A=0.03)).kpoints
    weights = np.array(kpoints.kpts_weights)
    assert (weights[-19:] == 0).all()
    assert (weights[:-19] > 0).all()
    assert kpoints.kpts[-19] == (0.5, 0, 0)
