"""Notebook 02: plan, search and cells, its page on one very small run, no photograph in what is published."""

import base64
import io
import json
import re
from collections import Counter
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from PIL import Image

from ntkd_lib.chapters import run as chapter_run
from ntkd_lib.chapters.optical_students import mask_methods as methods
from ntkd_lib.chapters.optical_students.mask_methods import MASKS
from ntkd_lib.chapters.optical_students.masks import TRAINING_IMAGES, student, tangent, teacher
from ntkd_lib.chapters.run import Run, locate_data, planned_cells
from ntkd_lib.chapters.segmentation import NOTEBOOK, checks, page, plan
from ntkd_lib.chapters.segmentation.parameters import SegmentationParameters
from ntkd_lib.chapters.segmentation.studies import energy, panels
from ntkd_lib.data.cars import VIEWS, draw_cars
from ntkd_lib.data.mask_arrays import MaskArrays
from ntkd_lib.data.masks import load_masks
from ntkd_lib.data.registry import DataLocation, locate
from ntkd_lib.lab.cells import Record
from ntkd_lib.lab.claims import load_claims
from ntkd_lib.lab.evidence import DataState, Evidence
from ntkd_lib.lab.execute import run_cells
from ntkd_lib.lab.layout import tier_layout
from ntkd_lib.lab.parameters import ParameterError, load_parameters
from ntkd_lib.lab.search import read_search
from ntkd_lib.lab.store import CellStore
from ntkd_lib.lab.verdicts import judge
from ntkd_lib.lab.work import Data
from ntkd_lib.show import dots, training
from ntkd_lib.show.claims import claim_box
from ntkd_lib.show.columns import show_table
from ntkd_lib.show.publish import show
from tests.chapters.drawings import few_drawings

TINY = {
    "data": "drawn-cars",
    "seeds": [0],
    "steps": 8,
    "long_steps": 8,
    "teacher_steps": 24,
    "batch": 4,
    "kernel_batch": 2,
    "kernel_every": 4,
    "kernel_images": 8,
    "kernel_outputs": 2,
    "landmarks": 4,
    "many": 12,
}


def tiny(**changes):
    return SegmentationParameters(tier="smoke", **(TINY | changes))


@pytest.fixture(scope="module", autouse=True)
def _few_drawings(tmp_path_factory):
    with few_drawings(tmp_path_factory.mktemp("cache")):
        yield


def planned(**changes):
    return planned_cells(plan.plan, tiny(**changes))


def students(cells, data="drawn-cars"):
    return {(c.labels["method"], c.labels["seed"]): c for c in of(cells, student, data)}


def of(cells, work, data="drawn-cars"):
    return [cell for cell in cells if cell.work == work.path and cell.labels["data"] == data]


def test_a_student_reads_what_its_own_loss_takes():
    cells = students(planned())
    needs = {name: set(cell.needs) for (name, _), cell in cells.items()}
    kernel = {name for name in needs if methods.METHODS[name].uses_kernel}
    assert {name for name, own in needs.items() if own == {"kernel"}} == kernel
    assert {name for name, own in needs.items() if own == {"logits"}} == {"kd"}
    assert all(not own for name, own in needs.items() if name not in {*kernel, "kd"})
    assert {name: c.arguments["loss"] for (name, _), c in cells.items()} == {
        method.name: method.objective for method in plan.compared_methods()
    }


def test_compared_students_share_everything_but_loss_and_settings():
    cells = students(planned())
    kinds = [dict(cells[name, 0].arguments) for name in ("none", "kd", "ntkd_raw")]
    for arguments in kinds:
        for name in ("loss", "settings", "summary", "kernel", "logits"):
            arguments.pop(name, None)
    assert kinds[0] == kinds[1] == kinds[2]


def test_all_seeds_and_the_forms_that_are_always_shown_are_planned_once():
    cells = planned(seeds=[3, 5])
    assert len({cell.name for cell in cells}) == len(cells)
    for name in ("none", "kd", "none_long", "lens", "f8", "many", *plan.ALWAYS_SHOWN, MASKS.chosen_form()):
        assert {(name, 3), (name, 5)} <= set(students(cells))
    assert len(of(cells, teacher)) == 1


def test_photographs_are_illustrated_by_drawings_that_are_no_data_of_the_run():
    cells = planned(data="carvana")
    drawn = [cell for cell in cells if cell.labels["data"] == "drawn-cars"]
    assert {("none", 0), ("kd", 0)} <= set(students(cells))
    assert len(of(cells, teacher)) == 1
    assert drawn
    assert all(cell.data == {} for cell in drawn)
    shown = planned(data="carvana", show_images=True)
    assert not [cell for cell in shown if cell.labels["data"] == "drawn-cars"]


