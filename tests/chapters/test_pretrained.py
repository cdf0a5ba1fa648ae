"""The protocol on a network that was trained elsewhere, on a tiny stand-in for network and pictures."""

import pytest
import torch

from ntkd_lib.chapters.distilled import protocols, work
from ntkd_lib.chapters.distilled.studies import pretrained
from ntkd_lib.chapters.run import locate_data, with_needs
from ntkd_lib.data import registry, standins
from ntkd_lib.lab.cells import Record
from ntkd_lib.lab.claims import load_claims
from ntkd_lib.lab.execute import run_cells
from ntkd_lib.lab.store import CellStore
from ntkd_lib.nets.two_convolutions import compact_cnn
from ntkd_lib.ntk.empirical import empirical_ntk

TINY = {"images": 160, "tests": 12, "device": "cpu", "distilled": 50, "distil_steps": 1, "rank_points": 3}
TINY |= {"rank_steps": 1, "label_ridge": 1e-2, "projection": 256, "draws": [0, 1]}


class Chain(torch.nn.Sequential):
    """A small network in four parts."""

    def chain(self):
        """List its parts."""
        return [self[:3], self[3:7], self[7:9], self[9:]]


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """Let Imagenette be drawn pictures of 32 x 32 pixels, and the published network a small one."""
    drawn = standins.draw_textures(1000)
    monkeypatch.setitem(standins._MAKERS, "imagenette", lambda: drawn)
    monkeypatch.delenv("NTKD_DATA", raising=False)
    monkeypatch.delenv("DATA", raising=False)
    monkeypatch.setenv("NTKD_CACHE", str(tmp_path / "cache"))
    standins.standin.cache_clear()
    registry.forget()
    torch.manual_seed(0)
    network = Chain(*compact_cnn(3, 32, filters=(4, 6), hidden=20)).eval()
    monkeypatch.setattr(work, "pretrained_efficientnet_lite0", lambda classes: network)
    monkeypatch.setattr(pretrained, "RANK_POINTS", 3)
    monkeypatch.setattr(pretrained, "PARTS", 4)
    yield locate_data("imagenette")["imagenette"].sha256
    standins.standin.cache_clear()
    registry.forget()


@pytest.mark.slow
def test_every_metric_of_the_protocol_is_read_from_cells_that_run(tiny, tmp_path) -> None:
    arms = {seed: protocols.pretrained_arms(TINY, seed, tiny) for seed in TINY["draws"]}
    cells = with_needs(cell for each in arms.values() for arm in each.values() for cell in arm.cells)
    records = run_cells(cells, CellStore(tmp_path / "cells"), workers=1, progress="none")
    values = {
        name: [
            each[name].number(*(records[cell.name] for cell in each[name].cells)) for each in arms.values()
        ]
        for name in arms[0]
    }
    promised = {name for name in load_claims().metrics if name.startswith("dntk.pretrained.")}
    assert promised <= values.keys()
    assert all(0 <= value <= 100 for name, pair in values.items() if "fidelity" in name for value in pair)
    assert values["dntk.pretrained.exact.accuracy"][0] == values["dntk.pretrained.exact.accuracy"][1]

    exact = next(records[cell.name] for cell in cells if cell.work == pretrained.exact_of_parts.path)
    split = work.load_split(
        locate_data("imagenette")["imagenette"], 1, work.ImageSource(160, 12, shared=True)
    )
    images = torch.cat([split.images, split.test_images])[150:]
    theta = empirical_ntk(work.restore_published("cpu"), images, kind="per_class")
    assert torch.allclose(torch.tensor(exact.arrays["theta"])[:, 150:, 150:], theta, rtol=1e-4, atol=1e-6)


def test_the_best_selection_is_the_best_on_average_and_not_per_seed() -> None:
    def record(**levels: float) -> Record:
        rows = [
            {"method": rule, "size": size, "target": "logits", "fidelity": levels.get(rule, 0.0)}
            for rule in protocols.SELECTIONS
            for size in protocols.COUNTS
        ]
        return Record("", "", {"rows": rows}, {}, {})

    pair = (record(leverage=90.0), record(leverage=10.0, **{"farthest points": 60.0}))
    assert protocols.best_selection(pair) == [90.0, 10.0]
