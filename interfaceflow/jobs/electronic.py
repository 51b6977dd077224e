"""Jobs on electronic structure: densities of states and gaps, Bader charges, effective masses.

A single calculation that fails fails its job, which ``interfaceflow rerun --failed`` repeats. A snapshot of many whose
calculation fails is a document with the reason, and its batch goes on (docs/decisions/0005).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

import numpy as np
from ase import Atoms
from jobflow.core.flow import Flow
from jobflow.core.job import Response, job
from numpy.typing import NDArray

from interfaceflow.core.errors import CalculationError, UserInputError
from interfaceflow.core.files import FileRef, write_atomically
from interfaceflow.core.labels import PHASE, WITHOUT_LABELS, has_labels, region_names
from interfaceflow.jobs.reference.calculation import CALCULATION_FOLDER, calculate, to_structure
from interfaceflow.jobs.reference.makers import check_configuration, makers_of
from interfaceflow.jobs.wiring import wire
from interfaceflow.jobs.workspace import Workspace, load_structure
from interfaceflow.reference.electronic.charge_averages import average_charge, charges_by_layer, layer_edges
from interfaceflow.reference.electronic.density_of_states import band_edges, k_point_of_edge
from interfaceflow.reference.electronic.effective_mass import conductivity_mass, effective_masses
from interfaceflow.reference.levels_of_theory import levels_of_engine, packages_of
from interfaceflow.reference.vasp.electronic import (
    read_bader_charges,
    read_density_of_states,
    read_eigenvalues,
    read_inverse_mass_tensor,
)
from interfaceflow.schemas.datasets import QuarantinedLabel
from interfaceflow.schemas.electronic import (
    BaderDoc,
    BaderSettings,
    Band,
    DensityOfStatesDoc,
    EffectiveMassDoc,
    GroupCharge,
    GroupKind,
    LayerCharge,
    SnapshotChargesDoc,
    Vector,
)
from interfaceflow.schemas.level_of_theory import LevelOfTheory
from interfaceflow.schemas.structures import StructureFile
from interfaceflow.schemas.vasp import BandCurvatureCalculation, DosCalculation

if TYPE_CHECKING:
    from jobflow.core.maker import Maker

    from interfaceflow.jobs.reference.vasp import VaspMakers

Array = NDArray[np.float64]

_ENGINE: Final = "vasp"


@job
def compute_density_of_states(
    structure: StructureFile, name: str, calculation: DosCalculation, level: LevelOfTheory
) -> DensityOfStatesDoc:
    """Compute the density of states by species, and the gap from the eigenvalues of the same calculation.

    Parameters
    ----------
    structure
        The structure, as it is.
    name
        What it is, in words.
    calculation
        Mesh and energy axis.
    level
        Level of theory, of VASP.

    Raises
    ------
    UserInputError
        If this level of theory gives no density of states, or cannot compute the structure.
    CalculationError
        If the calculation gave nothing usable.
    """
    workspace = Workspace()
    makers = _vasp_makers(level, "densities of states")
    folder, _ = _run(makers, makers.density_of_states(calculation), load_structure(structure), name, workspace)
    dos, eigenvalues = read_density_of_states(folder), read_eigenvalues(folder)
    edges = band_edges(eigenvalues.energies_eV, eigenvalues.n_electrons)
    valence, conduction = (
        k_point_of_edge(eigenvalues.energies_eV, eigenvalues.k_points, edge)
        for edge in (edges.valence_maximum_eV, edges.conduction_minimum_eV)
    )
    is_metal = edges.gap_eV == 0
    projections = {f"by_species_{element}": density for element, density in dos.by_species.items()}
    return DensityOfStatesDoc(
        name=name,
        structure=structure,
        gap_eV=edges.gap_eV,
        is_metal=is_metal,
        valence_maximum_eV=edges.valence_maximum_eV,
        conduction_minimum_eV=edges.conduction_minimum_eV,
        valence_k_point=None if is_metal else _vector(valence),
        conduction_k_point=None if is_metal else _vector(conduction),
        fermi_energy_eV=dos.fermi_energy_eV,
        species=tuple(dos.by_species),
        spin_polarised=len(dos.total) == 2,
        arrays=_store_arrays(
            workspace.path("density-of-states.npz"),
            {"energies_eV": dos.energies_eV, "total": dos.total, **projections},
        ),
        level_of_theory=level.name,
        physics_hash=level.physics_hash,
        provenance=workspace.provenance(*packages_of(level)),
    )


@job
def compute_effective_mass(
    structure: StructureFile, name: str, band: Band, calculation: BandCurvatureCalculation, level: LevelOfTheory
) -> EffectiveMassDoc:
    """Compute the effective mass of electrons or holes by finite differences around a k-point.

    Parameters
    ----------
    structure
        The structure, as it is.
    name
        What it is, in words.
    band
        Electrons at the bottom of the conduction band, or holes at the top of the valence band.
    calculation
        Where, and the step. A density of states tells at which k-point of its mesh each band has its edge.
    level
        Level of theory, of VASP.

    Raises
    ------
    UserInputError
        If this level of theory gives no effective masses, or cannot compute the structure.
    CalculationError
        If the calculation gave nothing usable, or there is no gap.
    """
    workspace = Workspace()
    makers = _vasp_makers(level, "effective masses")
    folder, _ = _run(makers, makers.band_curvature(calculation), load_structure(structure), name, workspace)
    curvature = read_inverse_mass_tensor(folder, calculation.step_per_A, band)
    inverse_mass = curvature if band == "conduction" else -curvature
    masses, directions = effective_masses(inverse_mass)
    is_extremum = bool((np.isfinite(masses) & (masses > 0)).all())
    first, second, third = (None if np.isinf(mass) else float(mass) for mass in masses)
    return EffectiveMassDoc(
        name=name,
        structure=structure,
        band=band,
        k_point=calculation.k_point,
        step_per_A=calculation.step_per_A,
        inverse_mass_tensor=_rows(inverse_mass),
        principal_masses_me=(first, second, third),
        principal_directions=_rows(directions),
        conductivity_mass_me=conductivity_mass(inverse_mass) if is_extremum else None,
        is_extremum=is_extremum,
        level_of_theory=level.name,
        physics_hash=level.physics_hash,
        provenance=workspace.provenance(*packages_of(level)),
    )


@job
def compute_bader_charges(
    snapshots: list[StructureFile], name: str, settings: BaderSettings, level: LevelOfTheory
) -> Response[BaderDoc]:
    """Compute Bader charges of the snapshots of one cell, and average them.

    This job replaces itself by one ``compute_snapshot_charges`` for each snapshot and an ``average_bader_charges``.

    Parameters
    ----------
    snapshots
        One structure, or frames of a trajectory: the same atoms in the same order.
    name
        Which cell or trajectory, in words.
    settings
        Normal and layers.
    level
        Level of theory, of VASP.

    Raises
    ------
    UserInputError
        If this level of theory gives no Bader charges, or a snapshot cannot be computed or has other atoms than the
        first; no job is made then.
    """
    workspace = Workspace()
    makers = _vasp_makers(level, "Bader charges")
    sources = [name if len(snapshots) == 1 else f"{name}, snapshot {number}" for number in range(len(snapshots))]
    frames = [load_structure(snapshot) for snapshot in snapshots]
    _check_same_atoms(frames, name)
    for atoms, source in zip(frames, sources, strict=True):
        check_configuration(makers, makers.level, atoms, source)
    charges = [
        wire(compute_snapshot_charges(snapshot, source, level), f"charges of {source}", "dft", workspace.parents)
        for snapshot, source in zip(snapshots, sources, strict=True)
    ]
    average = wire(
        average_bader_charges([one.output for one in charges], name, settings, level),
        f"Bader charges of {name}",
        "light",
        workspace.parents,
    )
    return Response(replace=Flow([*charges, average], output=average.output))


@job
def compute_snapshot_charges(snapshot: StructureFile, source: str, level: LevelOfTheory) -> SnapshotChargesDoc:
    """Compute the Bader charges of one snapshot. A calculation that fails gives a document with the reason.

    Parameters
    ----------
    snapshot
        The structure.
    source
        Which one, in words.
    level
        Level of theory, of VASP.
    """
    workspace = Workspace()
    makers = _vasp_makers(level, "Bader charges")
    arrays, reason = None, None
    try:
        folder, order = _run(makers, makers.bader(), load_structure(snapshot), source, workspace)
        # In the files atoms are sorted by species.
        charges = read_bader_charges(folder)[np.argsort(order)]
        arrays = _store_arrays(workspace.path("charges.npz"), {"charges_e": charges})
    except CalculationError as error:
        reason = str(error)
    return SnapshotChargesDoc(
        source=source,
        structure=snapshot,
        folder=workspace.shown_path(CALCULATION_FOLDER),
        arrays=arrays,
        reason=reason,
        provenance=workspace.provenance("scipy", *packages_of(level)),
    )


@job
def average_bader_charges(
    snapshots: list[SnapshotChargesDoc], name: str, settings: BaderSettings, level: LevelOfTheory
) -> BaderDoc:
    """Average Bader charges by phase, region, element and layer, over the snapshots that have them.

    Parameters
    ----------
    snapshots
        Of one cell.
    name
        Which cell or trajectory, in words.
    settings
        Normal and layers.
    level
        Level of theory of the charges.

    Raises
    ------
    CalculationError
        If no snapshot has charges.
    """
    workspace = Workspace()
    usable = {one.source: (load_structure(one.structure), _read_charges(one.arrays)) for one in snapshots if one.arrays}
    quarantined = tuple(QuarantinedLabel(source=one.source, reason=one.reason) for one in snapshots if one.reason)
    if not usable:
        raise CalculationError(
            f"{name}: none of {len(snapshots)} snapshots has Bader charges; {quarantined[0].source}: "
            f"{quarantined[0].reason}"
        )
    frames, charges = [atoms for atoms, _ in usable.values()], np.array([charges for _, charges in usable.values()])
    layers, layer_arrays = _layers(frames, charges, settings)
    return BaderDoc(
        name=name,
        n_frames=len(frames),
        quarantined=quarantined,
        frames=tuple(usable),
        groups=tuple(_groups(frames[0], charges)),
        layers=tuple(layers),
        total_charge_e=float(charges.sum(axis=1).mean()),
        arrays=_store_arrays(
            workspace.path("bader-charges.npz"),
            {"charges_e": charges, "mean_charges_e": charges.mean(axis=0), **layer_arrays},
        ),
        level_of_theory=level.name,
        physics_hash=level.physics_hash,
        provenance=workspace.provenance(*packages_of(level)),
    )


def _vasp_makers(level: LevelOfTheory, what: str) -> VaspMakers:
    """Return VASP's Makers, the only ones that compute more than labels."""
    if level.physics.engine != _ENGINE:
        raise UserInputError(
            f"{what} are computed with VASP only, and the level of theory {level.name!r} runs {level.physics.engine}; "
            f"levels of theory that can: {', '.join(levels_of_engine(_ENGINE))}, and others of yours with engine: "
            f"{_ENGINE}"
        )
    return cast("VaspMakers", makers_of(level))