def test_photographs_are_decoded_before_any_work(monkeypatch, tmp_path):
    photographs = DataLocation("carvana", "real", "NTKD_DATA", tmp_path, "0" * 64, "")
    monkeypatch.setattr(chapter_run, "locate", lambda name: photographs)
    monkeypatch.setattr(chapter_run, "prepare_arrays", lambda *place: decoded.append(place[1:3]))
    decoded = []
    assert locate_data("carvana") == {"carvana": Data("carvana", "0" * 64)}
    assert decoded == [(tmp_path, "0" * 64)]


def test_panels_are_trained_longer_than_the_smoke_tier_trains():
    smoke = load_parameters(SegmentationParameters, NOTEBOOK, "smoke", {})
    longer = {name for name in plan.PANELS if plan.PANELS[name] != getattr(smoke, name)}
    assert longer == {"steps", "teacher_steps", "kernel_every"}
    assert SegmentationParameters(**plan.PANELS).steps > smoke.steps


def test_kernel_batch_above_its_images_is_refused():
    expected = "kernel_batch = 16 is more than kernel_images = 8; allowed: at most kernel_images"
    with pytest.raises(ParameterError, match=expected):
        planned(kernel_batch=16)


def test_tiers_are_valid_and_cpu_is_the_default():
    found = {t: load_parameters(SegmentationParameters, NOTEBOOK, t, {}) for t in ("smoke", "cpu", "paper")}
    assert found["cpu"] == SegmentationParameters()
    assert found["smoke"].data == "drawn-cars"
    assert len(found["paper"].seeds) >= 5
    assert found["paper"].steps == found["cpu"].steps
    assert not any(parameters.show_images for parameters in found.values())


def test_search_gives_every_method_the_same_number_of_trials_and_other_seeds():
    record = read_search(NOTEBOOK)
    counts = Counter(trial["method"] for trial in record["trials"])
    assert set(counts) == {method.name for method in methods.METHODS.values() if method.space}
    assert set(counts.values()) == {record["budget"]["trials"]}
    assert not set(record["budget"]["seeds"]) & set(SegmentationParameters().seeds)
    assert "miou" not in json.dumps(record["trials"])
    assert "test" not in json.dumps(record["trials"])
    for number, trial in enumerate(record["trials"]):
        drawn = plan.draw_settings(methods.METHODS[trial["method"]], number % plan.TRIALS)
        assert trial["settings"] == drawn


def test_a_search_runs_its_recorded_trials_on_validation_cars():
    """Let records stand for trained students, and compare what is written with what is recorded."""
    record, cells = read_search(NOTEBOOK), []

    def run(listed):
        cells.extend(listed)
        trials = [t for t in record["trials"] for _ in t["validation"]]
        return [
            Record("0" * 64, "", {"validation": t["validation"][0]}, {}, {"seconds": t["seconds"][0]})
            for t in trials
        ]

    content = plan.conduct({"carvana": Data("carvana", "0" * 64)}, run)
    assert content["trials"] == record["trials"]
    assert content["budget"] == record["budget"]
    assert json.loads(json.dumps(content["space"])) == record["space"]
    assert all(cell.arguments["tested"] is False and cell.arguments["steps"] == 200 for cell in cells)


