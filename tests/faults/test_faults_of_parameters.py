"""Faults 5 to 10: parameters that are misspelt, mistyped or hostile."""

import json
import sys

import nbformat
import pandas as pd
import pytest

from ntkd_lib.pipeline.pages import provenance_box
from ntkd_lib.pipeline.scrub import page_problems, sanitise
from tests.book.fake import evidence
from tests.pipeline.toy import NAME, seconds_of_processes

SCRIPT = "<script>alert(1)</script>"


def refused(toy, *words):
    """Run with parameters that must be refused, at once, and with nothing on disk changed."""
    before, start = toy.files(), seconds_of_processes()
    done = toy.run(*words)
    assert seconds_of_processes() - start < 6  # half a second on a quiet machine
    assert (done.returncode, done.stdout, toy.files()) == (1, "", before)
    assert done.stderr.startswith("ntkd: ")
    assert done.stderr.count("\n") == 1
    return done.stderr


def test_05_a_misspelt_parameter_is_refused(fresh):
    line = refused(fresh, "-p", "rat=0.5")
    assert line == (
        f"ntkd: {NAME}: unknown parameter rat = 0.5; nearest: rate; "
        "allowed: tier, seeds, seed, rate, title, fault\n"
    )


def test_05_plain_papermill_refuses_it_too(fresh):
    words = ["papermill", f"jupytext://notebooks/{NAME}.py", "out.ipynb", "-k", "python3", "-p", "rat", "0.5"]
    done = fresh.process([sys.executable, "-m", *words])
    assert done.returncode == 1
    assert "unknown parameter rat = 0.5; nearest: rate" in done.stderr
    assert not fresh.build.exists()


def test_06_a_number_in_yaml_is_never_read_as_text(fresh):
    (fresh.root / "mine.yaml").write_text("rate: 1e3\n")
    line = refused(fresh, "-f", "mine.yaml")
    assert line.startswith(f"ntkd: {NAME}: rate = 1000.0 (number) is not allowed; ")


@pytest.mark.parametrize("value", ["nan", "NaN", "1_000", "0.1,0.2", "-Infinity", "", "2.0"])
def test_07_a_value_that_is_no_allowed_number_is_refused(fresh, value):
    line = refused(fresh, "-p", f"rate={value}")
    assert f"{NAME}: rate = " in line
    assert "is not allowed; allowed: " in line


def test_08_code_in_a_parameter_name_never_runs(fresh):
    code = "rate = 1; open('ran', 'w').close(); x"
    (fresh.root / "mine.yaml").write_text(json.dumps({code: 1}))
    refused(fresh, "-f", "mine.yaml")
    refused(fresh, "-p", f"{code}=1")
    assert not (fresh.root / "ran").exists()


def test_09_code_in_a_parameter_value_stays_text(own):
    title = "\"); open('ran', 'w').close(); print(\"\\\n\\x00{rate}"
    done = own.run("-p", f"title={title}", "-p", "seed=0", "--no-page")
    assert done.returncode == 0, done.stderr
    sealed = next((own.build / "runs").glob("*/executed/*.seal.json"))
    assert json.loads(sealed.read_text())["parameters"]["title"] == title
    assert not (own.root / "ran").exists()


def test_10_a_script_in_a_value_never_gets_into_a_page(own):
    before = own.files()
    done = own.run("-p", f"title={SCRIPT}", "-p", "fault=live", "-p", "seed=0")
    assert done.returncode == 1
    assert f"ntkd: {NAME}: cell 4: shows live text/markdown (<script>)" in done.stderr
    assert own.files() == before


HOSTILE = [
    SCRIPT,
    "<img src=x onerror=alert(1)>",
    "<meta http-equiv=refresh content='0;url=https://example.org'>",
    "<a href=javascript:alert(1)>x</a>",
    "<a href=' jAva&#115;cript:alert(1)'>x</a>",
    "<a href='data:text/html,<script>alert(1)</script>'>x</a>",
    "<iframe src=https://example.org></iframe>",
    "<svg><animate onbegin=alert(1) attributeName=x></svg>",
    "<svg><use href='data:image/svg+xml,x'/></svg>",
    "<math><mtext></mtext></math>",
    "<form action=https://example.org><input name=x></form>",
    "<link rel=stylesheet href=https://example.org/x.css>",
    "<base href=https://example.org>",
    "<object data=x></object>",
    "<details ontoggle=alert(1) open>x</details>",
]


def problems_of(kind, shown):
    output = nbformat.v4.new_output("display_data", {kind: shown})
    cell = nbformat.v4.new_code_cell("x", execution_count=1, outputs=[output])
    return page_problems(nbformat.v4.new_notebook(cells=[cell]), {})


@pytest.mark.parametrize("kind", ["text/html", "text/markdown", "image/svg+xml", "application/javascript"])
@pytest.mark.parametrize("shown", HOSTILE)
def test_10_live_output_of_any_kind_is_found(kind, shown):
    (problem,) = problems_of(kind, shown)
    assert problem.startswith(f"cell 1: shows live {kind} (")


def test_10_a_live_link_of_markdown_is_found():
    assert problems_of("text/markdown", "[x](javascript:alert(1))") == [
        "cell 1: shows live text/markdown (<a href>)"
    ]


def test_10_what_pages_consist_of_is_left_as_it_is():
    frame = pd.DataFrame({"a": [1.5], "b": ["x < y & z"]})
    picture = "<img src='data:image/png;base64,AA==' alt='a' style='display:none'>"
    for shown in (frame._repr_html_(), picture, "<p>a&nbsp;<b>b</b><br/>", '<svg viewBox="0 0 1 1"></svg>'):
        assert problems_of("text/html", shown) == []
        clean, lost = sanitise(shown)
        assert (sanitise(clean), lost) == ((clean, ""), "")
    assert problems_of("text/markdown", "*a* [b](https://example.org) `<script>` $x < y$") == []
    assert problems_of("text/latex", "$x < y$") == []


def test_10_a_marked_up_value_is_found_where_it_is_not_escaped():
    def shown(text):
        output = nbformat.v4.new_output("display_data", {"text/html": text})
        cell = nbformat.v4.new_code_cell("x", execution_count=1, outputs=[output])
        return page_problems(nbformat.v4.new_notebook(cells=[cell]), {"title": "<b>bold"})

    assert shown("<p>&lt;b&gt;bold</p>") == []
    assert shown("<p><b>bold</p>") == ["cell 1: shows the parameter value &lt;b&gt;bold unescaped"]


def test_10_the_provenance_of_a_page_shows_it_as_text():
    box = str(provenance_box(evidence(parameters={"title": SCRIPT})))
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in box
    assert "<script>alert(1)" not in box
