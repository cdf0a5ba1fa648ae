"""The README: its claim table is that of the recorded evidence, and what it tells people to type works."""

import json
import re
import shutil

import pytest
from click.testing import CliRunner

from ntkd_lib.lab.verdicts import recorded_verdicts
from ntkd_lib.pipeline import readme
from ntkd_lib.pipeline.cli import cli
from ntkd_lib.pipeline.errors import PipelineError
from ntkd_lib.show.headlines import headlines
from tests.setup.project import ROOT

TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
PAGE = (ROOT / "book/reproduce.md").read_text(encoding="utf-8")


def blocks(language):
    """Return the fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


def test_the_claim_table_is_that_of_the_recorded_evidence():
    block = readme.claims_block(headlines(recorded_verdicts()))
    assert readme.with_claims(TEXT, block) == TEXT, "run python -m ntkd_lib.pipeline.readme"


def test_the_time_of_a_whole_run_is_that_of_the_recorded_runs():
    runs = [json.loads(path.read_text()) for path in (ROOT / "results/cpu").glob("*.json")]
    minutes = sum(run["provenance"]["seconds"] for run in runs) / 2 / 60
    (in_readme,) = re.findall(r"about (\d+) minutes on 2 cores", TEXT)
    (on_page,) = re.findall(r"about {setup}`(\d+) minutes` on two cores; {setup}`8 GiB`", PAGE)
    assert int(in_readme) == int(on_page) == pytest.approx(minutes, rel=0.25)


def test_an_edited_table_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("NTKD_ROOT", str(tmp_path))
    shutil.copytree(ROOT / "results", tmp_path / "results")
    shutil.copytree(ROOT / "notebooks", tmp_path / "notebooks")
    shutil.copyfile(ROOT / "claims.yml", tmp_path / "claims.yml")
    page = tmp_path / "README.md"
    page.write_text(TEXT.replace("make", "make -s"))
    assert readme.readme_problems() == []
    first, number, rest = re.split(r"(\d\d\.\d\d)(?=[^|]*\[)", TEXT, maxsplit=1)
    page.write_text(f"{first}{float(number) + 3:.2f}{rest}")
    (problem,) = readme.readme_problems()
    assert problem.startswith("README.md: its numbers are not those of the recorded evidence")


def test_a_table_replaces_the_one_before():
    page = f"before\n{readme.MARK}\nold\n{readme.MARK}\nafter\n"
    new = readme.with_claims(page, "new")
    assert new == f"before\n{readme.MARK}\nnew\n{readme.MARK}\nafter\n"
    assert readme.with_claims(new, "new") == new


@pytest.mark.parametrize("marks", [0, 1, 3])
def test_a_page_without_its_two_marks_is_refused(marks):
    with pytest.raises(
        PipelineError, match=rf"^README.md holds the mark <!-- claims --> {marks} times; it must"
    ):
        readme.with_claims(readme.MARK * marks, "table")


def test_the_table_has_a_row_for_each_headline_and_a_reason_where_there_is_no_verdict():
    verdicts = headlines(recorded_verdicts())
    rows = readme.claims_block(verdicts).splitlines()[2:-2]
    assert len(rows) == len(verdicts)
    for row, verdict in zip(rows, verdicts, strict=True):
        assert len(re.findall(r"(?<!\\)\|", row)) == 6
        assert verdict.status in row
        if verdict.status == "not assessed":
            assert verdict.reason in row


def test_the_library_example_runs(capsys):
    (example,) = blocks("python")
    assert len(example.splitlines()) <= 10
    exec(compile(example, "README.md", "exec"), {})
    assert capsys.readouterr().out.startswith("tensor(")


def test_every_make_target_named_exists():
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    named = set(re.findall(r"\bmake ([a-z]+)\b(?=`|  | #)", TEXT))
    assert {"reproduce", "test", "smoke", "help"} <= named <= set(targets)


@pytest.mark.parametrize("command", sorted(set(re.findall(r"\.venv/bin/ntkd (\w+)", TEXT))))
def test_every_ntkd_command_named_exists(command):
    assert CliRunner().invoke(cli, [command, "--help"]).exit_code == 0


PUBLISHED = "../../deployments/github-pages"  # as a page of the repository sees its own deployments


@pytest.mark.parametrize("target", sorted({*re.findall(r"\]\(([^)]+)\)", TEXT)} - {PUBLISHED}))
def test_every_file_linked_exists(target):
    assert (ROOT / target).exists()


def test_the_link_to_the_book_names_what_the_workflow_publishes():
    workflow = (ROOT / ".github/workflows/book.yml").read_text(encoding="utf-8")
    assert f"]({PUBLISHED})" in TEXT
    assert f"name: {PUBLISHED.rpartition('/')[2]}\n" in workflow
