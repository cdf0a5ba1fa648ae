"""Both themes are legible, and leave matplotlib as it was."""

import re

import matplotlib as mpl
import pytest

from ntkd_lib.show.style import GRID, INK, STATUS_COLOURS, THEMES, theme
from tests.setup.project import ROOT

PAGE = {"light": "#ffffff", "dark": "#121212"}
CSS = (ROOT / "book/_static/ntkd.css").read_text(encoding="utf-8")


def brightness(colour):
    """Return the relative luminance of a colour, by WCAG 2."""
    linear = [v / 12.92 if v <= 0.03928 else ((v + 0.055) / 1.055) ** 2.4 for v in mpl.colors.to_rgb(colour)]
    return sum(weight * value for weight, value in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one, other):
    low, high = sorted((brightness(one), brightness(other)))
    return (high + 0.05) / (low + 0.05)


def test_contrast_agrees_with_the_extremes():
    assert contrast("#000", "#fff") == pytest.approx(21)
    assert contrast("#777", "#777") == pytest.approx(1)


@pytest.mark.parametrize("name", THEMES)
def test_text_and_marks_stand_out(name):
    assert contrast(INK[name], PAGE[name]) > 7
    assert contrast(GRID[name], PAGE[name]) > 1.3
    assert {status: contrast(c, PAGE[name]) > 3 for status, c in STATUS_COLOURS.items()} == dict.fromkeys(
        STATUS_COLOURS, True
    )


def test_badges_are_legible():
    for status in STATUS_COLOURS:
        found = re.search(rf"\.ntkd-{status.replace(' ', '-')} {{ background: (#[0-9a-f]+); }}", CSS)
        assert found, status
        assert contrast("#fff", found.group(1)) > 4.5


@pytest.mark.parametrize("name", THEMES)
def test_settings_are_restored(name):
    before = dict(mpl.rcParams)
    with theme(name):
        assert mpl.rcParams["text.color"] == INK[name]
        assert mpl.rcParams["svg.hashsalt"] == "ntkd"
        assert mpl.rcParams["axes.facecolor"] == "none"
    assert dict(mpl.rcParams) == before
