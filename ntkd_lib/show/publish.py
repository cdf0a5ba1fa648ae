"""Published figures: two themes, two formats, the data behind them, and accessible HTML."""

import base64
import io
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from ntkd_lib.lab import Layout, sha256_bytes, write_bytes, write_json
from ntkd_lib.show.html import INLINE_IMAGE, Html, element
from ntkd_lib.show.style import THEMES, ThemeName, theme

NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


@runtime_checkable
class HasLayout(Protocol):
    """A run with a notebook and a layout, in which figures are saved."""

    notebook: str
    layout: Layout


@dataclass(frozen=True)
class PublishedFigure:
    """A published figure, shown by Jupyter and the book."""

    name: str
    alt: str
    caption: str
    images: dict[str, bytes] = field(repr=False)

    def _repr_html_(self) -> str:
        caption = element("figcaption", self.caption)
        # The theme hides a caption that directly follows an image of the other theme.
        content = _images(self.images, self.alt)
        return element("figure", content, caption, class_="ntkd-figure", id=f"figure-{self.name}")


def _images(images: Mapping[str, bytes], alt: str, **attributes: object) -> Html:
    shown = (
        element(
            "img",
            src=INLINE_IMAGE + base64.b64encode(images[name]).decode("ascii"),
            alt=alt,
            class_=f"only-{name}",
            style="display:none" if name == "dark" else None,
        )
        for name in THEMES
    )
    return element("div", *shown, class_="ntkd-images", **attributes)


@dataclass(frozen=True)
class Slider:
    """A figure with a frame for each place of a slider, which the page's script moves."""

    figure: PublishedFigure  # what is shown first, and where there is no script
    label: str  # what the slider sets, before its text
    start: str  # text of the frame that is shown first
    frames: Mapping[str, Mapping[str, bytes]] = field(repr=False)  # images by theme, by text

    def _repr_html_(self) -> str:
        figure, texts, start = self.figure, list(self.frames), self.start
        ends = {"min": "0", "max": str(len(texts) - 1), "value": str(texts.index(start))}
        bar = element("input", type="range", autocomplete="off", aria_valuetext=start, **ends)
        label = (f"{self.label} ", bar, element("output", start))
        slider = element("label", *label, class_="ntkd-slide", hidden=True)
        frames = (
            _images(images, f"{figure.alt} {self.label}: {text}.", data_text=text, hidden=text != start)
            for text, images in self.frames.items()
        )
        caption = element("figcaption", figure.caption)
        attributes = {"class_": "ntkd-figure ntkd-slider", "id": f"figure-{figure.name}"}
        return element("figure", slider, *frames, caption, **attributes)


def _check_texts(name: str, alt: str, caption: str) -> None:
    if not NAME.fullmatch(name):
        raise ValueError(f"figure name {name!r} refused: small letters, digits and hyphens are allowed")
    for what, text in (("alt text", alt), ("caption", caption)):
        if not text.strip():
            raise ValueError(f"figure {name!r} has an empty {what}; describe what the figure shows")


def _render(draw: Callable[[], Figure], name: ThemeName, *formats: str, **style: Any) -> dict[str, bytes]:
    style = style or {"transparent": True}
    images = {}
    with theme(name):
        figure = draw()
        try:
            for format_ in formats:
                buffer = io.BytesIO()
                unstable = "Date" if format_ == "svg" else "Software"
                figure.savefig(buffer, format=format_, metadata={unstable: None}, **style)
                images[format_] = buffer.getvalue()
                with plt.rc_context({"figure.constrained_layout.use": False}):
                    figure.set_layout_engine()  # none: the first format placed everything
        finally:
            plt.close(figure)
    return images


def svg_bytes(draw: Callable[[], Figure]) -> bytes:
    """Draw a figure on white, for use outside of the book."""
    return _render(draw, "light", "svg", facecolor="white")["svg"]


def show(
    run: HasLayout, name: str, draw: Callable[[], Figure], *, alt: str, caption: str, data: pd.DataFrame
) -> PublishedFigure:
    """Draw a figure for the light and the dark page, and save it with its data, texts and checksums."""
    _check_texts(name, alt, caption)
    if data.empty:
        raise ValueError(f"figure {name!r} has no data; pass the numbers behind its curves")
    images = {theme_name: _render(draw, theme_name, "svg", "png") for theme_name in THEMES}
    files = {f"{name}.{key}.{format_}": raw for key, both in images.items() for format_, raw in both.items()}
    files[f"{name}.csv"] = data.to_csv(index=False, lineterminator="\n").encode("utf-8")
    folder = run.layout.figures(run.notebook)
    for file_name, raw in files.items():
        write_bytes(folder / file_name, raw)
    checksums = {file_name: sha256_bytes(raw) for file_name, raw in files.items()}
    write_json(folder / f"{name}.json", {"alt": alt, "caption": caption, "name": name, "sha256": checksums})
    return PublishedFigure(name, alt, caption, {key: both["svg"] for key, both in images.items()})


def show_slider(
    run: HasLayout, name: str, label: str, draws: Mapping[str, Callable[[], Figure]], start: str, **words: Any
) -> Slider:
    """Draw one frame for each text of a slider; the first is saved by `show`, with the same words."""
    first = show(run, name, draws[start], **words)
    frames = {
        text: first.images if text == start else {key: _render(draw, key, "svg")["svg"] for key in THEMES}
        for text, draw in draws.items()
    }
    return Slider(first, label, start, frames)
