"""Notebook 07's plan, search and cells, and its summaries and figures on one very small run."""

from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from ntkd_lib.chapters.nint_speedup import (
    NOTEBOOK,
    cells,
    check,
    contract,
    costs,
    paper,
    plan,
    race,
    search,
    settings,
    similarity,
    small,
    studies,
    subject,
    summary,
)
from ntkd_lib.chapters.nint_speedup.methods import METHODS
from ntkd_lib.chapters.nint_speedup.parameters import NintParameters
from ntkd_lib.chapters.nint_speedup.protocols import small_arms
from ntkd_lib.chapters.run import Run
from ntkd_lib.data.registry import forget, locate
from ntkd_lib.lab.cells import Record
from ntkd_lib.lab.claims import load_claims
from ntkd_lib.lab.execute import run_cells
from ntkd_lib.lab.layout import tier_layout
from ntkd_lib.lab.parameters import ParameterError, load_parameters
from ntkd_lib.lab.sources import module_sources
from ntkd_lib.lab.store import CellStore
from ntkd_lib.show import nint_maps, nint_tables
from ntkd_lib.show import nint_speedup as figures
from ntkd_lib.show.style import theme

TINY = {"seeds": [0, 1], "side": 32, "width": 8, "steps": 20, "every": 2, "side_steps": 20, "points": 1024}

