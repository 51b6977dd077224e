"""Electronic results of the stand-in: its bands have a gap of 3 eV and a mass of one half, its ions are neutral."""

import numpy as np
import pytest
from ase.build import bulk
from fake_vasp import BAND_GAP_EV, CONDUCTION_MASS
from stand_in import run_stand_in

from interfaceflow.core.errors import CalculationError
from interfaceflow.reference.electronic.density_of_states import band_edges, gap_from_density
from interfaceflow.reference.electronic.effective_mass import effective_masses
from interfaceflow.reference.vasp.electronic import (
    read_bader_charges,
    read_density_of_states,
    read_eigenvalues,
    read_inverse_mass_tensor,
)
from interfaceflow.schemas.vasp import BaderCalculation, BandCurvatureCalculation, DosCalculation

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::pymatgen.io.vasp.inputs.UnknownPotcarWarning"),
]
SALT = bulk("LiCl", "rocksalt", a=5.1)


@pytest.fixture(scope="module")
def dos_run(tmp_path_factory):
    return run_stand_in(tmp_path_factory.mktemp("dos") / "run", SALT, DosCalculation())


def test_density_of_states_by_species(dos_run):
    dos = read_density_of_states(dos_run)
    assert dos.total.shape == (2, 3001)
    assert list(dos.by_species) == ["Cl", "Li"]
    np.testing.assert_allclose(dos.by_species["Li"] + dos.by_species["Cl"], dos.total, atol=2e-5)
    below = dos.energies_eV <= dos.fermi_energy_eV
    assert np.trapezoid(dos.total.sum(axis=0)[below], dos.energies_eV[below]) == pytest.approx(8, abs=0.02)
    # The density is small at the edges: 0.01 states per eV are reached 0.03 eV into each band.
    assert gap_from_density(dos, threshold=1e-4).gap_eV == pytest.approx(BAND_GAP_EV, abs=0.02)


def test_gap_from_eigenvalues(dos_run):
    eigenvalues = read_eigenvalues(dos_run)
    assert eigenvalues.weights.sum() == pytest.approx(1)
    assert band_edges(eigenvalues.energies_eV, eigenvalues.n_electrons).gap_eV == pytest.approx(BAND_GAP_EV)


def test_effective_mass(tmp_path, dos_run):
    calculation = BandCurvatureCalculation(step_per_A=0.05)
    folder = run_stand_in(tmp_path / "run", SALT, calculation)
    tensor = read_inverse_mass_tensor(folder, calculation.step_per_A, "conduction")
    # Eigenvalues have six digits: 1e-6 eV over a square step of 0.0025 is 5e-5 of the inverse mass, times four.
    np.testing.assert_allclose(effective_masses(tensor)[0], CONDUCTION_MASS, rtol=1e-3)
    with pytest.raises(CalculationError, match="no stencil of k-points"):
        read_inverse_mass_tensor(dos_run, 0.05, "conduction")


def test_bader_charges_of_like_ions(tmp_path):
    folder = run_stand_in(tmp_path / "run", bulk("Li", "fcc", a=3.6, cubic=True), BaderCalculation())
    np.testing.assert_allclose(read_bader_charges(folder), 0, atol=0.02)


def test_bader_charges_add_up_to_the_charge_of_the_cell(tmp_path, dos_run):
    charges = read_bader_charges(run_stand_in(tmp_path / "run", SALT, BaderCalculation()))
    assert charges.shape == (2,)
    assert charges.sum() == pytest.approx(0, abs=1e-4)
    with pytest.raises(CalculationError, match="there is no CHGCAR"):
        read_bader_charges(dos_run)


def test_a_damaged_density_is_no_result(tmp_path):
    folder = run_stand_in(tmp_path / "run", SALT, BaderCalculation())
    whole = (folder / "CHGCAR").read_text()
    (folder / "CHGCAR").write_text(whole[: len(whole) // 2])
    with pytest.raises(CalculationError, match=r"CHGCAR: cut short"):
        read_bader_charges(folder)
    first_values = whole.splitlines()[12]
    (folder / "CHGCAR").write_text(whole.replace(first_values, " NaN" * 5))
    with pytest.raises(CalculationError, match=r"CHGCAR: holds densities that are not numbers"):
        read_bader_charges(folder)
