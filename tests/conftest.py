"""Fixtures that several folders of tests share."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from interfaceflow.core.formats.cfg import read_configurations
from interfaceflow.core.labelled import LabelledConfiguration
from interfaceflow.potentials.nequip.compilation import compile_nequip
from interfaceflow.potentials.nequip.training import NequIPRun, train_nequip
from interfaceflow.schemas.nequip import NequIPSettings

LI2S = Path(__file__).parent / "data" / "mtp" / "li2s"
SPECIES = ("Li", "S")


def read_li2s(name, n_trajectories=4):
    """Return labelled configurations of a .cfg file, dealt out to trajectories in turn."""
    labels = []
    for index, configuration in enumerate(read_configurations(LI2S / name)):
        atoms = configuration.to_atoms(SPECIES)
        results, atoms.calc = atoms.calc.results, None
        labels.append(
            LabelledConfiguration(
                atoms=atoms,
                free_energy_eV=results["energy"],
                energy_eV=results["energy"],
                forces_eV_A=results["forces"],
                stress_eV_A3=results["stress"],
                physics_hash="chgnet",
                source=f"{name}, {index}",
                trajectory=f"run {index % n_trajectories}",
            )
        )
    return labels


@dataclass(frozen=True)
class SmallNetwork:
    """A network that learned little, and what it learned from."""

    settings: NequIPSettings
    labels: list[LabelledConfiguration]
    run: NequIPRun


@pytest.fixture(scope="session")
def small_settings():
    """Settings of a network that trains in seconds; double precision, for finite differences."""
    return NequIPSettings(
        cutoff_radius_A=4.5,
        n_layers=2,
        n_features=8,
        n_bessel=6,
        radial_mlp_width=16,
        batch_size=2,
        max_epochs=3,
        max_retraining_epochs=2,
        precision="float64",
        device="cpu",
    )


@pytest.fixture(scope="session")
def small_network(tmp_path_factory, small_settings):
    """Train a network, once in a session: ten seconds of CPU time."""
    labels = read_li2s("train.cfg")[:8]
    run = train_nequip(labels, SPECIES, small_settings, 1, tmp_path_factory.mktemp("network"))
    return SmallNetwork(small_settings, labels, run)


@pytest.fixture(scope="session")
def compiled_network(tmp_path_factory, small_network):
    """Compile it, once in a session: a minute of CPU time."""
    return compile_nequip(small_network.run.checkpoint, tmp_path_factory.mktemp("compiled") / "network.nequip.pt2")
