"""`verdicts.json` holds every verdict, keeps to its schema, and serves a book that knows not this one."""

import json
import re
from dataclasses import replace

import jsonschema
import pytest
from sphinx.cmd.build import build_main

from ntkd_lib.lab.verdicts import recorded_verdicts
from ntkd_lib.pipeline.ledger import NAME, SCHEMA, stage_verdicts
from tests.setup.project import ROOT


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder with the file of all verdicts on recorded evidence."""
    folder = tmp_path_factory.mktemp("verdicts")
    stage_verdicts(folder, recorded_verdicts(), "cpu")
    return folder


def read(folder):
    paths = (folder / NAME, ROOT / "book" / "_static" / SCHEMA)
    return [json.loads(path.read_text(encoding="utf-8")) for path in paths]


def test_every_verdict_is_there_as_judged(folder):
    content, schema = read(folder)
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(content, schema)
    verdicts = recorded_verdicts()
    rows = content["verdicts"]
    assert [(row["id"], row["status"]) for row in rows] == [(v.claim.id, v.status) for v in verdicts]
    assert [row["ours"] and row["ours"]["value"] for row in rows] == [v.value for v in verdicts]
    assert all(row["run"] for row in rows if row["status"] != "not assessed")
    judged_again = {verdict.claim.id: verdict.reruns for verdict in verdicts if verdict.reruns}
    assert judged_again
    for row in rows:
        shown = [(rerun["status"], rerun["ours"]["value"]) for rerun in row["reruns"]]
        assert shown == [(rerun.status, rerun.value) for rerun in judged_again.get(row["id"], ())]


def test_a_verdict_that_a_rerun_turns_is_written_with_both_numbers(folder, tmp_path):
    turned = next(v for v in recorded_verdicts() if any(rerun.status != v.status for rerun in v.reruns))
    stage_verdicts(tmp_path, [replace(turned, status="undecided")], "cpu")
    content, schema = read(tmp_path)
    jsonschema.validate(content, schema)
    (row,) = content["verdicts"]
    assert row["status"] == "undecided"
    assert row["ours"]["value"] != row["reruns"][0]["ours"]["value"]


@pytest.mark.parametrize(
    "change",
    [
        {"status": "proved"},
        {"ours": {"value": "1"}},
        {"run": {"recorded": True}},
        {"more": 1},
        {"rule": "yes"},
        {"reruns": [{"status": "undecided"}]},
    ],
)
def test_what_is_no_verdict_does_not_validate(folder, change):
    content, schema = read(folder)
    content["verdicts"][0] |= change
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(content, schema)


CONF = "extensions = ['myst_parser']\nproject = 'Another book'\nhtml_theme = 'basic'\n"
LINE = "| {id} | {value} | {ours} | {status} |"


def test_another_book_of_two_pages_uses_it(folder, tmp_path):
    content, _ = read(folder)
    rows = [{**row, "ours": (row["ours"] or {}).get("value")} for row in content["verdicts"]]
    table = "\n".join(
        ["| claim | paper | measured | verdict |", "|---|---|---|---|", *(LINE.format(**r) for r in rows)]
    )
    pages = {
        "conf.py": CONF,
        "index.md": "# Another book\n\n```{toctree}\nverdicts\n```\n",
        "verdicts.md": f"# {len(rows)} verdicts\n\n{table}\n",
    }
    for name, text in pages.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert build_main(["-W", "-q", str(tmp_path), str(tmp_path / "html")]) == 0
    html = (tmp_path / "html" / "verdicts.html").read_text(encoding="utf-8")
    assert len(re.findall("<tr", html)) == len(rows) + 1
    exceeded = sum(row["status"] == "exceeded" for row in rows)
    assert html.count("<p>exceeded</p>") + html.count("<td>exceeded</td>") == exceeded > 0
