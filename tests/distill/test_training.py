"""The training loop, its schedule, its plateau rule, and augmentation."""

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from ntkd_lib.distill.objective import Batch
from ntkd_lib.distill.training import (
    DivergedError,
    Images,
    Schedule,
    accuracy,
    converged,
    fit,
    learning_rate,
    predict,
    random_shift,
)


def two_blobs(n: int = 200) -> Images:
    torch.manual_seed(0)
    labels = torch.arange(n) % 2
    images = torch.randn(n, 1, 2, 2) + 4 * labels[:, None, None, None]
    return Images(images, labels)


def net() -> nn.Module:
    torch.manual_seed(1)
    return nn.Sequential(nn.Flatten(), nn.Linear(4, 2))


def loss(model: nn.Module, batch: Batch) -> torch.Tensor:
    return cross_entropy(model(batch.images), batch.labels)


def trained(**changes: object) -> tuple[nn.Module, list[float]]:
    model, data = net(), two_blobs()
    schedule = Schedule(**({"epochs": 6, "batch": 16, "lr": 0.05} | changes))
    torch.manual_seed(2)
    curve = fit(model, data, torch.arange(150), torch.arange(150, 200), loss, schedule)
    return model, curve


def test_learns_separable_data_and_reports_twice_an_epoch() -> None:
    model, curve = trained()
    assert len(curve) == 12
    assert curve[-1] > 97
    assert accuracy(model, two_blobs(), torch.arange(150, 200)) == curve[-1]


def test_same_seed_gives_the_same_bits() -> None:
    (first, _), (second, _) = trained(), trained()
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))


def test_no_epoch_changes_nothing() -> None:
    model, curve = trained(epochs=0)
    assert curve == []
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), net().parameters(), strict=True))


class _Spoiler(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, slope):
        return slope * float("nan")


@pytest.mark.parametrize(("first", "evaluations"), [(53, 2), (53, 0), (2, 0)])
def test_weights_that_are_not_finite_are_no_result(first: int, evaluations: int) -> None:
    def spoilt(model: nn.Module, batch: Batch) -> torch.Tensor:
        value = loss(model, batch)
        return _Spoiler.apply(value) if batch.step == first else value

    model, data = net(), two_blobs()
    schedule = Schedule(epochs=6, batch=16, lr=0.05, evaluations=evaluations)
    with pytest.raises(DivergedError, match="weights are not finite after step 54 of 54"):
        fit(model, data, torch.arange(150), torch.arange(150, 200), spoilt, schedule)


def test_every_batch_is_whole_and_every_row_comes_once() -> None:
    seen: list[Batch] = []

    def watch(model: nn.Module, batch: Batch) -> torch.Tensor:
        seen.append(batch)
        return loss(model, batch)

    fit(net(), two_blobs(), torch.arange(10, 60), torch.arange(10), watch, Schedule(epochs=2, batch=25))
    assert [batch.step for batch in seen] == [0, 1, 2, 3]
    for epoch in (seen[:2], seen[2:]):
        assert sorted(torch.cat([batch.rows for batch in epoch]).tolist()) == list(range(10, 60))
    assert not torch.equal(seen[0].rows, seen[2].rows)


def test_a_batch_of_more_images_than_there_are_is_refused_before_any_step() -> None:
    model, data, schedule = net().eval(), two_blobs(), Schedule(epochs=1)
    with pytest.raises(ValueError, match=r"^batch: got 128 images, allowed: 1 to 127 images, whole$"):
        fit(model, data, torch.arange(127), torch.arange(150, 200), loss, schedule)
    assert not model.training
    assert len(fit(model, data, torch.arange(128), torch.arange(150, 200), loss, schedule)) == 1
    assert fit(model, data, torch.arange(5), torch.arange(150, 200), loss, Schedule(epochs=0)) == []


def test_loss_that_is_no_number_stops_with_its_step() -> None:
    def broken(model: nn.Module, batch: Batch) -> torch.Tensor:
        return loss(model, batch) * float("nan")

    with pytest.raises(DivergedError, match="loss is nan after step 3 of 6"):
        fit(net(), two_blobs(), torch.arange(100), torch.arange(9), broken, Schedule(epochs=1, batch=16))


