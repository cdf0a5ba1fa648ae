"""Notebook 02: plan, search and cells, its page on one very small run, no photograph in what is published."""

import base64
import io
import json
import re
from collections import Counter

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from PIL import Image

from ntkd_lib.chapters.ntkd_segmentation import (
    NOTEBOOK,
    check,
    energy,
    methods,
    panels,
    plan,
    search,
    settings,
    summary,
)
from ntkd_lib.chapters.ntkd_segmentation.cells import CellMaker
from ntkd_lib.chapters.ntkd_segmentation.metrics import metrics
from ntkd_lib.chapters.ntkd_segmentation.parameters import SegmentationParameters
from ntkd_lib.chapters.run import Run
from ntkd_lib.data.cars import draw_cars
from ntkd_lib.data.mask_arrays import MaskArrays
from ntkd_lib.data.masks import load_masks
from ntkd_lib.data.registry import forget, locate
from ntkd_lib.lab.claims import load_claims
from ntkd_lib.lab.evidence import DataState, Evidence
from ntkd_lib.lab.execute import run_cells
from ntkd_lib.lab.layout import tier_layout
from ntkd_lib.lab.parameters import ParameterError, load_parameters
from ntkd_lib.lab.sources import module_sources
from ntkd_lib.lab.store import CellStore
from ntkd_lib.lab.verdicts import judge
from ntkd_lib.show import ntkd_segmentation as figures
from ntkd_lib.show import segmentation_tables as tables
from ntkd_lib.show import training
from ntkd_lib.show.claims import claim_box
from ntkd_lib.show.publish import show

LOSSES = {method.objective for method in methods.METHODS.values()}
TINY = {
    "data": "drawn-cars",
    "seeds": [0],
    "steps": 16,
    "long_steps": 16,
    "teacher_steps": 24,
    "batch": 4,
    "kernel_batch": 2,
    "kernel_every": 8,
    "kernel_images": 8,
    "kernel_outputs": 2,
    "landmarks": 4,
    "many": 12,
}


def tiny(**changes):
    return SegmentationParameters(tier="smoke", **(TINY | changes))


