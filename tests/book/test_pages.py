"""What staging writes into pages."""

import base64
import json
import re

import pytest

from ntkd_lib.lab.provenance import joint_origin
from ntkd_lib.pipeline.errors import PipelineError
from ntkd_lib.pipeline.pages import (
    chapters_only,
    citation,
    downloads_box,
    drawings_beside,
    fill_marks,
    landing_fills,
    provenance_box,
    staged_chapter,
    toc_pages,
)
from ntkd_lib.show.html import INLINE_IMAGE, Html
from tests.book import fake

TOC = {
    "format": "jb-book",
    "root": "index",
    "parts": [
        {"caption": "A", "chapters": [{"file": "01_a"}]},
        {"caption": "B", "chapters": [{"file": "02_b"}, {"file": "notation"}]},
    ],
}


def notebook(*sources):
    cells = [{"cell_type": "markdown", "metadata": {}, "source": source} for source in sources]
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}).encode()


def text_of(staged):
    return ["".join(cell["source"]) for cell in json.loads(staged)["cells"]]


def test_missing_chapters_and_empty_parts_are_left_out():
    staged = chapters_only(TOC, ["01_a", "02_b"])
    assert staged["parts"] == [{"caption": "B", "chapters": [{"file": "notation"}]}]
    assert toc_pages(TOC) == ["index", "01_a", "02_b", "notation"]
    assert toc_pages(chapters_only(TOC, [])) == toc_pages(TOC)


def test_the_banner_follows_the_title_and_the_end_comes_last():
    cells = text_of(
        staged_chapter(notebook("# Title\n\nText.", "More."), "01_a", fake.evidence("standin"), [])
    )
    assert cells[0].startswith('# Title\n\n\n```{raw} html\n<div class="ntkd-banner"')
    assert cells[0].endswith("```\n\n\nText.")
    assert cells[1] == "More."
    assert cells[2].startswith("## Provenance\n")


def test_real_data_need_no_banner():
    assert (
        text_of(staged_chapter(notebook("# Title\n\nText."), "01_a", fake.evidence(), []))[0]
        == "# Title\n\nText."
    )


def test_a_notebook_that_published_nothing_has_downloads_only():
    assert text_of(staged_chapter(notebook("# Title"), "01_a", None, []))[1].startswith("## Downloads\n")


def test_a_drawing_is_loaded_from_the_file_that_is_offered_or_from_one_of_its_own(tmp_path):
    files = {"a.light.svg": b"<svg>a</svg>", "frame": b"<svg>b</svg>"}
    (tmp_path / "a.light.svg").write_bytes(files["a.light.svg"])
    inline = [INLINE_IMAGE + base64.b64encode(raw).decode() for raw in files.values()]
    shown = "".join(f'<img src="{address}" alt="x">' for address in inline)
    made = json.loads(drawings_beside(json.dumps(shown).encode(), tmp_path))
    sources = re.findall(
        rf'<img loading="lazy" src="_static/downloads/{tmp_path.name}/([^"]+)" alt="x">', made
    )
    assert [(tmp_path / name).read_bytes() for name in sources] == [*files.values()]
    assert sources[0] == "a.light.svg"
    assert len(list(tmp_path.iterdir())) == 2


def test_a_result_is_cited_in_words_and_as_bibtex_with_page_date_and_commit():
    made = str(citation(fake.evidence(), "Does it work?"))
    assert made.startswith('<details class="ntkd-fold"><summary>Cite this result</summary><p>The ntkd dev')
    place = "version 0.1.0, page 01_ntkd_classification, run 2026-01-02, commit 0123456789abcdef"
    assert "“Does it work?” In: ntkd: " in made
    assert place in made
    entry = made[made.index("@misc") :].partition("</pre>")[0]
    names = re.findall(r"^  (\w+) = \{.+\},?$", entry, re.MULTILINE)
    assert names == ["author", "title", "howpublished", "year", "note"]
    assert entry.startswith("@misc{ntkd-01,\n  author = {{The ntkd developers}},\n")
    assert r"page 01\_ntkd\_classification" in entry
    assert entry.count("{") == entry.count("}")


def test_a_chapter_without_title_is_refused():
    with pytest.raises(
        ValueError, match=r"^notebook 01_a has no title; a Markdown cell must begin with '# '$"
    ):
        staged_chapter(notebook("Text."), "01_a", None, [])


def test_staging_gives_the_same_bytes_each_time():
    made = [staged_chapter(notebook("# Title"), "01_a", fake.evidence(), ["accuracy"]) for _ in range(2)]
    assert made[0] == made[1]


def test_provenance_names_what_a_reader_needs():
    box = provenance_box(fake.evidence())
    for name in (
        "Commit",
        "Command",
        "Tier",
        "Parameters",
        "Seeds",
        "Device",
        "Threads",
        "Versions",
        "Peak memory",
    ):
        assert f"<dt>{name}</dt>" in box
    assert "torch 2.13.0, torchvision –" in box
    assert "<dd>0, 1, 2, 3, 4</dd>" in box


def test_provenance_names_every_origin_of_the_numbers_and_that_of_the_page():
    there = {
        "commit": "a" * 40,
        "platform": "Linux",
        "cpu": "One",
        "versions": {"scipy": "1.9"},
        "time": "2026-01-01",
    }
    then = {**there, "cpu": "Another", "commit": "b" * 40, "time": "2026-01-03"}
    here = {**there, "cpu": "This one", "commit": "c" * 40, "time": "2026-01-05"}
    known = {**here, **joint_origin([there, there, then]), "page": here}
    box = provenance_box(fake.evidence(provenance=known))
    assert "<dt>Processor</dt><dd>several</dd>" in box
    cells, page = box.split("<dt>Cells of work</dt>")[1].split("<dt>Page executed</dt>")
    assert "2 cells, 2026-01-01 to 2026-01-01" in cells
    assert all(word in cells for word in ("One", "Another", "a" * 40, "b" * 40, "scipy 1.9"))
    assert "This one" not in cells
    assert "This one" in page
    assert "c" * 40 in page


def test_provenance_of_numbers_from_one_machine_is_not_that_of_the_page():
    there = {"commit": "a" * 40, "cpu": "One", "time": "2026-01-01", "versions": {"scipy": "1.9"}}
    here = {**there, "cpu": "This one", "commit": "c" * 40, "time": "2026-01-05"}
    box = provenance_box(fake.evidence(provenance={**here, **joint_origin([there]), "page": here}))
    assert "<dt>Processor</dt><dd>One</dd>" in box
    assert box.index("a" * 40) < box.index("c" * 40)
    assert "Cells of work" not in box


def test_provenance_does_without_what_is_not_known():
    box = provenance_box(fake.evidence(provenance={}, metrics={}))
    assert "not under version control" in box
    assert "<dd>none used</dd>" in box
    assert "Duration" not in box


def test_every_form_of_a_figure_is_offered():
    assert isinstance(downloads_box("01_a", []), Html)
    assert downloads_box("01_a", ["x", "y"]).count(" download>") == 1 + 2 * 5


def test_a_page_needs_all_its_marks(tmp_path):
    page, fills = tmp_path / "index.md", landing_fills([], "smoke", [])
    page.write_text("".join(f"<!-- ntkd:{name} -->" for name in fills))
    fill_marks(page, fills)
    assert "<!--" not in page.read_text()
    assert "<table" in page.read_text()
    with pytest.raises(PipelineError, match=r"^book/index.md lacks the mark <!-- ntkd:tier -->$"):
        fill_marks(page, fills)