def test_best_trial_wins_on_validation():
    trials = read_search(NOTEBOOK)["trials"]
    for name in {trial["method"] for trial in trials}:
        values = [np.mean(t["validation"]) for t in trials if t["method"] == name]
        assert np.mean(MASKS.best_trial(name)["validation"]) == max(values)
    best = {form: np.mean(MASKS.best_trial(form)["validation"]) for form in methods.FORMS}
    assert best[MASKS.chosen_form()] == max(best.values())


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of the whole plan, very small, on drawings."""
    cells = planned()
    store = CellStore(tmp_path_factory.mktemp("cells"))
    records = run_cells(cells, store, workers=1, progress="none")
    located = {"drawn-cars": locate("drawn-cars")}
    return Run(NOTEBOOK, tiny(), records, located, tier_layout("smoke"), {}, tuple(cells))


@pytest.fixture(scope="module")
def metrics(run):
    """Compute what the run publishes, once."""
    return page.metrics(run)


def evidence_of(run, metrics, tier="smoke"):
    located = run.located["drawn-cars"]
    state = DataState(kind=located.kind, sha256=located.sha256, source=located.source)
    return Evidence(
        notebook=NOTEBOOK,
        tier=tier,
        standard=True,
        changed={},
        parameters={},
        metrics=metrics,
        data={"drawn-cars": state},
        provenance={},
    )


def live_claims():
    """List the claims that a run of the notebook can serve; others need a recorded protocol."""
    own = [claim for claim in load_claims().claims if claim.notebook == NOTEBOOK]
    return [claim for claim in own if not any(".matched." in name for name in claim.metric_names)]


def test_every_metric_of_the_contract_is_published(run, metrics):
    claims = live_claims()
    assert {name for claim in claims for name in claim.metric_names} <= set(metrics)
    assert "ntkd.random.carvana.f8.miou" in metrics
    assert run.holds(metrics)


@pytest.mark.parametrize("tier", ["smoke", "cpu", "paper"])
def test_no_claim_is_judged_on_drawings(run, metrics, tier):
    claims = live_claims()
    verdicts = [judge(claim, [evidence_of(run, metrics, tier)]) for claim in claims]
    assert len(verdicts) == 5
    assert {v.status for v in verdicts} == {"not assessed"}
    assert {v.reason for v in verdicts} == {"stand-in data (drawn-cars)"}


def test_students_learn_something_and_are_scored_on_other_cars(run):
    table = page.scores(run)
    scores = table.set_index("method")
    assert scores["miou"].between(0, 100).all()
    assert scores.loc["none", "parameters"] == 234_873
    blank = 50 * (1 - load_masks("drawn-cars", "test").masks.float().mean().item())  # no car anywhere
    assert run.select(teacher)[0].values["miou"] > blank + 10
    means = page.summary(table).set_index("method")
    assert means.loc["none", "paper"] == 74.3
    assert means.loc[MASKS.chosen_form(), "paper"] == 91.5
    gaps = page.differences(table)
    assert [*zip(gaps["greater"], gaps["less"], strict=True)] == [*page.PAIRS]
    assert gaps["mean"][2] == pytest.approx(scores.loc["kd", "miou"] - scores.loc["none", "miou"])
    assert gaps["mean"][1] == pytest.approx(
        scores.loc[MASKS.chosen_form(), "miou"] - scores.loc["none", "miou"]
    )


def test_checks_of_the_page_hold(run):
    by_captures, recorded = checks.miou_from_captures(run)
    assert by_captures == pytest.approx(recorded, abs=0.05)
    assert checks.kernel_error(run, images=1) < 1e-4


def test_the_compressed_kernel_is_near_the_exact_one(run):
    rows = page.teacher_rows(run)
    assert set(rows["summary"]) == {"pooled", "projected"}
    assert (rows["cosine"] > 0.8).all()
    assert {record.values["cosine"] for record in run.select(tangent)} == set(rows["cosine"])
    (pooled,) = run.select(tangent, summary="pooled")
    assert pooled.key == rows.set_index("summary").loc["pooled", "cell"]


def test_the_energy_claim_is_counted_and_the_paper_recomputed(run):
    table = energy.rows().set_index("system")
    assert table.loc["paper: compact digital twin", "saving"] == pytest.approx(40.1, abs=0.2)
    counted = energy.budgets()
    assert counted["layers"].macs - counted["hybrid"].macs == pytest.approx(229.478, abs=0.01)
    (metric,) = energy.metric(run).values()
    ours = 100 * (1 - counted["hybrid"].total / counted["layers"].total)
    assert metric.values == [pytest.approx(ours)]
    assert counted["binned"].total < counted["hybrid"].total < counted["layers"].total


def shown(run):
    """Return all figures of the page as functions that draw them."""
    scores = page.scores(run)
    drawn = panels.panels(run)
    curves = page.curves(scores, ("none", "kd", "ntkd"))
    return {
        "miou": lambda: dots.draw_scores(scores, page.summary(scores), "miou", "test mIoU (%)"),
        "differences": lambda: dots.draw_differences(page.differences(scores), "mIoU"),
        "curves": lambda: training.draw_curves(
            curves, ("share", "share of training steps (%)"), "validation mIoU (%)"
        ),
        "trials": lambda: training.draw_trials(MASKS.trial_table(), "validation mIoU", 60),
        "panels": lambda: panels.draw_panels(drawn),
    }


def test_figures_have_axes_and_tables_a_row_for_each(run, metrics):
    for name, draw in shown(run).items():
        figure = draw()
        assert name == "panels" or figure.axes[0].get_xlabel()
        plt.close(figure)
    scores = page.scores(run)
    assert show_table(page.summary(scores), page.STUDENTS, "students").count("<tr") == 1 + len(
        plan.compared_methods()
    )
    assert show_table(page.differences(scores), page.DIFFERENCES, "gaps").count("<tr") == 1 + len(page.PAIRS)
    assert show_table(page.teacher_rows(run), page.TEACHER, "teacher").count("<tr") == 3
    assert show_table(energy.rows(), energy.COLUMNS, "energy").count("<tr") == 10
    best = training.best_trials(MASKS.trial_table())
    assert show_table(best, training.SETTINGS, "settings").count("<tr") == 1 + best["method"].nunique()
    assert str(claim_box(evidence_of(run, metrics))).startswith("<")
    assert "not to be passed on" in panels.terms()


def test_error_maps_tell_missed_from_taken():
    mask, guess = np.zeros((2, 3), bool), np.zeros((2, 3), bool)
    mask[0, 0] = guess[0, 1] = True
    colours = panels.error_map(guess, mask)
    assert np.allclose(colours[0, 0], panels.BLUE)
    assert np.allclose(colours[0, 1], panels.ORANGE)
    assert np.allclose(colours[1, 2], 0.3)


# --- no photograph in what is published ---------------------------------------------------------------------

MARK = (255, 0, 255)


@pytest.fixture
def photographs(run, monkeypatch, tmp_path):
    """A run whose data set stands for Carvana: every pixel of its photographs has one glaring colour."""

    def load_marked(name, part, expect=None):
        found = load_masks("drawn-cars", part)
        if name == "carvana":
            found.images[:] = torch.tensor(MARK, dtype=torch.uint8)[:, None, None]
        return found

    monkeypatch.setattr(panels, "load_masks", load_marked)
    twins = {cell.name: relabelled(cell) for cell in run.cells}
    cells = (*twins.values(), *run.cells)
    records = {**run.records, **{twin.name: run.records[name] for name, twin in twins.items()}}

    def made(*, show_images):
        parameters = tiny(data="carvana", show_images=show_images)
        return Run(NOTEBOOK, parameters, records, run.located, tier_layout("smoke"), {}, cells)

    return made


def relabelled(cell):
    """Pretend that a cell read photographs."""
    return replace(cell, name=f"carvana/{cell.name}", labels={**cell.labels, "data": "carvana"})


def published_images(text):
    """Decode every raster image that a page holds, also within its drawings."""
    for encoded in re.findall(r"data:image/svg\+xml;base64,([A-Za-z0-9+/=]+)", text):
        yield from published_images(base64.b64decode(encoded).decode("utf-8"))
    for encoded in re.findall(r"data:image/(?:png|jpe?g);base64,([A-Za-z0-9+/=\s]+)", text):
        yield np.asarray(Image.open(io.BytesIO(base64.b64decode(encoded))).convert("RGB"))


def marked_pixels(run, folder):
    """Publish the panels of a run and count the pixels of the data set in all that is written."""
    found = panels.panels(run)
    made = show(
        run,
        "panels",
        lambda: panels.draw_panels(found),
        alt="Panels",
        caption="Panels",
        data=panels.pixel_errors(found),
    )
    images = list(published_images(made._repr_html_()))
    images += [np.asarray(Image.open(p).convert("RGB")) for p in folder.rglob("*.png")]
    assert images
    return sum(int((image == MARK).all(axis=2).sum()) for image in images)


def test_no_pixel_of_a_photograph_is_published_unless_asked_for(photographs, tmp_path, monkeypatch):
    monkeypatch.setenv("NTKD_BUILD", str(tmp_path))
    assert marked_pixels(photographs(show_images=False), tmp_path) == 0
    assert marked_pixels(photographs(show_images=True), tmp_path) > 1000  # so the count can find them


def test_records_hold_no_photograph(run):
    for record in run.records.values():
        shapes = {name: array.shape for name, array in record.arrays.items()}
        assert not any(len(shape) == 4 and shape[-2:] == (160, 240) for shape in shapes.values()), record.name


def test_drawings_of_the_page_are_the_stand_in():
    drawn = draw_cars(3, 1).parts["test"]
    assert isinstance(drawn, MaskArrays)
    assert TRAINING_IMAGES["standin"] == VIEWS * len(draw_cars(views=1).parts["train"].images)