@pytest.fixture(scope="module", autouse=True)
def _no_photographs(tmp_path_factory):
    """Hide the user's own data: what runs here runs on drawings."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("NTKD_DATA", raising=False)
        patch.setenv("NTKD_CACHE", str(tmp_path_factory.mktemp("cache")))
        forget()
        yield
    forget()


def planned(**changes):
    cells = plan.plan(tiny(**changes))
    return {cell.name.removeprefix("drawn-cars/"): cell for cell in cells}


def modules_of(cell):
    return set(module_sources((cell.work.partition(":")[0], *cell.uses)))


@pytest.mark.parametrize("name", [method.name for method in plan.compared_methods()])
def test_a_student_depends_on_its_own_loss_only(name):
    found = modules_of(planned()[f"{name}/seed=0"])
    losses = {loss for loss in LOSSES if f"ntkd_lib.distill.{loss}" in found}
    assert losses == {methods.METHODS[name].objective}


def test_compared_students_share_everything_but_loss_and_settings():
    cells = planned()
    kinds = [dict(cells[f"{name}/seed=0"].arguments) for name in ("none", "kd", "ntkd_raw")]
    for arguments in kinds:
        del arguments["objective"], arguments["settings"]
    assert kinds[0] == kinds[1] == kinds[2]


def test_all_seeds_and_the_forms_that_are_always_shown_are_planned_once():
    names = [cell.name for cell in plan.plan(tiny(seeds=[3, 5]))]
    assert len(set(names)) == len(names)
    for name in ("none", "kd", "none_long", "lens", "f8", "many", *methods.ALWAYS, settings.chosen_form()):
        assert {f"drawn-cars/{name}/seed={seed}" for seed in (3, 5)} <= set(names)
    assert names.count("drawn-cars/teacher") == 1


def test_photographs_are_illustrated_by_drawings_that_are_no_data_of_the_run():
    cells = plan.plan(tiny(data="carvana"))
    drawn = [cell for cell in cells if cell.name.startswith("drawn-cars/")]
    assert {"drawn-cars/none/seed=0", "drawn-cars/kd/seed=0", "drawn-cars/teacher"} <= {c.name for c in drawn}
    assert all(cell.data == {} for cell in drawn)
    assert not [c for c in plan.plan(tiny(data="carvana", show_images=True)) if c.name.startswith("drawn")]


def test_panels_are_trained_longer_than_the_smoke_tier_trains():
    smoke = load_parameters(SegmentationParameters, NOTEBOOK, "smoke", {})
    longer = {name for name in plan.PANELS if plan.PANELS[name] != getattr(smoke, name)}
    assert longer == {"steps", "teacher_steps", "kernel_every"}
    assert SegmentationParameters(**plan.PANELS).steps > smoke.steps


def test_kernel_batch_above_its_images_is_refused():
    expected = "kernel_batch = 16 is more than kernel_images = 8; allowed: at most kernel_images"
    with pytest.raises(ParameterError, match=expected):
        plan.plan(tiny(kernel_batch=16))


def test_tiers_are_valid_and_cpu_is_the_default():
    found = {t: load_parameters(SegmentationParameters, NOTEBOOK, t, {}) for t in ("smoke", "cpu", "paper")}
    assert found["cpu"] == SegmentationParameters()
    assert found["smoke"].data == "drawn-cars"
    assert len(found["paper"].seeds) >= 5
    assert found["paper"].steps == found["cpu"].steps
    assert not any(parameters.show_images for parameters in found.values())


def test_search_gives_every_method_the_same_number_of_trials_and_other_seeds():
    record = settings.search()
    counts = Counter(trial["method"] for trial in record["trials"])
    assert set(counts) == {method.name for method in search.tuned_methods()}
    assert set(counts.values()) == {record["budget"]["trials"]}
    assert not set(record["budget"]["seeds"]) & set(SegmentationParameters().seeds)
    assert "miou" not in json.dumps(record["trials"])
    assert "test" not in json.dumps(record["trials"])
    for number, trial in enumerate(record["trials"]):
        drawn = search.draw_settings(methods.METHODS[trial["method"]], number % search.TRIALS)
        assert trial["settings"] == drawn


def test_best_trial_wins_on_validation():
    for method in search.tuned_methods():
        values = [np.mean(t["validation"]) for t in settings.search()["trials"] if t["method"] == method.name]
        assert np.mean(settings.best_trial(method.name)["validation"]) == max(values)
    best = {form: np.mean(settings.best_trial(form)["validation"]) for form in methods.FORMS}
    assert best[settings.chosen_form()] == max(best.values())


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of the whole plan, very small, on drawings."""
    parameters = tiny()
    store = CellStore(tmp_path_factory.mktemp("cells"))
    records = run_cells(plan.plan(parameters), store, workers=1, progress="none")
    located = {"drawn-cars": locate("drawn-cars")}
    return Run(NOTEBOOK, parameters, records, located, tier_layout("smoke"), {})


def evidence_of(run, tier="smoke"):
    located = run.located["drawn-cars"]
    state = DataState(kind=located.kind, sha256=located.sha256, source=located.source)
    return Evidence(
        notebook=NOTEBOOK,
        tier=tier,
        standard=True,
        changed={},
        parameters={},
        metrics=metrics(run),
        data={"drawn-cars": state},
        provenance={},
    )


def test_every_metric_of_the_contract_is_published(run):
    claims = [claim for claim in load_claims().claims if claim.notebook == NOTEBOOK]
    found = metrics(run)
    assert {name for claim in claims for name in claim.metric_names} <= set(found)
    assert "ntkd.random.carvana.f8.miou" in found
    assert run.holds(found)


@pytest.mark.parametrize("tier", ["smoke", "cpu", "paper"])
def test_no_claim_is_judged_on_drawings(run, tier):
    claims = [claim for claim in load_claims().claims if claim.notebook == NOTEBOOK]
    verdicts = [judge(claim, [evidence_of(run, tier)]) for claim in claims]
    assert len(verdicts) == 5
    assert {v.status for v in verdicts} == {"not assessed"}
    assert {v.reason for v in verdicts} == {"stand-in data (drawn-cars)"}


