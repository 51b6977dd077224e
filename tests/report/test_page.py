"""The page: whole, self-contained, honest about what is missing."""

import re
from html.parser import HTMLParser

import numpy as np
import pytest
from demo_flow import DemoFlow, flow_results

from interfaceflow.report import build_report
from interfaceflow.schemas.datasets import AseDetails, NequIPDetails, NequIPFiles, ParityDoc, QuarantinedLabel
from interfaceflow.schemas.dynamics import ProductionDoc
from interfaceflow.schemas.learning import LearningRoundDoc
from interfaceflow.schemas.settings import ZBLSettings
from interfaceflow.schemas.transport import ArrheniusDoc, TransportDoc

VOID = {"meta", "br", "hr", "img", "input", "link"}
SECTIONS = (
    "structure", "energies", "transport", "melting", "production", "learning", "accuracy", "settings", "provenance",
    "limits",
)  # fmt: skip


class _Balance(HTMLParser):
    """Checks that every element is closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag, attrs):
        if tag not in VOID:
            self.open.append(tag)
        self.ids += [value for name, value in attrs if name == "id"]

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag


def _check_html(page: str) -> _Balance:
    parser = _Balance()
    parser.feed(page)
    assert parser.open == []
    return parser


def test_whole_page_is_well_formed_self_contained_and_small(demo: DemoFlow) -> None:
    page = build_report(demo.results())
    parser = _check_html(page)
    assert set(SECTIONS) <= set(parser.ids)
    assert len(page) < 5e6
    assert "<script" not in page
    assert not re.search(r"""(src|href)\s*=\s*["'](?!#)""", page)
    assert not re.search(r"url\((?!#)|@import|https?://", page)
    assert "prefers-color-scheme: dark" in page
    assert 'class="missing"' not in page
    assert not re.search(r"\b(nan|inf|None)\b", re.sub(r"<(pre|style)>.*?</\1>", "", page, flags=re.DOTALL))


def test_page_of_a_flow_that_has_nothing_yet(demo: DemoFlow) -> None:
    page = build_report(flow_results([]))
    _check_html(page)
    assert page.count("Not known yet") == 2
    assert page.count('class="missing"') == 8  # all sections but settings and limits


@pytest.mark.parametrize("n_docs", range(1, 19))
def test_page_of_every_unfinished_state(demo: DemoFlow, n_docs: int) -> None:
    docs = [(stored.job_name, stored.doc) for stored in demo.results().docs[:n_docs]]
    _check_html(build_report(flow_results(docs)))


def test_files_that_are_gone_are_named_and_the_rest_still_shown(demo: DemoFlow) -> None:
    results = demo.results()
    (demo.folder / "production.xyz").unlink()
    (demo.folder / "msd-273.npz").write_bytes(b"damaged")
    page = build_report(results)
    _check_html(page)
    assert "production.xyz: this file of the project is gone" in page
    assert "msd-273.npz: the content has changed" in page
    assert "Active learning" in page


def test_refused_labels_are_listed_once_with_their_reasons(demo: DemoFlow) -> None:
    assert "Labels that were refused" not in build_report(demo.results())
    refused = tuple(QuarantinedLabel(source=f"frame {i}", reason="did not converge <") for i in range(2))
    (learnt,) = demo.results().all_of(LearningRoundDoc)[-1:]
    dataset = learnt.dataset.model_copy(update={"quarantined": refused})
    page = build_report(flow_results([("explore", learnt.model_copy(update={"quarantined": refused})), ("x", dataset)]))
    _check_html(page)
    assert "Labels that were refused, and why: 2" in page
    assert page.count("did not converge &lt;") == 2


def test_held_out_errors_that_ended_the_fit_are_not_shown_as_independent(demo: DemoFlow) -> None:
    results = demo.results()
    assert "which the fit never saw" in build_report(results)
    last = results.all_of(LearningRoundDoc)[-1]
    chosen = last.potential.model_copy(update={"early_stop": True})
    parity = results.last_of(ParityDoc)
    assert parity is not None
    docs = [("learning round", last.model_copy(update={"potential": chosen})), ("parity", parity)]
    page = build_report(flow_results(docs))
    assert "whose errors ended the fit and are therefore too small" in page
    assert "which the fit never saw" not in page


def test_limits_are_never_printed_as_values(demo: DemoFlow) -> None:
    page = build_report(demo.results())
    rows = re.findall(r"<tr>(.*?)</tr>", page)
    limits = [row for row in rows if "too few hops" in row]
    assert len(limits) == 7
    assert all("&lt; 3.2 × 10⁻⁸" in row for row in limits)


def test_run_that_stopped_early_says_why(demo: DemoFlow) -> None:
    run = demo.production(300.0).model_copy(update={"status": "extrapolated", "reason": "grade 12.3 at 4.2 ps"})
    assert "extrapolated: grade 12.3 at 4.2 ps" in build_report(flow_results([("production", run)]))


