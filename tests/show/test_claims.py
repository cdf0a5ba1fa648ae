"""Claim tables give the paper's number as printed, ours with its interval, and the verdict in words."""

import html
import re
from dataclasses import replace

import pytest

from ntkd_lib.lab.claims import load_claims
from ntkd_lib.lab.evidence import DataState, Metric
from ntkd_lib.lab.verdicts import Source, Verdict, judge
from ntkd_lib.show.claims import (
    PAPERS,
    badge,
    banner,
    claim_box,
    claim_table,
    count_table,
    our_value,
    paper_value,
    source_line,
    statement,
    where_links,
)
from ntkd_lib.show.numbers import SIGNS, difference, format_value
from ntkd_lib.show.style import STATUS_COLOURS
from tests.book import fake
from tests.setup.project import ROOT

CLAIMS = {claim.id: claim for claim in load_claims().claims}
MNIST = CLAIMS["ntkd-t3-mnist-ntkd"]


def words(html):
    """Return the text of a piece of HTML, one space between pieces."""
    return " ".join(re.sub(r"<[^>]+>", " ", html).replace("\xa0", " ").split())


def verdict(**known):
    return Verdict(**{"claim": MNIST, "status": "reproduced", **known})


@pytest.mark.parametrize(
    "name, text",
    [
        ("ntkd-t3-mnist-ntkd", "97.3 ± 0.6 %"),
        ("ntkd-t3-mnist-order", "+1.4 points"),
        ("koopman-q2-accuracy", "95.98 ± 0.07 %"),
        ("nint-time-saving", "48.99 %"),
        ("koopman-mnist-q2-order", "–"),
        ("spectral-compression", "359 ×"),
    ],
)
def test_the_papers_number_is_printed_as_in_the_paper(name, text):
    assert words(paper_value(CLAIMS[name])) == text


@pytest.mark.parametrize(
    "value, unit, text",
    [
        (97.306, "percent", "97.31 %"),
        (-0.5, "points", "\N{MINUS SIGN}0.50 points"),
        (0.5, "points", "0.50 points"),
        (0.0, "points", "0.00 points"),
        (31.2345, "dB", "31.23 dB"),
        (359.4321, "ratio", "359.4 ×"),
        (0.123456, None, "0.1235"),
        (139009.0, "parameters", "139,009 parameters"),
    ],
)
def test_numbers_carry_their_unit(value, unit, text):
    assert words(format_value(value, unit)) == text


def test_differences_carry_their_sign_and_losses_none():
    assert words(difference(0.5, "percent")) == "+0.50 points"
    assert words(difference(-0.5, "points")) == "\N{MINUS SIGN}0.50 points"
    assert words(difference(0.0, "points")) == "0.00 points"
    assert words(paper_value(CLAIMS["koopman-q2-spread"])) == "0.07 points"


def test_every_claim_of_the_contract_can_be_shown():
    assert all(paper_value(claim) for claim in CLAIMS.values())
    assert {claim.paper for claim in CLAIMS.values()} == set(PAPERS)


def test_ours_has_students_interval_and_the_one_that_decides():
    made = verdict(value=97.3, interval=(97.12, 97.46), seeds=5, single=(97.0, 97.2, 97.3, 97.4, 97.6))
    assert words(our_value(made)) == (
        "97.30 % [97.02, 97.58] 5 seeds deciding bootstrap: [97.12, 97.46], covers 84 %"
    )
    assert words(our_value(verdict(value=97.3, interval=None, seeds=5, single=(97.3,)))) == "97.30 % 5 seeds"
    assert words(our_value(verdict(value=97.3, interval=(97.3, 97.3), seeds=1))) == "97.30 %"
    assert our_value(verdict()) == "–"


def test_a_difference_of_percentages_is_in_points():
    shape = CLAIMS["nint-shape-2"]
    assert (shape.unit, shape.rule.kind) == ("percent", "ordering")
    assert words(our_value(verdict(claim=shape, value=2.57, seeds=1))) == "+2.57 points"


