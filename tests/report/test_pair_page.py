"""The page of two compounds: no sections about a metal, groups by region, the framework's motion."""

import pytest
from demo_flow import HASH, DemoFlow

from interfaceflow.report import build_report, summary_tables
from interfaceflow.report.verdict import answers
from interfaceflow.schemas.recipes import LmsLssPairSettings
from interfaceflow.schemas.transport import TransportDoc
from interfaceflow.store.results import FlowResults, StoredDoc

SETTINGS = LmsLssPairSettings.model_validate(
    {
        "recipe": "lms_lss_pair",
        "title": "a pair",
        "structures": {
            "cathode": {"cif": "LMS.cif", "miller": [1, 0, 0], "stand_in_for": "Li14Mn2S9 & friends"},
            "electrolyte": {"cif": "LSS.cif", "miller": [1, 0, 0]},
        },
        "training_set": {
            "trajectories": [{"cell": "interface", "temperatures_K": [400], "held_out_temperatures_K": [600]}]
        },
        "learning": {"cells": [{"cell": "interface", "temperature_K": 450}]},
    }
)
REGIONS = {"metal-Li": "cathode-Li", "binary-Li": "electrolyte-Li"}


def pair_results(*docs: TransportDoc) -> FlowResults:
    stored = tuple(StoredDoc(f"{i}", 1, "transport", "2026-11-21T03:00:00", doc) for i, doc in enumerate(docs))
    return FlowResults("uuid", SETTINGS.title, SETTINGS, HASH, stored)


def transport(demo: DemoFlow, *, framework_moves: bool = False) -> TransportDoc:
    """Return the demonstration's motion as if its two phases were two regions of a pair, with a framework."""
    doc = demo.transport(350.0)
    by_region = tuple(e.model_copy(update={"label": REGIONS[e.label]}) for e in doc.estimates)
    value, limit = by_region[0], by_region[-1]
    framework = (value if framework_moves else limit).model_copy(update={"label": "cathode-S"})
    return doc.model_copy(update={"estimates": by_region, "framework": (framework,), "metal_is_solid": None})


def test_sections_about_a_metal_are_left_out(demo: DemoFlow) -> None:
    page = build_report(pair_results(transport(demo)))
    for name in ("structure", "transport", "production", "learning", "accuracy", "settings", "provenance", "limits"):
        assert f'id="{name}"' in page
    for name in ("energies", "melting"):
        assert f'id="{name}"' not in page
        assert f'href="#{name}"' not in page
    assert "void criterion" not in page


def test_stand_ins_are_named_at_the_top(demo: DemoFlow) -> None:
    page = build_report(pair_results())
    assert "the cathode stands in for Li14Mn2S9 &amp; friends" in page.split("<main>")[0]
    assert "the electrolyte stands in" not in page


def test_motion_is_told_by_region(demo: DemoFlow) -> None:
    results = pair_results(transport(demo))
    crossing, _ = answers(results)
    assert crossing.short == "Seen to move in one region only (cathode-Li)"
    assert any(words.startswith("electrolyte-Li: no value") for words in crossing.evidence)
    (table,) = summary_tables(results)
    assert {row[1] for row in table.rows} == {"cathode-Li", "electrolyte-Li"}
    assert not any("molten" in cell for row in table.rows for cell in row)


@pytest.mark.parametrize(
    ("moves", "short", "tone"),
    [(False, "Yes, within these run lengths", "good"), (True, "No: cathode-S diffuses", "bad")],
)
def test_whether_the_framework_holds(demo: DemoFlow, moves: bool, short: str, tone: str) -> None:
    results = pair_results(transport(demo, framework_moves=moves))
    _, holding = answers(results)
    assert (holding.question, holding.short, holding.tone) == ("Does the framework hold?", short, tone)
    assert "Motion of the framework" in build_report(results)


def test_runs_that_are_too_short_say_nothing_of_the_framework(demo: DemoFlow) -> None:
    doc = transport(demo)
    (limit,) = doc.framework
    short = limit.model_copy(update={"fit_window_ps": None, "reason": "the run is too short"})
    _, holding = answers(pair_results(doc.model_copy(update={"framework": (short,)})))
    assert (holding.short, holding.tone) == ("Not known: the runs are too short", "open")


def test_nothing_is_claimed_of_a_framework_that_was_not_followed(demo: DemoFlow) -> None:
    assert [answer.short for answer in answers(pair_results())] == ["Not known yet", "Not known yet"]
