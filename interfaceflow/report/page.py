"""One self-contained HTML page from a flow's results: no script, no network, light and dark."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from importlib.resources import files

from interfaceflow.core.errors import DataFileError
from interfaceflow.report import html
from interfaceflow.report.method_sections import (
    accuracy_section,
    learning_section,
    limits_section,
    provenance_section,
    settings_section,
)
from interfaceflow.report.potential_words import name_potential
from interfaceflow.report.sections import (
    energetics_section,
    melting_section,
    production_section,
    structure_section,
    transport_section,
)
from interfaceflow.report.verdict import Answer, answers, key_figures
from interfaceflow.schemas.recipes import DecompositionInterfacesSettings, LmsLssPairSettings
from interfaceflow.store.results import FlowResults

SECTIONS: dict[str, tuple[str, Callable[[FlowResults], str]]] = {
    "structure": ("Structure", structure_section),
    "energies": ("Energies", energetics_section),
    "transport": ("Transport", transport_section),
    "melting": ("Melting", melting_section),
    "production": ("Production", production_section),
    "learning": ("Learning", learning_section),
    "accuracy": ("Accuracy", accuracy_section),
    "settings": ("Settings", settings_section),
    "provenance": ("Provenance", provenance_section),
    "limits": ("Limits", limits_section),
}


ONLY_WITH_A_METAL = frozenset({"energies", "melting"})
"""Sections of what is computed for a metal alone."""


def build_report(results: FlowResults) -> str:
    """Build the page of a flow, finished or not.

    A part whose results are not there yet, or whose file is gone, says so in its place.

    Parameters
    ----------
    results
        What the flow has stored so far.

    Returns
    -------
    str
        A whole HTML document.
    """
    style = files("interfaceflow.report").joinpath("style.css").read_text(encoding="utf-8")
    sections = _sections(results)
    links = "".join(f'<a href="#{name}">{escape(title)}</a>' for name, (title, _) in sections.items())
    body = "".join(_guarded(name, title, build, results) for name, (title, build) in sections.items())
    verdict = "".join(_answer_card(answer) for answer in answers(results))
    facts = "".join(f"<div><b>{escape(value)}</b>{escape(words)}</div>" for value, words in key_figures(results))
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>{escape(results.title)}</title><style>{style}</style></head><body>"
        f'<header><p class="kicker">{escape(_subject(results))}</p><h1>{escape(results.title)}</h1>'
        f'{_notice(results)}<div class="answers">{verdict}</div><div class="facts">{facts}</div>'
        f"<nav>{links}</nav></header>"
        f"<main>{body}</main><footer>{escape(_footer(results))}</footer></body></html>\n"
    )


def _sections(results: FlowResults) -> dict[str, tuple[str, Callable[[FlowResults], str]]]:
    """Return the sections that apply to a flow's recipe."""
    if isinstance(results.settings, DecompositionInterfacesSettings):
        return SECTIONS
    return {name: entry for name, entry in SECTIONS.items() if name not in ONLY_WITH_A_METAL}


def _notice(results: FlowResults) -> str:
    """Say which crystals are not those that the page's title may suggest."""
    settings = results.settings
    if not isinstance(settings, LmsLssPairSettings) or not settings.structures.stand_ins:
        return ""
    words = "; ".join(
        f"the {phase} stands in for {crystal}" for phase, crystal in settings.structures.stand_ins.items()
    )
    return html.paragraph(
        f"Stand-in crystals: {words}. The numbers below are those of the stand-ins and say nothing of the real pair.",
        "notice",
    )


def _guarded(name: str, title: str, build: Callable[[FlowResults], str], results: FlowResults) -> str:
    try:
        return build(results)
    except DataFileError as error:
        return html.section(name, title, html.missing(str(error)))


def _answer_card(answer: Answer) -> str:
    evidence = "".join(f"<li>{html.prose(words)}</li>" for words in answer.evidence)
    return (
        f'<article class="answer {answer.tone}"><h3>{escape(answer.question)}</h3>'
        f'<p class="short">{escape(answer.short)}</p><ul>{evidence}</ul></article>'
    )


def _subject(results: FlowResults) -> str:
    """Return the two surfaces and how they were computed, in one line."""
    settings = results.settings
    surfaces = [
        f"{crystal.cif.rsplit('/', 1)[-1].removesuffix('.cif')}({''.join(str(i) for i in crystal.miller)})"
        for crystal in settings.structures.crystals.values()
    ]
    return (
        f"{surfaces[0]} ‖ {surfaces[1]}  ·  labels by {settings.reference.level_of_theory}  ·  "
        f"{name_potential(settings.potential)}"
    )


def _footer(results: FlowResults) -> str:
    if not results.docs:
        return f"interfaceflow · flow {results.flow_uuid} · nothing stored yet"
    last = results.docs[-1]
    version = last.doc.provenance.package_versions.get("interfaceflow", "unknown version")
    return f"interfaceflow {version} · flow {results.flow_uuid} · last result {last.completed_on}"