def test_rate_warms_up_and_falls_to_zero() -> None:
    rates = [learning_rate(step, 100) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == rates[9] == 1
    assert rates[9:] == sorted(rates[9:], reverse=True)
    assert 0 < rates[-1] < 1e-3


def two_ends() -> nn.Module:
    torch.manual_seed(1)
    model = nn.Sequential()
    model.add_module("front", nn.Sequential(nn.Flatten(), nn.Linear(4, 3)))
    model.add_module("back", nn.Linear(3, 2))
    return model


def moved(front_rate: float) -> dict[str, torch.Tensor]:
    """How far each weight goes in one step, which Adam makes as long as the learning rate."""
    model, data = two_ends(), two_blobs()
    schedule = Schedule(1, 200, lr=1e-3, weight_decay=0.0, front_rate=front_rate)
    fit(model, data, torch.arange(200), torch.arange(200), loss, schedule)
    start = two_ends().state_dict()
    return {name: (p.detach() - start[name]).abs().max() for name, p in model.named_parameters()}


def test_the_front_alone_learns_faster() -> None:
    usual, faster = moved(1.0), moved(10.0)
    assert faster["front.1.weight"] / usual["front.1.weight"] == pytest.approx(10, rel=0.02)
    assert torch.equal(faster["back.weight"], usual["back.weight"])


def test_the_front_shrinks_no_faster_when_it_learns_faster() -> None:
    def decayed(front_rate: float) -> torch.Tensor:
        model, data = two_ends(), two_blobs()
        schedule = Schedule(2, 50, lr=1e-2, weight_decay=0.5, front_rate=front_rate)
        fit(model, data, torch.arange(200), torch.arange(200), lambda m, b: 0 * loss(m, b), schedule)
        return model.front[1].weight.detach()

    assert torch.allclose(decayed(10.0), decayed(1.0), rtol=1e-5)
    assert decayed(1.0).norm() < two_ends().front[1].weight.norm()


@pytest.mark.parametrize(
    "curve, expected",
    [
        ([90, 95, 96, 97, 97.1, 97.0, 97.2, 97.3], True),
        ([90, 91, 92, 93, 94, 95, 96, 97], False),
        ([97.0, 97.0, 97.0], False),
        ([50, 90, 91, 97, 97.0, 96.9, 97.1, 97.41], False),
        ([*range(70, 94), *range(94, 97), 97.0, 97.1, 97.2, 97.0, 97.1], True),
        ([*range(66, 94), 95, 95, 95, 95.0], False),
        ([97, 97, 97, 60], True),
        ([95.86, 95.9, 96.42, 96.72], True),  # 96.72 - 96.42 is 0.3000000000000114 in floating point
        ([95.86, 95.9, 96.42, 96.74], False),
    ],
)
def test_plateau(curve: list[float], expected: bool) -> None:
    assert converged(curve) is expected


def test_prediction_in_parts_equals_the_whole() -> None:
    model, images = net(), two_blobs().images
    with torch.no_grad():
        torch.testing.assert_close(predict(model, images, chunk=7), model(images))


def normed() -> nn.Sequential:
    """Build a network whose two modes differ in both ways: random zeros and running means."""
    torch.manual_seed(1)
    layers = (nn.Flatten(), nn.BatchNorm1d(4), nn.Dropout(0.5), nn.Linear(4, 2))
    return nn.Sequential(*layers)


@pytest.mark.parametrize("entered", [True, False], ids=["training", "evaluation"])
def test_every_step_is_taken_in_training_mode_and_the_end_is_evaluation_mode(entered: bool) -> None:
    model, data, modes = normed().train(entered), two_blobs(), []

    def watch(net: nn.Module, batch: Batch) -> torch.Tensor:
        modes.append(net.training)
        return loss(net, batch)

    rows, held_out = torch.arange(150), torch.arange(150, 200)
    curve = fit(model, data, rows, held_out, watch, Schedule(epochs=2, batch=50))
    assert modes == [True] * 6
    assert model[1].num_batches_tracked == 6  # no evaluation moves the running means
    assert not any(module.training for module in model.modules())
    assert accuracy(model, data, held_out) == curve[-1]
    torch.testing.assert_close(predict(model, data.images), model(data.images).detach())


def test_prediction_is_in_evaluation_mode_and_each_part_returns_to_its_own() -> None:
    model, images = normed().train(), two_blobs().images
    model[1].eval()  # as one whose running means are fixed
    modes = [module.training for module in model.modules()]
    before = {name: value.clone() for name, value in model.state_dict().items()}
    torch.testing.assert_close(predict(model, images, chunk=7), normed().eval()(images).detach())
    assert [module.training for module in model.modules()] == modes
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        predict(nn.Sequential(model, nn.Linear(3, 1)), images)
    assert [module.training for module in model.modules()] == modes
    assert predict(model[:3], images).isfinite().all()  # the parts of another network are in two at once
    assert [module.training for module in model.modules()] == modes


def test_shift_moves_whole_images_and_keeps_their_light() -> None:
    torch.manual_seed(0)
    images = torch.zeros(50, 1, 9, 9)
    images[:, :, 4, 4] = 1
    shifted = random_shift(images, 2)
    assert torch.equal(shifted.sum((1, 2, 3)), torch.ones(50))
    places = {divmod(int(image.argmax()), 9) for image in shifted}
    assert all(2 <= row <= 6 and 2 <= column <= 6 for row, column in places)
    assert len(places) > 10
    assert torch.equal(random_shift(images, 0), images)
