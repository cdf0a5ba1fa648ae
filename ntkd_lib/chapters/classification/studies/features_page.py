"""Figures of students of colour images: features in the plane, confusions, and filters."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from sklearn.metrics import confusion_matrix

from ntkd_lib.chapters.classification.methods import TRANSFERS
from ntkd_lib.chapters.classification.studies.features import embedding
from ntkd_lib.chapters.optical_students.classification import student
from ntkd_lib.chapters.run import Run
from ntkd_lib.data.load import load
from ntkd_lib.lab.cells import Record
from ntkd_lib.show.numbers import MINUS

AXES = ("filter", "colour", "row", "column")  # of filters
LABELS = {"none": "labels only", "kd": "KD", "ntkd": "NTKD"}


def first_record(run: Run, data: str, method: str) -> Record:
    """Look up the record of a student with all labels, first seed."""
    return run.select(student, data=data, question="main", method=method, label_share=1)[0]


def plane(run: Run) -> pd.DataFrame:
    """List the places of test images in the plane of their features, first seed."""
    arrays = run.select(embedding)[0].arrays
    classes = np.array(load(run.parameters.colour, "test").classes)[arrays["labels"]]
    return pd.concat(
        pd.DataFrame({"method": LABELS[m], "class": classes, "x": arrays[m][:, 0], "y": arrays[m][:, 1]})
        for m in TRANSFERS
    )


def confusions(run: Run) -> pd.DataFrame:
    """Count the predicted classes of test images of each class, first seed."""
    data = run.parameters.colour
    test = load(data, "test")
    true, guessed = (pd.Index(test.classes, name=name) for name in ("true", "guessed"))
    tables = {}
    for method in TRANSFERS:
        guesses = first_record(run, data, method).arrays["guesses"]
        truth, labels = test.labels[: len(guesses)].numpy(), range(len(test.classes))
        shares = 100 * confusion_matrix(truth, guesses, labels=labels, normalize="true")
        tables[LABELS[method]] = pd.DataFrame(shares, true, guessed).stack()
    return pd.concat(tables, names=["method"]).rename("share").reset_index()


def draw_plane(table: pd.DataFrame) -> Figure:
    """Draw the plane of the features of test images, a panel per student, a colour per class."""
    methods, classes = (list(dict.fromkeys(table[name])) for name in ("method", "class"))
    figure, panels = plt.subplots(1, len(methods), figsize=(7.2, 3.4))
    for axes, method in zip(panels, methods, strict=True):
        part = table[table["method"] == method]
        for colour, name in zip(sns.color_palette("tab10"), sorted(classes), strict=False):
            points = part[part["class"] == name]
            axes.scatter(points["x"], points["y"], s=6, color=colour, linewidth=0, label=name)
        axes.set(xticks=[], yticks=[], title=method)
        axes.grid(visible=False)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=5, markerscale=2.5, fontsize=9)
    return figure


def draw_confusions(shares: pd.DataFrame) -> Figure:
    """Draw confusion matrices, a panel per student."""
    methods, classes = (list(dict.fromkeys(shares[name])) for name in ("method", "true"))
    figure, panels = plt.subplots(1, len(methods), figsize=(7.2, 3.4))
    for axes, method in zip(panels, methods, strict=True):
        part = shares[shares["method"] == method].pivot(index="true", columns="guessed", values="share")
        drawn = axes.imshow(part.loc[classes, classes], cmap="viridis", vmin=0, vmax=100)
        axes.set_title(method)
        axes.set_xticks(range(len(classes)), classes, rotation=90, fontsize=8)
        axes.set_yticks(range(len(classes)), classes if axes is panels[0] else [], fontsize=8)
        axes.grid(visible=False)
    panels[0].set(ylabel="true class", xlabel="taken for")
    figure.colorbar(drawn, ax=list(panels), shrink=0.6, label="% of the true class")
    return figure


def draw_filters(filters: np.ndarray) -> Figure:
    """Draw the first eight signed filters and the non-negative PSF pairs that realise them."""
    peak = np.abs(filters).max(axis=(0, 2, 3), keepdims=True)
    unit = (filters / peak).transpose(0, 2, 3, 1)[:8]
    grey = unit.shape[-1] == 1
    psfs = {"PSF +": np.maximum(unit, 0), f"PSF {MINUS}": np.maximum(-unit, 0)}
    rows = {"filter": unit if grey else (unit + 1) / 2, **psfs}
    figure, panels = plt.subplots(3, len(unit), figsize=(7.2, 3.2))
    for line, (name, images) in zip(panels, rows.items(), strict=True):
        signed = grey and name == "filter"
        scale = {"cmap": "RdBu_r" if signed else "viridis", "vmin": -1 if signed else 0, "vmax": 1}
        for axes, image in zip(line, images, strict=True):
            drawn = axes.imshow(image, **scale)
            axes.set(xticks=[], yticks=[])
            axes.grid(visible=False)
        line[0].set_ylabel(name)
        if grey:
            figure.colorbar(drawn, ax=list(line), shrink=0.8)
    return figure
