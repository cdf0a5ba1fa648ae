"""A published figure has two themes, its data, its words, and the same bytes each time."""

import csv
import json
import re
from types import SimpleNamespace

import matplotlib as mpl
import matplotlib.pyplot as plt
import pandas as pd
import pytest

from ntkd_lib.lab.digest import sha256_file
from ntkd_lib.lab.layout import Layout
from ntkd_lib.show.publish import show, show_slider

DATA = pd.DataFrame({"x": [1, 2], "y": [0.25, 0.5]})
WORDS = {"alt": "A <line> rises", "caption": "Rising & shining.", "data": DATA}
FILES = {"line.csv", "line.json"} | {f"line.{t}.{f}" for t in ("light", "dark") for f in ("svg", "png")}


def draw():
    figure, axes = plt.subplots()
    axes.plot(DATA["x"], DATA["y"], label="y")
    axes.fill_between(DATA["x"], DATA["y"], alpha=0.3, hatch="//")
    axes.legend()
    return figure


def run_in(folder):
    return SimpleNamespace(notebook="01_line", layout=Layout(folder))


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    folder = tmp_path_factory.mktemp("figures")
    return show(run_in(folder), "line", draw, **WORDS), folder / "figures" / "01_line"


def test_all_files_are_there_with_their_checksums(shown):
    _, folder = shown
    assert {path.name for path in folder.iterdir()} == FILES
    known = json.loads((folder / "line.json").read_text())
    assert (known["alt"], known["caption"]) == (WORDS["alt"], WORDS["caption"])
    assert known["sha256"] == {name: sha256_file(folder / name) for name in FILES - {"line.json"}}


def test_the_data_are_beside_the_figure(shown):
    with (shown[1] / "line.csv").open(newline="") as file:
        assert list(csv.reader(file)) == [["x", "y"], ["1", "0.25"], ["2", "0.5"]]


def test_light_and_dark_differ(shown):
    _, folder = shown
    for format_ in ("svg", "png"):
        assert (folder / f"line.light.{format_}").read_bytes() != (
            folder / f"line.dark.{format_}"
        ).read_bytes()


def test_a_second_time_gives_the_same_bytes(shown, tmp_path):
    _, folder = shown
    show(run_in(tmp_path), "line", draw, **WORDS)
    again = tmp_path / "figures" / "01_line"
    assert {name: sha256_file(again / name) for name in FILES} == {n: sha256_file(folder / n) for n in FILES}


def test_no_date_and_no_path_is_written(shown):
    text = (shown[1] / "line.light.svg").read_text()
    assert "dc:date" not in text
    assert str(shown[1]) not in text


def test_the_page_gets_one_image_for_each_theme_with_its_words(shown):
    html = shown[0]._repr_html_()
    assert html.startswith('<figure class="ntkd-figure" id="figure-line"><div class="ntkd-images">')
    assert html.count('alt="A &lt;line&gt; rises"') == 2
    assert html.count("data:image/svg+xml;base64,") == 2
    assert html.count('class="only-light"') == html.count('class="only-dark"') == 1
    assert html.count('style="display:none"') == 1
    assert html.endswith("<figcaption>Rising &amp; shining.</figcaption></figure>")


def test_the_plain_form_is_short(shown):
    assert len(repr(shown[0])) < 200


def test_figures_are_closed_and_settings_kept(tmp_path):
    plt.close("all")  # of other tests
    before = dict(mpl.rcParams)
    show(run_in(tmp_path), "line", draw, **WORDS)
    assert plt.get_fignums() == []
    assert dict(mpl.rcParams) == before


@pytest.mark.parametrize(
    "name, change, words",
    [
        ("line", {"alt": " "}, r"^figure 'line' has an empty alt text; describe what the figure shows$"),
        ("line", {"caption": ""}, r"^figure 'line' has an empty caption; describe"),
        ("line", {"data": DATA[:0]}, r"^figure 'line' has no data; pass the numbers behind its curves$"),
        ("../line", {}, r"^figure name '../line' refused: small letters, digits and hyphens are allowed$"),
        ("Line", {}, r"^figure name 'Line' refused"),
        ("", {}, r"^figure name '' refused"),
    ],
)
def test_a_figure_without_words_data_or_name_is_refused(tmp_path, name, change, words):
    with pytest.raises(ValueError, match=words):
        show(run_in(tmp_path), name, draw, **{**WORDS, **change})
    assert list(tmp_path.iterdir()) == []


def test_a_slider_has_a_frame_for_each_text_and_shows_that_of_its_start(tmp_path):
    draws = {"weak": draw, "strong": plt.figure}
    slider = show_slider(run_in(tmp_path), "line", "Error", draws, start="weak", **WORDS)
    html = slider._repr_html_()
    assert {path.name for path in (tmp_path / "figures" / "01_line").iterdir()} == FILES
    frames = re.findall(r'<div class="ntkd-images" data-text="(\w+)"( hidden)?>', html)
    assert frames == [("weak", ""), ("strong", " hidden")]
    assert 'type="range" autocomplete="off" aria-valuetext="weak" min="0" max="1" value="0"' in html
    assert html.count("A &lt;line&gt; rises Error: strong.") == 2
    assert re.search(r'<label class="ntkd-slide" hidden>Error <input .*><output>weak</output></label>', html)
