"""The charts of the page, one function each, from Docs and arrays to SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from interfaceflow.analysis.diffusivity import DIMENSIONS, WINDOW_END
from interfaceflow.core.units import A2_PER_PS_TO_CM2_PER_S, BOLTZMANN_EV_PER_K
from interfaceflow.report.numbers import diffusivity, fixed, significant
from interfaceflow.report.svg import Axis, Chart
from interfaceflow.schemas.datasets import FitErrors, ForceErrors
from interfaceflow.schemas.dynamics import MeltingPointDoc, ProductionDoc
from interfaceflow.schemas.learning import LearningRoundDoc
from interfaceflow.schemas.settings import LearningSettings
from interfaceflow.schemas.transport import ArrheniusDoc, DiffusivityEstimate, TransportDoc

Array = NDArray[np.float64]
MAX_DOTS = 4000


def css_of(label: str) -> str:
    """Return the colour class of a group of atoms, by the phase or region its label begins with."""
    place = label.partition("-")[0]
    return {"interface": "between", "metal": "first", "cathode": "first"}.get(place, "second")


def learning_charts(rounds: Sequence[LearningRoundDoc], settings: LearningSettings) -> tuple[str, str]:
    """Draw the largest extrapolation grade and the number of labels by round."""
    indices = [doc.round_index for doc in rounds]
    ticks = tuple((float(i), str(i)) for i in indices[:: max(1, len(indices) // 10)])
    x = Axis("learning round", min(indices) - 0.6, max(indices) + 0.6, marks=ticks)
    grades = [max(doc.largest_grade, 1e-3) for doc in rounds]
    thresholds = (settings.select_threshold, settings.break_threshold)
    grade = Chart(x, Axis.around("largest extrapolation grade", grades, log=True, include=thresholds))
    grade.level(settings.break_threshold, "bad", f"break at {settings.break_threshold:g}")
    grade.level(settings.select_threshold, "warn", f"select above {settings.select_threshold:g}")
    grade.line(indices, grades, "accent")
    for doc, value in zip(rounds, grades, strict=True):
        broke = sum(run.broke for run in doc.runs)
        tip = f"round {doc.round_index}: grade {significant(value)}, {broke} of {len(doc.runs)} runs broke"
        grade.point(doc.round_index, value, "bad" if broke else "good", tip)
    totals = [doc.dataset.n_training for doc in rounds]
    labels = Chart(x, Axis("labels", 0, 1.15 * max(totals)))
    for doc, total in zip(rounds, totals, strict=True):
        tip = f"round {doc.round_index}: {doc.n_labels} new labels, {total} in the training set"
        labels.column(doc.round_index, total, "muted", 0.34, tip)
        labels.column(doc.round_index, min(doc.n_labels, total), "accent", 0.34, tip)
        labels.text(doc.round_index, total + 0.03 * max(totals), f"{total} (+{doc.n_labels})")
    return grade.render(), labels.render()


def parity_charts(arrays: Mapping[str, Array], errors: FitErrors) -> tuple[str, str]:
    """Draw potential against reference for held-out energies and force components."""
    energy = _parity(
        "energy", "eV/atom", arrays["energy_reference"].ravel(), arrays["energy_potential"].ravel(), "accent",
        f"RMSE {significant(errors.energy_rmse_meV_atom)} meV/atom, MAE {significant(errors.energy_mae_meV_atom)}",
    )  # fmt: skip
    force = _parity(
        "force component", "eV/Å", arrays["force_reference"].ravel(), arrays["force_potential"].ravel(), "accent",
        f"RMSE {significant(errors.force_rmse_eV_A)} eV/Å, MAE {significant(errors.force_mae_eV_A)}",
    )  # fmt: skip
    return energy, force


def _parity(name: str, unit: str, reference: Array, potential: Array, css: str, note: str) -> str:
    step = max(1, -(-len(reference) // MAX_DOTS))
    both = [*map(float, reference), *map(float, potential)]
    x, y = Axis.around(f"reference {name} / {unit}", both), Axis.around(f"potential {name} / {unit}", both)
    chart = Chart(x, y, width=420, height=400)
    chart.line([x.low, x.high], [x.low, x.high], "guide")
    chart.cloud(list(reference[::step]), list(potential[::step]), css if len(reference) > 500 else f"{css} few")
    chart.text(x.low + 0.04 * (x.high - x.low), x.low + 0.93 * (x.high - x.low), note, anchor="start")
    if step > 1:
        text = f"one of {step} shown"
        chart.text(x.low + 0.96 * (x.high - x.low), x.low + 0.04 * (x.high - x.low), text, anchor="end")
    return chart.render()


def region_chart(by_region: Mapping[str, ForceErrors], elements: Sequence[str]) -> str:
    """Draw the force error of each element in each region, a group of columns for each region."""
    marks = tuple((float(place), name) for place, name in enumerate(by_region))
    worst = max(errors.rmse_by_species_eV_A[e] for errors in by_region.values() for e in errors.rmse_by_species_eV_A)
    chart = Chart(
        Axis("", -0.5, len(by_region) - 0.5, marks=marks),
        Axis("F RMSE / eV/Å", 0, 1.2 * worst or 1.0),
        width=620,
        height=260,
    )
    room = 0.8 / len(elements)
    for place, (name, errors) in enumerate(by_region.items()):
        for number, element in enumerate(elements):
            if element not in errors.rmse_by_species_eV_A:
                continue
            x, value = place + (number - (len(elements) - 1) / 2) * room, errors.rmse_by_species_eV_A[element]
            tip = f"{element}, {name}: {significant(value)} eV/Å"
            chart.column(x, value, "accent" if number % 2 == 0 else "muted", 0.45 * room, tip)
            chart.text(x, value + 0.03 * worst, element)
    return chart.render()


def msd_chart(doc: TransportDoc, curves: Mapping[str, Array], y: Axis) -> str:
    """Draw the MSDs of one temperature, with the fitted slope over its window or the limit's slope, dotted."""
    lag = curves["lag_ps"]
    chart = Chart(
        Axis.around("lag / ps", list(lag), log=True), y, width=380, height=300, title=f"{doc.temperature_K:.0f} K"
    )
    for estimate in (*doc.framework, *doc.estimates):
        name = f"msd_{estimate.label}_{estimate.direction}"
        if name not in curves:
            continue
        css = f"{'framework' if estimate in doc.framework else css_of(estimate.label)} {estimate.direction}"
        usable = lag <= WINDOW_END * doc.trajectory_ps
        chart.line(list(lag[~usable]), list(curves[name][~usable]), f"{css} faint")
        chart.line(list(lag[usable]), list(curves[name][usable]), css)
        if estimate.tracer_diffusivity_cm2_s is not None and estimate.fit_window_ps is not None:
            xs, ys = _fitted_line(estimate, lag, curves[name])
            chart.line(xs, ys, f"{css_of(estimate.label)} fit")
    return chart.render()


