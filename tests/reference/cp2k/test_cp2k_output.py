from pathlib import Path

import numpy as np
import pytest

from interfaceflow.core.errors import CalculationError
from interfaceflow.reference.cp2k.output import (
    count_evaluations,
    read_evaluations,
    read_last_cell,
    read_path,
    read_velocities,
)

DATA = Path(__file__).parents[2] / "data" / "cp2k"


def test_an_evaluation_is_read_in_our_units_and_signs():
    (evaluation,) = read_evaluations(DATA / "silicon.out")
    assert evaluation.converged
    assert evaluation.free_energy_eV == pytest.approx(-7.814532038682279 * 27.211386246, abs=1e-6)
    # Half of the entropy term is taken off, and that term is never positive.
    assert 0 <= evaluation.energy_eV - evaluation.free_energy_eV < 1e-8
    np.testing.assert_allclose(evaluation.forces_eV_A[0], [0.63063, 1.18558, 1.46546], atol=1e-4)
    np.testing.assert_allclose(evaluation.forces_eV_A.sum(axis=0), 0.0, atol=1e-3)
    # CP2K prints the pressure's sign: 15.44 GPa along z is -0.0964 eV/Å3 of tension.
    assert evaluation.stress_eV_A3[2] == pytest.approx(-0.09638, abs=1e-4)
    assert evaluation.magnetic_moments is None
    np.testing.assert_allclose(evaluation.atomic_charges_e, [4.6e-5, -4.6e-5], atol=1e-9)


def test_two_spins_give_moments():
    (evaluation,) = read_evaluations(DATA / "silicon-two-spins.out")
    np.testing.assert_allclose(evaluation.magnetic_moments, [0.0, 0.0], atol=1e-5)
    np.testing.assert_allclose(evaluation.atomic_charges_e, [4.6e-5, -4.6e-5], atol=1e-9)


def test_the_forces_of_later_releases_are_read_as_well(tmp_path):
    lines = (DATA / "silicon.out").read_text().splitlines()
    first = next(number for number, line in enumerate(lines) if "ATOMIC FORCES" in line)
    later = [
        " FORCES| Atomic forces [hartree/bohr]",
        " FORCES| Atom x y z |f|",
        " FORCES|      1  1.22E-02  2.30000000E-02  2.85000000E-02  3.8645E-02",
        " FORCES|      2 -1.22E-02 -2.30000000E-02 -2.85000000E-02  3.8645E-02",
        " FORCES| Sum    0.00000000E+00  0.00000000E+00  0.00000000E+00  0.00000000E+00",
    ]
    end = next(number for number, line in enumerate(lines) if "SUM OF ATOMIC" in line)
    (tmp_path / "cp2k.out").write_text("\n".join([*lines[:first], *later, *lines[end + 1 :]]))
    (evaluation,) = read_evaluations(tmp_path / "cp2k.out")
    np.testing.assert_allclose(evaluation.forces_eV_A[0], np.array([0.0122, 0.023, 0.0285]) * 51.42206747, rtol=1e-6)
    assert len(evaluation.forces_eV_A) == 2


def test_a_loop_that_did_not_converge_is_marked(tmp_path):
    text = (DATA / "silicon.out").read_text()
    assert "SCF run converged" in text
    (tmp_path / "cp2k.out").write_text(text.replace("SCF run converged", "SCF run NOT converged"))
    (evaluation,) = read_evaluations(tmp_path / "cp2k.out")
    assert not evaluation.converged


def test_what_is_cut_off_is_refused(tmp_path):
    text = (DATA / "silicon.out").read_text()
    (tmp_path / "cp2k.out").write_text(text[: len(text) // 2])
    with pytest.raises(CalculationError, match="CP2K did not come to its end"):
        read_evaluations(tmp_path / "cp2k.out")
    assert count_evaluations(DATA / "silicon.out") == 1
    (tmp_path / "no-stress.out").write_text(text.replace("STRESS| Analytical", "STRESS| Numerical"))
    with pytest.raises(CalculationError, match="evaluation 1: CP2K printed no energy, no forces or no stress"):
        read_evaluations(tmp_path / "no-stress.out")
    lines = (DATA / "silicon-pos-1.xyz").read_text().splitlines()
    (tmp_path / "pos.xyz").write_text("\n".join(lines[:-1]))
    with pytest.raises(CalculationError, match=r"pos.xyz: not a whole trajectory"):
        read_path(tmp_path / "pos.xyz")
    with pytest.raises(CalculationError, match=r"nowhere: cannot be read"):
        read_last_cell(tmp_path / "nowhere")


def test_a_path_is_read_step_by_step():
    positions, velocities = read_path(DATA / "silicon-pos-1.xyz"), read_velocities(DATA / "silicon-vel-1.xyz")
    assert list(positions.steps) == [0, 1, 2, 3, 4]
    np.testing.assert_allclose(velocities.vectors[0], [[0.001, 0.002, 0.003], [-0.001, -0.002, -0.003]], atol=1e-8)
    # Positions in Å and velocities in Å/fs belong together: two steps of 1 fs, up to the thermostat.
    moved = positions.vectors[2] - positions.vectors[0]
    np.testing.assert_allclose(moved, velocities.vectors[1] * 2, atol=5e-4)
    assert np.linalg.det(read_last_cell(DATA / "silicon-1.cell")) == pytest.approx(40.0257517500, abs=1e-6)
