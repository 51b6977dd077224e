import sys

import pytest
from ase.build import bulk, surface
from stand_in import vasp_settings

from interfaceflow.core.errors import UserInputError
from interfaceflow.reference.vasp.refusals import check_calculation, check_command, check_site_tags
from interfaceflow.schemas.vasp import DosCalculation, DynamicsCalculation, RelaxCalculation, StaticCalculation

ROCK_SALT = bulk("LiCl", "rocksalt", a=5.14, cubic=True)
RELAX = RelaxCalculation(free_axes="all", force_tolerance_eV_A=0.02)
DYNAMICS = DynamicsCalculation(ensemble="nvt-langevin", timestep_fs=2, n_steps=10, temperature_K=300)
TETRAHEDRON = {"method": "tetrahedron"}


def polar_slab():
    atoms = surface(ROCK_SALT, (1, 1, 1), 4, vacuum=8)
    atoms.pbc = True
    return atoms


@pytest.mark.parametrize("calculation", [RELAX, DYNAMICS])
def test_tetrahedron_smearing_is_refused_where_atoms_of_a_metal_move(calculation):
    settings = vasp_settings(smearing=TETRAHEDRON)
    with pytest.raises(UserInputError, match=r"wrong forces in a metal.*use gaussian"):
        check_calculation(settings, calculation, bulk("Li"), "lithium")
    assert check_calculation(settings, calculation, ROCK_SALT, "salt") == []
    assert check_calculation(settings, StaticCalculation(), bulk("Li"), "lithium") == []


def test_tetrahedron_smearing_needs_k_points():
    gamma = vasp_settings(smearing=TETRAHEDRON, k_points={"scheme": "divisions", "divisions": [1, 1, 1]})
    with pytest.raises(UserInputError, match=r"at least 4 k-points.*has 1"):
        check_calculation(gamma, StaticCalculation(), ROCK_SALT, "salt")
    two = vasp_settings(smearing=TETRAHEDRON, k_points={"scheme": "divisions", "divisions": [2, 1, 1]})
    assert check_calculation(two, DosCalculation(mesh_factor=2), ROCK_SALT, "salt") == []


def test_narrow_smearing_is_refused_for_a_metal_and_wide_one_noted_for_an_insulator():
    narrow = vasp_settings(smearing={"method": "gaussian", "width_eV": 0.01})
    with pytest.raises(UserInputError, match=r"0\.01 eV is too narrow for a metal"):
        check_calculation(narrow, RELAX, bulk("Li"), "lithium")
    assert check_calculation(narrow, RELAX, ROCK_SALT, "salt") == []
    wide = vasp_settings(smearing={"method": "methfessel-paxton", "width_eV": 0.2})
    assert check_calculation(wide, RELAX, bulk("Li"), "lithium") == []
    notes = check_calculation(wide, RELAX, ROCK_SALT, "salt")
    assert len(notes) == 2
    assert "wide for an insulator" in notes[0]
    assert "meant for metals" in notes[1]


def test_a_polar_slab_needs_a_dipole_correction():
    without = vasp_settings(dipole_correction="none")
    with pytest.raises(
        UserInputError, match=r"polar and its two surfaces differ.*-0\.519 e/Å.*dipole_correction: slabs"
    ):
        check_calculation(without, StaticCalculation(), polar_slab(), "LiCl(111)")
    assert check_calculation(vasp_settings(), StaticCalculation(), polar_slab(), "LiCl(111)") == []


def test_a_symmetric_slab_needs_none():
    atoms = surface(ROCK_SALT, (1, 0, 0), 4, vacuum=8)
    atoms.pbc = True
    assert check_calculation(vasp_settings(dipole_correction="none"), RELAX, atoms, "LiCl(100)") == []


def test_a_symmetric_slab_of_polar_planes_needs_none():
    atoms = surface(ROCK_SALT, (1, 1, 1), 4, vacuum=8)
    atoms.pbc = True
    outermost = atoms.positions[:, 2] > atoms.positions[:, 2].max() - 0.1
    symmetric = atoms[~outermost]
    assert len(symmetric) < len(atoms)
    assert check_calculation(vasp_settings(dipole_correction="none"), StaticCalculation(), symmetric, "slab") == []


def test_a_charged_slab_is_refused():
    atoms = polar_slab()
    atoms.info["charge_e"] = 1.0
    with pytest.raises(UserInputError, match="net charge has an energy that grows with its vacuum"):
        check_calculation(vasp_settings(), StaticCalculation(), atoms, "slab")


def test_a_normal_off_z_is_refused():
    turned = ROCK_SALT.copy()
    turned.rotate(20, "x", rotate_cell=True)
    normal = RelaxCalculation(free_axes="normal", force_tolerance_eV_A=0.02)
    with pytest.raises(UserInputError, match="not in the xy plane"):
        check_calculation(vasp_settings(), normal, turned, "a turned cell")
    assert check_calculation(vasp_settings(), normal, ROCK_SALT, "a cell") == []


@pytest.mark.parametrize("command", ["", "no_such_vasp -x", "$NO_SUCH_VARIABLE"])
def test_a_missing_command_is_refused(command):
    with pytest.raises(UserInputError, match=r"there is no VASP to run: vasp_cmd is .*srun vasp_std.*licence"):
        check_command(command, "vasp_cmd")


def test_a_site_s_tags_may_not_change_labels():
    check_site_tags(["NCORE", "KPAR"], "the site")
    with pytest.raises(UserInputError, match="the site has EDIFF, ENCUT, which changes labels"):
        check_site_tags(["NCORE", "ENCUT", "EDIFF"], "the site")


def test_a_command_with_a_launcher_is_taken(monkeypatch):
    monkeypatch.setenv("LAUNCHER", sys.executable)
    check_command("$LAUNCHER -n 4 vasp_std", "vasp_cmd")
