"""Jobs that turn production trajectories into diffusivities and activation energies."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO

import numpy as np
from ase import Atoms
from jobflow.core.job import job
from numpy.typing import NDArray

from interfaceflow.analysis.arrhenius import ArrheniusPoint, fit_activation_energy
from interfaceflow.analysis.diffusivity import estimate_diffusivity
from interfaceflow.analysis.msd import AtomicMsd, DriftGroup, stream_msd
from interfaceflow.core.errors import CalculationError, DataFileError
from interfaceflow.core.files import FileRef, write_atomically
from interfaceflow.core.formats.dcd import DcdTrajectory, open_trajectory
from interfaceflow.core.formats.structure_file import read_structure
from interfaceflow.core.labels import PHASE, REGION, check_labels
from interfaceflow.jobs.workspace import Workspace
from interfaceflow.schemas.dynamics import ProductionDoc
from interfaceflow.schemas.settings import AnalysisSettings
from interfaceflow.schemas.transport import ArrheniusDoc, DiffusivityEstimate, Direction, TransportDoc

SOLID_METAL_FRACTION = 0.5
_FROM_LEFT_TO_RIGHT = ("metal", "cathode", "interface", "electrolyte", "binary")
DIRECTIONS: tuple[Direction, ...] = ("in-plane", "out-of-plane")


@job
def analyse_transport(production: ProductionDoc, settings: AnalysisSettings) -> TransportDoc:
    """Estimate the tracer diffusivity of the mobile species, by group and direction, from a production run.

    Parameters
    ----------
    production
        The run.
    settings
        Mobile species, groups, hop length and confidence.

    Raises
    ------
    CalculationError
        If the first frame holds no atom of the mobile species.
    DataFileError
        If the trajectory and its sidecar do not belong together.
    """
    workspace = Workspace()
    atoms = read_structure(production.sidecar.path())
    check_labels(atoms, str(production.sidecar.uri))
    mobile = _mobile_groups(atoms, settings)
    framework = _framework_groups(atoms, settings.mobile_species) if settings.framework else {}
    groups = {**mobile, **framework}
    selected = np.concatenate(list(groups.values()))
    msd = _msd_of_run(production, atoms, selected, settings.mobile_species)
    solid_fraction = production.metal_solid_fraction
    metal_is_solid = None if solid_fraction is None else solid_fraction >= SOLID_METAL_FRACTION
    estimates, curves, start = [], {"lag_ps": msd.lags * production.frame_interval_ps}, 0
    for label, members in groups.items():
        columns = np.arange(start, start := start + len(members))
        curves[f"msd_{label}_in-plane"] = msd.in_plane()[:, columns].mean(axis=1)
        curves[f"msd_{label}_out-of-plane"] = msd.out_of_plane()[:, columns].mean(axis=1)
        for direction in DIRECTIONS if len(msd.lags) else ():
            estimate = estimate_diffusivity(
                msd,
                columns,
                label=label,
                direction=direction,
                frame_interval_ps=production.frame_interval_ps,
                settings=settings,
            )
            molten = metal_is_solid is False and not label.startswith("binary-")
            estimates.append(_without_value_of_melt(estimate) if molten else estimate)
    buffer = BytesIO()
    np.savez_compressed(buffer, **curves)  # type: ignore[arg-type]
    write_atomically(workspace.path("msd.npz"), buffer.getvalue())
    return TransportDoc(
        temperature_K=production.temperature_K,
        estimates=tuple(estimate for estimate in estimates if estimate.label in mobile),
        framework=tuple(estimate for estimate in estimates if estimate.label in framework),
        msd=FileRef.of(workspace.path("msd.npz")),
        largest_grade=production.largest_grade,
        trajectory_ps=max(msd.n_frames - 1, 0) * production.frame_interval_ps,
        metal_is_solid=metal_is_solid,
        status=production.status,
        potential_sha256=production.potential_sha256,
        provenance=workspace.provenance("numpy", "scipy"),
    )


@job
def fit_arrhenius(transport: list[TransportDoc], settings: AnalysisSettings) -> ArrheniusDoc:
    """Fit activation energies, by phase and direction, to the diffusivities of several temperatures.

    Parameters
    ----------
    transport
        Results of the runs.
    settings
        Settings that the runs were analysed with.
    """
    workspace = Workspace()
    series: dict[tuple[str, Direction], list[ArrheniusPoint]] = {}
    for doc in transport:
        for estimate in doc.estimates:
            point = ArrheniusPoint(
                doc.temperature_K, not doc.metal_has_melted, estimate, extrapolated=doc.status == "extrapolated"
            )
            series.setdefault((estimate.label, estimate.direction), []).append(point)
    return ArrheniusDoc(
        fits=tuple(
            fit_activation_energy(points, label=label, direction=direction)
            for (label, direction), points in series.items()
        ),
        temperatures_K=tuple(sorted(doc.temperature_K for doc in transport)),
        provenance=workspace.provenance("numpy", "scipy"),
    )


def _mobile_groups(atoms: Atoms, settings: AnalysisSettings) -> dict[str, NDArray[np.intp]]:
    """Return the indices of the mobile species by label, e.g. ``metal-Li``: the phase or region an atom started in."""
    species = settings.mobile_species
    mobile = np.array(atoms.get_chemical_symbols()) == species
    if not mobile.any():
        raise CalculationError(
            f"analysis.mobile_species: {species!r} was given, but the production cell holds only "
            f"{', '.join(sorted(set(atoms.get_chemical_symbols())))}; name one of these"
        )
    place = atoms.arrays[PHASE]
    if settings.groups == "region":
        place = np.where(atoms.arrays[REGION] == "interface", "interface", place)
    places = sorted(np.unique(place[mobile]).tolist(), key=_FROM_LEFT_TO_RIGHT.index)
    return {f"{name}-{species}": np.flatnonzero(mobile & (place == name)) for name in places}


def _framework_groups(atoms: Atoms, mobile_species: str) -> dict[str, NDArray[np.intp]]:
    """Return the indices of the elements that are not mobile, e.g. ``cathode-S``: the phase an atom started in."""
    symbols, phases = np.array(atoms.get_chemical_symbols()), atoms.arrays[PHASE]
    kinds = sorted({(str(p), str(s)) for p, s in zip(phases, symbols, strict=True) if s != mobile_species})
    return {f"{phase}-{symbol}": np.flatnonzero((phases == phase) & (symbols == symbol)) for phase, symbol in kinds}


def _msd_of_run(production: ProductionDoc, atoms: Atoms, selected: NDArray[np.intp], species: str) -> AtomicMsd:
    if not production.segments:  # it stopped before its production part began
        return stream_msd((), selected=selected, drift_groups=(), normal_axis=production.normal_axis)
    trajectory = open_trajectory([segment.trajectory.path() for segment in production.segments])
    if trajectory.n_atoms != len(atoms):
        raise DataFileError(
            f"{production.sidecar.uri}: {len(atoms)} atoms, but the trajectory holds {trajectory.n_atoms}; "
            "they are of different runs, rerun the production"
        )
    return stream_msd(
        _frames(trajectory),
        selected=selected,
        drift_groups=_drift_groups(atoms, species),
        normal_axis=production.normal_axis,
    )


def _frames(trajectory: DcdTrajectory) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float64]]]:
    for chunk in trajectory.chunks():
        yield from zip(chunk.positions, chunk.cells, strict=True)


def _drift_groups(atoms: Atoms, species: str) -> list[DriftGroup]:
    """Make each phase a body that drifts as its framework does, or as all its atoms where all are mobile."""
    mobile = np.array(atoms.get_chemical_symbols()) == species
    groups = []
    for phase in np.unique(atoms.arrays[PHASE]):
        members = atoms.arrays[PHASE] == phase
        framework = members & ~mobile
        groups.append(DriftGroup(np.flatnonzero(members), np.flatnonzero(framework if framework.any() else members)))
    return groups


def _without_value_of_melt(estimate: DiffusivityEstimate) -> DiffusivityEstimate:
    """Keep no more than the upper end of an estimate whose metal was not solid at the end of the run."""
    reason = "liquid metal: it was not solid at the end of the run, so the trajectory mixes two states"
    return estimate.model_copy(update={"tracer_diffusivity_cm2_s": None, "lower_cm2_s": None, "reason": reason})
