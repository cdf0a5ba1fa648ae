"""Notebook 06's plan, setting, scores and summary: who depends on what, and one small run end to end."""

import json
import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from ntkd_lib.chapters.distilled import methods, page, plan, work
from ntkd_lib.chapters.distilled.parameters import DistilledParameters
from ntkd_lib.chapters.distilled.studies import (
    costs_page,
    memory,
    points,
    points_page,
    ranks,
    sketches,
    streamed,
    synthetic,
    tuned,
)
from ntkd_lib.chapters.run import locate_data, with_needs
from ntkd_lib.data import registry, standins
from ntkd_lib.data.load import load
from ntkd_lib.dntk.ledger import Cost, Ledger
from ntkd_lib.lab.cells import Cell, Record
from ntkd_lib.lab.execute import run_cells
from ntkd_lib.lab.parameters import load_parameters
from ntkd_lib.lab.search import read_search
from ntkd_lib.lab.store import CellStore
from ntkd_lib.lab.work import Data, Work

SMALL = {"data": "mnist-5k", "seeds": [0, 1], "thorough": 1, "colour_seeds": [4], "images": 240, "tests": 60}
SHORT = {"epochs": 4, "colour_epochs": 2, "distil_steps": 2, "energy_steps": 1, "sketch": 64, "per_class": 11}


RESNET = DistilledParameters().model_dump()
RESNET |= {"images": 40, "tests": 5, "per_class": 1, "distil_steps": 1, "sketch": 64, "colour_epochs": 1}
FEWER = [
    (work, "BATCH", 20),
    (plan, "FEW", 1),
    (synthetic, "COUNTS", (2,)),
    (streamed, "LANDMARKS", 4),
    (streamed, "CERTIFIED", 5),
]

WORK = (
    work.distilled_images,
    work.network,
    memory.memory,
    points.points,
    ranks.ranks,
    sketches.sketch_errors,
    streamed.streamed,
    synthetic.synthetic,
    tuned.tuned_images,
    work.distilled_base,
    work.exact,
)


def small(**changes: object) -> DistilledParameters:
    return DistilledParameters(tier="smoke", **(SMALL | SHORT | changes))


def planned(parameters: DistilledParameters) -> list[Cell]:
    return with_needs(plan.plan(parameters, locate_data(*parameters.datasets)))


def labels_of(cells: list[Cell], work: Work) -> set[tuple[str, int]]:
    return {(cell.labels["data"], cell.labels["seed"]) for cell in cells if cell.work == work.path}


def split_of(seed: int = 0, **changes: object) -> work.ImageSplit:
    source = work.ImageSource(images=400, tests=60)
    return work.load_split(locate_data("mnist-5k")["mnist-5k"], seed, source, **changes)


def test_every_seed_is_reduced_and_the_first_are_thorough() -> None:
    cells = planned(small())
    assert len({cell.name for cell in cells}) == len(cells)
    assert labels_of(cells, synthetic.synthetic) == {("mnist-5k", 0), ("mnist-5k", 1), ("cifar-10", 4)}
    assert labels_of(cells, work.exact) == {("mnist-5k", 0), ("cifar-10", 4)}


def test_cells_do_all_the_work_that_there_is() -> None:
    assert {each.path for each in WORK} == {cell.work for cell in planned(small())}


def test_one_seed_replaces_all_lists() -> None:
    cells = planned(small(seed=7))
    assert {cell.labels["seed"] for cell in cells if "seed" in cell.labels} == {7}


def test_tiers_are_valid_and_cpu_is_the_default() -> None:
    notebook = "06_distilled_ntk"
    tiers = {t: load_parameters(DistilledParameters, notebook, t, {}) for t in ("smoke", "cpu", "paper")}
    assert tiers["cpu"] == DistilledParameters()
    assert len(tiers["cpu"].all_seeds) == 10
    assert tiers["paper"].colour == "imagenette"
    assert len(tiers["paper"].colour_seeds) >= 5


def test_training_validation_and_test_images_are_apart_and_follow_the_seed() -> None:
    one, same, other = (split_of(seed) for seed in (0, 0, 1))
    assert torch.equal(one.images, same.images)
    assert not torch.equal(one.images, other.images)
    parts = [one.images, one.held_images, one.test_images]
    seen = [{image.numpy().tobytes() for image in part} for part in parts]
    assert not seen[0] & seen[1]
    assert [len(part) for part in parts] == [400, 400, 60]


