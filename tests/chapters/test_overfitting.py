"""Notebook 05's plan, problems and cells: who depends on what, known truths, and one run end to end."""

import numpy as np
import pandas as pd
import pytest

from ntkd_lib.chapters.overfitting import NOTEBOOK, page, plan, problems, search, work
from ntkd_lib.chapters.overfitting.parameters import OverfittingParameters
from ntkd_lib.chapters.overfitting.problems import (
    LARGEST,
    NETWORKS,
    TARGETS,
    Problem,
    Schedule,
    Sizes,
    draw,
    fit_roles,
    small_settings,
)
from ntkd_lib.chapters.overfitting.studies import (
    certificates,
    costs,
    detection,
    grid,
    null,
    real_tables,
    students,
    tables,
    tables_page,
)
from ntkd_lib.chapters.overfitting.studies.counterexamples import counterexamples
from ntkd_lib.chapters.run import Run, with_needs
from ntkd_lib.data.settings import DataError
from ntkd_lib.data.tables import TABLES, load_table
from ntkd_lib.lab import protocols
from ntkd_lib.lab.cells import Record
from ntkd_lib.lab.claims import load_claims
from ntkd_lib.lab.execute import run_cells
from ntkd_lib.lab.layout import tier_layout
from ntkd_lib.lab.parameters import ParameterError, load_parameters
from ntkd_lib.lab.protocols import NoNumberError
from ntkd_lib.lab.search import read_search
from ntkd_lib.lab.sources import module_sources
from ntkd_lib.lab.statistics import student_interval
from ntkd_lib.lab.store import CellStore
from ntkd_lib.show.columns import show_table

TINY = {
    "seeds": [0],
    "rows": 40,
    "grid_rows": 40,
    "large_rows": [41],
    "large_seeds": 1,
    "epochs": 16,
    "test_points": 100,
    "grid_test_points": 100,
    "null_replicates": 3,
    "trials": 50,
    "exact_rows": 100,
    "low_rank_rows": 200,
    "landmarks": 20,
}


def tiny(**changes):
    return OverfittingParameters(tier="smoke", **(TINY | changes))


def planned(parameters):
    """List all cells of a run."""
    return with_needs(plan.plan(parameters, {}))


def test_tiers_are_valid_and_cpu_is_the_default():
    tiers = {t: load_parameters(OverfittingParameters, NOTEBOOK, t, {}) for t in ("smoke", "cpu", "paper")}
    assert tiers["cpu"] == OverfittingParameters()
    assert len(tiers["cpu"].all_seeds) == 10
    assert tiers["cpu"].null_replicates * 10 == 400
    assert len(tiers["paper"].all_seeds) > 10


@pytest.mark.parametrize("tier", ["cpu", "paper"])
def test_tiers_keep_to_the_set_ups_of_the_contract(tier):
    parameters = load_parameters(OverfittingParameters, NOTEBOOK, tier, {}).model_dump(mode="json")
    setups = load_claims().setups
    for name in ("six-networks", "matched-null", "validation-grid"):
        assert setups[name].departure(parameters) == ""


def test_the_grid_has_at_least_two_thousand_fits():
    fits = [cell for cell in planned(OverfittingParameters()) if cell.labels.get("part") == "grid"]
    counts = [len(record) for record in (_roles(cell) for cell in fits if cell.work == work.train.path)]
    assert sum(counts) >= 2000


def _roles(cell):
    settings = [problems.GridSetting(Problem(), compared=s["compared"]) for s in cell.arguments["settings"]]
    return fit_roles(settings)


def test_training_does_not_depend_on_what_is_made_of_it():
    names = set(module_sources((work.__name__,)))
    assert not {f"ntkd_lib.spectral.{name}" for name in ("basis", "fit", "optimism", "student")} & names


def test_no_work_depends_on_what_is_drawn_of_it():
    for cell in planned(tiny()):
        names = module_sources((cell.work.partition(":")[0],))
        assert not any(name.startswith(("ntkd_lib.show", "matplotlib", "seaborn")) for name in names)


