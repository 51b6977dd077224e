"""Whether two crystals can be made into slabs and an interface at all, told before anything is computed."""

from __future__ import annotations

from contextlib import suppress

from ase import Atoms

from interfaceflow.core.errors import CalculationError, UserInputError
from interfaceflow.core.labels import PhaseLabel
from interfaceflow.schemas.settings import (
    CrystalPairSettings,
    CrystalSettings,
    LatticeMatchSettings,
    SlabSettings,
    StructuresSettings,
)
from interfaceflow.structures.crystals import formal_charges, reduced_formula
from interfaceflow.structures.interfaces import build_interface_cell
from interfaceflow.structures.slabs import build_slab
from interfaceflow.structures.surfaces import Surface, choose_cut, orient_crystal

RELAXATION_STRAIN = 0.035
"""How much relaxation may change the mismatch of two crystals: a pair this close to a limit is not refused.

From the measured lattices of Li and LiCl to those of CHGNet it changes by 0.032.
"""


def check_pair(strained: Atoms, kept: Atoms, settings: CrystalPairSettings) -> None:
    """Build slabs and interface from crystals that are not relaxed yet, and throw them away.

    The relaxed crystals decide what is built in the end. A pair is refused here only where no relaxation of usual
    size can help.

    Parameters
    ----------
    strained, kept
        The crystals as given [Å]; the first takes the strain.
    settings
        Surfaces and limits.

    Raises
    ------
    UserInputError
        If the two are not what their keys say, a surface has no usable termination, or the pair has no match within
        the limits; the message names the nearest miss.
    """
    crystals = dict(zip(settings.crystals, (strained, kept), strict=True))
    _check_kinds(crystals)
    slabs = settings.slabs if isinstance(settings, StructuresSettings) else None
    with suppress(CalculationError):  # of a cell that is not relaxed; the job that builds the real one raises it
        surfaces = [
            _check_surface(crystals[phase], chosen, slabs, phase) for phase, chosen in settings.crystals.items()
        ]
        _check_interface(surfaces[0], surfaces[1], settings)


def _check_kinds(crystals: dict[PhaseLabel, Atoms]) -> None:
    """Refuse a metal and a binary that are exchanged, and a cathode or an electrolyte that is an element."""
    ionic = {phase: _is_ionic(phase, crystal) for phase, crystal in crystals.items()}
    if "metal" in crystals and ionic["metal"] and not ionic["binary"]:
        raise UserInputError(
            f"structures: metal is {reduced_formula(crystals['metal'])} and binary is "
            f"{reduced_formula(crystals['binary'])}; the two look exchanged: metal takes the strain and is melted, "
            "binary is the compound"
        )
    for phase in ("cathode", "electrolyte"):
        if phase in crystals and not ionic[phase]:
            raise UserInputError(
                f"structures.{phase}: {reduced_formula(crystals[phase])} is an element; give the CIF file of a "
                "compound. For a metal electrode there is the recipe decomposition_interfaces"
            )


def _is_ionic(key: str, crystal: Atoms) -> bool:
    try:
        return any(formal_charges(crystal).values())
    except UserInputError as error:
        raise UserInputError(f"structures.{key}.cif: {error}") from None


def _check_surface(crystal: Atoms, chosen: CrystalSettings, slabs: SlabSettings | None, key: str) -> Surface:
    """Return the surface of a crystal, after building the slabs it is wanted for, or else looking for one cut."""
    surface = orient_crystal(crystal, chosen.miller)
    try:
        if slabs is None:
            choose_cut(surface, 1)
        else:
            for n_layers in slabs.n_layers:
                build_slab(surface, n_layers, slabs.vacuum_A)
    except UserInputError as error:
        raise UserInputError(f"structures.{key}: {error}") from None
    return surface


def _check_interface(strained: Surface, kept: Surface, settings: CrystalPairSettings) -> None:
    """Build the interface within the limits, or else within those that relaxation may bring into reach."""
    width = settings.production_cell.interface_region_width_A
    try:
        build_interface_cell(strained, kept, settings.interface, width)
    except UserInputError as error:
        try:
            build_interface_cell(strained, kept, _within_reach(settings.interface), width)
        except UserInputError:
            raise UserInputError(f"structures.interface: with the lattices of the CIF files, {error}") from None


def _within_reach(settings: LatticeMatchSettings) -> LatticeMatchSettings:
    """Return limits that are wider by what relaxation may change."""
    return settings.model_copy(
        update={
            "max_area_A2": settings.max_area_A2 * (1 + RELAXATION_STRAIN) ** 2,
            "max_strain": settings.max_strain + RELAXATION_STRAIN,
            **{
                f"{phase}_thickness_A": thickness * (1 - RELAXATION_STRAIN)
                for phase, thickness in zip(settings.phases, settings.thicknesses_A, strict=True)
            },
        }
    )
