"""Notebook 07's plan, search and cells, and its summaries and figures on one very small run."""

from collections import Counter
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from ntkd_lib.chapters.nint import NOTEBOOK, methods, page, plan
from ntkd_lib.chapters.nint.methods import METHODS, entrant
from ntkd_lib.chapters.nint.parameters import NintParameters
from ntkd_lib.chapters.nint.protocols import paper_size_arms, small_arms
from ntkd_lib.chapters.nint.studies import (
    checks,
    contests,
    costs,
    costs_page,
    equal_time,
    full_size,
    networks,
    paper,
    settings,
    signals,
    spectrum,
    visits,
)
from ntkd_lib.chapters.nint.work import NetworkShape, Subject, make_signal, race
from ntkd_lib.chapters.run import Run, planned_cells
from ntkd_lib.data import registry
from ntkd_lib.data.registry import find_weights, locate
from ntkd_lib.data.signals import CHIRP_RATE, chirp
from ntkd_lib.lab.cells import Record
from ntkd_lib.lab.claims import load_claims
from ntkd_lib.lab.evidence import Metric, Point
from ntkd_lib.lab.execute import run_cells
from ntkd_lib.lab.layout import tier_layout
from ntkd_lib.lab.parameters import ParameterError, load_parameters
from ntkd_lib.lab.protocols import NoNumberError
from ntkd_lib.lab.sources import module_sources
from ntkd_lib.lab.store import CellStore
from ntkd_lib.lab.work import Data
from ntkd_lib.show.columns import show_table
from ntkd_lib.show.dots import draw_gap_dots
from ntkd_lib.show.publish import svg_bytes
from ntkd_lib.show.style import theme

