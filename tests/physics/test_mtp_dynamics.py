"""Newton's equations with a moment tensor potential conserve the energy, in double and in mixed precision."""

from pathlib import Path

import numpy as np
import pytest
from ase.spacegroup import crystal

from interfaceflow.dynamics.data_file import write_data_file
from interfaceflow.dynamics.frame import LammpsFrame
from interfaceflow.dynamics.lammps_run import run_lammps, setup_lines, thermo_lines
from interfaceflow.dynamics.pair_style import PairStyle
from interfaceflow.dynamics.thermo import read_thermo
from interfaceflow.dynamics.velocities import draw_velocities

pytestmark = pytest.mark.physics

LEVEL08 = Path(__file__).parent.parent / "data" / "mtp" / "li2s" / "level08.almtp"


@pytest.fixture
def lithium_sulfide():
    atoms = crystal(["Li", "S"], [(0.25, 0.25, 0.25), (0, 0, 0)], spacegroup=225, cellpar=[5.7] * 3 + [90] * 3)
    return draw_velocities(atoms.repeat(3), 600.0, np.random.default_rng(1))


def energies_meV_atom(atoms, folder, *, timestep_fs, length_ps, precision):
    """Return total energies every 20 fs, after 0.5 ps."""
    pair_style = PairStyle(("Li", "S"), (f'pair_style mtp "{LEVEL08}" precision {precision}', "pair_coeff * *"))
    write_data_file(atoms, pair_style, LammpsFrame.of(atoms.cell.array), folder / "start.data")
    script = setup_lines(pair_style, "read_data start.data", timestep_fs=timestep_fs)
    script += [*thermo_lines(round(20 / timestep_fs)), "thermo_modify format float %.15g", "fix move all nve"]
    log = run_lammps([*script, f"run {round(1000 * length_ps / timestep_fs)}"], folder, "run")
    return 1000 * read_thermo(log).column("TotEng")[25:] / len(atoms)


@pytest.mark.parametrize("precision", ["double", "mixed"])
def test_energy_does_not_drift(lithium_sulfide, tmp_path, precision):
    """20 ps at 300 K after equipartition: kT is 26 meV, and the drift is to be below 1e-3 meV an atom and ps."""
    energies = energies_meV_atom(lithium_sulfide, tmp_path, timestep_fs=1.0, length_ps=20.0, precision=precision)
    times_ps = 0.02 * np.arange(len(energies))
    slope, _ = np.polyfit(times_ps, energies, 1)
    assert abs(slope) < 1e-3
    assert np.std(energies) < 0.05


def test_energy_fluctuation_grows_as_the_timestep_squared(lithium_sulfide, tmp_path):
    """Velocity Verlet conserves a shadow energy that differs from the energy by a term of second order."""
    fluctuations = [
        energies_meV_atom(lithium_sulfide, tmp_path, timestep_fs=step, length_ps=4.0, precision="double").std()
        for step in (1.0, 2.0, 4.0)
    ]
    np.testing.assert_allclose(np.log2(np.divide(fluctuations[1:], fluctuations[:-1])), 2.0, atol=0.3)
