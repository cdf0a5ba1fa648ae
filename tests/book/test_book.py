"""The book is built from sealed notebooks alone, skips what is done, and never loses an earlier one."""

import re
import subprocess
import sys

import pytest
import yaml

from ntkd_lib.lab.layout import run_layout, tier_layout
from ntkd_lib.lab.manifest import renew_manifest
from ntkd_lib.pipeline import book, seal
from ntkd_lib.pipeline.book import book_digest, build_book, build_page
from ntkd_lib.pipeline.errors import PipelineError
from tests.book import fake


def page(folder, name):
    return (folder / "build" / fake.TIER / "html" / f"{name}.html").read_text(encoding="utf-8")


def refuse(*_args, **_keywords):
    raise AssertionError("a second build ran")


def test_every_page_of_the_contents_is_there(built):
    site = tier_layout(fake.TIER).site
    toc = yaml.safe_load((site / "_toc.yml").read_text())
    staged = [chapter["file"] for part in toc["parts"] for chapter in part["chapters"]]
    assert staged == [
        fake.SCOREBOARD,
        fake.CHAPTER,
        "tangent_kernel",
        "use/koopman",
        "use/spectral",
        "use/optics",
        "use/distill",
        "use/dntk",
        "use/inr",
        "use/data",
        "notation",
        "design",
        "reproduce",
        "reliability",
        "deviations",
        "bibliography",
    ]
    assert all(page(built, name) for name in ["index", *staged])


def test_the_bibliography_links_to_the_first_place_of_each_page_that_cites_an_entry(built):
    text = page(built, "bibliography")
    (address,) = set(re.findall(rf'href="({fake.CHAPTER}\.html#[^"]+)"', text.partition("<article")[2]))
    assert f'id="{address.partition("#")[2]}"' in page(built, fake.CHAPTER)
    assert text.count('class="ntkd-cited"') == text.count('role="listitem"')
    assert '<p class="ntkd-cited">Not cited.</p>' in text


def test_the_landing_page_counts_the_verdicts(built):
    text = page(built, "index")
    assert "made at tier <em>cpu</em>" in text
    assert 'id="claim-ntkd-t3-mnist-ntkd"' in text
    assert "stand-in data (mnist)" in text
    assert "<!-- ntkd:" not in text


def test_a_chapter_ends_with_provenance_and_downloads(built):
    text = page(built, fake.CHAPTER)
    for words in ("0123456789abcdef", "uncommitted changes", "612.3 s", "1,234 MiB", "ab" * 32, "2.13.0"):
        assert words in text
    downloads = re.findall(r'<a href="(_static/downloads/[^"]+)" download>', text)
    ends = ["ipynb", "light.svg", "dark.svg", "light.png", "dark.png", "csv"]
    assert [address.split(".", 1)[1] for address in downloads] == ends
    html = tier_layout(fake.TIER).html
    assert all((html / address).stat().st_size > 0 for address in downloads)


def test_the_offered_notebook_is_the_executed_one(built):
    layout = tier_layout(fake.TIER)
    offered = layout.html / "_static" / "downloads" / fake.CHAPTER / f"{fake.CHAPTER}.ipynb"
    assert offered.read_bytes() == layout.executed(fake.CHAPTER).read_bytes()


def test_stand_in_data_are_announced_below_the_title(built):
    text = page(built, fake.CHAPTER)
    banner = text.index("Stand-in data: mnist. Claims that need the real data are not assessed by this run")
    assert text.index("<h1>NTK distillation") < banner < text.index("With <span")


def test_hostile_text_is_shown_and_never_live(built):
    text = page(built, fake.CHAPTER)
    assert "<script>alert" not in text
    assert text.count("&lt;script&gt;alert") >= 3


