import numpy as np
import pytest
from ase import Atoms
from ase.io import read

from interfaceflow.core.errors import DataFileError
from interfaceflow.core.formats.labelled_file import read_labelled, write_labelled
from interfaceflow.core.labelled import LabelledConfiguration


@pytest.fixture
def configuration():
    atoms = Atoms("LiCl", positions=[(0, 0, 0), (1.1, 2.2, 3.3)], cell=[[5, 0, 0], [1, 5, 0], [0, 2, 6]], pbc=True)
    atoms.set_array("phase", np.array(["metal", "binary"]))
    atoms.set_array("origin_index", np.array([4, 2]))
    return LabelledConfiguration(
        atoms=atoms,
        free_energy_eV=-7.123456789012,
        energy_eV=-7.1,
        forces_eV_A=np.array([[0.1, -0.2, 0.3], [1e-5, 0, -1.25]]),
        stress_eV_A3=np.array([1, 2, 3, 4, 5, 6]) * 1e-3,
        atomic_charges_e=np.array([0.8, -1.8]),
        physics_hash="123456789012",
        source="metal at 300 K, step 6",
        trajectory="300",
        temperature_K=None,
        charge_e=-1.0,
        converged=False,
        magnetic_moments=np.array([0.5, 0.0]),
        system="glass",
        energy_alignment_eV=-2.5,
    )


def test_everything_survives_a_round_trip(configuration, tmp_path):
    path = tmp_path / "set.xyz"
    write_labelled([configuration, configuration], path)
    after = read_labelled(path)[1]
    for name in ("free_energy_eV", "energy_eV", "physics_hash", "source", "trajectory", "temperature_K"):
        assert getattr(after, name) == getattr(configuration, name), name
    assert (after.charge_e, after.converged) == (-1.0, False)
    assert (after.system, after.energy_alignment_eV) == ("glass", -2.5)
    for name in ("forces_eV_A", "stress_eV_A3", "magnetic_moments"):
        np.testing.assert_allclose(getattr(after, name), getattr(configuration, name), atol=1e-8)
    np.testing.assert_allclose(after.atoms.cell, configuration.atoms.cell)
    assert list(after.atoms.arrays["phase"]) == ["metal", "binary"]
    assert list(after.atoms.arrays["origin_index"]) == [4, 2]
    np.testing.assert_allclose(after.atomic_charges_e, [0.8, -1.8])


def test_ase_finds_the_label_on_the_calculator(configuration, tmp_path):
    path = tmp_path / "set.xyz"
    write_labelled([configuration], path)
    atoms = read(path)
    assert atoms.get_potential_energy() == pytest.approx(-7.1)
    assert atoms.get_potential_energy(force_consistent=True) == pytest.approx(-7.123456789012)
    np.testing.assert_allclose(atoms.get_forces(), configuration.forces_eV_A)
    np.testing.assert_allclose(atoms.get_stress(), configuration.stress_eV_A3)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataFileError, match=r"absent\.xyz: no such file"):
        read_labelled(tmp_path / "absent.xyz")


def test_an_empty_file_is_refused(tmp_path):
    (tmp_path / "empty.xyz").write_text("")
    with pytest.raises(DataFileError, match=r"empty\.xyz"):
        read_labelled(tmp_path / "empty.xyz")


def test_a_structure_without_label_is_refused(tmp_path):
    path = tmp_path / "bare.xyz"
    Atoms("Li", cell=[3, 3, 3], pbc=True).write(path)
    with pytest.raises(DataFileError, match=r"bare\.xyz, frame 0: the label has no energy, free_energy, forces"):
        read_labelled(path)


def test_what_was_there_stays_when_writing_fails(configuration, tmp_path):
    path = tmp_path / "set.xyz"
    write_labelled([configuration], path)

    def broken():
        yield configuration
        raise RuntimeError("the disk is full")

    with pytest.raises(RuntimeError, match="full"):
        write_labelled(broken(), path)
    assert len(read_labelled(path)) == 1
    assert list(tmp_path.iterdir()) == [path]