def test_every_kind_of_work_is_planned():
    works = (work.train, students.distil_six, grid.diagnose, null.matched_null, certificates.try_certificates)
    works += (real_tables.score_diabetes, real_tables.score_digits)
    works += (costs.decompose_large, costs.compare_speed)
    assert {cell.work for cell in planned(tiny())} == {each.path for each in works}


def test_names_are_unique_and_seeds_apart():
    cells = planned(tiny())
    assert len({cell.name for cell in cells}) == len(cells)
    assert plan.grid_sizes(tiny(seeds=[0, 1]), 0).keys() == {40, 41}
    assert plan.grid_sizes(tiny(seeds=[0, 1]), 1).keys() == {40}


def test_search_gives_every_network_the_same_trials_and_seeds_of_its_own():
    record = read_search(NOTEBOOK)
    tried = {(trial["network"], trial["rate"]) for trial in record["trials"]}
    assert tried == {(name, rate) for name in NETWORKS for rate in search.RATES}
    assert {len(trial["validation"]) for trial in record["trials"]} == {len(search.TUNING_SEEDS)}
    paper = load_parameters(OverfittingParameters, NOTEBOOK, "paper", {})
    assert not set(record["budget"]["seeds"]) & set(paper.seeds)
    assert record["provenance"]["dirty"] is False


@pytest.mark.parametrize("network", NETWORKS)
def test_the_chosen_rates_have_the_lowest_error_of_their_use_and_reach_the_cells(network):
    trials = [trial for trial in read_search(NOTEBOOK)["trials"] if trial["network"] == network]
    for use, score in search.SCORES.items():
        errors = {trial["rate"]: np.mean(trial[score]) for trial in trials}
        assert search.chosen_rate(network, use) == min(errors, key=errors.get)
    cells = [cell for cell in planned(tiny()) if cell.labels.get("network") == network]
    rates = {cell.labels["part"]: cell.arguments["schedule"]["rate"] for cell in cells}
    chosen = {use: search.chosen_rate(network, use) for use in search.SCORES}
    assert rates == chosen | {"grid": plan.RATE}


def test_a_stopped_network_is_the_best_checkpoint_of_the_training_tuned_for_stopping(run):
    (record,) = run.select(students.distil_six)
    (stopped,) = run.select(work.train, part="stopped", network="32")
    sample = problems.draw(problems.Problem(), search.six_sizes(run.parameters), run.parameters.all_seeds[0])
    errors = [
        problems.rmse(each, sample.y_validation) for each in stopped.arrays["validation"][0].astype(float)
    ]
    best = int(np.argmin(errors))
    network = record.values["networks"]["32"]
    assert network["early_epoch"] == stopped.values["epochs"][best]
    output = stopped.arrays["test"][0, best].astype(float)
    assert network["early_teacher"] == problems.rmse(output, sample.y_test)


def test_the_search_reads_no_test_sample_and_writes_what_the_recorded_one_holds():
    cells = []

    def run(trials):
        cells.extend(trials)
        errors = np.zeros((1, 2, 4 * search.VALIDATION))
        record = Record("key", "trial", {}, {"validation": errors}, {"seconds": 1.0})
        return [record] * len(cells)

    content = search.SEARCHES[0].conduct({}, run)
    assert {cell.arguments["sizes"]["test"] for cell in cells} == {1}
    assert {cell.arguments["seed"] for cell in cells} == set(search.TUNING_SEEDS)
    record = read_search(NOTEBOOK)
    assert content.keys() == record.keys() - {"data", "provenance"}
    assert content["budget"] == record["budget"]
    assert content["space"] == record["space"]
    for name in ("network", "rate"):
        assert [row[name] for row in content["trials"]] == [row[name] for row in record["trials"]]