def test_students_learn_something_and_are_scored_on_other_cars(run):
    scores = summary.scores(run).set_index("method")
    assert scores["miou"].between(0, 100).all()
    assert scores.loc["none", "parameters"] == 234_873
    assert run.records["drawn-cars/teacher"].values["miou"] > 55
    table = summary.summary_table(summary.scores(run)).set_index("method")
    assert table.loc["none", "paper"] == 74.3
    assert table.loc[settings.chosen_form(), "paper"] == 91.5
    gaps = summary.differences(summary.scores(run))
    assert len(gaps) == len(summary.PAIRS)
    assert gaps["mean"][2] == pytest.approx(scores.loc["kd", "miou"] - scores.loc["none", "miou"])


def test_checks_of_the_page_hold(run):
    by_captures, recorded = check.miou_from_captures(run)
    assert by_captures == pytest.approx(recorded, abs=0.05)
    assert check.kernel_error(run, images=1) < 1e-4


def test_the_compressed_kernel_is_near_the_exact_one(run):
    rows = summary.teacher_row(run)
    assert set(rows["summary"]) == {"pooled", "projected"}
    assert (rows["cosine"] > 0.8).all()


def test_the_energy_claim_is_counted_and_the_paper_recomputed(run):
    table = energy.table().set_index("system")
    assert table.loc["paper: compact digital twin", "saving"] == pytest.approx(40.1, abs=0.2)
    counted = energy.budgets()
    assert counted["layers"].macs - counted["hybrid"].macs == pytest.approx(229.478, abs=0.01)
    (metric,) = energy.metric(run).values()
    ours = 100 * (1 - counted["hybrid"].total / counted["layers"].total)
    assert metric.values == [pytest.approx(ours)]
    assert counted["binned"].total < counted["hybrid"].total < counted["layers"].total


def shown(run):
    """Give all figures of the page as functions that draw them."""
    scores = summary.scores(run)
    drawn = panels.panels(run)
    curves = summary.curves(run, ("none", "kd", "ntkd"))
    return {
        "miou": lambda: figures.draw_miou(scores, summary.summary_table(scores)),
        "differences": lambda: figures.draw_differences(summary.differences(scores)),
        "curves": lambda: training.draw_curves(
            curves, ("share", "share of training steps (%)"), "validation mIoU (%)"
        ),
        "trials": lambda: training.draw_trials(summary.trials(), "validation mIoU", 60),
        "panels": lambda: figures.draw_panels(drawn),
    }


def test_figures_have_axes_and_tables_a_row_for_each(run):
    for name, draw in shown(run).items():
        figure = draw()
        assert name == "panels" or figure.axes[0].get_xlabel()
        plt.close(figure)
    scores = summary.scores(run)
    built = [
        tables.answer(summary.differences(scores)),
        tables.terms(),
        tables.score_table(summary.summary_table(scores)),
        training.settings_table(summary.trials(), "Validation mIoU"),
        tables.teacher_table(summary.teacher_row(run)),
        tables.energy_table(energy.table()),
        claim_box(evidence_of(run)),
    ]
    assert all(str(part).startswith("<") for part in built)
    assert "not to be passed on" in built[1]


def test_error_maps_tell_missed_from_taken():
    mask, guess = np.zeros((2, 3), bool), np.zeros((2, 3), bool)
    mask[0, 0] = guess[0, 1] = True
    colours = figures.error_map(guess, mask)
    assert np.allclose(colours[0, 0], figures.BLUE)
    assert np.allclose(colours[0, 1], figures.ORANGE)
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
    records = {name.replace("drawn-cars/", "carvana/"): record for name, record in run.records.items()}

    def made(*, show_images):
        parameters = tiny(data="carvana", show_images=show_images)
        return Run(NOTEBOOK, parameters, records | dict(run.records), run.located, tier_layout("smoke"), {})

    return made


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
        lambda: figures.draw_panels(found),
        alt="Panels",
        caption="Panels",
        data=figures.panel_data(found),
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
    assert CellMaker(tiny(), "0" * 64, real=False).images == len(load_masks("drawn-cars", "train").images)
