"""Jobs that build: requests for relaxation, the interface cell, and the cell for production."""

from __future__ import annotations

import numpy as np
from jobflow.core.job import job
from numpy.typing import NDArray

from interfaceflow.core.files import FileRef
from interfaceflow.core.labels import PhaseLabel
from interfaceflow.jobs.workspace import Workspace, load_structure
from interfaceflow.schemas.settings import (
    CrystalPairSettings,
    CrystalSettings,
    ProductionCellSettings,
    SlabSettings,
    StructuresSettings,
)
from interfaceflow.schemas.structures import (
    IntegerMatrix,
    InterfaceDoc,
    LatticeMatchDoc,
    ProductionCellDoc,
    RelaxationDoc,
    RelaxationRequest,
)
from interfaceflow.structures.crystals import read_crystal
from interfaceflow.structures.interfaces import build_interface_cell
from interfaceflow.structures.matching import LatticeMatch
from interfaceflow.structures.production import build_production_atoms, choose_repeats, remove_vacancies
from interfaceflow.structures.references import NORMAL_AXIS, build_strained_bulk, separate_slabs
from interfaceflow.structures.slabs import build_slab
from interfaceflow.structures.surfaces import Surface, orient_crystal
from interfaceflow.structures.symmetry import primitive_cell

PACKAGES = ("ase", "pymatgen", "spglib", "numpy")


@job
def bulk_requests(cifs: dict[PhaseLabel, FileRef]) -> list[RelaxationRequest]:
    """Read the crystals, by phase, and ask for their relaxation in the same order, as primitive cells.

    Raises
    ------
    DataFileError, UserInputError
        If a file is not a readable CIF file of one ordered crystal.
    """
    workspace = Workspace()
    return [
        RelaxationRequest(
            kind="bulk",
            name=name,
            structure=workspace.store_structure(primitive_cell(read_crystal(cif.path())), name),
            free_axes="all",
        )
        for name, cif in cifs.items()
    ]


@job
def build_slabs(bulk: RelaxationDoc, crystal: CrystalSettings, settings: SlabSettings) -> list[RelaxationRequest]:
    """Build the slabs of one surface, thinnest first.

    Raises
    ------
    UserInputError
        If the surface has no stoichiometric, non-polar termination with two equal sides.
    """
    workspace = Workspace()
    surface = _surface(bulk, crystal)
    return [
        RelaxationRequest(
            kind="slab",
            name=bulk.name,
            structure=workspace.store_structure(
                build_slab(surface, n_layers, settings.vacuum_A), f"{bulk.name}-{n_layers}-layers"
            ),
            free_axes="none",
            n_layers=n_layers,
            area_A2=_area(surface.in_plane),
        )
        for n_layers in sorted(settings.n_layers)
    ]


@job
def build_interface(strained: RelaxationDoc, kept: RelaxationDoc, settings: CrystalPairSettings) -> InterfaceDoc:
    """Match two relaxed crystals and build their two-interface cell; the first takes the strain.

    Raises
    ------
    UserInputError
        If the two surfaces have no match within the limits, or no usable termination.
    """
    workspace = Workspace()
    first, second = settings.crystals.values()
    cell = build_interface_cell(
        _surface(strained, first),
        _surface(kept, second),
        settings.interface,
        settings.production_cell.interface_region_width_A,
    )
    return InterfaceDoc(
        structure=workspace.store_structure(cell.atoms, "interface"),
        phases=settings.interface.phases,
        match=_match_doc(cell.match, cell.checks.principal_strains),
        normal_axis=NORMAL_AXIS,
        interfaces_equivalent=cell.checks.interfaces_equivalent,
        strained_formula_units=cell.strained_formula_units,
        kept_formula_units=cell.kept_formula_units,
        strained_layers=cell.strained_layers,
        kept_layers=cell.kept_layers,
        gap_A=cell.gap_A,
        min_distance_A=cell.checks.min_distance_A,
        provenance=workspace.provenance(*PACKAGES),
    )