def test_the_number_of_another_run_stands_below_ours_with_the_difference():
    before = verdict(value=97.9, source=Source(recorded=True, tier="cpu", device="A", date="2026-01-02"))
    shown = words(our_value(verdict(value=98.0, reruns=(before,))))
    assert shown == "98.00 % recorded on 2026-01-02, A, tier cpu: 97.90 %; difference +0.10 points"
    order = CLAIMS["nint-time-saving"].model_copy(update={"unit": "ratio"})
    assert "; difference +0.5 ×" in words(
        our_value(verdict(claim=order, value=2.5, reruns=(replace(before, value=2.0),)))
    )


@pytest.mark.parametrize("status", STATUS_COLOURS)
def test_a_badge_speaks_without_colour(status):
    assert words(badge(verdict(status=status))) == f"{SIGNS[status]} {status}"
    assert len(set(SIGNS.values())) == 5
    assert f"{SIGNS[status]} **{status.capitalize()}**" in (ROOT / "book/index.md").read_text(
        encoding="utf-8"
    )


def test_a_badge_gives_qualifier_side_and_reason():
    made = verdict(status="not reproduced", qualifier="proxy", side="above", reason="needed 89.8 to 93")
    assert words(badge(made)) == "✕ not reproduced proxy our value lies above needed 89.8 to 93"


def test_the_source_is_named():
    live = Source(recorded=False, tier="cpu", device="cpu", date="2026-01-02")
    long = Source(recorded=True, tier="paper", device="NVIDIA H100", date="2026-01-02")
    assert words(source_line(verdict(source=live))) == "live, tier cpu"
    assert words(source_line(verdict(source=long))) == "recorded on 2026-01-02, NVIDIA H100, tier paper"
    assert source_line(verdict()) == ""


def test_links_lead_to_claim_and_provenance():
    made = where_links(MNIST, [MNIST.notebook])
    assert 'href="01_ntkd_classification.html#claim-ntkd-t3-mnist-ntkd"' in made
    assert 'href="01_ntkd_classification.html#provenance"' in made
    assert words(where_links(MNIST, [])) == "notebook 01, not built yet needs tier cpu"


def test_a_claim_box_judges_all_claims_of_its_notebook(tmp_path, monkeypatch):
    monkeypatch.setenv("NTKD_BUILD", str(tmp_path))
    made = claim_box(fake.evidence())
    own = [claim.id for claim in CLAIMS.values() if claim.notebook == fake.CHAPTER]
    assert re.findall(r'<tr id="claim-([^"]+)"', made) == own
    row = made[made.index('id="claim-ntkd-t3-mnist-ntkd"') :]
    assert words(row[: row.index("</tr>")]).endswith(
        "97.3 ± 0.6 % 97.30 % [97.02, 97.58] 5 seeds deciding bootstrap: [97.12, 97.48], covers 84 % "
        "● reproduced live, tier cpu"
    )


def test_a_part_of_the_claims_is_shown_again_without_places_of_links(tmp_path, monkeypatch):
    made = claim_box(fake.evidence(), ["ntkd-t3-mnist-ntkd"], part="Once more")
    assert made.count("<tr") == 2
    assert "<caption>Once more</caption>" in made
    assert "details" not in made
    assert " id=" not in made


def test_a_claim_box_shows_leading_claims_and_folds_all_others(tmp_path, monkeypatch):
    monkeypatch.setenv("NTKD_BUILD", str(tmp_path))
    names = ["ntkd-t3-mnist-order", "ntkd-t3-mnist-kd"]
    own = [claim.id for claim in CLAIMS.values() if claim.notebook == fake.CHAPTER and claim.id not in names]
    shown, folded = claim_box(fake.evidence(), names).split('<details class="ntkd-fold">')
    assert re.findall(r'<tr id="claim-([^"]+)"', shown) == names
    assert re.findall(r'<tr id="claim-([^"]+)"', folded) == own
    counts = re.match(r"<summary>All other claims of this chapter: ([^<]+)</summary>", folded)[1]
    current = [name for name in own if CLAIMS[name].replacement is None]
    assert sum(int(part.split()[0]) for part in counts.split(", ")) == len(current)
    with pytest.raises(
        ValueError, match="claim 'nint-audio' is not one of notebook 01_ntkd_classification: ntkd-"
    ):
        claim_box(fake.evidence(), ["nint-audio"])