TINY = {"seeds": [0, 1], "side": 32, "width": 8, "steps": 20, "every": 2, "side_steps": 20, "points": 1024}
PARTS = {
    (plan, "IMAGES"): ("div2k-512-01", "kodim03"),
    (plan, "RACE"): (
        "full", "uniform", "nint", "released", "error_mix", "int_dense", "evos", "expansive", "error_memory",
    ),
    (settings, "SETTINGS"): ("nint", "xi5", "alpha40"),
    (networks, "RATES"): {
        "SIREN": ("siren", 5e-4),
        "FFN": ("ffn", 2e-3),
        "WIRE": ("wire", 2e-3),
        "hash grid": ("hashgrid", 1e-2),
    },
}  # fmt: skip
SIGNALS = Data("signals", "0" * 64)
NARROW = NetworkShape("siren", 8, 1)
WAVES = Subject("waves", 8, "waves", (1, 2))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of the plan on the stand-in, very small, with a part of its images, samplers and networks."""
    with pytest.MonkeyPatch.context() as patch:
        for (module, name), part in PARTS.items():
            patch.setattr(module, name, part)
        patch.delenv("NTKD_DATA", raising=False)
        patch.setenv("NTKD_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("NTKD_OFFLINE", "1")
        registry._locate.cache_clear()
        parameters = NintParameters(tier="smoke", **TINY)
        cells = planned_cells(plan.plan, parameters)
        records = run_cells(cells, CellStore(tmp_path_factory.mktemp("cells")), workers=1, progress="none")
        located = {"signals": locate("signals")}
        changed = {"side": (64, 32)}
        yield Run(NOTEBOOK, parameters, records, located, tier_layout("smoke"), changed, tuple(cells))
    registry._locate.cache_clear()


def planned(**changes):
    return plan.plan(NintParameters(tier="cpu", **changes), {"signals": SIGNALS})


def small_race(entrants, *, network=NARROW, **changes):
    steps = {"steps": 10, "every": 5, **changes}
    return race.cell(data=None, subject=WAVES, seed=0, network=network, entrants=entrants, **steps)


def test_races_do_not_depend_on_what_draws_them():
    modules = module_sources(("ntkd_lib.chapters.nint.work", "ntkd_lib.chapters.nint.studies.leverage"))
    assert "ntkd_lib.inr.samplers.single_rule" in modules
    drawing = [name for name in modules if ".show" in name or name.endswith((".page", "_page"))]
    assert drawing == []
    assert small_race([entrant("uniform")]).data == {}


def test_plans_hold_every_cell_once():
    names = [cell.name for cell in planned()]
    assert len(set(names)) == len(names)


def test_entrants_of_a_race_share_everything_but_the_sampler():
    races = [cell for cell in planned() if cell.labels.get("study") == "race"]
    assert len(races) == 12
    for cell in races:
        entrants = cell.arguments["entrants"]
        assert {(e["lr"], e["share"]) for e in entrants} == {(1e-4, 0.2)}
        assert [e["name"] for e in entrants] == list(plan.RACE)


def test_rare_evaluations_are_refused():
    expected = r"every = 100 is too much for side_steps = 200; allowed: at most a quarter of it"
    with pytest.raises(ParameterError, match=expected):
        planned(every=100)


def test_tiers_are_valid_and_cpu_is_the_default():
    tiers = {t: load_parameters(NintParameters, NOTEBOOK, t, {}) for t in ("smoke", "cpu", "paper")}
    assert tiers["cpu"] == NintParameters()
    assert (tiers["paper"].side, tiers["paper"].width, tiers["paper"].steps) == (512, 256, 5000)


def test_search_gives_every_sampler_the_same_trials_on_other_images():
    for method in methods.TUNED:
        trials = [trial for trial in methods.trial_rows() if trial["method"] == method]
        assert [(t["lr"], t["share"]) for t in trials] == [
            tuple(methods.draw_settings(t).values()) for t in range(methods.TRIALS)
        ]
        best = max(trials, key=lambda t: np.mean(t["quality"]))
        assert methods.tuned(method) == {"lr": best["lr"], "share": best["share"]}
    assert not set(methods.TUNING_IMAGES) & {*plan.IMAGES, *full_size.IMAGES}
    assert methods.TUNING_SEED not in NintParameters().seeds


def test_a_search_records_the_trials_of_its_races():
    def results(cells):
        assert [cell.labels["subject"] for cell in cells] == list(methods.TUNING_IMAGES)
        names = [e["name"] for e in cells[0].arguments["entrants"]]
        curves = {name: {"quality": [1.0, 2.0], "step": [0, 7]} for name in names}
        return [Record("a" * 64, cell.name, {"curves": curves}, {}, {}) for cell in cells]

    (search,) = methods.SEARCHES
    content = search.conduct({"signals": SIGNALS}, results)
    assert content["trials"][0] == methods.trial_rows()[0] | {"quality": [2.0, 2.0], "steps": [7, 7]}
    assert len(content["trials"]) == len(methods.trial_rows())


def test_the_contracts_protocol_is_the_contracts():
    entry = load_claims().protocols["small"]
    arms = small_arms(entry.parameters, 2, "0" * 64)
    races = {c.name: c for arm in arms.values() for c in arm.cells if c.work == race.path}.values()
    assert len(races) == 9
    fixed = [cell for cell in races if cell.arguments["leader"] is None]
    for cell in races:
        assert cell.arguments["network"] == {"name": "siren", "width": 64, "hidden": 4}
        assert cell.arguments["subject"]["size"] == 128
        assert (cell.arguments["steps"], cell.arguments["every"], cell.arguments["seed"]) == (1000, 50, 2)
    assert {e["lr"] for cell in fixed for e in cell.arguments["entrants"]} == {1e-4}
    entrants = [e for cell in fixed for e in cell.arguments["entrants"] if e["sampler"] == "nint"]
    assert {e["settings"].get("xi", 0.7) for e in entrants} == {0.5, 0.6, 0.7, 0.8}


@pytest.mark.parametrize(("ten", "tried"), [("small10", 24), ("steady10", 6)])
def test_ten_photographs_are_raced_as_registered(ten, tried, monkeypatch):
    book = load_claims()
    trials = contests.tuning_arms(ten, book.protocols[f"{ten} tuning"].parameters, 1001, "0" * 64)
    counts = Counter(name.removeprefix(f"nint.{ten}_tuning.").split(".")[0] for name in trials)
    assert set(counts.values()) == {tried}
    (subject,) = {cell.arguments["subject"]["name"] for arm in trials.values() for cell in arm.cells}
    assert subject == "train/1"
    entry = book.protocols[ten]
    monkeypatch.setattr(contests, "choose", lambda *_: {"lr": 0.001, "decay": 0.03})
    arms = contests.confirmed_arms(ten, entry.parameters, 4, "0" * 64)
    assert {n for c in book.claims for n in c.metric_names if n.startswith(f"nint.{ten}.")} < set(arms)
    (cells,) = {tuple(cell.name for cell in arm.cells) for arm in arms.values()}
    assert len(cells) == len(set(cells)) == entry.parameters["starts"]
    raced = arms[f"nint.{ten}.nint.psnr_equal_time"].cells[2].arguments
    assert (raced["subject"]["name"], raced["seed"], raced["leader"]) == ("test/4", 14, "pace")
    assert [e["name"] for e in raced["entrants"]] == ["pace", *entry.parameters["arms"]] == ["pace", *counts]
    assert [e["name"] for e in raced["entrants"] if e["muon"]] == ["uniform_muon", "nint_muon"]
    contest = equal_time.CONTESTS[ten]
    assert [*contest.tuned()] == entry.parameters["arms"]
    assert {*counts, *(arm for pair in equal_time.PAIRS for arm in pair)} <= {*contest.labels}


@pytest.mark.parametrize(
    ("field", "tuned_on", "judged_on"),
    [
        ("audio", {"bach/4", "speech-0000/1"}, ["bach", "speech-0000", "speech-0006"]),
        ("shape48", {"bunny-small"}, ["bunny-small"]),
    ],
)
def test_sound_and_a_shape_are_raced_as_registered(field, tuned_on, judged_on, monkeypatch):
    book = load_claims()
    trials = contests.tuning_arms(field, book.protocols[f"{field} tuning"].parameters, 1000, "0" * 64)
    counts = Counter(name.removeprefix(f"nint.{field}_tuning.").split(".")[0] for name in trials)
    assert set(counts.values()) == {6}
    assert {c.arguments["subject"]["name"] for arm in trials.values() for c in arm.cells} == tuned_on
    monkeypatch.setattr(contests, "choose", lambda *_: {"lr": 0.001, "decay": 0.2})
    arms = contests.confirmed_arms(field, book.protocols[field].parameters, 4, "0" * 64)
    assert {n for c in book.claims for n in c.metric_names if n.startswith(f"nint.{field}.")} == set(arms)
    raced = arms[contests.metric_name(field, "nint")].cells
    assert [cell.arguments["subject"]["name"] for cell in raced] == judged_on
    assert {cell.arguments["seed"] for cell in raced} == {4}
    assert {"signal" in cell.needs for cell in raced} == {field == "shape48"}


@pytest.mark.usefixtures("stand_in")
def test_a_piece_of_a_recording_is_cut_by_its_number():
    data = Data("signals", locate("signals").sha256)
    whole, piece = (make_signal(Subject("sound", 4000, name), data) for name in ("bach", "bach/2"))
    samples = chirp(CHIRP_RATE)
    assert torch.equal(piece.values[:, 0], samples[8000:12_000] / samples[8000:12_000].abs().max())
    assert torch.equal(whole.values[:, 0], samples[6000:10_000] / samples[6000:10_000].abs().max())


def test_photographs_that_choose_settings_are_not_judged_and_none_is_judged_twice():
    book = load_claims()
    seeds = [book.protocols[name].seeds for name in ("small10", "steady10")]
    tuning = [book.protocols[f"{name} tuning"].seeds for name in ("small10", "steady10")]
    assert not {*seeds[0]} & {*seeds[1]}
    assert not {*tuning[0]} & {*tuning[1]}


def test_ten_photographs_are_read_at_the_pace():
    curve = {"quality": [10.0, 20.0, 40.0], "cpu": [0.0, 1.0, 3.0], "stopped": ""}
    pace = {"cpu": [0.0, 2.0], "stopped": ""}
    made = Record("a" * 64, "made", {"curves": {"nint": curve, "pace": pace}}, {}, {})
    assert contests._mean_end("nint", made, made) == 30.0


@pytest.mark.parametrize("which", ["nint", "pace"])
def test_a_race_that_stopped_has_no_number(which):
    curves = {n: {"quality": [10.0], "cpu": [0.0], "stopped": ""} for n in ("nint", "pace")}
    curves[which]["stopped"] = "the loss is nan after step 7"
    made = Record("a" * 64, "made", {"curves": curves}, {}, {})
    with pytest.raises(NoNumberError, match=r"^nint: the loss is nan after step 7$"):
        contests.quality_at(made, "nint", "pace")


def test_recorded_metrics_are_those_of_the_contract():
    entry = load_claims().protocols["small"]
    arms = small_arms(entry.parameters, 2, "0" * 64)
    curve = {"quality": [20.0, 30.0], "cpu": [0.0, 2.0], "stopped": ""}
    values = {"curves": dict.fromkeys(METHODS, curve), "looks": [{"ratio": 12.0}]}
    made = Record("a" * 64, "made", values, {}, {"seconds": 1.0})
    numbers = {name: arm.number(*[made] * len(arm.cells)) for name, arm in arms.items()}
    named = {n for c in load_claims().claims for n in c.metric_names if n.startswith("nint.small.")}
    assert set(numbers) == named == set(entry.metrics)
    assert numbers["nint.small.nint.psnr_equal_time"] == 30.0
    assert numbers["nint.small.xi_range"] == 0.0
    assert numbers["nint.small.leverage_ratio"] == 12.0
    with pytest.raises(ValueError, match="steps = 7; allowed: 1000"):
        small_arms({**entry.parameters, "steps": 7}, 2, "0" * 64)


def test_the_papers_size_is_raced_as_registered():
    entry = load_claims().protocols["paper size"]
    arms = paper_size_arms(entry.parameters, 3, "0" * 64)
    chains = {arm.cells[-1].name: arm.cells for arm in arms.values()}.values()
    races = entry.parameters["races"]
    names = [{tuple(e["name"] for e in cell.arguments["entrants"]) for cell in cells} for cells in chains]
    assert names == [{tuple(race)} for race in [*races["claims"], *races["others"]]]
    for cells in chains:
        assert [cell.arguments["steps"] for cell in cells] == [200, 400, 600, 800, 1000, 1200]
        assert [cell.needs.get("earlier") for cell in cells] == [None, *cells[:-1]]
        assert [cell.arguments["state"] for cell in cells] == [True] * 5 + [False]
        assert max(cell.cost for cell in cells) < 30 * 60
    for cell in (cell.arguments for cells in chains for cell in cells):
        assert (cell["subject"]["kind"], cell["subject"]["size"]) == ("crop", 512)
        assert cell["subject"]["name"] == "kodim05"
        assert cell["network"] == {"name": "siren", "width": 256, "hidden": 4}
        assert {(e["lr"], e["share"]) for e in cell["entrants"]} == {(1e-4, 0.2)}
    named = {n for c in load_claims().claims for n in c.metric_names if n.startswith("nint.image5.")}
    assert named <= set(arms)
    assert {arms[name].rank for name in named} == {0}
    assert arms["nint.image5.released.psnr_1000"].rank == 1


def test_a_target_that_is_not_reached_gives_no_number():
    arms = paper_size_arms(load_claims().protocols["paper size"].parameters, 0, "0" * 64)
    steps = [0, 500, 1000, 1050, 1100]
    fast = {"quality": [10.0, 31.0, 32.0, 33.0, 33.0], "step": steps, "cpu": steps}
    slow = {"quality": [10.0, 20.0, 30.0, 30.5, 31.0], "step": steps, "cpu": steps}
    low = {"quality": [10.0, 20.0, 25.0, 26.0, 27.0], "step": steps, "cpu": steps}
    made = Record("a" * 64, "made", {"curves": {"nint": fast, "full": slow, "uniform": low}}, {}, {})
    assert arms["nint.image5.full.psnr_1000"].number(made) == 30.0
    halves = {"quality": [20.0, 30.0], "step": [0, 25], "cpu": [0.0, 9.5]}
    raced = Record("a" * 64, "made", {"curves": {"full": halves}}, {}, {})
    for axis, last in (("cpu", 9.5), ("step", 25)):
        series = arms[f"nint.image5.full.by_{axis}"].number(raced)
        assert series == [Point(x=0, y=20.0), Point(x=last, y=30.0)]
    assert arms["nint.image5.nint.time_saving_30"].number(made) == pytest.approx(52.381, abs=1e-3)
    with pytest.raises(NoNumberError, match="uniform does not reach 30 dB in 1100 steps"):
        arms["nint.image5.nint.time_saving_30_over_uniform"].number(made)
    # the common target is always reached: 30 dB here by full batch at 1,000 steps, 25 dB below by NINT
    assert arms["nint.image5.nint.iteration_saving_common"].number(made) == pytest.approx(52.381, abs=1e-3)
    turned = Record("a" * 64, "made", {"curves": {"nint": low, "full": slow, "uniform": low}}, {}, {})
    assert arms["nint.image5.nint.time_saving_common"].number(turned) == pytest.approx(-100 / 3, abs=1e-3)


def test_a_saving_is_that_to_25_db_and_none_where_one_misses_them():
    steps = [0, 100, 200, 300, 400]
    full = {"quality": [10, 20, 25, 26, 27], "step": steps}
    nint = {"quality": [10, 25, 26, 27, 27], "step": steps}
    assert full_size.saving([{"full": full, "nint": nint}], "step") == pytest.approx(50)
    low = {"quality": [10] * 5, "step": steps}
    assert full_size.saving([{"full": full, "nint": low}], "step") is None


def test_small_runs_give_no_metrics_of_the_papers_size(run):
    assert full_size.metrics(run) == {}


def test_unknown_subjects_are_refused():
    with pytest.raises(
        ValueError, match=r"unknown kind 'video'; allowed: image, crop, photograph, sound, torus, waves"
    ):
        make_signal(Subject("video", 4, "clip"), None)


def test_a_diverged_entrant_is_named():
    made = small_race([entrant("uniform", lr=1e30)], network=NetworkShape("mlp", 8, 1), steps=40)
    curve = race.run(made.arguments, {}).values["curves"]["uniform"]
    assert "is no number" in curve["stopped"]


def test_a_diverged_entrant_stops_alone():
    entrants = [entrant("uniform"), entrant("nint", lr=1e30)]
    made = small_race(entrants, network=NetworkShape("mlp", 8, 1), steps=40)
    curves = race.run(made.arguments, {}).values["curves"]
    assert not curves["uniform"]["stopped"]
    assert curves["uniform"]["step"][-1] == 40
    assert "is no number" in curves["nint"]["stopped"]


def test_pages_refuse_a_race_that_stopped(run):
    cell = next(c for c in run.cells if c.labels.get("study") == "timed")
    values = run.record(cell).values
    curves = {**values["curves"], "uniform": {**values["curves"]["uniform"], "stopped": "no number"}}
    lost = replace(run.record(cell), values={**values, "curves": curves})
    with pytest.raises(ValueError, match=rf"race on {cell.labels['subject']}: uniform stopped: no number"):
        equal_time.compare(replace(run, records={**run.records, cell.name: lost}))


def test_races_repeat_bit_for_bit():
    names = list(METHODS)[:17]  # one of each sampler, not its settings
    made = small_race([entrant(name) for name in names], windows=[5, 10])
    first, second = (race.run(made.arguments, {}) for _ in range(2))
    for name in names:
        assert first.values["curves"][name]["quality"] == second.values["curves"][name]["quality"]
        assert np.array_equal(first.arrays[f"visits.{name}"], second.arrays[f"visits.{name}"])
    batch = int(0.2 * 64)
    assert (first.arrays["visits.uniform"].sum(1) == 5 * batch).all()


def test_a_race_in_parts_is_the_race_in_one():
    names, steps = list(METHODS)[:17], {"steps": 60, "every": 10}
    whole = small_race([entrant(name) for name in names], windows=[20, 60], **steps)
    arguments = {k: v for k, v in whole.arguments.items() if k != "earlier"}
    half = {**arguments, "steps": 20, "state": True}
    earlier = race.run(half, {})
    record = Record("a" * 64, "half", earlier.values, earlier.arrays, {})
    expected, joined = race.run(arguments, {}), race.run(arguments, {"earlier": record})
    for name in names:
        first, second = (each.values["curves"][name] for each in (expected, joined))
        assert {k: first[k] for k in ("step", "quality", "forwards")} == {
            k: second[k] for k in ("step", "quality", "forwards")
        }
        assert second["cpu"] == sorted(second["cpu"])
    for name, array in expected.arrays.items():
        assert np.array_equal(array, joined.arrays[name])


def test_a_race_that_stopped_is_not_continued():
    entrants = [entrant("uniform", lr=1e30)]
    made = small_race(entrants, network=NetworkShape("mlp", 8, 1), steps=40, state=True)
    earlier = race.run(made.arguments, {})
    record = Record("a" * 64, "earlier", earlier.values, earlier.arrays, {})
    arguments = {k: v for k, v in made.arguments.items() if k != "earlier"}
    longer = race.run({**arguments, "steps": 80}, {"earlier": record})
    assert longer.values == earlier.values


def test_costs_are_measured():
    values = costs.overhead(side=16, width=8, rounds=1).values
    assert set(values) == {"step", "uniform", "error_memory", "batch"}
    assert values["batch"] == 51


def test_metrics_rest_on_the_runs_cells(run):
    metrics = page.metrics(run)
    assert run.holds(metrics)
    assert not replace(run, records={}).holds(metrics)
    assert {len(metric.values) for metric in metrics.values()} == {2}
    assert {tuple(metric.data) for metric in metrics.values()} == {("signals",)}
    assert {"nint.live.full.psnr_end", "nint.live.error_memory.psnr_equal_time"} <= set(metrics)


def test_full_batch_is_its_own_measure(run):
    targets = page.reached(run)
    full = targets[targets["method"] == "full"]
    assert (full[["cpu", "step", "forwards"]] == 1).all().all()
    savings = page.savings(targets).set_index("method")
    assert savings.cpu_saving["full"] == pytest.approx(0)
    assert savings.to_uniform["uniform"] == pytest.approx(1)
    assert savings.missed["full"] == 0


def test_equal_time_reads_nint_at_its_end(run):
    timed = equal_time.compare(run)
    assert (timed[timed["method"] == "nint"]["gap"] == 0).all()
    assert (timed[timed["method"] == "nint"]["steps"] == TINY["steps"]).all()


def test_visits_average_to_an_even_draw(run):
    means = spectrum.visits(run).groupby(["method", "until"])["visits"].mean()
    np.testing.assert_allclose(means, 1)
    for counts in visits.maps(run, "nint", "uniform").values():
        np.testing.assert_allclose(counts.mean((1, 2)), 1)


def test_checks_hold(run):
    assert checks.score_error() < 1e-9
    assert checks.released_difference() < 1e-6
    assert checks.same_indices(run)
    assert checks.psnr_difference(run) < 1e-3


def draw_all(run):
    """Draw every figure of the notebook."""
    table = page.curves(run)
    targets = page.reached(run)
    image = visits.image(run)
    yield page.draw_curves(page.mean_curves(table))
    yield page.draw_times(page.by_image(targets), list(page.savings(targets)["method"]))
    yield page.draw_gains(page.qualities(table))
    yield draw_gap_dots(equal_time.compare(run), "difference")
    yield draw_gap_dots(settings.gaps(run), "difference")
    yield visits.draw_visits(image, visits.maps(run, "nint", "released"))
    yield visits.draw_residuals(image, visits.residuals(image, visits.fits(run, "full", "nint")))
    yield spectrum.draw(spectrum.visits(run))
    yield networks.draw(networks.compare(run))
    yield signals.draw_waveform(signals.waveform(run))
    yield signals.draw_surfaces(signals.surfaces(run))
    yield costs_page.draw_refreshes(costs_page.refreshes(run))


def test_all_figures_are_drawn(run):
    with theme("light"):
        for figure in draw_all(run):
            figure.canvas.draw()
            plt.close(figure)


def test_a_drawing_of_surfaces_holds_pixels_not_triangles():
    triangles = np.random.default_rng(0).uniform(-0.8, 0.8, (2_000, 3, 3))
    drawing = svg_bytes(lambda: signals.draw_surfaces({"nint": triangles}))
    assert b"<image" in drawing
    assert drawing.count(b"<path") < 100


def test_all_tables_are_written(run):
    savings, qualities = page.savings(page.reached(run)), page.qualities(page.curves(run))
    assert "uniform" in show_table(savings, page.SAVINGS, "savings")
    assert "error memory" in show_table(qualities, page.QUALITIES, "qualities")
    answers = page.answers(savings, equal_time.compare(run), qualities)
    assert "NINT, as written" in show_table(answers, page.ANSWERS, "answers")
    assert "percentile" in show_table(costs_page.looks(run), costs_page.LOOKS, "looks")
    assert "uniform" in show_table(equal_time.chosen(), equal_time.CHOSEN, "chosen")
    assert "MiB" in costs_page.cost_table(run)
    image = visits.image(run)
    rows = visits.similarity(image, visits.fits(run, "full"), None)
    assert f"not found: {find_weights()[1]}" in visits.similarity_table(rows)
    assert "LPIPS, inputs stretched" in visits.similarity_table(rows.fillna(0.5))


def test_the_papers_numbers_stand_beside_the_recorded_ones(monkeypatch):
    recorded = {"nint.image5.nint.psnr_1000": Metric(seeds=[0, 1], values=[32.0, 28.0])}
    monkeypatch.setattr(paper, "recorded_metrics", {"07_paper_size": recorded}.get)
    table = paper.beside().set_index("label")
    assert list(table.loc["NINT, as written"]) == [28.96, 32.64, 39.09, 49.0, 44.3, 30.0, 2]
    assert np.isnan(table.loc["uniform", ["to_30", "here"]].astype(float)).all()
    shown = show_table(paper.beside(), paper.TABLE, "beside")
    assert "49.0 %, 44.3 %" in shown


def test_recorded_curves_are_listed_image_by_image(monkeypatch):
    def series(*x):
        return [[Point(x=a, y=10.0 * place) for place, a in enumerate(x)]]

    recorded = {
        "nint.image5.full.by_step": Metric(seeds=[3], series=series(0, 25)),
        "nint.image5.full.by_cpu": Metric(seeds=[3], series=series(0.0, 7.5)),
        "nint.image5.nint.by_step": Metric(seeds=[3], series=series(0, 25)),
        "nint.image5.nint.by_cpu": Metric(seeds=[3], series=series(0.0, 4.5)),
    }
    monkeypatch.setattr(page, "recorded_metrics", {"07_paper_size": recorded}.get)
    table = page.recorded_curves()
    assert list(table["image"].unique()) == ["kodim05"]
    points = [("full", 0, 0, 0), ("full", 7.5, 25, 10), ("nint", 0, 0, 0), ("nint", 4.5, 25, 10)]
    assert [*table[["method", "cpu", "step", "mean"]].itertuples(index=False, name=None)] == points
    with theme("light"):
        figure = page.draw_curves(table, ("nint", "full"))
    assert figure.axes[0].get_title(loc="left") == "kodim05"
    marks = [list(line.get_ydata()) for line in figure.axes[1].lines if line.get_marker() == "D"]
    assert marks == [[28.96, 32.64], [27.90, 31.67]]
    plt.close(figure)


def test_a_surface_that_is_not_there_is_left_out(run):
    surfaces = signals.surfaces(run)
    distances = signals.distances(surfaces | {"nint": None})
    assert np.isnan(distances.set_index("method").chamfer["nint"])
    assert "\N{EN DASH}" in show_table(distances, signals.DISTANCES, "distances")
    assert torch.tensor(surfaces["true"]).isfinite().all()