@pytest.mark.parametrize(
    "name", ["index.html", f"{fake.CHAPTER}.html", "tangent_kernel.html", "CSV", "search.html"]
)
@pytest.mark.parametrize("change", ["edit", "cut", "delete"])
def test_a_changed_file_of_the_built_book_is_named(own, name, change):
    layout = tier_layout(fake.TIER)
    path = next(layout.html.rglob("*.csv")) if name == "CSV" else layout.html / name
    whole = path.read_bytes()
    if change == "delete":
        path.unlink()
    else:
        path.write_bytes(whole.replace(b"9", b"8", 1) if change == "edit" else whole[: len(whole) // 2])
    (problem,) = book.site_problems(layout)
    what = "is missing" if change == "delete" else "was changed"
    assert problem == f"book: {path.relative_to(layout.html).as_posix()} {what} after it was built"


def test_a_page_added_to_the_built_book_and_a_book_without_its_mark_are_named(own):
    layout = tier_layout(fake.TIER)
    assert book.site_problems(layout) == []
    (layout.html / "99_forged.html").write_text("<p>99.9 %</p>")
    assert book.site_problems(layout) == ["book: 99_forged.html was added after it was built"]
    (layout.html / book.DIGEST).unlink()
    assert len(book.site_problems(layout)) > 20


def test_a_changed_book_is_built_again_and_no_file_of_the_current_folder_is_run(own, tmp_path, monkeypatch):
    html, said = tier_layout(fake.TIER).html, []
    whole = (html / "index.html").read_text()
    (html / "index.html").write_text(whole.replace("tier", "tear"))
    for name in ("jupyter_book", "sphinx", "myst_nb"):
        (tmp_path / f"{name}.py").write_text(f"open({str(tmp_path / 'mark')!r}, 'w')\nraise SystemExit\n")
    monkeypatch.chdir(tmp_path)
    build_book(fake.TIER, said.append)
    problem = "book: index.html was changed after it was built"
    assert said == [f"ntkd: {problem} (1 such files); the book is built again"]
    assert (html / "index.html").read_text() == whole
    assert book.site_problems(tier_layout(fake.TIER)) == []
    assert not (tmp_path / "mark").exists()


def test_a_second_build_does_nothing(own, monkeypatch):
    copied = build_book(fake.TIER)
    before = copied.stat().st_mtime_ns
    monkeypatch.setattr(book.subprocess, "run", refuse)
    assert build_book(fake.TIER) == copied
    assert copied.stat().st_mtime_ns == before


@pytest.mark.parametrize(
    "path",
    [
        "project/book/notation.md",
        "project/book/_static/ntkd.css",
        "project/_config.yml",
        "project/_toc.yml",
        "project/claims.yml",
        f"build/cpu/executed/{fake.CHAPTER}.ipynb",
        f"build/cpu/executed/{fake.CHAPTER}.seal.json",
        f"build/cpu/evidence/{fake.CHAPTER}.json",
        f"build/cpu/figures/{fake.CHAPTER}/accuracy.csv",
    ],
)
def test_every_input_counts(own, path):
    layout = tier_layout(fake.TIER)
    chapters = dict.fromkeys([fake.CHAPTER, fake.SCOREBOARD], layout)
    before = book_digest(layout, fake.TIER, chapters)
    with (own / path).open("a") as file:
        file.write("\n")
    assert book_digest(layout, fake.TIER, chapters) != before


def test_a_moved_project_need_not_be_built_again(own, monkeypatch):
    monkeypatch.setattr(book.subprocess, "run", refuse)
    assert build_book(fake.TIER).is_file()


def test_a_notebook_without_a_seal_is_refused(own, monkeypatch):
    monkeypatch.setattr(book, "check_seal", seal.check_seal)
    (own / "build/cpu/executed" / f"{fake.CHAPTER}.seal.json").unlink()
    with pytest.raises(PipelineError) as caught:
        build_book(fake.TIER)
    assert str(caught.value) == (
        "notebook 01_ntkd_classification has no valid seal (it has no seal: it was not run to its end); "
        "run: ntkd run 01 --tier cpu"
    )


RECORDED = """
# %% [markdown]
# # NTK distillation
# Ours is {val}`ntkd.mnist.ntkd.accuracy @live :.2f` %, younger is {val}`ntkd.mnist.new @live :.2f`.

# %% tags=["parameters"]
tier = "cpu"

# %%
from ntkd_lib.show.claims import claim_box

# %%
claim_box(evidence)
"""


def test_a_chapter_that_has_not_run_here_shows_its_recorded_run(own):
    layout, name = tier_layout(fake.TIER), fake.CHAPTER
    with (own / "project/notebooks" / f"{name}.py").open("a") as file:
        file.write(RECORDED)
    (own / "project/results/cpu").mkdir()
    layout.evidence(name).rename(own / "project/results/cpu" / f"{name}.json")
    layout.seal(name).unlink()
    renew_manifest()
    build_book(fake.TIER)
    text = page(own, name)
    banner = (
        "Recorded on 2026-01-02 with A processor, commit 01234567. To run it here: <code>ntkd run 01</code>"
    )
    assert banner in text
    assert re.search(r'Ours is <span class="ntkd-bound ntkd-recorded"[^>]*>97\.30<span', text)
    assert "Recorded: results/cpu/01_ntkd_classification.json" in text
    assert re.search(r"younger is <span[^>]*>–<", text)
    assert 'id="claim-ntkd-t3-mnist-ntkd"' in text
    assert '<span class="ntkd-setup">1</span> of its chapters show recorded runs' in page(own, "index")


FAULTS = {
    "{ref}`nowhere`": "undefined label: 'nowhere'",
    "{cite:p}`nobody`": 'could not find bibtex key "nobody"',
    "[text](nofile.md)": "'nofile.md'",
    "![](lost.png)": "image file not readable: lost.png",
    "```{nothing}\n```": "Unknown directive type: 'nothing'",
}


def test_a_warning_keeps_the_earlier_book(own):
    before = page(own, "notation")
    with (own / "project/book/notation.md").open("a") as file:
        file.write("\n\n" + "\n\n".join(FAULTS))
    with pytest.raises(PipelineError) as caught:
        build_book(fake.TIER)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("the book was not built: notation.md:")
    assert str(caught.value).endswith("; the earlier book is kept")
    log = (own / "build/cpu/book.log").read_text()
    assert {words: words in log for words in FAULTS.values()} == dict.fromkeys(FAULTS.values(), True)
    assert page(own, "notation") == before
    assert list((own / "build/cpu").glob(".book-*")) == []


def test_a_notebook_outside_the_contents_is_refused(own):
    (own / "project/notebooks/08_more.py").write_text("# ---\n# jupyter: {ntkd: {chapter: a.b}}\n# ---\n")
    with pytest.raises(PipelineError, match=r"^notebook 08_more is not in _toc.yml; add it there$"):
        build_book(fake.TIER)


def test_a_swap_that_was_cut_short_is_mended(own, monkeypatch):
    html = tier_layout(fake.TIER).html
    html.rename(html.with_name(".html-old"))
    monkeypatch.setattr(book.subprocess, "run", refuse)
    assert build_book(fake.TIER).is_file()


def test_a_rerun_gets_a_site_of_its_own(own):
    layout = run_layout(fake.CHAPTER, "0123456789abcdef")
    changed = fake.evidence(standard=False, changed={"epochs": [12, 3]})
    fake.save_evidence(layout.evidence(fake.CHAPTER), changed)
    fake.write_notebook(layout, fake.CHAPTER, "# Rerun\n\nText.", [fake.claim_box(changed)])
    made = build_page(layout, fake.CHAPTER, fake.TIER)
    assert made == layout.html / f"{fake.CHAPTER}.html"
    text = made.read_text(encoding="utf-8")
    assert "Changed parameters: epochs." in text
    assert "parameters differ from the tier&#x27;s (epochs)" in text


def test_the_book_is_checked_without_heavy_imports():
    script = (
        "import sys, ntkd_lib.pipeline.book as b, tests.book.check\n"
        "heavy = {'torch', 'matplotlib', 'pandas', 'sklearn', 'sphinx'} & set(sys.modules)\n"
        "sys.exit(' '.join(heavy) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
