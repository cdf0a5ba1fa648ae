"""Cells with a network that has seen nothing but distilled images."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ntkd_lib.chapters.distilled_ntk.bench import Bench
from ntkd_lib.chapters.distilled_ntk.images import restore_images
from ntkd_lib.chapters.distilled_ntk.network import build_network, logits_of, train_on
from ntkd_lib.chapters.distilled_ntk.scoring import targets_of
from ntkd_lib.lab.cells import CellResult, Record


def train_on_distilled(arguments: Mapping[str, Any], needs: Mapping[str, Record]) -> CellResult:
    """Train a network on distilled images alone, for as many steps as on all, and run its kernel regression.

    Args:
        arguments: What `prepare` takes, and ``epochs`` for all images.
        needs: ``network`` and ``many``: distilled images.

    Returns:
        Rows of `Scores`, method ``distilled base``; accuracies are against the truth, fidelity against the
        network that was trained on all images.
    """
    bench = Bench.open(arguments, needs["network"])
    images, labels = restore_images(needs["many"], bench.device)
    setting = bench.setting
    model = build_network(arguments["data"]).to(bench.device)
    longer = {**arguments, "epochs": max(1, round(arguments["epochs"] * len(setting.labels) / len(labels)))}
    train_on(model, images, labels, setting.held_images, setting.held_labels, longer)
    other = replace(bench, model=model)
    targets = targets_of(logits_of(model, images), labels)
    other.regress("distilled base", images, targets)
    return other.scores.result()
