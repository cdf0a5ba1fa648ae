"""A small project with two executed notebooks, made by hand: what staging and the book start from."""

import json
import re
import shutil
from types import SimpleNamespace

import matplotlib.pyplot as plt
import pandas as pd

from ntkd_lib.chapters.scoreboard.summary import verdict_counts
from ntkd_lib.lab.atomic import write_bytes
from ntkd_lib.lab.evidence import DataState, Evidence, Metric, save_evidence
from ntkd_lib.lab.layout import tier_layout
from ntkd_lib.lab.manifest import renew_manifest
from ntkd_lib.lab.verdicts import all_verdicts
from ntkd_lib.show.claims import claim_box, count_table
from ntkd_lib.show.publish import show
from ntkd_lib.show.scoreboard import counts_words, draw_counts, paper_table
from tests.setup.project import ROOT, copy_book

CHAPTER, SCOREBOARD = "01_ntkd_classification", "00_scoreboard"
TIER = "cpu"
HOSTILE = "<script>alert('x')</script> ``` {doc}`nowhere`"
SOURCES = ("_config.yml", "_toc.yml", "claims.yml", "constraints.txt")


ANSWERS = "<!-- answers -->\n- No.\n<!-- answers -->\n"  # of a README


def copy_project(root):
    """Copy the book's own sources, and name the two notebooks."""
    root.mkdir(parents=True)
    for name in SOURCES:
        shutil.copyfile(ROOT / name, root / name)
    (root / "README.md").write_text(ANSWERS, encoding="utf-8")
    leave_out_reference(root / "_toc.yml")
    copy_book(root)
    renew_manifest()
    (root / "notebooks").mkdir()
    for name in (CHAPTER, SCOREBOARD):
        package = "scoreboard" if name == SCOREBOARD else "classification"
        header = f"# ---\n# jupyter: {{ntkd: {{chapter: ntkd_lib.chapters.{package}}}}}\n# ---\n"
        (root / "notebooks" / f"{name}.py").write_text(header)


def leave_out_reference(contents):
    """Drop the reference pages from a table of contents: autodoc imports every package in each build."""
    lines = contents.read_text(encoding="utf-8").splitlines(keepends=True)
    contents.write_text("".join(line for line in lines if not re.search(r"api/|sections:", line)))


def evidence(kind="real", **changes):
    """Return evidence in which NTK distillation reproduces, and labels alone do better than the paper's."""
    made = {
        "none": [95.0, 95.1, 95.2, 95.3, 95.4],
        "kd": [96.0, 96.1, 96.2, 96.3, 96.4],
        "ntkd": [97.0, 97.2, 97.3, 97.4, 97.6],
    }
    metrics = {
        f"ntkd.mnist.{name}.accuracy": Metric(
            seeds=[0, 1, 2, 3, 4], values=values, converged=[True] * 5, data=["mnist"], cells=[]
        )
        for name, values in made.items()
    }
    known = {
        "notebook": CHAPTER,
        "tier": TIER,
        "standard": True,
        "changed": {},
        "parameters": {"epochs": 3, "tier": TIER},
        "metrics": metrics,
        "data": {"mnist": DataState(kind=kind, sha256="ab" * 32, source=HOSTILE)},
        "provenance": provenance(),
    }
    return Evidence(**{**known, **changes})


def provenance():
    """Return what a run knows of itself."""
    return {
        "commit": "0123456789abcdef0123456789abcdef01234567",
        "dirty": True,
        "command": f"ntkd run 01 {HOSTILE}",
        "python": "3.11.7",
        "platform": "Linux x86_64",
        "cpu": "A processor",
        "threads": 1,
        "device": "cpu",
        "versions": {"torch": "2.13.0", "torchvision": None},
        "time": "2026-01-02T03:04:05+00:00",
        "seconds": 612.34,
        "peak_memory_mib": 1234.5,
    }


_DRAWN = {}  # figures with their files, by name


def draw_once(run, name, draw, **texts):
    """Publish a figure whose drawing takes seconds; every book but the first gets copies of its files."""
    folder = run.layout.figures(run.notebook)
    if name not in _DRAWN:
        figure = show(run, name, draw, **texts)
        _DRAWN[name] = figure, {path.name: path.read_bytes() for path in folder.glob(f"{name}.*")}
    figure, files = _DRAWN[name]
    for file_name, content in files.items():
        write_bytes(folder / file_name, content)
    return figure


def write_runs(kind="real"):
    """Write executed notebooks, figures and evidence as a run would leave them."""
    layout = tier_layout(TIER)
    found = evidence(kind)
    save_evidence(layout.evidence(CHAPTER), found)
    figure = show(
        SimpleNamespace(notebook=CHAPTER, layout=layout),
        "accuracy",
        draw,
        alt="Accuracy rises with the epochs",
        caption=f"Accuracy, {HOSTILE}",
        data=pd.DataFrame({"epoch": [1, 2], "accuracy": [90.0, 97.0]}),
    )
    text = "# NTK distillation\n\nWith {cite:p}`ntkd`, and $\\Theta = J J^\\top$.\n\n## Claims\n\n$$x^2$$"
    write_notebook(layout, CHAPTER, text, [claim_box(found), figure])
    write_notebook(layout, SCOREBOARD, "# Scoreboard\n\nAll of them.\n\n## Counts", scoreboard(layout))


def scoreboard(layout):
    """Return what the scoreboard shows."""
    verdicts = all_verdicts(TIER)
    counts = verdict_counts(verdicts)
    run = SimpleNamespace(notebook=SCOREBOARD, layout=layout)
    words = {"alt": counts_words(counts), "caption": "Counts", "data": counts}
    figure = show(run, "verdicts-by-paper", lambda: draw_counts(counts), **words)
    papers = [paper_table(paper, verdicts, [CHAPTER]) for paper in ("ntkd", "koopman", "ours")]
    return [count_table(verdicts), figure, *papers]


def draw():
    """Draw a line."""
    figure, axes = plt.subplots()
    axes.plot([1, 2], [90, 97])
    axes.set_xlabel("epoch")
    return figure


def write_notebook(layout, name, text, shown):
    """Write an executed notebook of one Markdown cell and one cell for each thing shown."""
    cells = [{"cell_type": "markdown", "id": "text", "metadata": {}, "source": text}]
    for index, value in enumerate(shown):
        data = {"text/html": value._repr_html_(), "text/plain": "…"}
        output = {"output_type": "execute_result", "data": data, "metadata": {}, "execution_count": index + 1}
        cell = {
            "cell_type": "code",
            "id": f"cell-{index}",
            "source": f"table_{index}",
            "execution_count": index + 1,
        }
        cells.append({**cell, "metadata": {"tags": ["hide-input"]}, "outputs": [output]})
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    content = {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    layout.executed(name).parent.mkdir(parents=True, exist_ok=True)
    layout.executed(name).write_text(json.dumps(content), encoding="utf-8")
    layout.seal(name).write_text("{}", encoding="utf-8")