def _run(
    makers: VaspMakers, maker: Maker, atoms: Atoms, source: str, workspace: Workspace
) -> tuple[Path, NDArray[np.intp]]:
    """Run a calculation and return its folder, and for each atom of its files the index of ours."""
    check_configuration(makers, makers.level, atoms, source)
    folder = workspace.path(CALCULATION_FOLDER)
    (*_, frame) = calculate(makers, maker, atoms, folder)
    if not frame.converged:
        raise CalculationError(
            f"{source}: the electronic loop did not converge, so its electrons mean nothing; loosen "
            "physics.energy_tolerance_eV, or look whether the structure makes sense"
        )
    _, order = to_structure(atoms)
    return folder, order


def _check_same_atoms(frames: list[Atoms], name: str) -> None:
    if not frames:
        raise UserInputError(f"{name}: there is no snapshot to compute; give at least one structure")
    for number, atoms in enumerate(frames):
        if len(atoms) != len(frames[0]) or (atoms.numbers != frames[0].numbers).any():
            raise UserInputError(
                f"{name}: snapshot {number} holds {atoms.get_chemical_formula()} and the first "
                f"{frames[0].get_chemical_formula()}, or in another order; give frames of one trajectory"
            )


def _groups(atoms: Atoms, charges_e: Array) -> Iterator[GroupCharge]:
    """Average over phases, regions and elements; regions are labels, the same in all frames."""
    elements = np.array(atoms.get_chemical_symbols())
    phases = atoms.arrays[PHASE].astype(str) if has_labels(atoms) else np.full(len(atoms), WITHOUT_LABELS)
    regions = region_names(atoms)
    yield from _groups_by("phase and element", phases, elements, charges_e)
    if has_labels(atoms):
        yield from _groups_by("region", regions, None, charges_e)
        yield from _groups_by("region and element", regions, elements, charges_e)


