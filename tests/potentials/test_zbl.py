"""The ZBL repulsion: LAMMPS' numbers, and what every energy function owes its forces and its stress."""

from itertools import combinations_with_replacement

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.stress import voigt_6_to_full_3x3_stress

from interfaceflow.core.formats.configuration import Configuration
from interfaceflow.dynamics.data_file import write_data_file
from interfaceflow.dynamics.frame import LammpsFrame
from interfaceflow.dynamics.lammps_run import run_lammps
from interfaceflow.dynamics.pair_style import PairStyle
from interfaceflow.potentials.zbl import compute_zbl
from interfaceflow.schemas.settings import ZBLSettings

NUMBERS = {"Li": 3, "S": 16, "Au": 79}
SETTINGS = ZBLSettings(inner_cutoff_A=1.1, outer_cutoff_A=2.7)
SKEW = np.array([[1.0, 0.1, -0.2], [0.3, 0.9, 0.1], [0.0, -0.25, 1.1]])


def crowded(n_atoms: int, length_A: float, seed: int) -> Atoms:
    """Return atoms thrown into a skewed cell, some outside it, none closer than 0.4 Å to another or an image."""
    random = np.random.default_rng(seed)
    atoms = Atoms(cell=length_A * SKEW, pbc=True)
    while len(atoms) < n_atoms:
        tried = atoms + Atoms([list(NUMBERS)[len(atoms) % 3]], [random.uniform(-1, 2, 3) @ atoms.cell.array])
        if len(tried) == 1 or tried.get_distances(-1, range(len(atoms)), mic=True).min() > 0.4:
            atoms = tried
    return atoms


CASES = {
    "a large cell": crowded(40, 7.0, 1),
    "atoms that see their own images": crowded(3, 2.2, 2),
    "one atom and its images": Atoms("Au", [[9.0, -3.0, 0.2]], cell=1.3 * SKEW, pbc=True),
    "nobody in reach": bulk("Li", "bcc", a=3.5),
}


def lammps_zbl(atoms, settings, folder):
    """Return energy [eV], forces [eV/Å] and minus stress times volume [eV] of LAMMPS' own pair style."""
    coefficients = (
        f"pair_coeff {i} {j} {first} {second}"
        for (i, first), (j, second) in combinations_with_replacement(enumerate(NUMBERS.values(), 1), 2)
    )
    style = f"pair_style zbl {settings.inner_cutoff_A} {settings.outer_cutoff_A}"
    pair_style = PairStyle(tuple(NUMBERS), (style, *coefficients))
    frame = LammpsFrame.of(atoms.cell.array)
    write_data_file(atoms, pair_style, frame, folder / "start.data")
    script = [
        "units metal", "atom_style atomic", "box tilt large", "read_data start.data", *pair_style.commands,
        "compute virial all stress/atom NULL virial", "compute total all reduce sum c_virial[*]",
        "dump now all custom 1 now.dump id fx fy fz", "dump_modify now sort id format float %.17g",
        "thermo_style custom step pe c_total[*]", "thermo_modify norm no", "run 0",
        'print "FOUND $(pe:%.17g) $(c_total[1]:%.17g) $(c_total[2]:%.17g) $(c_total[3]:%.17g) $(c_total[4]:%.17g) '
        '$(c_total[5]:%.17g) $(c_total[6]:%.17g)"',
    ]  # fmt: skip
    log = run_lammps(script, folder, "zero")
    line = next(line for line in log.read_text().splitlines() if line.startswith("FOUND"))
    energy, *virial = map(float, line.split()[1:])
    xx, yy, zz, xy, xz, yz = -np.array(virial) / 1.6021765e6  # LAMMPS' constant: bar in eV/Å^3
    turned = frame.rotation.T @ np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]]) @ frame.rotation
    forces = frame.from_lammps(np.loadtxt(folder / "now.dump", skiprows=9, ndmin=2)[:, 1:])
    return energy, forces, turned[(0, 1, 2, 1, 0, 0), (0, 1, 2, 2, 2, 1)]


@pytest.mark.parametrize("name", CASES)
def test_it_is_that_of_lammps(name, tmp_path):
    atoms = CASES[name]
    found = compute_zbl(atoms, SETTINGS)
    energy, forces, plus_stress = lammps_zbl(atoms, SETTINGS, tmp_path)
    assert found.energy_eV == pytest.approx(energy, rel=1e-12, abs=1e-12)
    assert found.forces_eV_A == pytest.approx(forces, abs=1e-10 + 1e-14 * np.abs(forces).max())
    assert found.plus_stress_eV == pytest.approx(plus_stress, abs=1e-9 + 1e-9 * np.abs(plus_stress).max())


def test_below_the_inner_cutoff_the_force_is_the_published_one():
    """For S and Li at 0.6 Å, with e^2 / (4 pi epsilon_0) of CODATA 2018 and a difference quotient."""

    def energy(distance):
        x = distance * (16**0.23 + 3**0.23) / 0.46850
        screening = 0.18175 * np.exp(-3.19980 * x) + 0.50986 * np.exp(-0.94229 * x)
        screening += 0.28022 * np.exp(-0.40290 * x) + 0.02817 * np.exp(-0.20162 * x)
        return 14.3996454785 * 16 * 3 / distance * screening

    pair = Atoms("SLi", [[0, 0, 0], [0, 0.6, 0]])
    expected = (energy(0.6 - 1e-5) - energy(0.6 + 1e-5)) / 2e-5
    forces = compute_zbl(pair, SETTINGS).forces_eV_A
    assert forces[1] == pytest.approx([0, expected, 0], rel=1e-7)
    assert forces[0] == pytest.approx(-forces[1])