@pytest.mark.parametrize("rows", [40, 1_000_000_000])
def test_large_problems_must_be_larger_and_fit(rows):
    with pytest.raises(
        ParameterError, match=rf"large_rows = \[{rows}\] with grid_rows = 40; allowed: .* 5000$"
    ):
        plan.plan(tiny(large_rows=[rows]), {})


@pytest.mark.parametrize("target", TARGETS)
def test_targets_have_one_scale_and_the_stated_noise(target):
    sample = draw(Problem(target, 2.0), Sizes(1500, 1000), seed=1)
    assert sample.f_test.std() == pytest.approx(4.9, rel=0.12)
    np.testing.assert_allclose(sample.x.std(axis=0), 1)
    assert (sample.y_test - sample.f_test).std() == pytest.approx(2.0, rel=0.08)


def test_uneven_noise_grows_and_has_the_stated_size():
    sample = draw(Problem("friedman1", 1.0, "heteroscedastic"), Sizes(100, 20_000), seed=0)
    noise = sample.y_test - sample.f_test
    high = sample.x_test[:, 0] > 0
    assert noise.std() == pytest.approx(1, rel=0.03)
    assert noise[high].std() > 1.8 * noise[~high].std()


def test_shuffled_labels_know_nothing_of_the_inputs():
    sample = draw(Problem("friedman1", 1.0, "shuffled"), Sizes(200, 2000), seed=0)
    assert np.unique(sample.f_test).size == 1
    assert abs(np.corrcoef(sample.x_test[:, 3], sample.y_test)[0, 1]) < 0.1
    assert sample.noise_variance == pytest.approx(4.9**2 + 1, rel=0.1)


def test_draws_repeat_and_differ_by_seed_and_problem():
    first, again = (draw(Problem(), Sizes(50, 10), seed=0) for _ in range(2))
    np.testing.assert_array_equal(first.y, again.y)
    assert not np.allclose(first.y, draw(Problem(), Sizes(50, 10), seed=1).y)
    assert not np.allclose(first.x, draw(Problem(noise=2.0), Sizes(50, 10), seed=0).x)


def test_folds_leave_every_sample_out_once():
    left = np.sum([1 - problems.trained_on(f"fold{i}", 43, seed=0) for i in range(5)], axis=0)
    np.testing.assert_array_equal(left, 1)
    assert problems.trained_on("holdout", 40, seed=0).sum() == 32
    assert problems.trained_on("perturbed", 40, seed=0).all()


def test_checkpoints_rise_to_the_end():
    assert Schedule(1600, 0.1, checkpoints=8).times == [25, 45, 82, 149, 269, 488, 883, 1600]
    assert Schedule(8, 0.1, checkpoints=16).times == [1, 2, 3, 5, 6, 8]


def test_a_fit_does_not_depend_on_its_company(monkeypatch):
    call = {
        "seed": 0,
        "network": problems.Network("8-4", (8, 4), 1.0),
        "settings": small_settings()[:5],
        "sizes": Sizes(40, 100),
        "schedule": Schedule(6, 3e-3, checkpoints=2),
    }
    together = work.train(**call)
    monkeypatch.setattr(work, "_GROUP", 1)
    alone = work.train(**call)
    np.testing.assert_allclose(together.arrays["train"], alone.arrays["train"], atol=1e-4)


def test_null_statistics_keep_their_level():
    found = null.matched_null(seed=0, rows=100, replicates=60)
    z = found.arrays["independent"]
    assert np.mean(np.abs(z) > 1.96) <= 0.15
    assert np.abs(found.arrays["own"]).mean() > np.abs(z).mean()


def test_tables_are_those_that_we_know():
    assert load_table("diabetes").x.shape == (442, 10)
    assert load_table("digits").x.shape == (1797, 64)
    assert load_table("modechoice").x.shape == (210, 6), "one row per traveller"
    assert np.unique(load_table("modechoice").y).tolist() == [0, 1]
    with pytest.raises(DataError, match="unknown table 'boston'; allowed: diabetes, digits, "):
        load_table("boston")


