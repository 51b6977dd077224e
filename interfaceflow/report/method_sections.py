"""The sections on how it was found: learning, accuracy, settings, provenance, limits."""

from __future__ import annotations

from html import escape

import yaml

from interfaceflow.core.durations import format_duration
from interfaceflow.report import charts, html
from interfaceflow.report.numbers import significant
from interfaceflow.report.sections import load_arrays
from interfaceflow.schemas.datasets import DatasetDoc, ParityDoc, PotentialDoc
from interfaceflow.schemas.energetics import EnergeticsDoc
from interfaceflow.schemas.learning import LearningRoundDoc
from interfaceflow.schemas.structures import RelaxationDoc
from interfaceflow.store.results import FlowResults

LIMITS = (
    "A moment tensor potential sees no further than its cutoff. There is no long-range Coulomb interaction, so no "
    "space charge, no applied potential and no change of redox state; ions that gather at the interface are to be "
    "read with that in mind.",
    "Energies and forces are those of the reference calculation that labelled the training set. A pretrained "
    "universal potential such as CHGNet softens surfaces; check one surface energy with DFT before quoting it.",
    "Diffusivities hold for this cell size, these vacancies and this run length. Intervals count the atoms as "
    "independent of one another; they do not contain the error of the potential.",
    "The empirical relative error of He et al. (doi:10.1038/s41524-018-0074-y) is printed beside the intervals. It is "
    "a rule with a floor of 4 %, not an interval with a coverage.",
    "An Arrhenius line never crosses the melting of the metal, and motion along the normal is by the phase an atom "
    "started in; it is not a count of crossings.",
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
    outcome = {
        "converged": f"Converged after {len(rounds)} rounds: every run lasted its time without a break.",
        "max_rounds": f"Not converged: the loop gave up after {len(rounds)} rounds.",
        "learning": f"{len(rounds)} rounds so far.",
    }[last.status]
    rows = [
        (
            str(doc.round_index),
            f"{sum(run.broke for run in doc.runs)} of {len(doc.runs)}",
            significant(doc.largest_grade),
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
    pair = html.beside(
        html.figure(grade, "Largest extrapolation grade of each round; red: at least one run broke."),
        html.figure(labels, "Configurations in the training set after each round, and new ones (coloured)."),
    )
    table = html.table(columns, rows, numeric=range(10))
    return html.section("learning", title, html.paragraph(outcome), pair, table, _refused_labels(results))


def _refused_labels(results: FlowResults) -> str:
    """List the labels that nothing was trained on, with the reason of each."""
    refused = results.quarantined
    if not refused:
        return ""
    table = html.table(("configuration", "reason"), [(label.source, label.reason) for label in refused])
    return html.folded(f"Labels that were refused, and why: {len(refused)}", table)


def accuracy_section(results: FlowResults) -> str:
    """Show the potential against the reference on held-out configurations."""
    title = "Accuracy of the potential"
    parity = results.last_of(ParityDoc)
    rounds = results.all_of(LearningRoundDoc)
    potential = rounds[-1].potential if rounds else results.last_of(PotentialDoc)
    parts = []
    if potential is not None:
        parts.append(
            html.paragraph(
                f"Moment tensor potential of level {potential.level}, cutoff {potential.cutoff_radius_A:g} Å, species "
                f"{', '.join(potential.species)}, fitted by the {potential.engine} engine to "
                f"{potential.n_training} configurations.{_repulsion_words(potential)}"
            )
        )
    if parity is None:
        return html.section("accuracy", title, *parts, html.missing("No comparison on held-out data is there yet."))
    energy, force = charts.parity_charts(load_arrays(parity.arrays.path()), parity.errors)
    chosen_by_them = potential is not None and potential.early_stop
    seen = "whose errors ended the fit and are therefore too small" if chosen_by_them else "which the fit never saw"
    pair = html.beside(
        html.figure(energy, f"Energies of held-out configurations, from trajectories {seen}."),
        html.figure(force, "Force components of the same configurations."),
    )
    sets = [("all held-out", parity.errors)]
    sets += [(f"{name} K", errors) for name, errors in parity.errors_by_temperature.items()]
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
    return html.section("accuracy", title, *parts, pair, html.table(columns, rows, numeric=range(1, 7)))


def _repulsion_words(potential: PotentialDoc) -> str:
    zbl = potential.zbl
    if zbl is None:
        return ""
    return (
        " The screened nuclear repulsion of Ziegler, Biersack and Littmark (doi:10.1007/978-1-4615-8103-1_3), switched "
        f"off between {zbl.inner_cutoff_A:g} and {zbl.outer_cutoff_A:g} Å, was subtracted from the labels before the "
        "fit and is added wherever the potential is used."
    )


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
    potential = rounds[-1].potential if rounds else results.last_of(PotentialDoc)
    if dataset is not None:
        rows += [("training set", dataset.training.sha256), ("held-out set", dataset.held_out.sha256)]
    if potential is not None:
        rows.append(("potential", potential.file.sha256))
    return rows


def limits_section(results: FlowResults) -> str:
    """Say what the method cannot know, and what the energies' authors warn of."""
    energetics = results.last_of(EnergeticsDoc)
    words = (*LIMITS, *(energetics.caveats if energetics else ()))
    items = "".join(f"<li>{escape(item)}</li>" for item in words)
    return html.section("limits", "Limits of the method", f"<ul>{items}</ul>")
