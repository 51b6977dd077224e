"""Numbers as text, and the axes of charts."""

import pytest

from interfaceflow.report.numbers import diffusivity, power_of_ten, significant, with_error
from interfaceflow.report.svg import Axis, Chart
from interfaceflow.schemas.transport import DiffusivityEstimate


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (0.5123, 0.0041, "0.512 ± 0.004"),
        (0.5123, 0.0141, "0.512 ± 0.014"),
        (0.5123, 0.25, "0.5 ± 0.2"),
        (-0.0312, 0.002, "−0.031 ± 0.002"),
        (1234.0, 56.0, "1234 ± 56"),
        (0.5123, None, "0.512"),
        (0.5123, 0.0, "0.512"),
    ],
)
def test_digits_follow_the_error(value: float, error: float | None, text: str) -> None:
    assert with_error(value, error) == text


def _estimate(value: float | None, lower: float | None, upper: float) -> DiffusivityEstimate:
    return DiffusivityEstimate(
        label="metal-Li",
        direction="in-plane",
        n_atoms=1,
        tracer_diffusivity_cm2_s=value,
        lower_cm2_s=lower,
        upper_cm2_s=upper,
        confidence=0.68,
        effective_hops=1.0,
    )


@pytest.mark.parametrize(
    ("estimate", "text"),
    [
        (_estimate(3.21e-7, 2.6e-7, 4.14e-7), "3.2 (2.6 to 4.1) × 10⁻⁷"),
        (_estimate(3.214e-7, 3.18e-7, 3.25e-7), "3.21 (3.18 to 3.25) × 10⁻⁷"),
        (_estimate(None, None, 4.13e-8), "< 4.1 × 10⁻⁸"),
        (_estimate(None, None, 9.99e-8), "< 1.0 × 10⁻⁷"),
        (_estimate(None, None, 0.0), "none seen"),
    ],
)
def test_diffusivities(estimate: DiffusivityEstimate, text: str) -> None:
    assert diffusivity(estimate) == text


def test_other_numbers() -> None:
    assert significant(0.00012345) == "1.23 × 10⁻⁴"
    assert significant(431000, 2) == "4.3 × 10⁵"
    assert significant(-12.34) == "−12.3"
    assert significant(0.0) == "0"
    assert power_of_ten(4.13e-8) == "4.1 × 10⁻⁸"


@pytest.mark.parametrize(
    ("axis", "texts"),
    [
        (Axis("x", 0, 1), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
        (Axis("x", 243, 507), ["300", "400", "500"]),
        (Axis("x", 1.2, 45, log=True), ["2", "5", "10", "20"]),
        (Axis("x", 3e-9, 3e-5, log=True), ["10⁻⁸", "10⁻⁷", "10⁻⁶", "10⁻⁵"]),
    ],
)
def test_ticks_are_round(axis: Axis, texts: list[str]) -> None:
    assert [text for _, text in axis.ticks()] == texts


def test_points_land_inside_the_frame() -> None:
    chart = Chart(Axis.around("x", [1, 2]), Axis.around("y", [1e-9, 1e-7, 0.0], log=True))
    assert 0 < chart.px(1) < chart.px(2) < chart.width
    assert 0 < chart.py(1e-7) < chart.py(1e-9) < chart.height


@pytest.mark.parametrize("values", [[], [0.0], [3.0], [-1.0, -1.0]])
def test_axes_of_nothing_or_one_value(values: list[float]) -> None:
    for log in (False, True):
        axis = Axis.around("x", values, log=log)
        assert axis.low < axis.high
        assert axis.ticks() is not None
