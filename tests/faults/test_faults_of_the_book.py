"""Faults 16 to 21: references, alternative texts, paths, other hosts, and figures drawn twice."""

import re
from types import SimpleNamespace

import matplotlib.pyplot as plt
import nbformat
import pandas as pd
import pytest

from ntkd_lib.lab.layout import Layout, tier_layout
from ntkd_lib.pipeline.book import build_book
from ntkd_lib.pipeline.errors import PipelineError
from ntkd_lib.show.publish import show
from tests.book.check import check_site
from tests.book.fake import TIER

FILE_NAME = re.compile(r"\.(png|svg)$|/")


def add_to_a_page(folder, text):
    page = folder / "project/book/notation.md"
    page.write_text(f"{page.read_text()}\n\n{text}\n")


def test_16_and_17_a_missing_reference_citation_or_link_fails_each_time_and_keeps_the_book(own_book):
    landing = tier_layout(TIER).html / "index.html"
    before = landing.read_bytes()
    add_to_a_page(own_book, "See {ref}`nowhere`, {cite:p}`nobody2020` and [there](elsewhere.md).")
    for _ in range(2):
        with pytest.raises(
            PipelineError, match=r"^the book was not built: .*(nowhere|nobody2020|elsewhere).*book is kept$"
        ):
            build_book(TIER)
        log = (tier_layout(TIER).base / "book.log").read_text()
        warnings = [line for line in log.splitlines() if "WARNING" in line]
        assert all(any(name in line for line in warnings) for name in ("nowhere", "nobody2020", "elsewhere"))
    assert landing.read_bytes() == before


def test_18_figures_have_words_as_alternative_texts(built):
    pages = [path.read_text() for path in tier_layout(TIER).html.glob("*.html")]
    texts = [text for page in pages for text in re.findall(r'<img[^>]*\balt="([^"]*)"', page)]
    assert "Accuracy rises with the epochs" in texts
    assert not [text for text in texts if not text or FILE_NAME.search(text)]


def test_18_a_figure_without_words_is_refused(tmp_path):
    with pytest.raises(ValueError, match="figure 'line' has an empty alt text"):
        draw(tmp_path, alt=" ")


def test_19_no_path_of_this_machine_stays_in_what_a_run_leaves(own):
    own.edit(
        own.notebook, "show(run)", "import os, sys; print(os.getcwd(), sys.executable, object()); show(run)"
    )
    done = own.ntkd("run", str(own.notebook), "--tier", "smoke", "--workers", "1")
    assert done.returncode == 0, done.stderr
    assert ". PYTHON/bin/python <object object at 0x…>" in own.executed.read_text()
    kept = own.tier.rglob("*")
    left = [path for path in kept if path.is_file() and str(own.root).encode() in path.read_bytes()]
    assert left == []


def test_20_formulas_need_no_other_host(built):
    html = tier_layout(TIER).html
    page = (html / "01_ntkd_classification.html").read_text()
    assert 'class="math notranslate nohighlight"' in page
    assert 'src="_static/mathjax/tex-svg.js' in page
    assert check_site(html) == []


def draw(folder, alt="A line"):
    def line():
        figure, axes = plt.subplots()
        axes.plot([0, 1])
        return figure

    run = SimpleNamespace(notebook="90_toy", layout=Layout(folder))
    data = pd.DataFrame({"y": [0, 1]})
    shown = show(run, "line", line, alt=alt, caption="A line", data=data)
    files = {path.name: path.read_bytes() for path in run.layout.figures("90_toy").iterdir()}
    return files, shown._repr_html_()


def test_21_a_figure_drawn_twice_has_the_same_bytes(tmp_path):
    first, again = draw(tmp_path / "first"), draw(tmp_path / "again")
    assert first == again
    assert len(first[0]) == 6


def test_21_a_notebook_run_twice_has_the_same_bytes(own):
    before = own.files()
    done = own.run("--force")
    assert done.returncode == 0, done.stderr
    after = own.files()
    changed = {path.removeprefix("build/smoke/") for path in after if after[path] != before.get(path)}
    assert changed == {"evidence/90_toy.json", "executed/90_toy.seal.json"}, "these hold the time of the run"
    assert nbformat.read(own.executed, as_version=4).cells[2].metadata.tags[-1] == "hide-input"
