from dataclasses import replace

import numpy as np
import pytest
from ase.build import bulk
from ase.stress import voigt_6_to_full_3x3_stress

from interfaceflow.core.errors import CalculationError, UserInputError
from interfaceflow.reference.levels_of_theory import calculator_of, load_level_of_theory
from interfaceflow.reference.relaxation import (
    STRESS_TOLERANCE_EV_A3,
    RelaxationTask,
    check_relaxation,
    relax_configuration,
)


def task(atoms, level, **changes):
    options = {
        "free_axes": "none",
        "relax_ions": True,
        "force_tolerance_eV_A": 1e-3,
        "max_steps": 200,
        "level": level,
        "source": "argon",
    }
    return RelaxationTask(atoms, **(options | changes))


def test_ions_relax_in_a_fixed_cell(argon, argon_level):
    relaxation = relax_configuration(task(argon, argon_level))
    assert relaxation.converged
    assert np.linalg.norm(relaxation.label.forces_eV_A, axis=1).max() <= 1e-3
    np.testing.assert_array_equal(relaxation.label.atoms.cell, argon.cell)
    argon.calc = calculator_of(argon_level)
    assert relaxation.label.energy_eV < argon.get_potential_energy()


def test_the_whole_cell_relaxes_to_the_minimum_of_the_energy(argon_level):
    relaxation = relax_configuration(task(bulk("Ar", "fcc", a=5.5, cubic=True), argon_level, free_axes="all"))
    assert relaxation.converged
    assert np.abs(relaxation.label.stress_eV_A3).max() <= STRESS_TOLERANCE_EV_A3
    edge = relaxation.label.atoms.cell.lengths()[0]
    energies = []
    for a in (edge - 0.01, edge, edge + 0.01):
        atoms = bulk("Ar", "fcc", a=a, cubic=True)
        atoms.calc = calculator_of(argon_level)
        energies.append(atoms.get_potential_energy())
    assert energies[1] == min(energies)


def test_normal_relaxation_leaves_the_in_plane_vectors_as_they_are(skewed_argon, argon_level):
    relaxation = relax_configuration(task(skewed_argon, argon_level, free_axes="normal"))
    before, after = skewed_argon.cell.array, relaxation.label.atoms.cell.array
    np.testing.assert_array_equal(after[:2], before[:2])
    normal = np.cross(before[0], before[1])
    change = after[2] - before[2]
    assert np.linalg.norm(change) > 0.01
    assert np.linalg.norm(np.cross(change, normal)) < 1e-9 * np.linalg.norm(normal)
    assert relaxation.converged
    unit = normal / np.linalg.norm(normal)
    stress = voigt_6_to_full_3x3_stress(relaxation.label.stress_eV_A3)
    assert abs(unit @ stress @ unit) <= STRESS_TOLERANCE_EV_A3
    assert np.abs(relaxation.label.stress_eV_A3).max() > STRESS_TOLERANCE_EV_A3


def test_the_result_does_not_depend_on_how_the_cell_is_turned(skewed_argon, argon_level):
    turned = skewed_argon.copy()
    turned.rotate(50, (3, 1, -2), rotate_cell=True)
    energies = [
        relax_configuration(task(atoms, argon_level, free_axes="normal", force_tolerance_eV_A=1e-4)).label.energy_eV
        for atoms in (skewed_argon, turned)
    ]
    assert energies[0] == pytest.approx(energies[1], abs=1e-6)


def test_a_single_point_moves_nothing(argon, argon_level):
    relaxation = relax_configuration(task(argon, argon_level, relax_ions=False))
    np.testing.assert_array_equal(relaxation.label.atoms.positions, argon.positions)
    assert (relaxation.n_steps, relaxation.converged) == (0, True)
    assert relaxation.max_force_eV_A > 1e-3


def test_too_few_steps_are_a_result_that_says_so(argon, argon_level):
    relaxation = relax_configuration(task(argon, argon_level, max_steps=1))
    assert not relaxation.converged
    assert relaxation.n_steps == 1


def test_labels_of_atoms_are_kept(argon, argon_level):
    argon.set_array("phase", np.array(["metal", "binary"] * 16))
    relaxation = relax_configuration(task(argon, argon_level, free_axes="normal", max_steps=2))
    assert list(relaxation.label.atoms.arrays["phase"][:2]) == ["metal", "binary"]


def test_atoms_on_top_of_one_another_are_an_error(argon, argon_level):
    argon.positions[1] = argon.positions[0]
    with np.errstate(all="ignore"), pytest.raises(CalculationError, match="not finite"):
        relax_configuration(task(argon, argon_level))


def test_what_cannot_be_relaxed_is_refused(argon, argon_level):
    with pytest.raises(UserInputError, match="cannot relax with the ions fixed"):
        check_relaxation(task(argon, argon_level, relax_ions=False, free_axes="all"))
    argon.info["charge_e"] = 1.0
    with pytest.raises(UserInputError, match="knows only neutral cells"):
        check_relaxation(task(argon, load_level_of_theory("chgnet")))


class Stop(Exception):
    pass


@pytest.mark.parametrize("free_axes", ["none", "normal", "all"])
def test_a_relaxation_that_was_stopped_goes_on_as_if_it_had_not_been(
    skewed_argon, argon_level, tmp_path, monkeypatch, free_axes
):
    from interfaceflow.reference import relaxation

    asked = task(skewed_argon, argon_level, free_axes=free_axes, force_tolerance_eV_A=1e-5)
    whole = relax_configuration(asked)
    resumable = replace(asked, checkpoint=tmp_path / "relaxation.npz")
    save = relaxation._store

    def save_and_stop_at_four(atoms, optimiser, n_steps, path):
        save(atoms, optimiser, n_steps, path)
        if n_steps == 4:
            raise Stop

    monkeypatch.setattr(relaxation, "_store", save_and_stop_at_four)
    with pytest.raises(Stop):
        relax_configuration(resumable)
    monkeypatch.undo()
    resumed = relax_configuration(resumable)
    assert resumed.n_steps == whole.n_steps > 6
    np.testing.assert_allclose(resumed.label.atoms.positions, whole.label.atoms.positions, atol=1e-8)
    np.testing.assert_allclose(resumed.label.atoms.cell.array, whole.label.atoms.cell.array, atol=1e-8)
    assert relax_configuration(resumable).n_steps == whole.n_steps
    assert relax_configuration(replace(resumable, max_steps=2)).n_steps == whole.n_steps - 1


def test_a_damaged_checkpoint_is_no_checkpoint(argon, argon_level, tmp_path):
    (tmp_path / "relaxation.npz").write_bytes(b"PK half of it")
    resumed = relax_configuration(task(argon, argon_level, checkpoint=tmp_path / "relaxation.npz"))
    assert resumed.n_steps == relax_configuration(task(argon, argon_level)).n_steps


def test_a_last_label_that_did_not_converge_leaves_the_relaxation_unconverged(argon, argon_level):
    calculator = calculator_of(argon_level)
    argon.calc = calculator
    argon.get_potential_energy()
    calculator.results["converged"] = False
    relaxation = relax_configuration(task(argon, argon_level, relax_ions=False))
    assert not relaxation.converged