@job
def interface_request(interface: InterfaceDoc) -> list[RelaxationRequest]:
    """Ask for the relaxation of an interface cell, ions and cell."""
    return [
        RelaxationRequest(
            kind="interface",
            name="interface",
            structure=interface.structure,
            free_axes="all",
            area_A2=interface.match.area_A2,
        )
    ]


@job
def build_strained_references(
    interface: InterfaceDoc,
    relaxed: RelaxationDoc,
    metal: RelaxationDoc,
    binary: RelaxationDoc,
    settings: StructuresSettings,
) -> list[RelaxationRequest]:
    """Build the bulk cells, metal first, that have the in-plane vectors of the relaxed interface cell."""
    workspace = Workspace()
    atoms = load_structure(relaxed.structure)
    requests = []
    for bulk, crystal, matrix in (
        (metal, settings.metal, interface.match.strained_matrix),
        (binary, settings.binary, interface.match.kept_matrix),
    ):
        strained = build_strained_bulk(_surface(bulk, crystal), np.array(matrix), atoms)
        requests.append(
            RelaxationRequest(
                kind="strained_bulk",
                name=bulk.name,
                structure=workspace.store_structure(strained, f"{bulk.name}-strained"),
                free_axes="normal",
                area_A2=_area(strained.cell.array[:2, :2]),
            )
        )
    return requests


@job
def separate_interface(interface: InterfaceDoc, relaxed: RelaxationDoc, vacuum_A: float) -> list[RelaxationRequest]:
    """Take the slabs of a relaxed interface cell apart, metal first; their ions are held."""
    workspace = Workspace()
    slabs = separate_slabs(load_structure(relaxed.structure), vacuum_A)
    layers = {"metal": interface.strained_layers, "binary": interface.kept_layers}
    return [
        RelaxationRequest(
            kind="slab",
            name=phase,
            structure=workspace.store_structure(slab, f"{phase}-alone"),
            free_axes="none",
            relax_ions=False,
            n_layers=layers[phase],
            area_A2=_area(slab.cell.array[:2, :2]),
        )
        for phase, slab in slabs.items()
    ]


@job
def build_production_cell(
    interface: InterfaceDoc, relaxed: RelaxationDoc, settings: ProductionCellSettings, seed: int
) -> ProductionCellDoc:
    """Repeat a relaxed interface cell in the plane and remove atoms from its interface region.

    Raises
    ------
    UserInputError
        If the element to remove is absent, or scarce in the interface region.
    """
    workspace = Workspace()
    unit = load_structure(relaxed.structure)
    repeats = choose_repeats(unit, settings.target_atoms)
    atoms, removed = remove_vacancies(build_production_atoms(unit, repeats), settings, seed)
    return ProductionCellDoc(
        structure=workspace.store_structure(atoms, "production-cell"),
        repeats=repeats,
        normal_axis=interface.normal_axis,
        vacancy_species=settings.vacancy_species,
        n_vacancies=len(removed),
        provenance=workspace.provenance(*PACKAGES, seed=seed),
    )


def _surface(bulk: RelaxationDoc, crystal: CrystalSettings) -> Surface:
    """Orient a relaxed crystal by the surface that its settings name."""
    return orient_crystal(load_structure(bulk.structure), crystal.miller)


def _match_doc(match: LatticeMatch, measured_strains: tuple[float, float]) -> LatticeMatchDoc:
    return LatticeMatchDoc(
        area_A2=match.area_A2,
        principal_strains=measured_strains,
        strained_multiple=match.strained_multiple,
        kept_multiple=match.kept_multiple,
        strained_matrix=_as_rows(match.strained_matrix),
        kept_matrix=_as_rows(match.kept_matrix),
    )


def _as_rows(matrix: NDArray[np.int64]) -> IntegerMatrix:
    (a, b), (c, d) = matrix.tolist()
    return (a, b), (c, d)


def _area(vectors: NDArray[np.float64]) -> float:
    return abs(float(np.linalg.det(vectors)))