@pytest.mark.parametrize("name", TABLES)
def test_a_table_is_finite_and_its_target_is_no_input(name):
    table = load_table(name)
    assert np.isfinite(table.x).all()
    assert len(table.x) == len(table.y) >= 150
    assert not any(np.array_equal(column, table.y) for column in table.x.T)


def test_a_table_of_other_numbers_is_refused(monkeypatch):
    monkeypatch.setitem(TABLES, "engel", {**TABLES["engel"], "sha256": "0" * 64})
    with pytest.raises(DataError, match=r"^engel: statsmodels ships other numbers than expected \(digest "):
        load_table("engel")


def test_splits_of_a_table_share_no_row_and_are_standardised_by_training_rows():
    problem = Problem("fair", 0.0, TABLES["fair"]["sha256"])
    sample, other = (draw(problem, Sizes(200, 5000), seed=seed) for seed in (0, 1))
    np.testing.assert_allclose(sample.x.mean(axis=0), 0, atol=1e-12)
    assert (sample.y.mean(), sample.y.std()) == pytest.approx((0, 1))
    assert (len(sample.y), len(sample.y_test), len(sample.y_validation)) == (200, 5000, 0)
    assert not np.array_equal(sample.y, other.y)


def test_a_threshold_is_the_least_that_keeps_the_level_in_the_mean_over_tables():
    first = (np.array([1.0, 1.1, 1.2, 1.3, 9.0]), np.array([False] * 4 + [True]))
    second = (np.array([1.0, 2.0, 8.0]), np.array([False, False, True]))
    for level in (0.1, 0.25, 0.3, 0.5):
        found = tables.threshold([first, second], level)
        rates = [
            np.mean([(s[~bad] > limit).mean() for s, bad in (first, second)])
            for limit in (found, np.nextafter(found, 0))
        ]
        assert rates[0] <= level < rates[1]


def _diagnosis(risk, **estimates):
    """Make up the records of a table: the grid's networks, one course of checkpoints each."""
    names = ("risk", "holdout_risk", "train", "optimism", "z", "gdf_risk", "cv", "holdout")
    course = {name: np.tile(estimates.get(name, np.ones(len(risk))), len(NETWORKS)) for name in names}
    arrays = course | {"risk": np.tile(risk, len(NETWORKS)), "holdout_risk": np.tile(risk, len(NETWORKS))}
    return [Record("key", "table", {}, arrays, {})]


def test_a_detector_that_knows_the_risk_finds_all_overfitting_and_an_idle_one_none():
    risk = np.array([2.0, 1.0, 1.05, 1.2])
    record = _diagnosis(risk, train=risk / 2, optimism=risk / 2, cv=np.ones(4), holdout=risk)
    scores, overfits = tables.detector_scores("spectral", record)
    assert overfits.tolist() == [False, False, False, True] * len(NETWORKS)
    np.testing.assert_allclose(scores[:4], [1, 1, 1.05, 1.2])
    numbers = tables.judge_tables(1, [10], record * 3).values["numbers"]
    for detector, power in (("spectral", 100), ("cv", 0), ("holdout", 100)):
        assert numbers[f"{detector}.power.l10"] == [power] * 3
        assert numbers[f"{detector}.false_alarms.l10"] == [0] * 3
    assert numbers["spectral.auc"] == [1] * 3
    assert numbers["overfitting"] == [25] * 3


def test_a_table_without_overfitting_has_no_power_and_no_area():
    entry = load_claims().protocols["real tables"]
    record = _diagnosis(np.array([3.0, 2.0, 1.0]), cv=np.array([1.0, 2.0, 3.0]))
    judged = Record("key", "judged", tables.judge_tables(1, [5, 10, 20, 40], record * 2).values, {}, {})
    arms = tables.table_arms(entry.parameters, 0, "")
    assert arms[f"{tables.SPACE}.cv.false_alarms.l10"].number(judged) == 0
    for name in ("power.l10", "auc"):
        with pytest.raises(NoNumberError, match="no checkpoint of this table overfits"):
            arms[f"{tables.SPACE}.cv.{name}"].number(judged)


