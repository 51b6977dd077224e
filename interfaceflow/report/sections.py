"""The sections on what was found: structure, energies, transport, melting, production."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from interfaceflow.core.formats.structure_file import read_structure
from interfaceflow.core.labels import has_labels
from interfaceflow.report import charts, html
from interfaceflow.report.cell_view import side_view, view_legend
from interfaceflow.report.numbers import fixed, grade_text, significant
from interfaceflow.report.summary import arrhenius_table, energetics_table, framework_table, transport_table
from interfaceflow.schemas.dynamics import MeltingPointDoc, ProductionDoc
from interfaceflow.schemas.structures import InterfaceDoc, ProductionCellDoc
from interfaceflow.schemas.transport import ArrheniusDoc, TransportDoc
from interfaceflow.store.results import FlowResults


def load_arrays(path: Path) -> dict[str, charts.Array]:
    """Read all numeric arrays of a NumPy archive."""
    with np.load(path, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files if archive[name].dtype.kind in "fiu"}


def structure_section(results: FlowResults) -> str:
    """Show the cell from the side, and what the builder re-measured."""
    interface, large = results.last_of(InterfaceDoc), results.last_of(ProductionCellDoc)
    shown = large or interface
    if shown is None:
        return html.section("structure", "Structure", html.missing("The interface cell has not been built."))
    atoms = read_structure(shown.structure.file.path())
    mobile = results.settings.analysis.mobile_species
    parts, keys = [], ""
    if has_labels(atoms):
        caption = (
            f"{shown.structure.formula}, {shown.structure.n_atoms} atoms, seen along the interface; nearer atoms are "
            "stronger in colour, ringed atoms are in the interface region."
        )
        parts += [
            html.figure(side_view(atoms, shown.normal_axis, mobile), caption),
        ]
        keys = html.legend(view_legend(atoms, mobile))
    rows: list[tuple[str, str]] = []
    if interface is not None:
        strains = " and ".join(fixed(100 * strain, 2) for strain in interface.match.principal_strains)
        rows += [
            ("matched cell", f"{interface.structure.n_atoms} atoms, {fixed(interface.match.area_A2, 1)} Å²"),
            (f"strain, all on the {interface.phases[0]}", f"{strains} %"),
            (f"layers, {' and '.join(interface.phases)}", f"{interface.strained_layers} and {interface.kept_layers}"),
            ("gap as built", f"{fixed(interface.gap_A, 2)} Å"),
            ("shortest distance across", f"{fixed(interface.min_distance_A, 2)} Å"),
            ("the two interfaces", "equivalent by symmetry" if interface.interfaces_equivalent else "not equivalent"),
        ]
    if large is not None:
        repeats = " × ".join(str(n) for n in large.repeats)
        rows += [
            ("production cell", f"{large.structure.n_atoms} atoms, {repeats} matched cells"),
            (
                "vacancies made",
                f"{large.n_vacancies} {large.vacancy_species}, all in the interface region"
                if large.n_vacancies
                else "none",
            ),
        ]
    parts.append(html.table(("", "re-measured on the built cell"), rows))
    return html.section("structure", "Structure", html.beside(*parts), keys)


def energetics_section(results: FlowResults) -> str:
    """Show surface, interface and adhesion energies."""
    data = energetics_table(results)
    if data is None:
        return html.section("energies", "Energies", html.missing("No surface or interface energy is there yet."))
    words = (
        "γ = surface energy, from the slope over slab thickness. E_f = energy of the interface against free crystals; "
        "σ = against crystals strained as in the cell. W_ad = γ(metal) + γ(binary) − σ. The error of W_ad is that of "
        "the two surface energies."
    )
    return html.section("energies", "Energies", html.summary(data, numeric=(1,)), html.paragraph(words, "small"))


def transport_section(results: FlowResults) -> str:
    """Show diffusivities, the Arrhenius plot and the MSDs."""
    docs = sorted(results.all_of(TransportDoc), key=lambda doc: doc.temperature_K)
    data = transport_table(results)
    if data is None:
        return html.section("transport", "Transport", html.missing("No production run has been analysed yet."))
    arrhenius = results.last_of(ArrheniusDoc)
    fits = arrhenius_table(results)
    caption = (
        "Tracer diffusivities; bars are intervals, arrows upper limits, lines fits. Filled marks and full lines: in "
        "the interface plane; open marks and dashes: along the normal. Points of one temperature are set side by side."
    )
    curves = [load_arrays(doc.msd.path()) for doc in docs]
    axis = charts.msd_axis(curves)
    panels = "".join(charts.msd_chart(doc, arrays, axis) for doc, arrays in zip(docs, curves, strict=True))
    msd_caption = (
        f"Mean squared displacement by {results.settings.analysis.groups} and direction, each phase in its own frame "
        "of reference. Thick: the fitted slope over its window. Faint: lags beyond 0.7 of the run, which no fit uses."
    )
    framework = framework_table(results)
    framework_part = html.folded(framework.title, html.summary(framework, numeric=(0, 3, 4))) if framework else ""
    fit_part = (
        html.summary(fits, numeric=(2, 3)) if fits else html.missing("Activation energies have not been fitted yet.")
    )
    return html.section(
        "transport",
        "Transport",
        html.figure(charts.arrhenius_chart(docs, arrhenius), caption, "narrow"),
        html.legend(_series_keys(docs)),
        fit_part,
        html.summary(data, numeric=(0, 3, 4, 5)),
        html.figure(f'<div class="panels">{panels}</div>', msd_caption),
        html.legend(_series_keys(docs) + _framework_keys(docs)),
        framework_part,
    )


def _series_keys(docs: list[TransportDoc]) -> list[tuple[str, str]]:
    series = dict.fromkeys((e.label, e.direction) for doc in docs for e in doc.estimates)
    return [(f"{charts.css_of(label)} line-key {direction}", f"{label}, {direction}") for label, direction in series]


def _framework_keys(docs: list[TransportDoc]) -> list[tuple[str, str]]:
    elements = sorted({estimate.label.rpartition("-")[2] for doc in docs for estimate in doc.framework})
    return [("framework line-key", f"framework: {', '.join(elements)}")] if elements else []


def melting_section(results: FlowResults) -> str:
    """Show the coexistence runs and the bracket of the melting point."""
    doc = results.last_of(MeltingPointDoc)
    title = "Melting of the metal"
    if doc is None:
        return html.section("melting", title, html.missing("The melting point has not been searched for yet."))
    half = (doc.upper_K - doc.lower_K) / 2
    words = (
        f"With this potential the metal melts at {doc.melting_point_K:.0f} ± {half:.0f} K: the solid grew at "
        f"{doc.lower_K:.0f} K and melted at {doc.upper_K:.0f} K ({doc.n_atoms} atoms, half molten at the start). "
        f"Largest extrapolation grade of these runs: {grade_text(doc.largest_grade)}."
    )
    caption = (
        "Each line runs from the solid fraction at the start to a dot at the end. Shaded: the bracket. "
        "Marks on the axis: temperatures of production."
    )
    chart = charts.melting_chart(doc, results.all_of(ProductionDoc))
    return html.section("melting", title, html.paragraph(words), html.figure(chart, caption, "narrow"))


def production_section(results: FlowResults) -> str:
    """Show the state that each production run was in."""
    docs = sorted(results.all_of(ProductionDoc), key=lambda doc: doc.temperature_K)
    if not docs:
        return html.section("production", "Production runs", html.missing("No production run has finished yet."))
    has_metal = any(doc.metal_solid_fraction is not None for doc in docs)
    columns = (
        "T / K", "mean T / K", "length / ps", "status", "largest grade", "normal stress / GPa", "drift / meV/atom/ps",
        *(("solid metal",) if has_metal else ()), "atoms", "atom·steps/s",
    )  # fmt: skip
    rows = [
        (
            f"{doc.temperature_K:.0f}",
            f"{doc.mean_temperature_K:.0f}",
            significant(doc.production_ps),
            doc.status if doc.reason is None else f"{doc.status}: {doc.reason}",
            grade_text(doc.largest_grade),
            fixed(doc.residual_normal_stress_GPa, 3),
            significant(doc.energy_drift_meV_atom_ps, 2),
            *((f"{doc.metal_solid_fraction or 0.0:.0%}",) if has_metal else ()),
            str(doc.n_atoms),
            significant(doc.atom_steps_per_s, 2),
        )
        for doc in docs
    ]
    words = (
        "The normal stress was relaxed before production at constant cell; compression is positive. 'extrapolated' "
        "means that the run stopped at the break threshold before its time."
    )
    table = html.table(columns, rows, numeric=[i for i in range(len(columns)) if i != 3])
    return html.section("production", "Production runs", table, html.paragraph(words, "small"))
