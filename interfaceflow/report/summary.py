"""The result tables that end a run on the terminal and open the tables of the page."""

from __future__ import annotations

from dataclasses import dataclass

from interfaceflow.report.numbers import diffusivity, fixed, significant, with_error
from interfaceflow.schemas.energetics import EnergeticsDoc, SurfaceEnergyDoc
from interfaceflow.schemas.level_comparison import LevelComparisonDoc
from interfaceflow.schemas.transport import ArrheniusDoc, TransportDoc
from interfaceflow.store.results import FlowResults


@dataclass(frozen=True)
class SummaryTable:
    """A table of formatted numbers.

    Attributes
    ----------
    title
        What it shows.
    columns
        Headings, with units.
    rows
        As many cells as columns.
    notes
        What a reader must know before quoting the numbers.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()


def summary_tables(results: FlowResults) -> tuple[SummaryTable, ...]:
    """Return the tables of energies, diffusivities and activation energies that the flow has so far."""
    comparison = results.last_of(LevelComparisonDoc)
    tables = (
        energetics_table(results),
        transport_table(results),
        arrhenius_table(results),
        None if comparison is None else level_comparison_table(comparison),
    )
    return tuple(table for table in tables if table is not None)


def level_comparison_table(doc: LevelComparisonDoc) -> SummaryTable:
    """Return how far levels of theory are apart on the same configurations."""
    rows = tuple(
        (
            f"{one.second} against {one.first}",
            significant(one.energy_rms_meV_atom),
            significant(one.energy_largest_meV_atom),
            significant(one.force_rmse_eV_A),
            f"{one.force_rmse_eV_A / one.rms_force_eV_A:.0%}" if one.rms_force_eV_A else "",
            fixed(one.force_slope, 3),
            "" if one.stress_rmse_GPa is None else significant(one.stress_rmse_GPa),
            "" if one.pressure_difference_GPa is None else fixed(one.pressure_difference_GPa, 3),
        )
        for one in doc.differences
    )
    columns = (
        "levels of theory", "ΔE / meV/atom", "largest", "ΔF / eV/Å", "of RMS force", "slope", "Δstress / GPa",
        "Δpressure / GPa",
    )  # fmt: skip
    left_out = f", {doc.n_left_out} without a trusted label at every level left out" if doc.n_left_out else ""
    notes = (
        f"Root mean square differences over {doc.n_configurations} configurations{left_out}. Energies: after one for "
        "each element was fitted and taken out. Slope: of forces through zero, below 1 for the softer level. "
        "Pressure: mean difference, second level minus first.",
    )
    return SummaryTable("Levels of theory on the same configurations", columns, rows, notes)


def energetics_table(results: FlowResults) -> SummaryTable | None:
    """Return surface, interface and adhesion energies, or nothing before there are any."""
    rows: list[tuple[str, ...]] = []
    for doc in results.all_of(SurfaceEnergyDoc):
        plane = "".join(str(index) for index in doc.miller)
        value = with_error(doc.surface_energy_J_m2, doc.surface_energy_error_J_m2)
        rows.append(
            (f"surface energy {doc.formula}({plane})", value, "" if doc.converged else "thickness not converged")
        )
    energetics = results.last_of(EnergeticsDoc)
    if energetics is not None:
        e, error = energetics, energetics.work_of_adhesion_error_J_m2
        rows += [
            ("interface formation energy E_f", fixed(e.interface_formation_energy_J_m2, 3), "free bulk references"),
            ("interfacial energy σ", fixed(e.interfacial_energy_J_m2, 3), "references strained alike"),
            ("elastic part E_f − σ", fixed(e.elastic_energy_J_m2, 3), ""),
            ("work of adhesion W_ad", with_error(e.work_of_adhesion_J_m2, error), "without strain energy"),
            ("work of adhesion with strain", with_error(e.work_of_adhesion_with_strain_J_m2, error), ""),
            ("work of separation", fixed(e.work_of_separation_J_m2, 3), "same cell, slabs not relaxed further"),
            ("threshold 2γ of the metal", fixed(2 * e.metal_surface_energy_J_m2, 3), "W_ad above it resists voids"),
        ]
    if not rows:
        return None
    notes = energetics.caveats if energetics is not None else ()
    return SummaryTable("Energies", ("quantity", "J/m²", "note"), tuple(rows), notes)


def transport_table(results: FlowResults) -> SummaryTable | None:
    """Return diffusivities by temperature, group and direction, or nothing before there are any."""
    docs = sorted(results.all_of(TransportDoc), key=lambda doc: doc.temperature_K)
    rows = [
        (
            f"{doc.temperature_K:.0f}",
            estimate.label,
            estimate.direction,
            diffusivity(estimate),
            significant(estimate.effective_hops, 2),
            "" if estimate.empirical_relative_error is None else f"{estimate.empirical_relative_error:.0%}",
            estimate.reason or ("metal molten" if doc.metal_has_melted else ""),
        )
        for doc in docs
        for estimate in doc.estimates
    ]
    if not rows:
        return None
    confidences = sorted({estimate.confidence for doc in docs for estimate in doc.estimates})
    notes = [
        f"Intervals and limits at {' / '.join(f'{c:.0%}' for c in confidences)} confidence. Hops: effective hops. "
        "He et al.: empirical relative error, doi:10.1038/s41524-018-0074-y."
    ]
    if any(doc.status == "extrapolated" for doc in docs):
        notes.append("At least one run stopped before its time, at the break threshold of the extrapolation grade.")
    columns = ("T / K", "group", "direction", "D / cm² s⁻¹", "hops", "He et al.", "remark")
    return SummaryTable("Tracer diffusivities", columns, tuple(rows), tuple(notes))


def framework_table(results: FlowResults) -> SummaryTable | None:
    """Return how far the elements that are not mobile get, or nothing where they were not followed."""
    docs = sorted(results.all_of(TransportDoc), key=lambda doc: doc.temperature_K)
    rows = tuple(
        (
            f"{doc.temperature_K:.0f}",
            estimate.label,
            estimate.direction,
            diffusivity(estimate),
            significant(estimate.effective_hops, 2),
            estimate.reason or "",
        )
        for doc in docs
        for estimate in doc.framework
    )
    columns = ("T / K", "group", "direction", "D / cm² s⁻¹", "hops", "remark")
    return SummaryTable("Motion of the framework", columns, rows) if rows else None


def arrhenius_table(results: FlowResults) -> SummaryTable | None:
    """Return activation energies by group and direction, or nothing before they were fitted."""
    doc = results.last_of(ArrheniusDoc)
    if doc is None or not doc.fits:
        return None
    rows = tuple(
        (
            fit.label,
            fit.direction,
            "none"
            if fit.activation_energy_eV is None
            else with_error(fit.activation_energy_eV, fit.activation_energy_error_eV),
            str(fit.n_points),
            fit.reason or "",
        )
        for fit in doc.fits
    )
    return SummaryTable("Activation energies", ("group", "direction", "E_a / eV", "points", "remark"), rows)