def test_stand_in_data_leave_claims_open(tmp_path, monkeypatch):
    monkeypatch.setenv("NTKD_BUILD", str(tmp_path))
    monkeypatch.setattr("ntkd_lib.lab.evidence.results_root", lambda: tmp_path / "nothing recorded")
    made = claim_box(fake.evidence("standin"), ["ntkd-t3-mnist-ntkd"])
    assert "○ not assessed stand-in data (mnist)" in words(made)


def test_banners_warn_of_stand_ins_and_changes():
    assert banner(fake.evidence()) == ""
    hostile = {"<b>": DataState(kind="standin", sha256="0", source="x")}
    made = banner(fake.evidence(data=hostile, metrics={}, standard=False, changed={"epochs": [1, 2]}))
    assert made.count('role="note"') == 2
    assert "Stand-in data: &lt;b&gt;." in made
    assert "Changed parameters: epochs." in made


def test_counts_add_up_and_keep_proxies_apart():
    standing = (claim for claim in CLAIMS.values() if claim.replacement is None and claim.paper == "ntkd")
    proxy = next(claim for claim in standing if claim.assessable == "proxy")
    verdicts = [
        verdict(),
        verdict(),
        verdict(status="exceeded"),
        verdict(claim=proxy, qualifier="proxy"),
        judge(CLAIMS["nint-audio"], []),
        verdict(status="not reproduced", claim=CLAIMS["ntkd-t3-mnist-order"]),
        verdict(status="not reproduced", claim=CLAIMS["ntkd-t3-mnist-none"], side="above"),
        verdict(status="not reproduced", claim=CLAIMS["ntkd-t5-mnist-8-random"], side="below"),
        verdict(status="exceeded", claim=CLAIMS["nint-time-saving"]),
    ]
    rows = re.findall(r"<tr role=\"row\">(.*?)</tr>", count_table(verdicts))
    shown = [words(row) for row in rows]
    assert shown[1] == "NTKD: neural tangent knowledge distillation 1 2 + 1 proxy 1 1 1 0 0 7"
    assert shown[-1] == "All 1 2 + 1 proxy 1 1 1 0 1 8 + 1 superseded"


def test_hostile_words_of_a_claim_are_shown_literally():
    hostile = MNIST.model_copy(update={"claim": fake.HOSTILE, "where": fake.HOSTILE})
    made = claim_table([verdict(claim=hostile, reason=fake.HOSTILE)], caption=fake.HOSTILE)
    assert "<script>" not in made
    assert "`" not in made


def test_exceeded_stands_beside_what_was_measured_without_the_method(tmp_path, monkeypatch):
    monkeypatch.setenv("NTKD_BUILD", str(tmp_path))
    values = {"ntkd": [98.5, 98.7, 98.6], "none": [98.0, 98.2, 98.1]}
    metrics = {
        f"ntkd.mnist.{name}.accuracy": Metric(seeds=[0, 1, 2], values=numbers)
        for name, numbers in values.items()
    }
    made = verdict(status="exceeded", run=fake.evidence(metrics=metrics))
    shown = words(claim_table([made, verdict(status="exceeded"), verdict()], caption="Three"))
    assert shown.count("▲ exceeded control: 98.10 % (labels alone)") == 1
    assert shown.count("▲ exceeded control: not measured") == 1
    assert shown.count("control:") == 2


def test_a_superseded_claim_is_struck_out_with_its_successor_and_the_reason():
    made = statement(CLAIMS["ntkd-t3-cifar10-ntkd"])
    successor = CLAIMS["ntkd-t3-cifar10-ntkd-2"]
    assert f'<del class="ntkd-claim">{CLAIMS["ntkd-t3-cifar10-ntkd"].claim.strip()}</del>' in made
    assert f'<a href="00_scoreboard.html#claim-{successor.id}">' in made
    assert html.unescape(words(made)).endswith(" ".join(successor.note.split()))
    assert "<del" not in statement(successor)
