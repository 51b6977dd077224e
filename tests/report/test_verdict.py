"""The two answers and the summary tables."""

import pytest
from demo_flow import DemoFlow, flow_results

from interfaceflow.report import summary_tables
from interfaceflow.report.verdict import answers, key_figures
from interfaceflow.schemas.energetics import EnergeticsDoc
from interfaceflow.schemas.transport import TransportDoc


def _energetics(demo: DemoFlow, work_of_adhesion: float, with_strain: float, error: float) -> EnergeticsDoc:
    doc = demo.results().last_of(EnergeticsDoc)
    assert doc is not None
    return doc.model_copy(
        update={
            "work_of_adhesion_J_m2": work_of_adhesion,
            "work_of_adhesion_with_strain_J_m2": with_strain,
            "work_of_adhesion_error_J_m2": error,
        }
    )


@pytest.mark.parametrize(
    ("work", "with_strain", "error", "short"),
    [
        (1.20, 1.10, 0.02, "Yes, by the void criterion"),
        (0.50, 0.40, 0.02, "No, voids are favoured"),
        (0.88, 0.87, 0.05, "Undecided"),  # 2 gamma = 0.862: within the error
        (0.90, 0.80, 0.01, "Undecided"),  # the strain energy decides
    ],
)
def test_holding(demo: DemoFlow, work: float, with_strain: float, error: float, short: str) -> None:
    _, holding = answers(flow_results([("energetics", _energetics(demo, work, with_strain, error))]))
    assert holding.short == short
    assert f"{work:.3f}" in holding.evidence[0] or f"{work:.2f}" in holding.evidence[0]


def _transport(demo: DemoFlow, *, metal: bool, binary: bool) -> TransportDoc:
    doc = demo.transport(350.0)
    moving = {"metal-Li": metal, "binary-Li": binary}
    estimates = tuple(
        e.model_copy(
            update={"tracer_diffusivity_cm2_s": 2e-7, "lower_cm2_s": 1e-7, "upper_cm2_s": 3e-7, "reason": None}
            if moving[e.label]
            else {"tracer_diffusivity_cm2_s": None, "lower_cm2_s": None, "reason": "plateau: confined"}
        )
        for e in doc.estimates
    )
    return doc.model_copy(update={"estimates": estimates})


@pytest.mark.parametrize(
    ("metal", "binary", "short", "tone"),
    [
        (True, True, "It moves along the normal in both phases", "good"),
        (True, False, "Seen to move in one phase only (metal-Li)", "open"),
        (False, False, "Not seen within these run lengths", "open"),
    ],
)
def test_crossing(demo: DemoFlow, metal: bool, binary: bool, short: str, tone: str) -> None:
    crossing, _ = answers(flow_results([("transport", _transport(demo, metal=metal, binary=binary))]))
    assert (crossing.short, crossing.tone) == (short, tone)
    if not binary:
        assert any("binary-Li: no value at any temperature" in words and "<" in words for words in crossing.evidence)


def test_run_that_left_known_ground_is_mentioned(demo: DemoFlow) -> None:
    doc = _transport(demo, metal=True, binary=True).model_copy(update={"status": "extrapolated"})
    crossing, _ = answers(flow_results([("transport", doc)]))
    assert any("left what the potential knows" in words for words in crossing.evidence)


def test_a_molten_metal_gives_no_verdict_on_two_solids(demo: DemoFlow) -> None:
    moving = _transport(demo, metal=True, binary=True)
    molten = moving.model_copy(update={"metal_is_solid": False, "temperature_K": 400.0})
    crossing, _ = answers(flow_results([("transport", molten)]))
    assert (crossing.short, crossing.tone) == ("Not known: the metal melted", "open")
    crossing, _ = answers(flow_results([("cold", moving), ("hot", molten)]))
    assert crossing.tone == "good"
    assert not any("400 K" in words for words in crossing.evidence)
    assert "Runs in which the metal melted are left out." in crossing.evidence


def test_nothing_is_claimed_without_results(demo: DemoFlow) -> None:
    assert [answer.short for answer in answers(flow_results([]))] == ["Not known yet", "Not known yet"]
    assert key_figures(flow_results([])) == []
    assert summary_tables(flow_results([])) == ()


def test_summary_tables_hold_every_estimate_with_units(demo: DemoFlow) -> None:
    energies, transport, arrhenius, _ = summary_tables(demo.results())
    assert energies.columns[1] == "J/m²"
    assert ("work of adhesion W_ad", "0.246 ± 0.012", "without strain energy") in energies.rows
    assert ("surface energy LiCl(100)", "0.112 ± 0.011", "thickness not converged") in energies.rows
    assert energies.notes
    assert len(transport.rows) == 12
    assert "D / cm² s⁻¹" in transport.columns
    assert [row[0] for row in transport.rows] == sorted((row[0] for row in transport.rows), key=float)
    assert arrhenius.rows[0][2] == "0.17 ± 0.02"
    assert all(len(row) == len(table.columns) for table in (energies, transport, arrhenius) for row in table.rows)
