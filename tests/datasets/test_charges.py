from dataclasses import replace

import pytest
from frames import configuration

from interfaceflow.core.errors import UserInputError
from interfaceflow.core.labelled import LabelledConfiguration
from interfaceflow.datasets.charges import align_charged
from interfaceflow.datasets.dataset import extend_training, make_dataset


def test_charged_and_neutral_cells_are_never_mixed_without_an_alignment():
    charged = replace(configuration(2), charge_e=-1.0)
    with pytest.raises(UserInputError, match=r"run, step 2: a cell with a charge of -1 e .*electron_energy_eV"):
        make_dataset([configuration(1), charged], frozenset())
    with pytest.raises(UserInputError, match="charge of -1 e"):
        extend_training(make_dataset([configuration(1)], frozenset()), [charged])


def test_cells_of_one_charge_need_none():
    charged = [replace(configuration(seed), charge_e=-1.0) for seed in (1, 2)]
    assert len(make_dataset(charged, frozenset()).training) == 2


def test_an_alignment_lets_them_share_a_dataset():
    charged = replace(configuration(2), charge_e=-1.0)
    dataset = make_dataset([configuration(1), charged], frozenset(), electron_energy_eV=2.5)
    neutral, aligned = dataset.training
    assert neutral.free_energy_eV == configuration(1).free_energy_eV
    # A charge of -1 e holds one electron more: what it costs in the reservoir is taken away.
    assert aligned.free_energy_eV == charged.free_energy_eV - 2.5
    assert aligned.energy_eV == charged.energy_eV - 2.5
    assert aligned.energy_alignment_eV == -2.5
    assert align_charged(aligned, 2.5) is aligned
    assert LabelledConfiguration.from_atoms(aligned.to_atoms(), "here").energy_alignment_eV == -2.5


def test_two_alignments_are_refused():
    first = align_charged(replace(configuration(1), charge_e=1.0), 2.5)
    second = align_charged(replace(configuration(2), charge_e=2.0), 2.6)
    with pytest.raises(UserInputError, match=r"2\.5 eV per electron .*2\.6 eV per electron"):
        make_dataset([first, second], frozenset())
