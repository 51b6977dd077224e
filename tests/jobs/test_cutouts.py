"""What the jobs of cut-outs do besides wiring; whole passes are in tests/physics/test_learning_from_cutouts.py."""

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.lj import LennardJones

from interfaceflow.active_learning.cutouts.neighbourhoods import PotentialOnTrial
from interfaceflow.core.errors import DataFileError, UserInputError
from interfaceflow.core.formats.structure_file import read_structures, write_structure
from interfaceflow.core.progress import SilentProgress
from interfaceflow.jobs.cutouts import charges_by_phase, cut_out_of_file
from interfaceflow.schemas.cutouts import CutoutSettings, FormalCharge

SALT = {("binary", "Li"): 1.0, ("binary", "Cl"): -1.0}


def pair(crystal):
    metal = bulk("Li", "bcc", a=3.5, cubic=True)
    atoms = metal + crystal
    atoms.set_array("phase", np.array(["metal"] * len(metal) + ["binary"] * len(crystal)))
    return atoms


def potential(grade_of_first):
    return PotentialOnTrial(
        cutoff_radius_A=4.0,
        min_distances_A={"Cl-Li": 2.0, "Cl-Cl": 2.9, "Li-Li": 2.7},
        grades=lambda atoms: np.where(np.arange(len(atoms)) == 0, grade_of_first, 0.0),
        calculator=LennardJones(sigma=2.3, epsilon=0.1, rc=4.0, ro=3.0, smooth=True),
    )


def salt_file(path):
    atoms = bulk("LiCl", "rocksalt", a=5.13, cubic=True).repeat(4)
    atoms.set_array("phase", np.array(["binary"] * len(atoms)))
    atoms.set_array("momenta", np.ones((len(atoms), 3)))
    write_structure(atoms, path)
    return path


def test_charges_come_from_the_compositions_of_the_phases():
    salt = bulk("LiCl", "rocksalt", a=5.13, cubic=True)
    assert charges_by_phase(pair(salt), ()) == {("metal", "Li"): 0.0, **SALT}
    sulfide = bulk("SLi2", "fluorite", a=5.7, cubic=True)
    charges = charges_by_phase(pair(sulfide), ())
    assert charges[("binary", "S")] == -2.0 and charges[("binary", "Li")] == 1.0


def test_given_charges_take_precedence():
    salt = bulk("LiCl", "rocksalt", a=5.13, cubic=True)
    given = (FormalCharge(phase="binary", element="Cl", charge_e=-0.9),)
    charges = charges_by_phase(pair(salt), given)
    assert charges[("binary", "Cl")] == -0.9 and charges[("binary", "Li")] == 1.0


def test_a_phase_without_common_oxidation_states_needs_its_charges_given():
    odd = bulk("LiHe", "rocksalt", a=5.13, cubic=True)
    with pytest.raises(UserInputError, match="no common oxidation states"):
        charges_by_phase(pair(odd), ())
    given = tuple(FormalCharge(phase="binary", element=symbol, charge_e=0.0) for symbol in ("Li", "He"))
    assert charges_by_phase(pair(odd), given)[("binary", "He")] == 0.0


def test_cut_outs_of_a_file_are_written_with_their_labels(tmp_path):
    frame, output = salt_file(tmp_path / "frame.xyz"), tmp_path / "cutouts.xyz"
    cutouts = cut_out_of_file(frame, potential(3.0), SALT, 1.5, CutoutSettings(max_atoms=100), output, SilentProgress())
    (written,) = read_structures(output)
    np.testing.assert_allclose(written.positions, cutouts.accepted[0].atoms.positions, atol=1e-6)
    assert {"phase", "core", "frame_index"} <= set(written.arrays)
    assert "momenta" not in written.arrays
    assert (written.numbers == 3).sum() == (written.numbers == 17).sum() > 0


def test_no_cut_out_no_file(tmp_path):
    output = tmp_path / "cutouts.xyz"
    cut_out_of_file(
        salt_file(tmp_path / "frame.xyz"), potential(1.0), SALT, 1.5, CutoutSettings(), output, SilentProgress()
    )
    assert not output.exists()


def test_a_missing_file(tmp_path):
    with pytest.raises(DataFileError, match="no such file"):
        cut_out_of_file(
            tmp_path / "no.xyz", potential(3.0), SALT, 1.5, CutoutSettings(), tmp_path / "o.xyz", SilentProgress()
        )
