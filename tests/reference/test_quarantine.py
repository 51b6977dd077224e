import pytest

from interfaceflow.core.errors import CalculationError
from interfaceflow.reference.quarantine import check_quarantined_share, summarise_reasons
from interfaceflow.schemas.datasets import QuarantinedLabel


def refused(n, reason="the calculation did not converge"):
    return [QuarantinedLabel(source=f"frame {i}", reason=reason) for i in range(n)]


def test_a_few_bad_labels_stop_nothing():
    check_quarantined_share(6, refused(2), 0.25, "round 1")


def test_too_many_bad_labels_stop_the_flow_and_the_message_names_the_reasons():
    quarantined = [*refused(2), QuarantinedLabel(source="frame 9", reason="atoms are too close")]
    with pytest.raises(CalculationError) as caught:
        check_quarantined_share(5, quarantined, 0.25, "round 1")
    assert "round 1: 3 of 8 labels cannot be trusted (38%, allowed 25%)" in str(caught.value)
    assert "frame 0 and 1 more: the calculation did not converge; frame 9: atoms are too close" in str(caught.value)
    assert "reference.max_quarantined_share" in str(caught.value)


def test_of_a_few_labels_any_may_be_bad():
    check_quarantined_share(0, refused(3), 0.25, "round 1")
    with pytest.raises(CalculationError):
        check_quarantined_share(0, refused(4), 0.25, "round 1")


def test_many_reasons_are_summed_up():
    many = [label for i in range(5) for label in refused(5 - i, f"reason {i}")]
    assert summarise_reasons(many).endswith("frame 0 and 2 more: reason 2; and 3 for other reasons")