@pytest.mark.parametrize("name", ["a large cell", "atoms that see their own images"])
def test_forces_are_minus_the_gradient(name):
    atoms = CASES[name]
    forces = compute_zbl(atoms, SETTINGS).forces_eV_A
    step = 1e-5
    for atom, axis in ((0, 0), (1, 1), (2, 2)):
        energies = []
        for sign in (1, -1):
            moved = atoms.copy()
            moved.positions[atom, axis] += sign * step
            energies.append(compute_zbl(moved, SETTINGS).energy_eV)
        assert forces[atom, axis] == pytest.approx((energies[1] - energies[0]) / (2 * step), rel=1e-6, abs=1e-5)
    assert forces.sum(axis=0) == pytest.approx(np.zeros(3), abs=1e-9)


@pytest.mark.parametrize("name", ["a large cell", "atoms that see their own images", "one atom and its images"])
def test_stress_is_the_derivative_by_strain_in_ase_s_sign(name):
    atoms = CASES[name]
    stress = voigt_6_to_full_3x3_stress(-compute_zbl(atoms, SETTINGS).plus_stress_eV / atoms.get_volume())
    step = 1e-6
    for a, b in ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1)):
        energies = []
        for sign in (1, -1):
            strain = np.eye(3)
            strain[a, b] += sign * step / 2
            strain[b, a] += sign * step / 2
            strained = atoms.copy()
            strained.set_cell(atoms.cell.array @ strain, scale_atoms=True)
            energies.append(compute_zbl(strained, SETTINGS).energy_eV)
        numerical = (energies[0] - energies[1]) / (2 * step) / atoms.get_volume()
        assert stress[a, b] == pytest.approx(numerical, rel=1e-5, abs=1e-5 * np.abs(stress).max())


def test_atoms_that_repel_each_other_press_outwards():
    """PlusStress of a ``.cfg`` file is minus stress times volume, and stress is negative under pressure in ASE."""
    assert (compute_zbl(CASES["one atom and its images"], SETTINGS).plus_stress_eV[:3] > 0).all()


def pair_energy_and_force(distance):
    found = compute_zbl(Atoms("LiS", [[0, 0, 0], [distance, 0, 0]]), SETTINGS)
    return found.energy_eV, found.forces_eV_A[1, 0]


def test_it_ends_smoothly_at_the_outer_cutoff_and_there_is_nothing_beyond():
    outer = SETTINGS.outer_cutoff_A
    assert pair_energy_and_force(outer) == pair_energy_and_force(outer + 0.5) == (0.0, 0.0)
    # Energy, slope and curvature are zero there: what is left grows with the third power of the distance from it.
    near, far = (pair_energy_and_force(outer - gap)[0] for gap in (1e-3, 1e-2))
    assert 0 < near < 1e-6
    assert far / near == pytest.approx(1000, rel=0.02)


@pytest.mark.parametrize("cutoff", [SETTINGS.inner_cutoff_A, SETTINGS.outer_cutoff_A])
def test_energy_force_and_its_slope_are_continuous_at_the_switching_points(cutoff):
    step = 1e-4
    before, at, after = (pair_energy_and_force(cutoff + shift) for shift in (-step, 0.0, step))
    assert at[0] - before[0] == pytest.approx(after[0] - at[0], abs=1e-5)
    assert (at[1] - before[1]) / step == pytest.approx((after[1] - at[1]) / step, abs=0.2)


def test_it_repels_at_every_distance_below_the_outer_cutoff():
    assert all(pair_energy_and_force(d)[1] > 0 for d in np.linspace(0.05, SETTINGS.outer_cutoff_A - 1e-3, 60))


def test_site_energies_are_half_of_each_pair():
    found = compute_zbl(Atoms("LiSAu", [[0, 0, 0], [1, 0, 0], [50, 0, 0]]), SETTINGS)
    assert found.site_energies_eV[0] == found.site_energies_eV[1] > 0
    assert found.site_energies_eV[2] == 0


def test_labels_lose_the_repulsion_and_get_it_back():
    atoms = CASES["a large cell"]
    random = np.random.default_rng(0)
    forces = random.normal(size=(len(atoms), 3))
    label = Configuration.from_atoms(atoms, list(NUMBERS), energy=-3.0, forces=forces, stress=random.normal(size=6))
    repulsion = compute_zbl(atoms, SETTINGS)
    reduced = repulsion.subtracted_from(label)
    assert reduced.energy == -3.0 - repulsion.energy_eV
    assert reduced.forces == pytest.approx(forces - repulsion.forces_eV_A)
    again = repulsion.added_to(reduced)
    assert again.energy == pytest.approx(label.energy)
    assert again.forces == pytest.approx(label.forces)
    assert again.plus_stress == pytest.approx(label.plus_stress)
    assert (again.positions == atoms.positions).all()
    bare = repulsion.subtracted_from(Configuration.from_atoms(atoms, list(NUMBERS)))
    assert (bare.energy, bare.forces, bare.plus_stress) == (None, None, None)
