"""The sections on how it was found: learning, accuracy, settings, provenance, limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

import yaml

from interfaceflow.core.durations import format_duration
from interfaceflow.report import charts, html
from interfaceflow.report.numbers import grade_text, significant
from interfaceflow.report.potential_words import NO_GRADE, describe_potential, last_potential, limit_of
from interfaceflow.report.sections import load_arrays
from interfaceflow.report.summary import level_comparison_table
from interfaceflow.schemas.datasets import DatasetDoc, ForceErrors, ParityDoc, TrajectoryDoc
from interfaceflow.schemas.energetics import EnergeticsDoc
from interfaceflow.schemas.learning import LearningRoundDoc
from interfaceflow.schemas.level_comparison import LevelComparisonDoc
from interfaceflow.schemas.recipes import DecompositionInterfacesSettings
from interfaceflow.schemas.structures import RelaxationDoc
from interfaceflow.store.results import FlowResults

LIMITS = (
    "Energies and forces are those of the reference calculation that labelled the training set. A pretrained "
    "universal potential such as CHGNet softens surfaces; check one surface energy with DFT before quoting it.",
    "Diffusivities hold for this cell size, these vacancies and this run length. Intervals count the atoms as "
    "independent of one another; they do not contain the error of the potential.",
    "The empirical relative error of He et al. (doi:10.1038/s41524-018-0074-y) is printed beside the intervals. It is "
    "a rule with a floor of 4 %, not an interval with a coverage.",
    "Motion along the normal is by the phase or region an atom started in; it is not a count of crossings.",
)
LIMITS_WITH_A_METAL = (
    "An Arrhenius line never crosses the melting of the metal.",
    "The void criterion W_ad > 2γ compares static energies of perfect surfaces; it knows nothing of pressure, current "
    "or roughness.",
)


def learning_section(results: FlowResults) -> str:
    """Show the learning curve and the rounds."""
    title = "Active learning"
    rounds = sorted(results.all_of(LearningRoundDoc), key=lambda doc: doc.round_index)
    if not rounds:
        missing = html.missing("No learning round has finished yet.")
        return html.section("learning", title, missing, _refused_labels(results))
    grade, labels = charts.learning_charts(rounds, results.settings.learning)
    last = rounds[-1]
    strict = results.settings.learning.stop_rule == "no_candidate"
    outcome = {
        "converged": f"Converged after {len(rounds)} rounds: every run lasted its time without a break"
        f"{', and no frame was above the select threshold' if strict else ''}.",
        "max_rounds": f"Not converged: the loop gave up after {len(rounds)} rounds.",
        "learning": f"{len(rounds)} rounds so far.",
        "no_grade": f"{NO_GRADE} Guarded MD ran once: {_broken(last)}.",
    }[last.status]
    rows = [
        (
            str(doc.round_index),
            f"{sum(run.broke for run in doc.runs)} of {len(doc.runs)}",
            grade_text(doc.largest_grade),
            str(doc.n_candidates),
            str(doc.n_selected),
            str(doc.n_labels),
            str(len(doc.quarantined)),
            str(doc.dataset.n_training),
            significant(doc.potential.held_out_errors.energy_rmse_meV_atom),
            significant(doc.potential.held_out_errors.force_rmse_eV_A),
        )
        for doc in rounds
    ]
    columns = (
        "round", "runs broken", "largest grade", "candidates", "selected", "new labels", "refused", "training set",
        "E RMSE / meV/atom", "F RMSE / eV/Å",
    )  # fmt: skip
    table = html.table(columns, rows, numeric=range(10))
    if last.status == "no_grade":
        return html.section("learning", title, html.paragraph(outcome), table)
    pair = html.beside(
        html.figure(grade, "Largest extrapolation grade of each round; red: at least one run broke."),
        html.figure(labels, "Configurations in the training set after each round, and new ones (coloured)."),
    )
    return html.section("learning", title, html.paragraph(outcome), pair, table, _refused_labels(results))


def _broken(doc: LearningRoundDoc) -> str:
    """Say how many runs of a round broke, and why."""
    reasons = [run.reason for run in doc.runs if run.broke]
    if not reasons:
        return f"all {len(doc.runs)} runs lasted their time"
    return f"{len(reasons)} of {len(doc.runs)} runs broke ({'; '.join(filter(None, reasons))})"


def _refused_labels(results: FlowResults) -> str:
    """List the labels that nothing was trained on, with the reason of each."""
    refused = results.quarantined
    if not refused:
        return ""
    table = html.table(("configuration", "reason"), [(label.source, label.reason) for label in refused])
    return html.folded(f"Labels that were refused, and why: {len(refused)}", table)


def accuracy_section(results: FlowResults) -> str:
    """Show the potential against the reference on held-out configurations."""
    parity = results.last_of(ParityDoc)
    potential = last_potential(results)
    parts = [] if potential is None else [html.paragraph(describe_potential(potential))]
    if parity is None:
        parts.append(html.missing("No comparison on held-out data is there yet."))
    else:
        parts.append(_parity(parity, chosen_by_them=potential is not None and potential.early_stop))
    parts.append(_sampling(results.all_of(DatasetDoc)))
    comparison = results.last_of(LevelComparisonDoc)
    if comparison is not None:
        table = level_comparison_table(comparison)
        parts.append(f"<h3>{escape(table.title)}</h3>{html.summary(table, numeric=range(1, len(table.columns)))}")
    return html.section("accuracy", "Accuracy of the potential", *parts)


def _parity(parity: ParityDoc, *, chosen_by_them: bool) -> str:
    """Show held-out configurations one by one, and errors by temperature, system and region."""
    energy, force = charts.parity_charts(load_arrays(parity.arrays.path()), parity.errors)
    seen = "whose errors ended the fit and are therefore too small" if chosen_by_them else "which the fit never saw"
    pair = html.beside(
        html.figure(energy, f"Energies of held-out configurations, from trajectories {seen}."),
        html.figure(force, "Force components of the same configurations."),
    )
    sets = [("all held-out", parity.errors)]
    sets += [(f"{name} K", errors) for name, errors in parity.errors_by_temperature.items()]
    sets += [(f"system {name}", errors) for name, errors in parity.errors_by_system.items()]
    rows = [
        (
            name,
            str(errors.n_configurations),
            significant(errors.energy_rmse_meV_atom),
            significant(errors.energy_mae_meV_atom),
            significant(errors.force_rmse_eV_A),
            significant(errors.force_mae_eV_A),
            significant(errors.stress_rmse_GPa),
            ", ".join(f"{species} {significant(rmse)}" for species, rmse in errors.force_rmse_by_species_eV_A.items()),
        )
        for name, errors in sets
    ]
    columns = (
        "set", "configurations", "E RMSE / meV/atom", "E MAE", "F RMSE / eV/Å", "F MAE", "stress RMSE / GPa",
        "F RMSE by element",
    )  # fmt: skip
    by_region = _errors_by_region(parity.force_errors_by_region) if parity.force_errors_by_region else ""
    return pair + html.table(columns, rows, numeric=range(1, 7)) + by_region


def _errors_by_region(by_region: Mapping[str, ForceErrors]) -> str:
    """Show where in the cell, and on which element, forces are off."""
    elements = sorted({element for errors in by_region.values() for element in errors.rmse_by_species_eV_A})
    rows = [
        (
            name,
            str(errors.n_atoms),
            significant(errors.rms_force_eV_A),
            significant(errors.rmse_eV_A),
            significant(errors.mae_eV_A),
            *(
                significant(errors.rmse_by_species_eV_A[element]) if element in errors.rmse_by_species_eV_A else ""
                for element in elements
            ),
        )
        for name, errors in by_region.items()
    ]
    columns = (
        "atoms in", "number", "RMS force / eV/Å", "F RMSE / eV/Å", "F MAE", *(f"F RMSE {name}" for name in elements),
    )  # fmt: skip
    caption = "Force errors by element, at the interface and away from it; regions are those of the start of each run."
    return html.figure(charts.region_chart(by_region, elements), caption) + html.table(
        columns, rows, numeric=range(1, len(columns))
    )


def _sampling(datasets: Sequence[DatasetDoc]) -> str:
    """Show which runs the first training set was sampled from, and what was kept of each."""
    sampled = next((dataset for dataset in datasets if dataset.trajectories), None)
    if sampled is None:
        return ""
    rows = [
        (
            run.name,
            f"{run.temperature_K:g}",
            "held out" if run.held_out else "training",
            str(run.n_frames),
            str(run.n_kept),
            _correlation_words(run),
        )
        for run in sampled.trajectories
    ]
    columns = ("run", "T / K", "part", "labels", "kept", "memory of the energy / fs")
    words = (
        f"Trajectories are in the training or in the held-out part as a whole. {sampled.n_duplicates} configurations "
        "were left out because another one was the same."
    )
    table = html.table(columns, rows, numeric=(1, 3, 4, 5))
    return html.folded("What the training set was sampled from", html.paragraph(words) + table)


def _correlation_words(run: TrajectoryDoc) -> str:
    if run.correlation_time_fs is None:
        return ""
    return f"{'' if run.correlation_is_known else 'about '}{significant(run.correlation_time_fs, 2)}"


def settings_section(results: FlowResults) -> str:
    """Show the resolved config, defaults included."""
    text = yaml.safe_dump(results.settings.model_dump(mode="json"), sort_keys=False, allow_unicode=True, width=100)
    body = html.folded("Resolved config, defaults included", f"<pre>{escape(text)}</pre>")
    return html.section("settings", "Settings", body)


def provenance_section(results: FlowResults) -> str:
    """Show versions, hashes, and the wall time by stage."""
    if not results.docs:
        return html.section("provenance", "Provenance", html.missing("No job has stored a result yet."))
    seconds: dict[str, float] = {}
    versions: dict[str, str] = {}
    hosts: dict[str, None] = {}
    counted: set[str] = set()
    for stored in results.docs:
        provenance = stored.doc.provenance
        versions.update(provenance.package_versions)
        hosts[provenance.host] = None
        job = f"{stored.uuid}-{stored.index}"
        if job not in counted:  # a job with several results ran once
            seconds[stored.job_name] = seconds.get(stored.job_name, 0.0) + provenance.wall_time_s
            counted.add(job)
    total, longest = sum(seconds.values()), max(seconds.values()) or 1.0
    bars = "".join(
        f'<div class="stage"><span>{escape(name)}</span><b><i style="width:{100 * value / longest:.1f}%"></i></b>'
        f"<span>{format_duration(value)}</span></div>"
        for name, value in seconds.items()
    )
    words = f"Sum over jobs: {format_duration(total)}, on {', '.join(hosts)}. Seed {results.settings.seed}."
    return html.section(
        "provenance",
        "Provenance",
        html.paragraph(words),
        f'<div class="stages">{bars}</div>',
        html.table(("what", "SHA-256 or id"), _hashes(results)),
        html.folded("Package versions", html.table(("package", "version"), sorted(versions.items()))),
    )


def _hashes(results: FlowResults) -> list[tuple[str, str]]:
    rows = [("flow", results.flow_uuid), ("resolved config", results.config_sha256)]
    physics = results.last_of(EnergeticsDoc) or results.last_of(RelaxationDoc)
    if physics is not None:
        rows.append((f"level of theory {physics.level_of_theory}", physics.physics_hash))
    rounds = results.all_of(LearningRoundDoc)
    dataset = rounds[-1].dataset if rounds else results.last_of(DatasetDoc)
    potential = last_potential(results)
    if dataset is not None:
        rows += [("training set", dataset.training.sha256), ("held-out set", dataset.held_out.sha256)]
    if potential is not None:
        rows.append(("potential", potential.file.sha256))
    return rows


def limits_section(results: FlowResults) -> str:
    """Say what the method cannot know, and what the energies' authors warn of."""
    energetics = results.last_of(EnergeticsDoc)
    of_metals = LIMITS_WITH_A_METAL if isinstance(results.settings, DecompositionInterfacesSettings) else ()
    of_energies = energetics.caveats if energetics else ()
    words = (limit_of(results.settings.potential), *LIMITS, *of_metals, *of_energies)
    items = "".join(f"<li>{escape(item)}</li>" for item in words)
    return html.section("limits", "Limits of the method", f"<ul>{items}</ul>")
