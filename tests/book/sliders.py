"""Sliders of an open page, moved by keys."""

from __future__ import annotations

from collections.abc import Iterator

from tests.book.browser import Browser

COUNT = "document.querySelectorAll('.ntkd-slider').length"
FOCUS = """(() => { const input = document.querySelectorAll('.ntkd-slider')[PLACE].querySelector('input');
  input.focus(); return Number(input.max); })()"""
SHOWN = """(() => { const figure = document.querySelectorAll('.ntkd-slider')[PLACE];
  const input = figure.querySelector('input'), output = figure.querySelector('output');
  const frames = [...figure.querySelectorAll('.ntkd-images')];
  const texts = frames.filter(frame => !frame.hidden).map(frame => frame.dataset.text);
  const told = new Set([...texts, input.getAttribute('aria-valuetext'), output.value]);
  const ring = document.activeElement === input && getComputedStyle(input).outlineStyle !== 'none';
  return [frames.findIndex(frame => !frame.hidden), texts.length === 1 && told.size === 1, ring]; })()"""


def slider_problems(browser: Browser) -> Iterator[str]:
    """Move each slider of the open page by keys: one frame is shown and told, and a ring shows the focus."""
    for place in map(str, range(browser.evaluate(COUNT))):
        last = browser.evaluate(FOCUS.replace("PLACE", place))
        for key, frame in {"End": last, "ArrowLeft": last - 1, "Home": 0, "ArrowRight": 1}.items():
            browser.press(key)
            seen = browser.evaluate(SHOWN.replace("PLACE", place))
            if seen != [frame, True, True]:
                yield f"slider {place}: after {key} frame, text, focus are {seen}, not {[frame, True, True]}"
