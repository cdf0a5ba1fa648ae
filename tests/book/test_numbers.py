"""Numbers in prose: bound to evidence, marked by their source, refused where no evidence holds them."""

import re

import pytest

from ntkd_lib.lab.evidence import Metric, save_evidence
from ntkd_lib.lab.layout import results_root, tier_layout
from ntkd_lib.lab.manifest import renew_manifest
from ntkd_lib.pipeline.book import build_book, stage
from ntkd_lib.pipeline.errors import PipelineError
from ntkd_lib.pipeline.numbers import Page, answers, check_prose
from tests.book import fake

NTKD, KD = "ntkd.mnist.ntkd.accuracy", "ntkd.mnist.kd.accuracy"


def recorded(**changes):
    return fake.evidence(recorded=True, **changes)


def page(tier="cpu", **changes):
    runs = {"01_ntkd_classification": recorded(), "cpu/01_ntkd_classification": recorded(protocol="old")}
    return Page(**{"name": "01_ntkd_classification", "tier": tier, "runs": runs, **changes})


def shown(text, **changes):
    """Return what a reader sees of one number before asking for its source."""
    made = page(**changes).fill(f"{{val}}`{text}`")
    return re.match(r"<span [^>]*>(.*?)<span", made)[1]


def test_a_difference_of_exactly_zero_has_no_minus():
    rounded = {
        name: Metric(values=values, seeds=[0, 1, 2], converged=[True] * 3)
        for name, values in ((NTKD, [0.1, 0.2, 0.3]), (KD, [0.2, 0.3, 0.1]))
    }
    runs = {"01_ntkd_classification": recorded(metrics=rounded)}
    assert shown(f"{NTKD} - {KD} :+.2f", runs=runs) == shown(f"{KD} - {NTKD} :+.2f", runs=runs) == "+0.00"


@pytest.mark.parametrize(
    "text, words",
    [
        (f"{NTKD} :.1f", "97.3"),
        (f"{NTKD} - {KD} :+.2f", "+1.10"),
        (f"{KD} - {NTKD} :+.2", "−1.10"),
        (f"{NTKD} / {KD} :.3f", "1.011"),
        (f"interval of {NTKD} :.2f", "97.02 to 97.58"),
        (f"interval of {NTKD} - {KD} :.2f", "1.01 to 1.19"),
        (f"seeds of {NTKD}", "5"),
        (f"wins of {NTKD} - {KD}", "5 of 5"),
        (f"order of {NTKD} - {KD}", "is above"),
        (f"order of {KD} - {NTKD}", "is below"),
        (f"order of {KD} - {KD}", "cannot be told from"),
        (f"lowest of {NTKD} :.0f", "97"),
        (f"highest of {NTKD} :.1f", "97.6"),
        (f"spread of {KD} :.3f", "0.158"),
        (f"seed 4 of {NTKD} :.1f", "97.6"),
        (f"date of {NTKD}", "2026-01-02"),
        (f"device of {NTKD}", "cpu"),
        (f"{NTKD}\n@cpu/01_ntkd_classification :.1f", "97.3"),
    ],
)
def test_a_role_shows_what_it_names(text, words):
    assert shown(text) == words


@pytest.mark.parametrize(
    "text, reason",
    [
        ("ntkd.mnist.nktd.accuracy :.1f", "no recorded evidence holds .*; did you mean 'ntkd.mnist.ntkd.acc"),
        (f"{NTKD} @01_nothing :.1f", "no recorded run '01_nothing'; did you mean"),
        (f"{NTKD} @live :.1f", "this page has no run of its own"),
        (f"{NTKD} :d", "bad format 'd'; allowed: "),
        (f"{NTKD} :.1f%", "bad format '.1f%'; allowed: "),
        (f"{NTKD}", "needs a format such as :.1f"),
        (f"seeds of {NTKD} :.0f", "takes no format"),
        (f"seed 9 of {NTKD} :.0f", "no number for seed 9; seeds: 0, 1, 2, 3, 4"),
        (f"median of {NTKD} :.0f", "not of the form"),
    ],
)
def test_a_role_that_cannot_be_filled_is_one_line_with_page_and_name(text, reason):
    with pytest.raises(PipelineError, match=reason) as caught:
        page().fill(f"Before {{val}}`{text}` after")
    message = str(caught.value)
    assert message.startswith(f"01_ntkd_classification: number {text!r} in prose: ")
    assert "\n" not in message


