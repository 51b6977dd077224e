"""Kinds of results as tables: one row per value, the unit in the column's name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from interfaceflow.core.errors import UserInputError, suggest_name
from interfaceflow.schemas.datasets import DatasetDoc, FitErrors, MtpDetails, ParityDoc, PotentialDoc
from interfaceflow.schemas.dynamics import MeltingPointDoc, ProductionDoc
from interfaceflow.schemas.electronic import BaderDoc, DensityOfStatesDoc, EffectiveMassDoc
from interfaceflow.schemas.energetics import EnergeticsDoc, SurfaceEnergyDoc
from interfaceflow.schemas.learning import LearningRoundDoc
from interfaceflow.schemas.level_comparison import LevelComparisonDoc
from interfaceflow.schemas.structures import RelaxationDoc
from interfaceflow.schemas.transport import ArrheniusDoc, TransportDoc
from interfaceflow.store.results import FlowResults

if TYPE_CHECKING:
    from pandas import DataFrame

Cell = str | float | int | bool | None
Row = dict[str, Cell]


@dataclass(frozen=True)
class Kind:
    """A kind of result that can be asked for.

    Attributes
    ----------
    description
        What a row is.
    columns
        Names of the columns, in order.
    rows
        Makes the rows; each has every column.
    """

    description: str
    columns: tuple[str, ...]
    rows: Callable[[FlowResults], Iterator[Row]]


def build_table(kind: str, results: Callable[[], FlowResults]) -> DataFrame:
    """Return the table of one kind.

    Parameters
    ----------
    kind
        A name in `KINDS`.
    results
        Gives the results, once the kind is known to exist.

    Raises
    ------
    UserInputError
        If there is no such kind.
    """
    from pandas import DataFrame

    if kind not in KINDS:
        known = "\n".join(f"    {name:17} {entry.description}" for name, entry in KINDS.items())
        raise UserInputError(f"there is no kind of result {kind!r}.{suggest_name(kind, KINDS)} Kinds:\n{known}")
    entry = KINDS[kind]
    table = DataFrame(list(entry.rows(results())), columns=list(entry.columns))
    empty = [name for name in table.columns if len(table) and table[name].isna().all()]
    return table.astype(dict.fromkeys(empty, float))


def _transport_rows(results: FlowResults) -> Iterator[Row]:
    for stored in results.docs:
        if not isinstance(stored.doc, TransportDoc):
            continue
        doc = stored.doc
        for estimate in doc.estimates:
            start, end = estimate.fit_window_ps or (None, None)
            yield {
                "temperature_K": doc.temperature_K,
                "label": estimate.label,
                "direction": estimate.direction,
                "tracer_diffusivity_cm2_s": estimate.tracer_diffusivity_cm2_s,
                "lower_cm2_s": estimate.lower_cm2_s,
                "upper_cm2_s": estimate.upper_cm2_s,
                "confidence": estimate.confidence,
                "reason": estimate.reason,
                "effective_hops": estimate.effective_hops,
                "empirical_relative_error": estimate.empirical_relative_error,
                "n_atoms": estimate.n_atoms,
                "fit_start_ps": start,
                "fit_end_ps": end,
                "trajectory_ps": doc.trajectory_ps,
                "largest_grade": doc.largest_grade,
                "metal_is_solid": doc.metal_is_solid,
                "status": doc.status,
                "job_uuid": stored.uuid,
            }


def _arrhenius_rows(results: FlowResults) -> Iterator[Row]:
    for doc in results.all_of(ArrheniusDoc):
        for fit in doc.fits:
            yield {name: getattr(fit, name) for name in KINDS["arrhenius"].columns}


def _energetics_rows(results: FlowResults) -> Iterator[Row]:
    for stored in results.docs:
        if isinstance(stored.doc, EnergeticsDoc):
            row: Row = {name: getattr(stored.doc, name) for name in _ENERGETICS_FIELDS}
            yield row | {"caveats": "; ".join(stored.doc.caveats), "job_uuid": stored.uuid}


def _surface_energy_rows(results: FlowResults) -> Iterator[Row]:
    for stored in results.docs:
        if isinstance(stored.doc, SurfaceEnergyDoc):
            doc = stored.doc
            yield {
                "name": doc.name,
                "formula": doc.formula,
                "miller": " ".join(map(str, doc.miller)),
                "surface_energy_J_m2": doc.surface_energy_J_m2,
                "surface_energy_error_J_m2": doc.surface_energy_error_J_m2,
                "n_layers": " ".join(map(str, doc.n_layers)),
                "converged": doc.converged,
                "job_uuid": stored.uuid,
            }


def _round_rows(results: FlowResults) -> Iterator[Row]:
    for stored in results.docs:
        if isinstance(stored.doc, LearningRoundDoc):
            doc = stored.doc
            yield {
                "round_index": doc.round_index,
                "status": doc.status,
                "n_runs": len(doc.runs),
                "n_broke": sum(run.broke for run in doc.runs),
                "reached_ps": min((run.reached_ps for run in doc.runs), default=None),
                "largest_grade": doc.largest_grade,
                "n_candidates": doc.n_candidates,
                "n_selected": doc.n_selected,
                "n_labels": doc.n_labels,
                "n_quarantined": len(doc.quarantined),
                "n_training": doc.dataset.n_training,
                "held_out_force_rmse_eV_A": doc.potential.held_out_errors.force_rmse_eV_A,
                "wall_time_s": doc.provenance.wall_time_s,
                "job_uuid": stored.uuid,
            }


def _potential_rows(results: FlowResults) -> Iterator[Row]:
    seen: set[str] = set()
    for stored in results.docs:
        doc = stored.doc.potential if isinstance(stored.doc, LearningRoundDoc) else stored.doc
        if not isinstance(doc, PotentialDoc) or doc.file.sha256 in seen:
            continue
        seen.add(doc.file.sha256)
        mtp = doc.model if isinstance(doc.model, MtpDetails) else None
        zbl = mtp.zbl if mtp else None
        yield {
            "kind": doc.model.kind,
            "level": mtp.level if mtp else None,
            "cutoff_radius_A": doc.cutoff_radius_A,
            "species": " ".join(doc.species),
            "n_training": doc.n_training,
            "training_energy_rmse_meV_atom": doc.training_errors.energy_rmse_meV_atom,
            "training_force_rmse_eV_A": doc.training_errors.force_rmse_eV_A,
            "held_out_energy_rmse_meV_atom": doc.held_out_errors.energy_rmse_meV_atom,
            "held_out_force_rmse_eV_A": doc.held_out_errors.force_rmse_eV_A,
            "held_out_stress_rmse_GPa": doc.held_out_errors.stress_rmse_GPa,
            "iterations": mtp.iterations if mtp else None,
            "warm_start": doc.warm_start,
            "has_grade": doc.has_grade,
            "engine": mtp.engine if mtp else None,
            "zbl_inner_cutoff_A": zbl.inner_cutoff_A if zbl else None,
            "zbl_outer_cutoff_A": zbl.outer_cutoff_A if zbl else None,
            "file": doc.file.uri,
            "sha256": doc.file.sha256,
            "job_uuid": stored.uuid,
        }


def _dataset_rows(results: FlowResults) -> Iterator[Row]:
    seen: set[str] = set()
    for stored in results.docs:
        doc = stored.doc.dataset if isinstance(stored.doc, LearningRoundDoc) else stored.doc
        if not isinstance(doc, DatasetDoc) or doc.training.sha256 in seen:
            continue
        seen.add(doc.training.sha256)
        yield {
            "n_training": doc.n_training,
            "n_held_out": doc.n_held_out,
            "n_quarantined": len(doc.quarantined),
            "n_duplicates": doc.n_duplicates,
            "species": " ".join(doc.species),
            "level_of_theory": doc.level_of_theory,
            "training_file": doc.training.uri,
            "held_out_file": doc.held_out.uri,
            "training_sha256": doc.training.sha256,
            "job_uuid": stored.uuid,
        }


def _error_rows(results: FlowResults) -> Iterator[Row]:
    for stored in results.docs:
        if not isinstance(stored.doc, ParityDoc):
            continue
        parity = stored.doc
        sets = [("all", "held-out", parity.errors)]
        sets += [("temperature_K", name, errors) for name, errors in parity.errors_by_temperature.items()]
        sets += [("system", name, errors) for name, errors in parity.errors_by_system.items()]
        for by, name, errors in sets:
            yield _error_row(by, name, errors, stored.uuid)
        for name, forces in parity.force_errors_by_region.items():
            yield _force_error_row("region", name, forces.rmse_eV_A, forces.mae_eV_A, stored.uuid)
            for element, rmse in forces.rmse_by_species_eV_A.items():
                yield _force_error_row("region and element", f"{name} {element}", rmse, None, stored.uuid)


def _error_row(by: str, name: str, errors: FitErrors, uuid: str) -> Row:
    return {
        "by": by,
        "name": name,
        "n_configurations": errors.n_configurations,
        "energy_rmse_meV_atom": errors.energy_rmse_meV_atom,
        "force_rmse_eV_A": errors.force_rmse_eV_A,
        "force_mae_eV_A": errors.force_mae_eV_A,
        "stress_rmse_GPa": errors.stress_rmse_GPa,
        "job_uuid": uuid,
    }


def _force_error_row(by: str, name: str, rmse: float, mae: float | None, uuid: str) -> Row:
    return {
        "by": by,
        "name": name,
        "n_configurations": None,
        "energy_rmse_meV_atom": None,
        "force_rmse_eV_A": rmse,
        "force_mae_eV_A": mae,
        "stress_rmse_GPa": None,
        "job_uuid": uuid,
    }


def _level_rows(results: FlowResults) -> Iterator[Row]:
    for stored in results.docs:
        if isinstance(stored.doc, LevelComparisonDoc):
            for difference in stored.doc.differences:
                yield {field: getattr(difference, field) for field in _LEVEL_FIELDS} | {"job_uuid": stored.uuid}


def _production_rows(results: FlowResults) -> Iterator[Row]:
    for stored in results.docs:
        if isinstance(stored.doc, ProductionDoc):
            row: Row = {name: getattr(stored.doc, name) for name in _PRODUCTION_FIELDS}
            yield row | {"n_segments": len(stored.doc.segments), "job_uuid": stored.uuid}


def _melting_point_rows(results: FlowResults) -> Iterator[Row]:
    for stored in results.docs:
        if isinstance(stored.doc, MeltingPointDoc):
            row: Row = {name: getattr(stored.doc, name) for name in _MELTING_FIELDS}
            yield row | {"n_runs": len(stored.doc.runs), "job_uuid": stored.uuid}


def _relaxation_rows(results: FlowResults) -> Iterator[Row]:
    for stored in results.docs:
        if isinstance(stored.doc, RelaxationDoc):
            doc = stored.doc
            row: Row = {name: getattr(doc, name) for name in _RELAXATION_FIELDS}
            yield row | {
                "formula": doc.structure.formula,
                "n_atoms": doc.structure.n_atoms,
                "energy_per_atom_eV": doc.energy_eV / doc.structure.n_atoms,
                "file": doc.structure.file.uri,
                "job_uuid": stored.uuid,
            }


def _gap_rows(results: FlowResults) -> Iterator[Row]:
    for stored in results.docs:
        if isinstance(stored.doc, DensityOfStatesDoc):
            doc = stored.doc
            row: Row = {name: getattr(doc, name) for name in _GAP_FIELDS}
            yield row | {"formula": doc.structure.formula, "file": doc.arrays.uri, "job_uuid": stored.uuid}


def _bader_rows(results: FlowResults) -> Iterator[Row]:
    for stored in results.docs:
        if not isinstance(stored.doc, BaderDoc):
            continue
        doc = stored.doc
        shared: Row = {"level_of_theory": doc.level_of_theory, "file": doc.arrays.uri, "job_uuid": stored.uuid}
        for group in doc.groups:
            yield {
                "name": doc.name,
                "by": group.by,
                "group": group.name,
                "element": group.element,
                "lower_A": None,
                "upper_A": None,
                "n_frames": doc.n_frames,
                "n_atoms": group.n_atoms,
                "mean_charge_e": group.mean_charge_e,
                "spread_e": group.spread_e,
                "frame_spread_e": group.frame_spread_e,
            } | shared
        for layer in doc.layers:
            yield {
                "name": doc.name,
                "by": "layer and element",
                "group": None,
                "element": layer.element,
                "lower_A": layer.lower_A,
                "upper_A": layer.upper_A,
                "n_frames": doc.n_frames,
                "n_atoms": layer.mean_n_atoms,
                "mean_charge_e": layer.mean_charge_e,
                "spread_e": None,
                "frame_spread_e": None,
            } | shared


def _mass_rows(results: FlowResults) -> Iterator[Row]:
    for stored in results.docs:
        if isinstance(stored.doc, EffectiveMassDoc):
            doc = stored.doc
            first, second, third = doc.principal_masses_me
            yield {
                "name": doc.name,
                "formula": doc.structure.formula,
                "band": doc.band,
                "k_point": " ".join(f"{coordinate:g}" for coordinate in doc.k_point),
                "mass_1_me": first,
                "mass_2_me": second,
                "mass_3_me": third,
                "conductivity_mass_me": doc.conductivity_mass_me,
                "is_extremum": doc.is_extremum,
                "level_of_theory": doc.level_of_theory,
                "job_uuid": stored.uuid,
            }


_ENERGETICS_FIELDS = tuple(
    name
    for name in EnergeticsDoc.model_fields
    if name not in ("schema_version", "provenance", "physics_hash", "caveats")
)
_PRODUCTION_FIELDS = (
    "temperature_K",
    "mean_temperature_K",
    "status",
    "production_ps",
    "frame_interval_ps",
    "largest_grade",
    "residual_normal_stress_GPa",
    "metal_solid_fraction",
    "energy_drift_meV_atom_ps",
    "n_atoms",
    "atom_steps_per_s",
)
_LEVEL_FIELDS = (
    "first",
    "second",
    "n_configurations",
    "energy_rms_meV_atom",
    "energy_largest_meV_atom",
    "force_rmse_eV_A",
    "force_mae_eV_A",
    "force_slope",
    "rms_force_eV_A",
    "stress_rmse_GPa",
    "pressure_difference_GPa",
)
_MELTING_FIELDS = ("melting_point_K", "lower_K", "upper_K", "n_atoms", "largest_grade")
_RELAXATION_FIELDS = (
    "kind",
    "name",
    "n_layers",
    "free_axes",
    "energy_eV",
    "max_force_eV_A",
    "n_steps",
    "converged",
    "area_A2",
    "level_of_theory",
)

_GAP_FIELDS = (
    "name",
    "gap_eV",
    "is_metal",
    "valence_maximum_eV",
    "conduction_minimum_eV",
    "fermi_energy_eV",
    "spin_polarised",
    "level_of_theory",
)

KINDS: dict[str, Kind] = {
    "transport": Kind(
        "tracer diffusivity by temperature, label and direction",
        (
            "temperature_K",
            "label",
            "direction",
            "tracer_diffusivity_cm2_s",
            "lower_cm2_s",
            "upper_cm2_s",
            "confidence",
            "reason",
            "effective_hops",
            "empirical_relative_error",
            "n_atoms",
            "fit_start_ps",
            "fit_end_ps",
            "trajectory_ps",
            "largest_grade",
            "metal_is_solid",
            "status",
            "job_uuid",
        ),
        _transport_rows,
    ),
    "arrhenius": Kind(
        "activation energy by label and direction",
        (
            "label",
            "direction",
            "activation_energy_eV",
            "activation_energy_error_eV",
            "log10_prefactor_cm2_s",
            "n_points",
            "reason",
        ),
        _arrhenius_rows,
    ),
    "energetics": Kind("energies of an interface", (*_ENERGETICS_FIELDS, "caveats", "job_uuid"), _energetics_rows),
    "surface-energies": Kind(
        "energy of a surface",
        (
            "name",
            "formula",
            "miller",
            "surface_energy_J_m2",
            "surface_energy_error_J_m2",
            "n_layers",
            "converged",
            "job_uuid",
        ),
        _surface_energy_rows,
    ),
    "rounds": Kind(
        "a round of active learning",
        (
            "round_index",
            "status",
            "n_runs",
            "n_broke",
            "reached_ps",
            "largest_grade",
            "n_candidates",
            "n_selected",
            "n_labels",
            "n_quarantined",
            "n_training",
            "held_out_force_rmse_eV_A",
            "wall_time_s",
            "job_uuid",
        ),
        _round_rows,
    ),
    "potentials": Kind(
        "a potential and its errors",
        (
            "kind",
            "level",
            "cutoff_radius_A",
            "species",
            "n_training",
            "training_energy_rmse_meV_atom",
            "training_force_rmse_eV_A",
            "held_out_energy_rmse_meV_atom",
            "held_out_force_rmse_eV_A",
            "held_out_stress_rmse_GPa",
            "iterations",
            "warm_start",
            "has_grade",
            "engine",
            "zbl_inner_cutoff_A",
            "zbl_outer_cutoff_A",
            "file",
            "sha256",
            "job_uuid",
        ),
        _potential_rows,
    ),
    "datasets": Kind(
        "a training set",
        (
            "n_training",
            "n_held_out",
            "n_quarantined",
            "n_duplicates",
            "species",
            "level_of_theory",
            "training_file",
            "held_out_file",
            "training_sha256",
            "job_uuid",
        ),
        _dataset_rows,
    ),
    "errors": Kind(
        "errors of the potential on held-out configurations, by temperature, system, region and element",
        (
            "by",
            "name",
            "n_configurations",
            "energy_rmse_meV_atom",
            "force_rmse_eV_A",
            "force_mae_eV_A",
            "stress_rmse_GPa",
            "job_uuid",
        ),
        _error_rows,
    ),
    "levels": Kind("two levels of theory on the same configurations", (*_LEVEL_FIELDS, "job_uuid"), _level_rows),
    "production": Kind(
        "a production run at one temperature", (*_PRODUCTION_FIELDS, "n_segments", "job_uuid"), _production_rows
    ),
    "melting-point": Kind(
        "the melting point that the potential gives the metal",
        (*_MELTING_FIELDS, "n_runs", "job_uuid"),
        _melting_point_rows,
    ),
    "relaxations": Kind(
        "a relaxed structure and its energy",
        (*_RELAXATION_FIELDS, "formula", "n_atoms", "energy_per_atom_eV", "file", "job_uuid"),
        _relaxation_rows,
    ),
    "gaps": Kind(
        "gap of a structure, and the file of its density of states",
        (*_GAP_FIELDS, "formula", "file", "job_uuid"),
        _gap_rows,
    ),
    "bader-charges": Kind(
        "Bader charge by phase, region, layer and element",
        (
            "name",
            "by",
            "group",
            "element",
            "lower_A",
            "upper_A",
            "n_frames",
            "n_atoms",
            "mean_charge_e",
            "spread_e",
            "frame_spread_e",
            "level_of_theory",
            "file",
            "job_uuid",
        ),
        _bader_rows,
    ),
    "effective-masses": Kind(
        "effective mass of electrons or holes",
        (
            "name",
            "formula",
            "band",
            "k_point",
            "mass_1_me",
            "mass_2_me",
            "mass_3_me",
            "conductivity_mass_me",
            "is_extremum",
            "level_of_theory",
            "job_uuid",
        ),
        _mass_rows,
    ),
}
