"""Laws that any correct molecular dynamics obeys, on the path that production takes."""

import numpy as np
import pytest
from ase import units
from ase.build import bulk

from interfaceflow.core.formats.dcd import open_dcd
from interfaceflow.dynamics.data_file import write_data_file
from interfaceflow.dynamics.ensembles import langevin_lines, nose_hoover_line
from interfaceflow.dynamics.frame import ASE_VELOCITY_TO_A_PER_PS, LammpsFrame
from interfaceflow.dynamics.lammps_run import run_lammps, setup_lines, thermo_lines
from interfaceflow.dynamics.pair_style import PairStyle
from interfaceflow.dynamics.snapshots import dump_lines, read_snapshots
from interfaceflow.dynamics.thermo import read_thermo
from interfaceflow.dynamics.velocities import draw_velocities

pytestmark = pytest.mark.physics

# Two masses, one smooth potential: a cut potential would spoil the conservation of energy that is measured here.
PAIR_STYLE = PairStyle(
    ("Ar", "Kr"), ("pair_style lj/smooth/linear 8.0", "pair_coeff * * 0.0104 3.4", "pair_modify shift no")
)


@pytest.fixture
def mixture():
    atoms = bulk("Ar", "fcc", a=5.4, cubic=True) * (3, 3, 3)
    atoms.symbols[::2] = "Kr"
    return draw_velocities(atoms, 60.0, np.random.default_rng(1))


def run(atoms, folder, timestep_fs, *lines):
    frame = LammpsFrame.of(atoms.cell.array)
    write_data_file(atoms, PAIR_STYLE, frame, folder / "start.data")
    script = [*setup_lines(PAIR_STYLE, "read_data start.data", timestep_fs=timestep_fs), *lines]
    return run_lammps(script, folder, "run")


def test_energy_fluctuation_grows_as_the_timestep_squared(mixture, tmp_path):
    """Velocity Verlet conserves a shadow energy that differs from the energy by a term of second order."""
    fluctuations = []
    for timestep_fs in (4.0, 8.0, 16.0):
        n_steps = round(8000 / timestep_fs)
        log = run(mixture, tmp_path, timestep_fs, *thermo_lines(2), "thermo_modify format float %.12g",
                  "fix move all nve", f"run {n_steps}")  # fmt: skip
        energies = read_thermo(log).column("TotEng")
        fluctuations.append(energies[n_steps // 8 :].std())
    orders = np.log2(np.divide(fluctuations[1:], fluctuations[:-1]))
    np.testing.assert_allclose(orders, 2.0, atol=0.25)


@pytest.mark.parametrize("thermostat", ["langevin", "nose_hoover"])
def test_heavy_and_light_atoms_share_the_energy(mixture, tmp_path, thermostat):
    """Equipartition: each species has 3/2 kT per atom, along each axis a third of it."""
    lines = {
        "langevin": langevin_lines(60.0, 60.0, seed=3),
        "nose_hoover": (nose_hoover_line(60.0, 8.0),),
    }[thermostat]
    run(mixture, tmp_path, 8.0, *thermo_lines(1000), *lines, *dump_lines("frames", 50, None), "run 10000")
    frame = LammpsFrame.of(mixture.cell.array)
    velocities = np.array(
        [snapshot.atoms.get_velocities() for snapshot in read_snapshots(tmp_path / "frames.dump", mixture, frame)]
    )[40:]
    temperatures = mixture.get_masses()[:, None] * velocities**2 / units.kB
    light = mixture.symbols == "Ar"
    for group in (light, ~light):
        for axis in range(3):
            mean = temperatures[:, group, axis].mean(axis=1)
            error = mean.std() / np.sqrt(len(mean) / 4)
            assert mean.mean() == pytest.approx(60.0 * 107 / 108, abs=max(4 * error, 1.0))


def test_nose_hoover_gives_the_canonical_fluctuation_of_temperature(mixture, tmp_path):
    """In the canonical ensemble var(T) / T^2 = 2 / (3N - 3)."""
    log = run(mixture, tmp_path, 8.0, *thermo_lines(20), nose_hoover_line(60.0, 8.0), "run 15000")
    temperature = read_thermo(log).column("Temp")[100:]
    assert temperature.mean() == pytest.approx(60.0, abs=1.0)
    assert temperature.var() / 60.0**2 == pytest.approx(2 / (3 * 108 - 3), rel=0.4)


def test_drawn_velocities_have_the_temperature_and_no_drift(mixture):
    momenta = mixture.get_momenta()
    np.testing.assert_allclose(momenta.sum(axis=0), 0, atol=1e-10)
    assert 2 * mixture.get_kinetic_energy() / (units.kB * (3 * 108 - 3)) == pytest.approx(60.0)


def test_positions_of_the_trajectory_move_with_the_velocities(mixture, tmp_path):
    """Two stored frames a step apart: displacement over time is the velocity half-way."""
    lines = ["fix move all nve", "dump trajectory all dcd 1 run.dcd", "dump_modify trajectory unwrap yes"]
    run(mixture, tmp_path, 1.0, *lines, *dump_lines("frames", 1, None), "run 2")
    positions = open_dcd(tmp_path / "run.dcd").read().positions.astype(float)
    frame = LammpsFrame.of(mixture.cell.array)
    middle = list(read_snapshots(tmp_path / "frames.dump", mixture, frame))[1].atoms
    velocities = middle.get_velocities() * ASE_VELOCITY_TO_A_PER_PS
    np.testing.assert_allclose((positions[2] - positions[0]) / 0.002, velocities, atol=2e-3)