def test_two_metrics_of_different_runs_are_not_compared():
    runs = {"01_a": recorded(metrics={NTKD: metric(1.0)}), "01_b": recorded(metrics={KD: metric(1.0)})}
    with pytest.raises(PipelineError, match=f"no recorded evidence holds {NTKD} and {KD}"):
        page(runs=runs).fill(f"{{val}}`{NTKD} - {KD} :.1f`")


def metric(value, seeds=1, **changes):
    known = {
        "seeds": list(range(seeds)),
        "values": [value + seed for seed in range(seeds)],
        "data": ["mnist"],
    }
    return Metric(**known, **changes)


def test_recorded_protocols_come_before_the_reference_run_whatever_their_size():
    runs = {"cpu/01_a": recorded(), "01_b": recorded(metrics={NTKD: metric(50.0)})}
    assert shown(f"{NTKD} :.0f", runs=runs) == "50"


def test_a_single_number_claims_no_interval():
    runs = {"01_b": recorded(metrics={NTKD: metric(50.0), KD: metric(49.0)})}
    assert shown(f"order of {NTKD} - {KD}", runs=runs) == "cannot be told from"
    assert "no interval (1 seed)" in page(runs=runs).fill(f"{{val}}`{NTKD} :.0f`")
    with pytest.raises(PipelineError, match="a single number has no interval"):
        page(runs=runs).fill(f"{{val}}`interval of {NTKD} :.0f`")


def test_the_slope_of_a_series_is_a_number_per_seed():
    series = Metric(
        seeds=[0, 1], series=[[{"x": 0, "y": 1}, {"x": 1, "y": 3}], [{"x": 0, "y": 0}, {"x": 1, "y": 4}]]
    )
    runs = {"01_b": recorded(metrics={"ntkd.theory.slope": series})}
    assert shown("ntkd.theory.slope :.1f", runs=runs) == "3.0"


def test_the_source_says_recorded_with_seeds_interval_date_device_and_commit():
    made = page().fill(f"{{val}}`{NTKD} - {KD} :.1f`")
    for words in ("mean over 5 seeds 1.1", "95 % interval 1.0", "Student t, paired by seed", "2026-01-02"):
        assert words in made
    for words in ("Recorded: results/", "tier cpu", "device cpu", "commit 01234567", 'role="tooltip"'):
        assert words in made
    assert 'tabindex="0" aria-describedby="ntkd-number-1"' in made


def test_a_live_number_says_live():
    made = page(live=fake.evidence(metrics={NTKD: metric(12.0)})).fill(f"{{val}}`{NTKD} @live :.0f`")
    assert ">12<" in made
    assert "Live: this page&#x27;s own run" in made
    assert "ntkd-live" in made


def test_a_number_that_a_rerun_with_other_parameters_lacks_is_a_dash():
    live = fake.evidence(standard=False, changed={"epochs": [12, 3]}, metrics={NTKD: metric(12.0)})
    assert shown(f"{KD} @live :.0f", live=live) == "–"
    with pytest.raises(PipelineError, match=f"that run does not hold {KD}"):
        page(live=fake.evidence(metrics={NTKD: metric(12.0)})).fill(f"{{val}}`{KD} @live :.0f`")


def test_a_number_of_another_tier_is_marked():
    text = f"{{val}}`{NTKD} :.1f`"
    assert 'data-tier="cpu"' in page("smoke").fill(text)
    assert "data-tier" not in page("cpu").fill(text)


def test_unfinished_trainings_are_named():
    known = {NTKD: metric(1.0, seeds=3, converged=[True, False, False])}
    made = page(runs={"01_b": recorded(metrics=known)}).fill(f"{{val}}`{NTKD} :.1f`")
    assert "2 of 3 trainings had not reached their plateau" in made


def test_parameters_are_those_of_the_page_or_of_a_named_run():
    live = fake.evidence(parameters={"rows": 1600, "seeds": [0, 1], "tier": "cpu"})
    made = page(live=live).fill(
        "{param}`rows` {param}`count of seeds` {param}`epochs @01_ntkd_classification`"
    )
    assert re.findall(r">([\d,]+)<span", made) == ["1,600", "2", "3"]
    with pytest.raises(PipelineError, match="no such parameter; did you mean 'rows'"):
        page(live=live).fill("{param}`row`")


def test_numbers_of_the_paper_and_of_the_set_up_stay_text():
    filled = page().fill("{paper}`97.3 %` and {setup}`half`")
    assert filled == '<span class="ntkd-paper">97.3 %</span> and <span class="ntkd-setup">half</span>'