def test_every_table_is_judged_beside_all_others_and_planned_as_registered():
    entry = load_claims().protocols["real tables"]
    assert len(entry.seeds) == len(entry.parameters["tables"]) >= 10
    arms = tables.table_arms(entry.parameters, 0, "")
    (cell,) = arms[f"{tables.SPACE}.cv.power.l10"].cells
    assert len(cell.needs) == len(entry.seeds) * entry.parameters["splits"]
    for name, (rows, tests) in entry.parameters["tables"].items():
        assert rows + tests <= len(load_table(name).y)
    with pytest.raises(ValueError, match=r"rise = 1.2; allowed: 1.1"):
        tables.table_arms({**entry.parameters, "rise": 1.2}, 0, "")


def test_parts_of_a_table_share_nothing():
    parts = real_tables.split_table("diabetes", seed=0)
    assert sum(map(len, parts.y)) == 442
    np.testing.assert_allclose(parts.x[0].mean(axis=0), 0, atol=1e-12)


def test_recorded_rates_are_those_of_the_evidence_and_none_without_it(monkeypatch, tmp_path):
    recorded = protocols.recorded_metrics("05_real_tables")
    rates = tables_page.at_level(tables_page.recorded_rates()).set_index("detector")
    powers = {name: recorded[f"{tables.SPACE}.{name}.power.l10"].values for name in ("spectral", "cv")}
    row = rates.loc["cv"]
    assert row["power"] == pytest.approx(np.mean(powers["cv"]))
    assert row["power_low"] < row["power"] < row["power_high"]
    gaps = np.subtract(powers["cv"], powers["spectral"])
    assert (row["gap"], row["wins"], row["tables"]) == (
        pytest.approx(gaps.mean()),
        (gaps > 0).sum(),
        len(gaps),
    )
    assert np.isnan(rates.loc["spectral", "gap"])
    axes = tables_page.draw_rates(tables_page.recorded_rates()).axes[0]
    assert len(axes.get_legend_handles_labels()[1]) == len(tables.FITS)
    monkeypatch.setattr(protocols, "results_root", lambda: tmp_path)
    assert tables_page.at_level(tables_page.recorded_rates()).empty


