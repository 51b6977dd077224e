from dataclasses import replace

import numpy as np
from frames import configuration
from hypothesis import given
from hypothesis import strategies as st

from interfaceflow.datasets.duplicates import KnownConfigurations, deduplicate


def changed(label, change):
    atoms = label.atoms.copy()
    change(atoms)
    return replace(label, atoms=atoms)


@given(st.integers(0, 3), st.permutations(range(8)), st.integers(0, 2**31 - 1))
def test_a_configuration_is_the_same_however_it_is_written(seed, order, other_seed):
    """Atoms in another order, other images, another origin, turned and mirrored."""
    label, generator = configuration(seed), np.random.default_rng(other_seed)
    rotation = np.linalg.qr(generator.normal(size=(3, 3)))[0]
    again = replace(label, atoms=label.atoms[order], forces_eV_A=label.forces_eV_A[order] @ rotation)
    again.atoms.positions += generator.integers(-2, 3, (8, 3)) @ again.atoms.cell.array + generator.normal(size=3)
    again.atoms.set_cell(again.atoms.cell.array @ rotation, scale_atoms=True)
    assert deduplicate([label, again]) == [label]


@given(st.integers(0, 7), st.integers(0, 2), st.sampled_from([-0.02, 0.02]))
def test_a_moved_atom_makes_another_configuration_even_at_the_same_energy(atom, axis, distance):
    label = configuration(1)
    moved = changed(
        label, lambda atoms: atoms.positions.__setitem__((atom, axis), atoms.positions[atom, axis] + distance)
    )
    assert deduplicate([label, moved]) == [label, moved]


def test_other_species_charges_volumes_and_energies_are_other_configurations():
    label = configuration(1)
    others = [
        changed(label, lambda atoms: atoms.symbols.__setitem__(slice(None), list(atoms.symbols[::-1]))),
        changed(label, lambda atoms: atoms.set_cell(1.001 * atoms.cell.array, scale_atoms=True)),
        replace(label, charge_e=1.0),
        replace(label, free_energy_eV=label.free_energy_eV + 0.01),
    ]
    swapped, *rest = others
    assert swapped.atoms.get_chemical_formula() == label.atoms.get_chemical_formula()
    assert deduplicate([label, *rest]) == [label, *rest]


def test_what_is_known_from_the_start_is_not_new():
    known = KnownConfigurations([configuration(1)])
    assert known.contains(configuration(1, "another run"))
    assert not known.contains(configuration(2))
    assert not known.add(configuration(1, "another run"))
    assert known.add(configuration(2))
    assert not known.add(configuration(2))
