"""Which method a network gets, where measurements have shown the fastest one."""

import pytest

from ntkd_lib.ntk.choice import choose_method, measure_network, predicted_work
from ntkd_lib.ntk.kinds import KINDS
from tests.ntk.nets import build


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["dense", "lenet", "wide", "resnet18"])
def test_known_layers_are_never_given_whole_jacobians(name: str, kind: str) -> None:
    model, x, _ = build(name)
    batch = x[:1].expand(16, *x.shape[1:])
    assert choose_method(model, batch, len(batch), kind) != "contraction"


def test_predictions_grow_with_the_batch_as_theory_says() -> None:
    model, x, _ = build("wide")
    sizes = measure_network(model, x[:1], "full")
    small, large = (predicted_work(sizes, n, n, "full") for n in (1000, 2000))
    assert 3.5 < large["structured"] / small["structured"] <= 4
    assert large["products"] / small["products"] == pytest.approx(4, rel=0.01)
    assert 3.5 < large["contraction"] / small["contraction"] <= 4