PARTS = {
    "IMAGES": ("div2k-512-01", "kodim03"),
    "RACE": (
        "full",
        "uniform",
        "nint",
        "released",
        "error_mix",
        "int_dense",
        "evos",
        "expansive",
        "error_memory",
    ),
    "SETTINGS": ("nint", "xi5", "alpha40"),
    "RATES": {"siren": 5e-4, "ffn": 2e-3, "wire": 2e-3, "hashgrid": 1e-2},
}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of the plan on the stand-in, very small, with a part of its images, samplers and networks."""
    with pytest.MonkeyPatch.context() as patch:
        for name, part in PARTS.items():
            for module in (plan, studies, summary):
                patch.setattr(module, name, part, raising=False)
        patch.delenv("NTKD_DATA", raising=False)
        patch.setenv("NTKD_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("NTKD_OFFLINE", "1")
        forget()
        parameters = NintParameters(tier="smoke", **TINY)
        store = CellStore(tmp_path_factory.mktemp("cells"))
        records = run_cells(plan.plan(parameters), store, workers=1, progress="none")
        located = {"signals": locate("signals")}
        yield Run(NOTEBOOK, parameters, records, located, tier_layout("smoke"), {"side": (64, 32)})
    forget()


def modules_of(cell):
    return set(module_sources((cell.work.partition(":")[0], *cell.uses)))


def test_a_race_depends_on_its_own_samplers_only():
    setup = cells.Setup("test", {"name": "siren", "width": 8, "hidden": 1}, 10, 5, "0" * 64)
    made = setup.race({"kind": "torus", "side": 4}, 0, [cells.entrant("uniform")], tag="x")
    samplers = {name for name in modules_of(made) if ".samplers." in name}
    assert samplers == {"ntkd_lib.inr.samplers.base", "ntkd_lib.inr.samplers.uniform"}
    assert made.data == {}


def test_plans_hold_every_cell_once():
    names = [cell.name for cell in plan.plan(NintParameters(tier="cpu"))]
    assert len(set(names)) == len(names)


def test_entrants_of_a_race_share_everything_but_the_sampler():
    for cell in plan.plan(NintParameters(tier="cpu")):
        if cell.name.startswith("race/"):
            entrants = cell.arguments["entrants"]
            assert {(e["lr"], e["share"]) for e in entrants} == {(1e-4, 0.2)}
            assert [e["name"] for e in entrants] == list(plan.RACE)


def test_rare_evaluations_are_refused():
    expected = r"every = 100 is too much for side_steps = 200; allowed: at most a quarter of it"
    with pytest.raises(ParameterError, match=expected):
        plan.plan(NintParameters(every=100))


def test_tiers_are_valid_and_cpu_is_the_default():
    found = {t: load_parameters(NintParameters, NOTEBOOK, t, {}) for t in ("smoke", "cpu", "paper")}
    assert found["cpu"] == NintParameters()
    assert (found["paper"].side, found["paper"].width, found["paper"].steps) == (512, 256, 5000)


def test_search_gives_every_sampler_the_same_trials_on_other_images():
    record_ = settings.search()
    for method in search.TUNED:
        trials = [trial for trial in record_["trials"] if trial["method"] == method]
        assert [(t["lr"], t["share"]) for t in trials] == [
            tuple(search.draw_settings(t).values()) for t in range(search.TRIALS)
        ]
        best = max(trials, key=lambda t: np.mean(t["quality"]))
        assert settings.tuned(method) == {"lr": best["lr"], "share": best["share"]}
    assert not set(search.IMAGES) & {*plan.IMAGES, *small.IMAGES}
    assert search.SEED not in NintParameters().seeds


def test_the_contracts_protocol_is_the_contracts():
    made = [cell for seed in range(5) for cell in small.cells("fixed", seed, "0" * 64)]
    assert len(made) == 15
    for cell in made:
        assert cell.arguments["network"] == {"name": "siren", "width": 64, "hidden": 4}
        assert cell.arguments["subject"]["side"] == 128
        assert cell.arguments["steps"] == 1000
        assert {e["lr"] for e in cell.arguments["entrants"]} == {1e-4}
    shares = {e["settings"]["xi"] for c in small.cells("xi", 0, "0" * 64) for e in c.arguments["entrants"]}
    assert shares | {0.7} == {0.5, 0.6, 0.7, 0.8}


def test_recorded_metrics_are_those_of_the_contract():
    entry = load_claims().protocols["small"]
    arms = small_arms(entry.parameters, 2, "0" * 64)
    curve = {"quality": [20.0, 30.0], "cpu": [0.0, 2.0]}
    values = {"curves": dict.fromkeys(METHODS, curve), "looks": [{"ratio": 12.0}]}
    made = Record("a" * 64, "made", values, {}, {"seconds": 1.0})
    found = {name: arm.number(*[made] * len(arm.cells)) for name, arm in arms.items()}
    named = {n for c in load_claims().claims for n in c.metric_names if n.startswith("nint.small.")}
    assert set(found) == named == set(entry.metrics)
    assert found["nint.small.nint.psnr_equal_time"] == 30.0
    assert found["nint.small.xi_range"] == 0.0
    assert found["nint.small.leverage_ratio"] == 12.0
    assert {cell.arguments["seed"] for arm in arms.values() for cell in arm.cells} == {2}
    with pytest.raises(ValueError, match="steps = 7; allowed: 1000"):
        small_arms({**entry.parameters, "steps": 7}, 2, "0" * 64)


def test_savings_are_the_larger_of_two_targets():
    steps = [0, 100, 200, 300, 400, 500, 600, 700]
    full = {"quality": [10, 20, 30, 31, 35, 36, 37, 38], "step": steps}
    nint = {"quality": [10, 30, 31, 32, 35, 36, 37, 38], "step": steps}
    assert contract.saving([{"full": full, "nint": nint}], "step") == pytest.approx(50)
    low = {"quality": [10] * 8, "step": steps}
    assert contract.saving([{"full": full, "nint": low}], "step") is None


def test_small_runs_give_no_metrics_of_the_papers_size(run):
    assert contract.metrics(run) == {}


def test_unknown_subjects_are_refused():
    with pytest.raises(ValueError, match=r"unknown kind 'video'; allowed: image, crop, sound, torus, waves"):
        subject.make_signal({"kind": "video"}, "")


def test_a_diverged_entrant_is_named():
    entrants = [cells.entrant("uniform", lr=1e30)]
    setup = cells.Setup("test", {"name": "mlp", "width": 8, "hidden": 1}, 40, 5, "")
    made = setup.race({"kind": "waves", "side": 8, "frequencies": [1, 2]}, 0, entrants, tag="x")
    curve = race.run(made.arguments, {}).values["curves"]["uniform"]
    assert "is no number" in curve["stopped"]


def test_races_repeat_bit_for_bit():
    setup = cells.Setup("test", {"name": "siren", "width": 8, "hidden": 1}, 10, 5, "")
    names = list(METHODS)[:17]  # one of each sampler, not its settings
    entrants = [cells.entrant(name) for name in names]
    made = setup.race(
        {"kind": "waves", "side": 8, "frequencies": [1, 2]}, 0, entrants, tag="x", windows=[5, 10]
    )
    first, second = (race.run(made.arguments, {}) for _ in range(2))
    for name in names:
        assert first.values["curves"][name]["quality"] == second.values["curves"][name]["quality"]
        assert np.array_equal(first.arrays[f"visits.{name}"], second.arrays[f"visits.{name}"])
    batch = int(0.2 * 64)
    assert (first.arrays["visits.uniform"].sum(1) == 5 * batch).all()


def test_costs_are_measured():
    found = costs.overhead({"side": 16, "width": 8, "hidden": 1, "share": 0.2, "rounds": 1}, {}).values
    assert set(found["seconds"]) == {"step", "uniform", "error_memory"}
    assert found["batch"] == 51


def test_metrics_rest_on_the_runs_cells(run):
    found = summary.metrics(run)
    assert run.holds(found)
    assert not replace(run, records={}).holds(found)
    assert {len(metric.values) for metric in found.values()} == {2}
    assert {"nint.live.full.psnr_end", "nint.live.error_memory.psnr_equal_time"} <= set(found)


def test_full_batch_is_its_own_measure(run):
    targets = summary.reached(run)
    full = targets[targets["method"] == "full"]
    assert (full[["cpu", "step", "forwards"]] == 1).all().all()
    savings = summary.savings(targets).set_index("method")
    assert savings.cpu_saving["full"] == pytest.approx(0)
    assert savings.to_uniform["uniform"] == pytest.approx(1)
    assert savings.missed["full"] == 0


def test_equal_time_reads_nint_at_its_end(run):
    timed = summary.equal_time(run)
    assert (timed[timed["method"] == "nint"]["gap"] == 0).all()
    assert (timed[timed["method"] == "nint"]["steps"] == TINY["steps"]).all()


def test_visits_average_to_an_even_draw(run):
    spectrum = studies.spectrum(run)
    means = spectrum.groupby(["method", "until"])["visits"].mean()
    np.testing.assert_allclose(means, 1)
    for counts in studies.maps(run, ("nint", "uniform")).values():
        np.testing.assert_allclose(counts.mean((1, 2)), 1)


def test_checks_hold(run):
    assert check.score_error() < 1e-9
    assert check.released_difference() < 1e-6
    assert check.same_indices(run)
    assert check.psnr_difference(run) < 1e-3


def draw_all(run):
    """Draw every figure of the notebook."""
    curves = summary.curves(run)
    targets = summary.reached(run)
    savings, image = summary.savings(targets), studies.image_of(run)
    labels = summary.labels() | {"true": "mesh"}
    yield figures.draw_curves(summary.mean_curves(curves, tuple(figures.LINES)))
    yield figures.draw_times(summary.by_image(targets), list(savings["method"]))
    yield figures.draw_gains(summary.qualities(curves))
    yield figures.draw_equal_time(summary.equal_time(run))
    yield nint_maps.draw_visits(image, studies.maps(run, ("nint", "released")), labels)
    yield nint_maps.draw_residuals(image, studies.fitted(run, ("full", "nint")), labels)
    yield figures.draw_spectrum(studies.spectrum(run))
    yield figures.draw_settings(studies.settings(run))
    yield figures.draw_networks(studies.networks(run))
    yield nint_maps.draw_waveform(studies.waveform(run))
    yield nint_maps.draw_shapes(studies.shapes(run), labels)
    yield figures.draw_costs(studies.costs(run))


def test_all_figures_are_drawn(run):
    with theme("light"):
        for figure in draw_all(run):
            figure.canvas.draw()
            plt.close(figure)


def test_all_tables_are_written(run):
    curves = summary.curves(run)
    savings, qualities = summary.savings(summary.reached(run)), summary.qualities(curves)
    assert "uniform" in nint_tables.savings_table(savings)
    assert "error memory" in nint_tables.quality_table(qualities)
    assert "Measured here." in nint_tables.answer(savings, summary.equal_time(run), qualities)
    assert "39.09" in nint_tables.paper_table()
    rows = paper.beside(savings, qualities, studies.networks(run))
    assert "+0.97 dB" in nint_tables.beside_table(rows)
    assert "bach" in nint_tables.others_table(studies.others(run))
    assert "percentile" in nint_tables.looks_table(studies.looks(run))
    assert "uniform" in nint_tables.search_table(studies.trials())
    assert "MiB" in nint_tables.cost_table(
        studies.cost_values(run, "overhead"), studies.cost_values(run, "million")
    )
    rows = similarity.similarity(run, ("full",))
    assert "no network" in nint_tables.similarity_table(rows, "no network")
    assert "LPIPS, inputs stretched" in nint_tables.similarity_table(rows.fillna(0.5), "")


def test_a_surface_that_is_not_there_is_left_out(run):
    found = studies.shapes(run)
    table = studies.shape_table(found | {"nint": None})
    assert np.isnan(table.set_index("method").chamfer["nint"])
    assert torch.tensor(found["true"][1]).isfinite().all()
