"""Whether two crystals can be made into slabs and an interface at all, told before anything is computed."""

from __future__ import annotations

from contextlib import suppress

from ase import Atoms

from interfaceflow.core.errors import CalculationError, UserInputError
from interfaceflow.schemas.settings import CrystalSettings, InterfaceSettings, StructuresSettings
from interfaceflow.structures.crystals import formal_charges, reduced_formula
from interfaceflow.structures.interfaces import build_interface_cell
from interfaceflow.structures.slabs import build_slab
from interfaceflow.structures.surfaces import Surface, orient_crystal

RELAXATION_STRAIN = 0.035
"""How much relaxation may change the mismatch of two crystals: a pair this close to a limit is not refused.

From the measured lattices of Li and LiCl to those of CHGNet it changes by 0.032.
"""


def check_pair(metal: Atoms, binary: Atoms, settings: StructuresSettings) -> None:
    """Build slabs and interface from crystals that are not relaxed yet, and throw them away.

    The relaxed crystals decide what is built in the end. A pair is refused here only where no relaxation of usual
    size can help.

    Parameters
    ----------
    metal, binary
        The crystals as given [Å].
    settings
        Surfaces and limits.

    Raises
    ------
    UserInputError
        If the two are the wrong way round, a surface has no usable termination, or the pair has no match within the
        limits; the message names the nearest miss.
    """
    metal_is_ionic, binary_is_ionic = _is_ionic("metal", metal), _is_ionic("binary", binary)
    if metal_is_ionic and not binary_is_ionic:
        raise UserInputError(
            f"structures: metal is {reduced_formula(metal)} and binary is {reduced_formula(binary)}; "
            "the two look exchanged: metal takes the strain and is melted, binary is the compound"
        )
    with suppress(CalculationError):  # of a cell that is not relaxed; the job that builds the real one raises it
        surfaces = [
            _check_surface(crystal, chosen, settings, key)
            for key, crystal, chosen in (("metal", metal, settings.metal), ("binary", binary, settings.binary))
        ]
        _check_interface(surfaces[0], surfaces[1], settings)


def _is_ionic(key: str, crystal: Atoms) -> bool:
    try:
        return any(formal_charges(crystal).values())
    except UserInputError as error:
        raise UserInputError(f"structures.{key}.cif: {error}") from None


def _check_surface(crystal: Atoms, chosen: CrystalSettings, settings: StructuresSettings, key: str) -> Surface:
    """Return the surface of a crystal, after building its slabs."""
    surface = orient_crystal(crystal, chosen.miller)
    try:
        for n_layers in settings.slabs.n_layers:
            build_slab(surface, n_layers, settings.slabs.vacuum_A)
    except UserInputError as error:
        raise UserInputError(f"structures.{key}: {error}") from None
    return surface


def _check_interface(metal: Surface, binary: Surface, settings: StructuresSettings) -> None:
    """Build the interface within the limits, or else within those that relaxation may bring into reach."""
    width = settings.production_cell.interface_region_width_A
    try:
        build_interface_cell(metal, binary, settings.interface, width)
    except UserInputError as error:
        try:
            build_interface_cell(metal, binary, _within_reach(settings.interface), width)
        except UserInputError:
            raise UserInputError(f"structures.interface: with the lattices of the CIF files, {error}") from None


def _within_reach(settings: InterfaceSettings) -> InterfaceSettings:
    """Return limits that are wider by what relaxation may change."""
    return settings.model_copy(
        update={
            "max_area_A2": settings.max_area_A2 * (1 + RELAXATION_STRAIN) ** 2,
            "max_strain": settings.max_strain + RELAXATION_STRAIN,
            "metal_thickness_A": settings.metal_thickness_A * (1 - RELAXATION_STRAIN),
            "binary_thickness_A": settings.binary_thickness_A * (1 - RELAXATION_STRAIN),
        }
    )
