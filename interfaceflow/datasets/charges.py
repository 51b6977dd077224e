"""Charged cells among neutral ones: only with their energies aligned.

The energy of a cell with net charge q misses the q electrons that went elsewhere, so it cannot be compared with that
of a neutral cell before somebody says what those electrons' energy is: E_aligned = E + q mu, with mu the energy of one
electron in its reservoir on the scale of the calculation (the valence band edge plus the shift of the cell's average
potential, say; Freysoldt et al. 2014, doi:10.1103/RevModPhys.86.253). Forces do not change.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from interfaceflow.core.errors import UserInputError
from interfaceflow.core.labelled import LabelledConfiguration


def align_charged(configuration: LabelledConfiguration, electron_energy_eV: float | None) -> LabelledConfiguration:
    """Add the energy of a charged cell's missing electrons to its energies.

    Parameters
    ----------
    configuration
        Neutral ones, and those that are aligned already, come back as they are.
    electron_energy_eV
        Energy of one electron in its reservoir, eV; None where none was stated: nothing is aligned.
    """
    if electron_energy_eV is None or configuration.charge_e == 0 or configuration.energy_alignment_eV is not None:
        return configuration
    alignment = configuration.charge_e * electron_energy_eV
    return replace(
        configuration,
        free_energy_eV=configuration.free_energy_eV + alignment,
        energy_eV=configuration.energy_eV + alignment,
        energy_alignment_eV=alignment,
    )


def check_charges(configurations: Sequence[LabelledConfiguration]) -> None:
    """Refuse cells of several charges whose energies are not on one scale.

    Raises
    ------
    UserInputError
        If charges differ and a charged cell has no alignment, or two have different ones.
    """
    charged = [c for c in configurations if c.charge_e != 0]
    if len({c.charge_e for c in configurations}) > 1:
        for configuration in charged:
            if configuration.energy_alignment_eV is None:
                raise UserInputError(
                    f"{configuration.source}: a cell with a charge of {configuration.charge_e:+g} e cannot share a "
                    "dataset with cells of another charge without an alignment of their energies; set "
                    "training_set.electron_energy_eV (the energy of one electron in its reservoir), or leave the "
                    "charged cells out"
                )
    stated = {_electron_energy(c): c.source for c in charged if c.energy_alignment_eV is not None}
    if len(stated) > 1 and not np.allclose(list(stated), next(iter(stated)), rtol=0, atol=1e-6):
        examples = "; ".join(f"{energy:g} eV per electron ({source})" for energy, source in stated.items())
        raise UserInputError(
            f"charged cells were aligned in different ways: {examples}; align all with one electron_energy_eV"
        )


def _electron_energy(configuration: LabelledConfiguration) -> float:
    return (configuration.energy_alignment_eV or 0.0) / configuration.charge_e