def _fitted_line(estimate: DiffusivityEstimate, lag: Array, msd: Array) -> tuple[list[float], list[float]]:
    """Return the line of the fitted slope through the middle of the MSD in its window."""
    start, end = estimate.fit_window_ps or (0.0, 0.0)
    inside = (lag >= start * 0.999) & (lag <= end * 1.001)
    slope = 2 * DIMENSIONS[estimate.direction] * (estimate.tracer_diffusivity_cm2_s or 0.0) / A2_PER_PS_TO_CM2_PER_S
    intercept = float(np.mean(msd[inside] - slope * lag[inside]))
    return list(lag[inside]), list(intercept + slope * lag[inside])


def msd_axis(all_curves: Sequence[Mapping[str, Array]]) -> Axis:
    """Return one vertical axis for the MSDs of all temperatures."""
    values = [float(v) for curves in all_curves for name in curves if name != "lag_ps" for v in curves[name]]
    return Axis.around("mean squared displacement / Å²", values, log=True)


def arrhenius_chart(transport: Sequence[TransportDoc], arrhenius: ArrheniusDoc | None) -> str:
    """Draw diffusivities against 1000 / T: values with intervals, limits as arrows, fits as lines."""
    found = [(doc, estimate) for doc in transport for estimate in doc.estimates if estimate.upper_cm2_s > 0]
    ends = [v for _, e in found for v in (e.lower_cm2_s, e.tracer_diffusivity_cm2_s, e.upper_cm2_s) if v]
    y = Axis.around("tracer diffusivity / cm² s⁻¹", ends, log=True)
    y = Axis(y.label, y.low / 2, y.high, log=True)
    inverse = [1000 / doc.temperature_K for doc in transport]
    room = 0.12 * (max(inverse) - min(inverse)) or 0.2
    chart = Chart(Axis("1000 K / T", min(inverse) - room, max(inverse) + room), y, width=620, height=420)
    for temperature in sorted({doc.temperature_K for doc in transport}):
        chart.text(1000 / temperature, y.high / 1.18, f"{temperature:.0f} K", "faint-text")
    series = list(dict.fromkeys((e.label, e.direction) for _, e in found))
    for number, (label, direction) in enumerate(series):
        shift = (number - (len(series) - 1) / 2) * 0.024 * (chart.x.high - chart.x.low)
        css = f"{css_of(label)} {direction}"
        for doc, estimate in found:
            if (estimate.label, estimate.direction) == (label, direction):
                _diffusivity_mark(chart, doc, estimate, 1000 / doc.temperature_K + shift, css)
    for fit in arrhenius.fits if arrhenius else ():
        if fit.activation_energy_eV is not None and fit.log10_prefactor_cm2_s is not None:
            xs = np.array([min(inverse) - room / 2, max(inverse) + room / 2])
            ys = 10**fit.log10_prefactor_cm2_s * np.exp(-fit.activation_energy_eV * xs / (1000 * BOLTZMANN_EV_PER_K))
            chart.line(list(xs), list(ys), f"{css_of(fit.label)} {fit.direction}")
    return chart.render()


