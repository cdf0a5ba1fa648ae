"""The scoreboard's figure and tables hold every claim once."""

import matplotlib.pyplot as plt
import pytest

from ntkd_lib.chapters.scoreboard.summary import built_chapters, verdict_counts
from ntkd_lib.lab import evidence
from ntkd_lib.lab.claims import load_claims
from ntkd_lib.lab.evidence import save_evidence
from ntkd_lib.lab.layout import tier_layout
from ntkd_lib.lab.verdicts import all_verdicts
from ntkd_lib.show.claims import PAPERS
from ntkd_lib.show.scoreboard import counts_words, draw_counts, paper_table
from tests.book import fake


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NTKD_BUILD", str(tmp_path_factory.mktemp("build")))
        patch.setattr(evidence, "results_root", lambda: tmp_path_factory.mktemp("results"))
        save_evidence(tier_layout(fake.TIER).evidence(fake.CHAPTER), fake.evidence())
        return all_verdicts(fake.TIER)


def standing(verdicts):
    return [verdict for verdict in verdicts if verdict.claim.replacement is None]


def test_every_claim_is_judged_once(verdicts):
    assert [verdict.claim.id for verdict in verdicts] == [claim.id for claim in load_claims().claims]
    by_name = {verdict.claim.id: verdict for verdict in verdicts}
    assert by_name["ntkd-t3-mnist-ntkd"].status == "reproduced"
    assert (by_name["ntkd-t3-mnist-none"].status, by_name["ntkd-t3-mnist-none"].side) == (
        "not reproduced",
        "above",
    )
    assert by_name["nint-audio"].reason == "not run"


def test_counts_add_up(verdicts):
    counts = verdict_counts(verdicts)
    assert list(counts.columns) == ["paper", "outcome", "qualifier", "claims"]
    assert counts["claims"].sum() == len(standing(verdicts))
    assert not counts.duplicated(["paper", "outcome", "qualifier"]).any()


def test_bars_are_as_long_as_the_counts(verdicts):
    counts = verdict_counts(verdicts)
    figure = draw_counts(counts)
    axes = figure.axes[0]
    total = sum(patch.get_width() for patch in axes.patches)
    names = [label.get_text() for label in axes.get_yticklabels()]
    plt.close(figure)
    assert total == len(standing(verdicts))
    assert names == ["NTKD", "Koopman", "Spectral", "DNTK", "NINT", "controls"]


def test_the_alternative_text_says_the_counts(verdicts):
    counts = verdict_counts(verdicts)
    missing = int(counts[counts["outcome"] == "not assessed"]["claims"].sum())
    assert f"Of {len(standing(verdicts))} claims: " in counts_words(counts)
    assert f"{missing} not assessed." in counts_words(counts)


def test_paper_tables_hold_every_claim_once(verdicts):
    tables = [paper_table(paper, verdicts, [fake.CHAPTER]) for paper in PAPERS]
    for verdict in verdicts:
        assert sum(table.count(f'<tr id="claim-{verdict.claim.id}"') for table in tables) == 1


def test_a_superseded_claim_follows_the_one_that_took_its_place(verdicts):
    made = paper_table("ntkd", verdicts, [fake.CHAPTER])
    new, old = (made.index(f'<tr id="claim-ntkd-t3-cifar10-ntkd{end}"') for end in ("-2", ""))
    assert new < old
    assert made.count("<tr id", new, old) == 1


def test_an_unknown_paper_is_refused(verdicts):
    with pytest.raises(ValueError, match=r"^no claim of paper 'abc'; allowed: ntkd, koopman, "):
        paper_table("abc", verdicts, [])


def test_chapters_are_the_notebooks_of_the_project(tmp_path, monkeypatch):
    monkeypatch.setenv("NTKD_ROOT", str(tmp_path))
    (tmp_path / "notebooks").mkdir()
    for name in ("02_b.py", "01_a.py", "draft.py", "01_a.ipynb"):
        (tmp_path / "notebooks" / name).touch()
    assert built_chapters() == ["01_a", "02_b"]