def test_a_potential_without_a_grade_is_told(demo: DemoFlow) -> None:
    learnt = demo.results().all_of(LearningRoundDoc)[0]
    details = AseDetails(calculator="some.package:Model")
    potential = learnt.potential.model_copy(
        update={"model": details, "has_grade": False, "n_training": 0, "cutoff_radius_A": None}
    )
    ungraded = learnt.model_copy(update={"potential": potential, "status": "no_grade", "largest_grade": 0.0})
    production = demo.production(300.0).model_copy(update={"largest_grade": 0.0})
    page = build_report(flow_results([("explore", ungraded), ("production", production)]))
    _check_html(page)
    assert "This potential has no extrapolation grade" in page
    assert "ASE calculator some.package:Model, used as it is for Li, Cl" in page
    assert f"{sum(run.broke for run in ungraded.runs)} of {len(ungraded.runs)} runs broke" in page
    assert ">none<" in page.split('id="production"')[1]


def test_a_network_is_described(demo: DemoFlow) -> None:
    learnt = demo.results().all_of(LearningRoundDoc)[-1]
    file = learnt.potential.file
    details = NequIPDetails(
        networks=(NequIPFiles(checkpoint=file, compiled=file),),
        grade="latent",
        grade_file=file,
        device="cpu",
        precision="float32",
        n_layers=3,
        l_max=2,
        n_features=16,
        epochs=80,
        best_epoch=70,
        validation_loss=0.01,
    )
    potential = learnt.potential.model_copy(update={"model": details})
    page = build_report(flow_results([("explore", learnt.model_copy(update={"potential": potential}))]))
    _check_html(page)
    assert "NequIP network of 3 layers, l ≤ 2, 16 features, cutoff 5 Å a layer" in page
    assert "the D-optimality of the features that its layers make" in page


def test_repulsion_under_the_potential_is_told(demo: DemoFlow) -> None:
    (learnt,) = demo.results().all_of(LearningRoundDoc)[-1:]
    assert "repulsion" not in build_report(flow_results([("explore", learnt)])).split('id="accuracy"')[1]
    zbl = ZBLSettings(inner_cutoff_A=1.0, outer_cutoff_A=2.5)
    model = learnt.potential.model.model_copy(update={"zbl": zbl})
    overlaid = learnt.model_copy(update={"potential": learnt.potential.model_copy(update={"model": model})})
    page = build_report(flow_results([("explore", overlaid)]))
    _check_html(page)
    assert "switched off between 1 and 2.5 Å, was subtracted from the labels" in page


def test_text_from_users_cannot_break_the_page(demo: DemoFlow) -> None:
    results = demo.results()
    hostile = "<b>&\"'</script>"
    settings = results.settings.model_copy(update={"title": hostile})
    page = build_report(type(results)("uuid", hostile, settings, "0" * 64, results.docs))
    _check_html(page)
    assert hostile not in page


def test_one_of_a_kind_does_not_break_a_chart(demo: DemoFlow) -> None:
    everything = demo.results()
    for kind in (LearningRoundDoc, TransportDoc, ProductionDoc, ArrheniusDoc):
        _check_html(build_report(flow_results([("only", everything.all_of(kind)[0])])))


def test_run_without_estimates_is_no_result(demo: DemoFlow) -> None:
    empty = demo.archive("empty.npz", **{"lag_ps": np.zeros(0), "msd_metal-Li_in-plane": np.zeros(0)})
    nothing = demo.transport(300.0).model_copy(update={"estimates": (), "msd": empty, "status": "extrapolated"})
    page = build_report(flow_results([("transport", nothing)]))
    _check_html(page)
    assert "Not seen within these run lengths" in page
    _check_html(build_report(flow_results([("transport", nothing), ("transport", demo.transport(350.0))])))


def test_force_errors_are_shown_by_region_and_element(demo: DemoFlow) -> None:
    section = build_report(demo.results()).split('id="accuracy"')[1].split("</section>")[0]
    assert re.search(r"metal interface</td><td [^>]*>900</td>", section)
    assert "F RMSE Cl" in section
    row = re.search(r"<tr><td >metal interior</td>(.*?)</tr>", section)
    assert row is not None
    assert re.findall(r">([^<]*)</td>", row[1]) == ["900", "0.610", "0.0366", "0.0264", "", "0.0360"]


def test_what_a_training_set_was_sampled_from_is_shown(demo: DemoFlow) -> None:
    section = build_report(demo.results()).split('id="accuracy"')[1].split("</section>")[0]
    assert "3 configurations were left out because another one was the same" in section
    assert re.search(r"0-interface-600K-strain\+0\.0000</td><td [^>]*>600</td><td >held out", section)
    assert ">about 31</td>" in section
    assert section.count(">31</td>") == 1


def test_systems_of_a_pooled_training_set_have_their_own_rows(demo: DemoFlow) -> None:
    parity = demo.results().last_of(ParityDoc)
    assert parity is not None
    pooled = parity.model_copy(update={"errors_by_system": {"Li3PS4": demo.errors(0.5)}, "force_errors_by_region": {}})
    page = build_report(flow_results([("parity", pooled)]))
    _check_html(page)
    assert "<td >system Li3PS4</td>" in page


def test_levels_of_theory_are_compared_in_a_table(demo: DemoFlow) -> None:
    section = build_report(demo.results()).split('id="accuracy"')[1].split("</section>")[0]
    row = re.search(r"<tr><td >chgnet against pbe</td>(.*?)</tr>", section)
    assert row is not None
    assert re.findall(r">([^<]*)</td>", row[1]) == ["7.31", "21.4", "0.122", "20%", "0.913", "0.310", "−0.214"]
    assert "over 190 configurations, 2 without a trusted label at every level left out" in section
    _check_html(build_report(flow_results([demo.levels()])))