def _diffusivity_mark(chart: Chart, doc: TransportDoc, estimate: DiffusivityEstimate, x: float, css: str) -> None:
    tip = f"{estimate.label}, {estimate.direction}, {doc.temperature_K:.0f} K: {diffusivity(estimate)} cm²/s"
    if estimate.tracer_diffusivity_cm2_s is None or estimate.lower_cm2_s is None:
        chart.limit(x, estimate.upper_cm2_s, css, tip)
        return
    chart.error_bar(x, estimate.lower_cm2_s, estimate.upper_cm2_s, css)
    chart.point(x, estimate.tracer_diffusivity_cm2_s, css, tip)


def melting_chart(doc: MeltingPointDoc, production: Sequence[ProductionDoc]) -> str:
    """Draw the solid fraction at the end of each coexistence run, the bracket, and where production ran."""
    temperatures = [run.temperature_K for run in doc.runs]
    x = Axis.around("temperature / K", temperatures, include=[p.temperature_K for p in production])
    chart = Chart(x, Axis("solid fraction, start to end", 0, 1.05), width=620, height=280)
    chart.span(doc.lower_K, doc.upper_K, "warn")
    for run in sorted(doc.runs, key=lambda r: r.temperature_K):
        css = "good" if run.grew else "bad"
        chart.line([run.temperature_K] * 2, [run.solid_fraction_start, run.solid_fraction_end], f"{css} thick")
        tip = f"{run.temperature_K:.0f} K: {run.solid_fraction_start:.2f} to {run.solid_fraction_end:.2f}"
        chart.point(run.temperature_K, run.solid_fraction_end, css, tip)
    for temperature in sorted({doc.temperature_K for doc in production}):
        chart.line([temperature] * 2, [0.0, 0.06], "muted thick")
        chart.text(temperature, 0.08, fixed(temperature, 0), "faint-text")
    return chart.render()
