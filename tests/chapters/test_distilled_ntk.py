"""Notebook 06's plan, setting, scores and summary: who depends on what, and one small run end to end."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from ntkd_lib.chapters.distilled_ntk import (
    base,
    both_ways,
    cells,
    energy,
    images,
    memory,
    network,
    plan,
    points,
    ranks,
    reference,
    scoring,
    setting,
    settings,
    sketches,
    streamed,
    summary,
    synthetic,
)
from ntkd_lib.chapters.distilled_ntk.cells import CellMaker
from ntkd_lib.chapters.distilled_ntk.parameters import DistilledParameters
from ntkd_lib.data import registry, standins
from ntkd_lib.data.load import load
from ntkd_lib.data.registry import locate
from ntkd_lib.dntk.ledger import Ledger, Work
from ntkd_lib.lab.execute import run_cells
from ntkd_lib.lab.parameters import load_parameters
from ntkd_lib.lab.store import CellStore

SMALL = {"data": "mnist-5k", "seeds": [0, 1], "thorough": 1, "colour_seeds": [4], "images": 240, "tests": 60}
SHORT = {"epochs": 4, "colour_epochs": 2, "distil_steps": 2, "energy_steps": 1, "sketch": 64, "per_class": 11}


RESNET = DistilledParameters().model_dump()
RESNET |= {"images": 40, "tests": 5, "per_class": 1, "distil_steps": 1, "sketch": 64}
FEWER = [
    (cells, "FEW", 1),
    (synthetic, "COUNTS", (2,)),
    (streamed, "LANDMARKS", 4),
    (streamed, "CERTIFIED", 5),
]

WORK = (
    base.train_on_distilled,
    energy.tune,
    images.distil,
    memory.measure,
    network.train,
    points.compare,
    ranks.measure,
    reference.exact,
    sketches.draw,
    streamed.stream,
    synthetic.reduce,
)


def small(**changes: object) -> DistilledParameters:
    return DistilledParameters(tier="smoke", **(SMALL | SHORT | changes))


def maker(**changes: object) -> CellMaker:
    return CellMaker(small(**changes), "mnist-5k", locate("mnist-5k").sha256, 4)


def arguments(**changes: object) -> dict[str, object]:
    known = {"data": "mnist-5k", "sha256": locate("mnist-5k").sha256, "seed": 0, "device": "cpu"}
    return known | {"images": 400, "tests": 60} | changes


def test_every_seed_is_reduced_and_the_first_are_thorough() -> None:
    names = [cell.name for cell in plan.plan(small())]
    assert len(names) == len(set(names))
    assert {f"mnist-5k/synthetic/seed={seed}" for seed in (0, 1)} <= set(names)
    assert "mnist-5k/exact/seed=0" in names
    assert "mnist-5k/exact/seed=1" not in names
    assert "cifar-10/exact/seed=4" in names


def test_cells_do_all_the_work_that_there_is() -> None:
    assert {f"{work.__module__}:{work.__name__}" for work in WORK} == {
        cell.work for cell in plan.plan(small())
    }


def test_one_seed_replaces_all_lists() -> None:
    seeds = {cell.arguments["seed"] for cell in plan.plan(small(seed=7)) if "seed" in cell.arguments}
    assert seeds == {7}


def test_tiers_are_valid_and_cpu_is_the_default() -> None:
    notebook = "06_distilled_ntk"
    tiers = {t: load_parameters(DistilledParameters, notebook, t, {}) for t in ("smoke", "cpu", "paper")}
    assert tiers["cpu"] == DistilledParameters()
    assert len(tiers["cpu"].all_seeds) == 10
    assert tiers["paper"].colour == "imagenette"
    assert len(tiers["paper"].colour_seeds) >= 5


def test_training_validation_and_test_images_are_apart_and_follow_the_seed() -> None:
    one, same, other = (setting.prepare(arguments(seed=seed)) for seed in (0, 0, 1))
    assert torch.equal(one.images, same.images)
    assert not torch.equal(one.images, other.images)
    parts = [one.images, one.held_images, one.test_images]
    seen = [{image.numpy().tobytes() for image in part} for part in parts]
    assert not seen[0] & seen[1]
    assert [len(part) for part in parts] == [400, 400, 60]


def test_networks_train_in_training_mode_and_are_tested_in_evaluation_mode() -> None:
    net = torch.nn.Sequential(torch.nn.BatchNorm1d(2))
    switched = network.Switched(net)
    switched(torch.randn(4, 2))
    assert net.training
    with torch.no_grad():
        switched(torch.randn(4, 2))
    assert not net.training


def test_scores_hold_accuracy_fidelity_and_error() -> None:
    labels, logits = torch.tensor([0, 1, 1, 0]), torch.tensor([[1.0, 0], [0, 1], [1, 0], [1, 0]])
    scores = scoring.Scores(labels, logits)
    scores.add("x", 3, {"logits": logits + 1, "labels": -logits}, Ledger({"a": Work(rows=2)}, Work()))
    first, second = scores.rows
    assert (first["accuracy"], first["fidelity"], first["squared_error"]) == (75.0, 100.0, 1.0)
    assert (second["accuracy"], second["fidelity"], second["squared_error"]) == (25.0, 0.0, None)
    assert scores.guesses["x/3/logits"].tolist() == [0, 1, 0, 0]


def test_the_label_ridge_is_the_recorded_searchs_and_no_test_image_was_read() -> None:
    recorded = settings.search()
    assert settings.label_ridge() in recorded["budget"]["ridges"]
    assert {trial["data"] for trial in recorded["trials"]} == {"mnist", "cifar-10"}
    assert recorded["budget"]["seed"] not in DistilledParameters().all_seeds
    trials = [{"ridge": r, "validation": v} for r, v in ((0.1, 80.0), (0.1, 90.0), (1.0, 99.0), (1.0, 60.0))]
    assert settings.best_ridge(trials) == 0.1
    judged = setting.prepare(arguments(validation=True))
    assert torch.equal(judged.test_images, judged.held_images)


def test_claims_counted_in_two_ways_keep_the_contracts_thresholds() -> None:
    held = both_ways._orders()
    assert (held.paper_holds, held.whole_holds) == (True, False)
    own = pd.DataFrame(
        {"flop": [100.0, 10.0, 50.0], "fewer": [1.0, 20.0, 4.0]},
        index=pd.MultiIndex.from_tuples([("exact", 9), ("distilled", 100), ("local-global", 5)]),
    )
    known = {"jac20.accuracy_drop": 1.0, "s5.accuracy": 80.0, "s5.fidelity": 80.0}
    fewer, five = both_ways._fewer("mnist", own, known), both_ways._five("mnist", own, known)
    assert (fewer.paper_holds, fewer.whole_holds) == (True, False)
    assert "10.0 times fewer operations" in fewer.whole
    assert (five.paper_holds, five.whole_holds) == (True, False)
    assert "4.0 times fewer rows, 2.0 times fewer operations" in five.whole


def test_label_targets_are_centred() -> None:
    targets = scoring.targets_of(torch.zeros(3, 10), torch.tensor([1, 1, 9]))
    assert targets["labels"].sum(1).abs().max() < 1e-12
    assert targets["labels"].argmax(1).tolist() == [1, 1, 9]


def test_fewest_rows_find_the_cheapest_size_and_say_where_there_is_none() -> None:
    rows = [
        ("random", 10, 90.0, 100.0),
        ("random", 100, 99.5, 10.0),
        ("random", 50, 99.1, 20.0),
        ("pseudo", 1, 80.0, 99.0),
    ]
    means = pd.DataFrame(
        {"data": "d", "target": "logits", "method": m, "rows": r, "agreement": a, "fewer": f}
        for m, r, a, f in rows
    )
    found = summary.fewest_rows(means).set_index("method")
    assert (found.loc["random", "rows"], found.loc["random", "fewer"]) == (50, 20.0)
    assert found.loc["random", "cheap_agreement"] == 99.1
    assert math.isnan(found.loc["pseudo", "rows"])
    assert summary.best_cheap(means, "d")["rows"] == 50


def test_stated_variances_are_those_of_their_formulas() -> None:
    gradients = torch.tensor([[[1.0, 2.0]], [[0.0, 1.0]]], dtype=torch.float64)
    dense = sketches.stated_variance(gradients, "Gaussian")[0]
    assert dense[0, 1].item() == pytest.approx((5 * 1 + 2**2) / sketches.SIZE)
    assert sketches.stated_variance(gradients, "sparse")[0, 0, 1].item() == pytest.approx(
        (5 + 4 - 2 * 4) / sketches.SIZE
    )
    assert torch.equal(sketches.stated_variance(gradients, "Kronecker")[0], 4 * dense)


@pytest.mark.slow
def test_cells_run_end_to_end_and_agree_with_each_other(tmp_path) -> None:
    make = maker()
    planned = [make.network(0), make.synthetic(0), *make.thorough(0)]
    found = run_cells(planned, CellStore(tmp_path), workers=1, progress="none")
    found = {name.split("/")[1]: record for name, record in found.items()}
    exact, points = found["exact"], found["points"]
    whole = next(r for r in exact.values["rows"] if r["target"] == "logits")
    assert whole["fidelity"] > 90
    assert whole["ledger"]["build"]["tangent kernel"]["rows"] == 2400
    assert np.array_equal(points.arrays["random/240/logits"], exact.arrays["exact/240/logits"])
    rows = {(r["method"], r["size"], r["target"]): r for r in points.values["rows"]}
    assert rows["last layer", 240, "logits"]["fidelity"] > 97
    assert sum(w["rows"] for w in rows["last layer", 100, "logits"]["ledger"]["build"].values()) == 0
    assert rows["pseudo", 100, "logits"]["ledger"]["build"]["tangent kernel"]["rows"] == 100
    assert 0 <= found["synthetic"].values["uncovered"] <= 5
    directions = found["streamed"].values["directions"]
    assert directions["error"] <= directions["bound"] + 1e-9
    states = {row["state"] for row in found["ranks"].values["rows"]}
    assert states == {"initial", "trained", "distilled", "real"}
    captured = found["energy"].values["captured"]
    assert all(0 < share <= 1 for share in captured.values())
    assert rows["random", 25, "logits"]["ledger"]["build"]["tangent kernel"]["rows"] == 250


@pytest.fixture
def small_pictures(tmp_path, monkeypatch):
    """Let Imagenette be drawn textures of 16 x 16 pixels, and every method run at its smallest sizes."""
    drawn = standins.draw_textures(1000)
    halved = {part: images[..., ::2, ::2].copy() for part, images in drawn.images.items()}
    monkeypatch.setitem(standins._MAKERS, "imagenette", lambda: replace(drawn, images=halved))
    monkeypatch.delenv("NTKD_DATA", raising=False)
    monkeypatch.delenv("DATA", raising=False)
    monkeypatch.setenv("NTKD_CACHE", str(tmp_path / "cache"))
    standins.standin.cache_clear()  # another test may have drawn the large ones, and must not get these
    registry.forget()
    for module, name, value in FEWER:
        monkeypatch.setattr(module, name, value)
    yield
    standins.standin.cache_clear()
    registry.forget()


@pytest.mark.slow
@pytest.mark.usefixtures("small_pictures")
def test_the_path_of_imagenette_runs_with_a_resnet_on_a_few_small_pictures(tmp_path) -> None:
    parameters = DistilledParameters.model_construct(**RESNET)
    make = CellMaker(parameters, "imagenette", locate("imagenette").sha256, 1)
    thorough = [cell for cell in make.thorough(9) if cell.name.split("/")[1] in ("exact", "streamed")]
    planned = [make.network(9), make.synthetic(9), *thorough]
    records = run_cells(planned, CellStore(tmp_path / "cells"), workers=1, progress="none")
    found = {name.split("/")[1]: record for name, record in records.items()}
    assert found["network"].values["parameters"] == 11_181_642
    methods = {r["method"] for name in set(found) - {"network"} for r in found[name].values["rows"]}
    assert methods >= {"exact", "local-global", "global top", "leverage", "streamed", "sketch pivoted"}
    assert load("imagenette", "train").images.shape[2:] == (16, 16)
    whole = next(r for r in found["exact"].values["rows"] if r["target"] == "logits")
    assert whole["fidelity"] > 50
    assert whole["ledger"]["build"]["tangent kernel"]["rows"] == 400
