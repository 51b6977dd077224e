"""The two answers at the top of the page, in words that claim no more than the data do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from interfaceflow.report.numbers import diffusivity, fixed, grade_text, significant, with_error
from interfaceflow.schemas.dynamics import MeltingPointDoc, ProductionDoc
from interfaceflow.schemas.energetics import EnergeticsDoc
from interfaceflow.schemas.learning import LearningRoundDoc
from interfaceflow.schemas.recipes import DecompositionInterfacesSettings
from interfaceflow.schemas.transport import DiffusivityEstimate, TransportDoc
from interfaceflow.store.results import FlowResults

Tone = Literal["good", "bad", "open"]


@dataclass(frozen=True)
class Answer:
    """An answer to one question.

    Attributes
    ----------
    question
        The question.
    short
        The answer in a few words.
    tone
        'good', 'bad', or 'open' where the data do not decide.
    evidence
        The numbers it rests on, one sentence each.
    """

    question: str
    short: str
    tone: Tone
    evidence: tuple[str, ...]


def answers(results: FlowResults) -> tuple[Answer, Answer]:
    """Return what the results say about crossing and about holding.

    A metal interface holds where its adhesion resists voids; two compounds hold where their frameworks stay put.
    """
    transport = results.all_of(TransportDoc)
    crossing = _crossing(transport, results.settings.analysis.groups)
    if isinstance(results.settings, DecompositionInterfacesSettings):
        return crossing, _holding(results.last_of(EnergeticsDoc))
    return crossing, _framework(transport)


def key_figures(results: FlowResults) -> list[tuple[str, str]]:
    """Return what the answers rest on, each as (number, words); only what is there."""
    figures = []
    rounds = results.all_of(LearningRoundDoc)
    if rounds:
        state = {
            "converged": "converged",
            "max_rounds": "not converged",
            "learning": "still learning",
            "no_grade": "nothing to learn by",
        }
        figures.append((str(rounds[-1].dataset.n_training), "labelled configurations"))
        figures.append((str(len(rounds)), f"learning rounds, {state[rounds[-1].status]}"))
        force_error = rounds[-1].potential.held_out_errors.force_rmse_eV_A
        figures.append((f"{significant(force_error, 2)} eV/Å", "force error, held-out"))
    melting = results.last_of(MeltingPointDoc)
    if melting is not None:
        half = (melting.upper_K - melting.lower_K) / 2
        figures.append((f"{melting.melting_point_K:.0f} ± {half:.0f} K", "melting point it gives"))
    runs = results.all_of(ProductionDoc)
    if runs:
        figures.append(
            (f"{significant(sum(run.production_ps for run in runs))} ps", f"of production, {len(runs)} runs")
        )
        figures.append((grade_text(max(run.largest_grade for run in runs), 2), "largest grade in production"))
    return figures


def _holding(energetics: EnergeticsDoc | None) -> Answer:
    question = "Does the interface hold?"
    if energetics is None:
        return Answer(question, "Not known yet", "open", ("The interface energies have not been computed.",))
    threshold = 2 * energetics.metal_surface_energy_J_m2
    margin = energetics.work_of_adhesion_J_m2 - threshold
    strained_margin = energetics.work_of_adhesion_with_strain_J_m2 - threshold
    error = energetics.work_of_adhesion_error_J_m2
    evidence = [
        f"Work of adhesion {with_error(energetics.work_of_adhesion_J_m2, error)} J/m², "
        f"against {fixed(threshold, 3)} J/m² for twice the metal's surface energy.",
        f"With the strain energy of this cell counted in, the work of adhesion is "
        f"{fixed(energetics.work_of_adhesion_with_strain_J_m2, 3)} J/m².",
        "The error covers convergence with slab thickness only, not that of the level of theory.",
    ]
    if abs(margin) <= error or (margin > 0) != (strained_margin > 0):
        evidence.append("The margin is within the error, or changes its sign with the strain energy.")
        return Answer(question, "Undecided", "open", tuple(evidence))
    if margin > 0:
        return Answer(question, "Yes, by the void criterion", "good", tuple(evidence))
    return Answer(question, "No, voids are favoured", "bad", tuple(evidence))


def _framework(transport: Sequence[TransportDoc]) -> Answer:
    question = "Does the framework hold?"
    followed = [(doc, estimate) for doc in transport for estimate in doc.framework]
    if not followed:
        return Answer(question, "Not known yet", "open", ("The framework's motion has not been analysed.",))
    if all(estimate.fit_window_ps is None for _, estimate in followed):
        return Answer(question, "Not known: the runs are too short", "open", ("No run is longer than its vibrations.",))
    moving = sorted({e.label for _, e in followed if e.tracer_diffusivity_cm2_s is not None})
    hottest = max(doc.temperature_K for doc, _ in followed)
    groups = sorted({estimate.label for _, estimate in followed})
    evidence = [f"Followed up to {hottest:.0f} K, each in the frame of its own phase: {', '.join(groups)}."]
    for label in moving:
        doc, estimate = next((d, e) for d, e in followed if e.label == label and e.tracer_diffusivity_cm2_s is not None)
        evidence.append(
            f"{label}: D is {diffusivity(estimate)} cm²/s {estimate.direction} at {doc.temperature_K:.0f} K "
            f"({estimate.confidence:.0%} confidence)."
        )
    if any(doc.status == "extrapolated" for doc, _ in followed):
        evidence.append("At least one run stopped early because it left what the potential knows.")
    evidence.append(
        "That is for the times that were run; slow reactions and exchange of ions are not in reach of them."
    )
    if len(moving) > 1:
        return Answer(question, f"Seen to move in some regions only ({', '.join(moving)})", "open", tuple(evidence))
    if moving:
        return Answer(
            question, f"No: {', '.join(moving)} {'diffuse' if len(moving) > 1 else 'diffuses'}", "bad", tuple(evidence)
        )
    evidence.insert(1, "None of their mean squared displacements grows enough for a diffusivity.")
    return Answer(question, "Yes, within these run lengths", "good", tuple(evidence))


def _crossing(transport: Sequence[TransportDoc], groups: Literal["phase", "region"]) -> Answer:
    question = "Does lithium get across?"
    if not transport:
        return Answer(question, "Not known yet", "open", ("No production run has been analysed.",))
    with_solid_metal = [doc for doc in transport if not doc.metal_has_melted]
    along_normal: dict[str, list[tuple[TransportDoc, DiffusivityEstimate]]] = {}
    # The value to be told is the last one: of the hottest run that was completed, where there is one.
    for doc in sorted(with_solid_metal or transport, key=lambda d: (d.status == "completed", d.temperature_K)):
        for estimate in doc.estimates:
            if estimate.direction == "out-of-plane":
                along_normal.setdefault(estimate.label, []).append((doc, estimate))
    evidence, moving = [], []
    for label, found in along_normal.items():
        valued = [(doc, e) for doc, e in found if e.tracer_diffusivity_cm2_s is not None]
        doc, estimate = (valued or found)[-1]
        sure = f"{estimate.confidence:.0%} confidence"
        if valued:
            moving.append(label)
            evidence.append(
                f"{label}: D along the normal is {diffusivity(estimate)} cm²/s at {doc.temperature_K:.0f} K ({sure})."
            )
        else:
            evidence.append(
                f"{label}: no value at any temperature; at {doc.temperature_K:.0f} K D along the normal is "
                f"{diffusivity(estimate)} cm²/s ({sure}; {(estimate.reason or '').split(':')[0]})."
            )
    if not with_solid_metal:
        evidence.append("The metal melted in every run, so this is not the interface of two solids.")
    elif len(with_solid_metal) < len(transport):
        evidence.append("Runs in which the metal melted are left out.")
    if any(doc.status == "extrapolated" for doc in transport):
        evidence.append("At least one run stopped early because it left what the potential knows.")
    if along_normal and len(moving) == len(along_normal) and with_solid_metal:
        evidence.append(f"That is motion along the normal by initial {groups}, not a count of crossings.")
        where = "both phases" if groups == "phase" else "every region"
        return Answer(question, f"It moves along the normal in {where}", "good", tuple(evidence))
    if moving and not with_solid_metal:
        return Answer(question, "Not known: the metal melted", "open", tuple(evidence))
    if len(moving) > 1:
        return Answer(question, f"Seen to move in some regions only ({', '.join(moving)})", "open", tuple(evidence))
    if moving:
        return Answer(question, f"Seen to move in one {groups} only ({moving[0]})", "open", tuple(evidence))
    return Answer(question, "Not seen within these run lengths", "open", tuple(evidence))