def test_code_is_left_alone():
    text = f"``{{val}}`{NTKD} :.1f` ``\n```\n{{val}}`nothing`\n```"
    assert page().fill(text) == text


def test_html_of_a_number_means_nothing_to_markdown():
    assert not re.search(r"[_*|`$\[\]{}]", page().fill(f"{{val}}`{NTKD} :.1f`").replace("_blank", ""))


def test_every_number_of_a_page_has_an_id_of_its_own():
    one = page()
    made = one.fill(f"{{val}}`{NTKD} :.1f` {{val}}`{KD} :.1f`") + one.fill(f"{{val}}`{KD} :.1f`")
    assert re.findall(r'id="([^"]+)"', made) == [f"ntkd-number-{count}" for count in (1, 2, 3)]


def test_the_readme_is_rewritten_between_its_marks():
    text = f"Ours: <!-- val {NTKD} :.1f -->old<!-- /val --> %"
    assert page().plain(text) == f"Ours: <!-- val {NTKD} :.1f -->97.3<!-- /val --> %"


@pytest.fixture
def project(own):
    """Add a recorded run, and a chapter whose prose names one of its numbers, to a built project."""
    record(97.25)
    layout = tier_layout(fake.TIER)
    fake.write_notebook(layout, fake.CHAPTER, "# Title\n\nOurs is {val}`ntkd.extra.accuracy :.2f` %.", [])
    return layout


def record(value):
    known = {"ntkd.extra.accuracy": metric(value)}
    save_evidence(results_root() / "01_extra.json", fake.evidence(metrics=known))
    renew_manifest()


def staged(layout):
    stage(layout, fake.TIER, dict.fromkeys([fake.CHAPTER, fake.SCOREBOARD], layout))
    return (layout.site / f"{fake.CHAPTER}.ipynb").read_text(encoding="utf-8")


def test_a_number_changed_in_a_record_changes_the_page(project):
    assert ">97.25<" in staged(project)
    record(96.5)
    changed = staged(project)
    assert ">96.50<" in changed
    assert "97.25" not in changed


def test_a_bound_number_is_rendered_with_its_source(project):
    build_book(fake.TIER)
    html = (project.html / f"{fake.CHAPTER}.html").read_text(encoding="utf-8")
    assert re.search(
        r'Ours is <span class="ntkd-bound ntkd-recorded"[^>]*>97\.25<span class="ntkd-source"', html
    )
    assert "Recorded: results/01_extra.json" in html


@pytest.mark.parametrize("name", [f"notebook {fake.CHAPTER}", "book/notation.md"])
def test_an_unknown_name_fails_the_build_and_keeps_the_earlier_book(project, own, name):
    before = (project.html / "index.html").read_bytes()
    if name.startswith("notebook"):
        (own / "project/results/01_extra.json").unlink()
        renew_manifest()
    else:
        with (own / "project/book/notation.md").open("a") as file:
            file.write("\nOurs is {val}`ntkd.other.accuracy :.2f` %.\n")
    with pytest.raises(
        PipelineError, match=f"^{name.split()[-1]}: number 'ntkd.*no recorded evidence holds ntkd"
    ) as caught:
        build_book(fake.TIER)
    assert "\n" not in str(caught.value)
    assert (project.html / "index.html").read_bytes() == before


def test_an_unknown_name_stops_a_run_before_it_starts(own):
    source = own / "project/notebooks" / f"{fake.CHAPTER}.py"
    source.write_text(source.read_text() + "\n# %% [markdown]\n# Ours is {val}`ntkd.other.x\n# :.1f` %.\n")
    with pytest.raises(
        PipelineError, match=f"^{fake.CHAPTER}: number 'ntkd.other.x :.1f' in prose: no recorded"
    ):
        check_prose()


def test_roles_that_need_a_run_wait_for_it(own):
    source = own / "project/notebooks" / f"{fake.CHAPTER}.py"
    source.write_text(source.read_text() + "\n# %% [markdown]\n# {param}`rows` {val}`a.b @live :.1f`\n")
    check_prose()


def test_a_readme_without_its_answers_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setenv("NTKD_ROOT", str(tmp_path))
    (tmp_path / "README.md").write_text("<!-- answers -->", encoding="utf-8")
    said = r"^README\.md holds the mark <!-- answers --> 1 times; it must stand twice$"
    with pytest.raises(PipelineError, match=said):
        answers("cpu", {})