def test_networks_train_in_training_mode_and_are_tested_in_evaluation_mode() -> None:
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.BatchNorm1d(4), torch.nn.Linear(4, 10)).eval()
    images, labels = torch.randn(130, 1, 2, 2), torch.randint(10, (130,))
    split = work.ImageSplit(images, labels, images[:50], labels[:50], images[:50], labels[:50])
    curve = work.train_on(net, images, labels, split, "mnist", 3)
    assert net[1].num_batches_tracked == 3 * (130 // work.BATCH)
    assert not net.training
    guess = work.logits_of(net, split.held_images).argmax(1)
    assert curve[-1] == work.percent_equal(guess, split.held_labels)


def test_scores_hold_accuracy_fidelity_and_error() -> None:
    labels, logits = torch.tensor([0, 1, 1, 0]), torch.tensor([[1.0, 0], [0, 1], [1, 0], [1, 0]])
    scores = work.Scores(labels, logits)
    scores.add("x", 3, {"logits": logits + 1, "labels": -logits}, Ledger({"a": Cost(rows=2)}, Cost()))
    first, second = scores.rows
    assert (first["accuracy"], first["fidelity"], first["squared_error"]) == (75.0, 100.0, 1.0)
    assert (second["accuracy"], second["fidelity"], second["squared_error"]) == (25.0, 0.0, None)
    assert scores.guesses["x/3/logits"].tolist() == [0, 1, 0, 0]


def test_the_label_ridge_is_the_recorded_searchs_and_no_test_image_was_read() -> None:
    recorded = read_search("06_distilled_ntk")
    assert methods.label_ridge() in recorded["budget"]["ridges"]
    assert {trial["data"] for trial in recorded["trials"]} == {"mnist", "cifar-10"}
    assert recorded["budget"]["seed"] not in DistilledParameters().all_seeds
    trials = [{"ridge": r, "validation": v} for r, v in ((0.1, 80.0), (0.1, 90.0), (1.0, 99.0), (1.0, 60.0))]
    assert methods.best_ridge(trials) == 0.1
    judged = split_of(validation=True)
    assert torch.equal(judged.test_images, judged.held_images)


def test_the_search_records_one_trial_per_data_set_method_and_ridge() -> None:
    described = []

    def run(cells: list[Cell]) -> list[Record]:
        described.extend(cells)
        rows = [{"method": "exact", "ridge": 0.1, "validation": 90.0}]
        return [Record("0" * 64, cell.name, {"rows": rows}, {}, {}) for cell in cells]

    (search,) = methods.SEARCHES
    content = search.conduct({name: Data(name, "0" * 64) for name in search.data}, run)
    assert [cell.work for cell in described] == [methods.ridge_trials.path] * 2
    assert {cell.labels["seed"] for cell in described} == {content["budget"]["seed"]}
    assert [trial["data"] for trial in content["trials"]] == ["mnist", "cifar-10"]
    assert content["budget"].keys() == read_search("06_distilled_ntk")["budget"].keys()


def test_claims_counted_in_two_ways_keep_the_contracts_thresholds() -> None:
    orders = costs_page.count_orders()
    assert (orders["paper_holds"], orders["whole_holds"]) == (True, False)
    own = pd.DataFrame(
        {"flop": [100.0, 10.0, 50.0], "fewer": [1.0, 20.0, 4.0]},
        index=pd.MultiIndex.from_tuples([("exact", 9), ("distilled", 100), ("local-global", 5)]),
    )
    averages = {"jac20.accuracy_drop": 1.0, "s5.accuracy": 80.0, "s5.fidelity": 80.0}
    fewer, five = costs_page.count_few(own, averages), costs_page.count_five(own, averages)
    assert (fewer["paper_holds"], fewer["whole_holds"]) == (True, False)
    assert "10.0 times fewer operations" in fewer["whole"]
    assert (five["paper_holds"], five["whole_holds"]) == (True, False)
    assert "4.0 times fewer rows, 2.0 times fewer operations" in five["whole"]


def test_label_targets_are_centred() -> None:
    targets = work.targets_of(torch.zeros(3, 10), torch.tensor([1, 1, 9]))
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
    found = points_page.fewest_rows(means).set_index("method")
    assert (found.loc["random", "rows"], found.loc["random", "fewer"]) == (50, 20.0)
    assert found.loc["random", "cheap_agreement"] == 99.1
    assert math.isnan(found.loc["pseudo", "rows"])
    assert page.best_cheap(means)["rows"].tolist() == [50]


def test_stated_variances_are_those_of_their_formulas() -> None:
    gradients = torch.tensor([[[1.0, 2.0]], [[0.0, 1.0]]], dtype=torch.float64)
    dense = sketches.stated_variance(gradients, "Gaussian")[0]
    assert dense[0, 1].item() == pytest.approx((5 * 1 + 2**2) / sketches.SIZE)
    assert sketches.stated_variance(gradients, "sparse")[0, 0, 1].item() == pytest.approx(
        (5 + 4 - 2 * 4) / sketches.SIZE
    )
    assert torch.equal(sketches.stated_variance(gradients, "Kronecker")[0], 4 * dense)


def run_and_name(cells: list[Cell], store: CellStore) -> dict[str, Record]:
    """Run cells and what they need; records by the name of their work."""
    records = run_cells(with_needs(cells), store, workers=1, progress="none")
    return {name.split("/")[0]: record for name, record in records.items()}


@pytest.mark.slow
def test_cells_run_end_to_end_and_agree_with_each_other(tmp_path) -> None:
    parameters = small()
    digits = locate_data("mnist-5k")["mnist-5k"]
    cells = [plan.synthetic_cell(parameters, digits, 0), *plan.thorough_cells(parameters, digits, 0)]
    found = run_and_name(cells, CellStore(tmp_path))
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
    captured = found["tuned_images"].values["captured"]
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
    pictures = locate_data("imagenette")["imagenette"]
    thorough = plan.thorough_cells(parameters, pictures, 9)
    cells = [cell for cell in thorough if cell.work in (work.exact.path, streamed.streamed.path)]
    cells = [plan.synthetic_cell(parameters, pictures, 9), *cells]
    found = run_and_name(cells, CellStore(tmp_path / "cells"))
    assert found["network"].values["parameters"] == 11_181_642
    scored = ("exact", "streamed", "synthetic")
    names = {row["method"] for name in scored for row in found[name].values["rows"]}
    assert names >= {"exact", "local-global", "global top", "leverage", "streamed", "sketch pivoted"}
    assert load("imagenette", "train").images.shape[2:] == (16, 16)
    whole = next(r for r in found["exact"].values["rows"] if r["target"] == "logits")
    assert whole["fidelity"] > 50
    assert whole["ledger"]["build"]["tangent kernel"]["rows"] == 400


def test_each_stream_of_the_memory_study_reports_its_peak(capsys):
    memory.report([memory.CHUNK, 2 * memory.CHUNK])
    peaks = json.loads(capsys.readouterr().out)
    assert len(peaks) == 2
    assert min(peaks) > 50  # MiB; the interpreter with torch alone takes more