def test_counterexamples_contradict():
    found = counterexamples().set_index("claim")["result"]
    assert found.iloc[0] == "R² 0.00 with the largest eigenvalues, 0.96 with the largest coefficients"
    assert "flagged, with nothing to overfit to" in found.iloc[2]
    assert found.iloc[3].startswith("z = 0.0: not flagged")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Run all cells at their smallest."""
    parameters = tiny()
    store = CellStore(tmp_path_factory.mktemp("cells"))
    cells = planned(parameters)
    records = run_cells(cells, store, workers=1, progress="none")
    return Run(NOTEBOOK, parameters, records, {}, tier_layout("smoke"), {}, tuple(cells))


def test_every_metric_of_the_contract_is_measured(run):
    metrics = page.metrics(run)
    claims = [claim for claim in load_claims().claims if claim.notebook == NOTEBOOK]
    needed = {name for claim in claims if claim.assessable != "not" for name in claim.metric_names}
    needed = {name for name in needed if not name.startswith(f"{tables.SPACE}.")}  # of a recorded protocol
    assert needed - {"spectral.grid.harmful_auc", "spectral.grid.past_best_auc"} <= set(metrics)
    for claim in claims:
        for name in claim.metric_names:
            if name in metrics and claim.terms.definitions[name].pooled:
                assert len(metrics[name].values) == 1
    assert all(metric.seeds == [0] for metric in metrics.values())


def test_points_of_the_grid_are_complete(run):
    points = detection.grid_points(run)
    settings = len(small_settings())
    epochs = points.groupby(["rows", "setting", "network"])["epoch"].agg(tuple)
    assert epochs.groupby(["rows", "network"]).nunique().eq(1).all()
    assert points.groupby(["rows", "setting"])["network"].nunique().eq(len(NETWORKS)).all()
    assert points.groupby(["seed", "rows"])["setting"].nunique().to_list() == [settings, 1]
    assert not points[["z", "optimism", "risk", "train"]].isna().any().any()
    assert (points["gap"] == points["risk"] - points["train"]).all()
    lowest = points.loc[points.groupby(["seed", "rows", "setting", "network"])["risk"].idxmin()]
    assert not lowest[["harmful", "off_best"]].any(axis=None)
    assert (points["past_best"] == (points["epoch"] > _best_epochs(points))).all()
    first = points.groupby(["seed", "rows", "setting", "network"]).head(1)
    assert not first["harmful"].any()
    assert (points["off_best"] | ~points["harmful"]).all()
    assert detection.compared(points)["label"].nunique() == 2


def _best_epochs(points):
    """Find the epoch of the lowest risk of each training run, run by run."""
    best = points["epoch"].copy()
    for _, part in points.groupby(["seed", "rows", "setting", "network"]):
        best[part.index] = part["epoch"].iloc[part["risk"].to_numpy().argmin()]
    return best


def test_the_excess_of_modes_is_that_of_the_claims(run):
    metrics = page.metrics(run)
    largest = page.six_scores(run).set_index("network").loc[LARGEST]
    assert metrics["spectral.overfit.effective_modes"].values == [largest["effective"]]
    assert metrics["spectral.overfit.signal_modes"].values == [largest["kstar"]]
    points = detection.grid_points(run)
    late, early = (points.loc[kind, "excess"] for kind in (points["past_best"], ~points["past_best"]))
    pairs = np.sign(late.to_numpy()[:, None] - early.to_numpy())
    assert metrics["spectral.grid.past_best_auc"].values == pytest.approx([(1 + pairs.mean()) / 2])


def test_rates_and_areas_stay_in_their_range(run):
    points = detection.grid_points(run)
    rates = detection.rates(points)
    assert rates["false_positive"].dropna().between(0, 100).all()
    assert rates["count"].sum() == len(points)
    areas = detection.areas(points)["mean"]
    assert ((areas >= 0) & (areas <= 1)).all()
    assert len(detection.calibration(points)) >= len(TARGETS)


def test_a_rate_is_the_mean_of_seeds_with_the_interval_of_their_shares():
    seeds = [0, 0, 0, 0, 1, 1, 2]
    z = [2.0, 0.1, -0.5, 1.9, 3.0, -2.5, 0.0]
    points = pd.DataFrame(
        {"label": "sine", "rows": 200, "seed": seeds, "z": z, "harmful": [False] * 6 + [True]}
    )
    (row,) = detection.rates(points).to_dict("records")
    assert row["false_positive"] == 62.5  # of 25 and 100 %
    assert (row["false_positive_low"], row["false_positive_high"]) == student_interval([25.0, 100.0])
    assert row["true_positive"] == 0.0
    assert np.isnan(row["true_positive_low"])
    assert (row["rows"], row["count"]) == (200, 7)


def test_students_of_the_six_are_measured(run):
    scores = page.six_scores(run)
    assert list(dict.fromkeys(scores["network"])) == list(NETWORKS)
    assert (scores["student"] >= scores["oracle"] - 1e-9).all()
    assert (scores["stored"] == 40 * 15).all()
    assert len(page.paper_figures(scores)) == 9


def test_tables_of_a_single_seed_show_no_interval(run):
    points = detection.grid_points(run)
    six = show_table(page.six_table(page.six_scores(run)), page.SIX, "six")
    real = show_table(page.real_scores(run), page.SCORES, "real")
    for text in (six, real, detection.area_table(points, "areas")):
        assert "[" not in text
        assert "nan" not in text
    assert six.count("<tr") == len(NETWORKS) + 1
    assert real.count("<tr") == len(page.REAL) + 1
    assert detection.NULLS["own"] in detection.rate_table(run, points)