def _groups_by(
    by: GroupKind, names: NDArray[np.str_], elements: NDArray[np.str_] | None, charges_e: Array
) -> Iterator[GroupCharge]:
    pairs = [(str(name), None if elements is None else str(elements[index])) for index, name in enumerate(names)]
    for pair in dict.fromkeys(pairs):
        members = np.array([one == pair for one in pairs])
        average = average_charge(charges_e[:, members])
        yield GroupCharge(
            by=by,
            name=pair[0],
            element=pair[1],
            n_atoms=int(members.sum()),
            mean_charge_e=average.mean_e,
            spread_e=average.spread_e,
            frame_spread_e=average.frame_spread_e,
        )


def _layers(
    frames: list[Atoms], charges_e: Array, settings: BaderSettings
) -> tuple[list[LayerCharge], dict[str, Array]]:
    """Return the layers that hold atoms, lowest first, and the arrays by frame and layer."""
    if settings.normal_axis is None:
        return [], {}
    edges = layer_edges(frames, settings.normal_axis, settings.layer_width_A)
    layers: list[LayerCharge] = []
    arrays = {"layer_edges_A": edges}
    for element in dict.fromkeys(frames[0].get_chemical_symbols()):
        members = frames[0].symbols == element
        resolved = charges_by_layer(
            [atoms[members] for atoms in frames], charges_e[:, members], settings.normal_axis, len(edges) - 1
        )
        arrays[f"layer_charges_{element}"] = resolved.charges_e
        layers += [
            LayerCharge(element=element, lower_A=lower, upper_A=upper, mean_n_atoms=n_atoms, mean_charge_e=charge)
            for lower, upper, n_atoms, charge in zip(
                edges[:-1], edges[1:], resolved.n_atoms.mean(axis=0), resolved.mean_e, strict=True
            )
            if n_atoms > 0
        ]
    return sorted(layers, key=lambda layer: layer.lower_A), arrays


def _read_charges(arrays: FileRef) -> Array:
    with np.load(arrays.path(), allow_pickle=False) as archive:
        return np.asarray(archive["charges_e"], dtype=float)


def _store_arrays(path: Path, arrays: Mapping[str, Array]) -> FileRef:
    buffer = BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    write_atomically(path, buffer.getvalue())
    return FileRef.of(path)


def _vector(values: Array) -> Vector:
    x, y, z = (float(value) for value in values)
    return x, y, z


def _rows(matrix: Array) -> tuple[Vector, Vector, Vector]:
    first, second, third = (_vector(row) for row in matrix)
    return first, second, third
