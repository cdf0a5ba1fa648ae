"""Regression on infinitely many filters with all images: against a fit in memory, and what is recorded."""

from pathlib import Path
from typing import Any

import pytest

from ntkd_lib.chapters.classification.methods import SPLIT
from ntkd_lib.chapters.classification.page import LIMIT
from ntkd_lib.chapters.classification.protocols import limit_arms
from ntkd_lib.chapters.classification.studies import infinite_width
from ntkd_lib.chapters.classification.studies.infinite_width import ALL_IMAGES, TRAINED, recorded_limit
from ntkd_lib.chapters.classification.studies.ridge import accuracy_of_fit, choose_ridge
from ntkd_lib.chapters.optical_students.classification_setting import Partition, prepare
from ntkd_lib.data.load import train_validation_split
from ntkd_lib.data.registry import DataLocation, locate
from ntkd_lib.lab import protocols
from ntkd_lib.lab.cells import Record
from ntkd_lib.lab.claims import load_claims
from ntkd_lib.lab.work import Data
from ntkd_lib.ntk import blocked_store
from ntkd_lib.ntk.infinite.convolutional import convolutional_kernels
from ntkd_lib.show.columns import show_recorded

LOCATED = DataLocation("cifar-10", "real", "NTKD_DATA", None, "0" * 64, "")
SMALL = {"count": 200, "fitted": 128, "validated": 52, "block": 64, "rank": 20, "compiled": False, "seed": 0}
HALVED = (8, 16, 32, 64, 128)


@pytest.fixture
def arguments(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, stand_in: None) -> dict[str, Any]:
    """Ask for few of the drawn textures."""
    monkeypatch.setenv("NTKD_BUILD", str(tmp_path / "build"))
    return {"data": Data("cifar-10", locate("cifar-10").sha256), **SMALL}


def test_gives_what_a_fit_in_memory_gives_and_computes_blocks_once(arguments, monkeypatch) -> None:
    values = infinite_width.regress_all(**arguments).values
    setting = prepare(arguments["data"], Partition(**SPLIT, images=200), 0)
    train, labels = setting.train.images[setting.rows], setting.train.labels[setting.rows]
    theta = convolutional_kernels(train, filter_size=7).ntk
    cross = convolutional_kernels(setting.test.images, train, filter_size=7).ntk
    ridge, validation = choose_ridge(theta[:128, :128], labels[:128], theta[128:, :128], labels[128:])
    truth = setting.test.labels
    few = {str(n): accuracy_of_fit(theta[:n, :n], labels[:n], cross[:, :n], truth, ridge) for n in HALVED}
    assert values == {
        "accuracy": accuracy_of_fit(theta, labels, cross, truth, ridge),
        "validation": validation,
        "ridge": ridge,
        "images": 180,
        "few": few,
    }
    assert values["accuracy"] > 2 * 10  # ten classes
    monkeypatch.setattr(blocked_store, "_write", lambda *_: pytest.fail("computed again"))
    assert infinite_width.regress_all(**arguments).values == values


def test_the_registered_protocol_has_all_images_of_the_students() -> None:
    entry = load_claims().protocols["infinite width"]
    arms = limit_arms(entry.parameters, 0, LOCATED.sha256)
    assert arms.keys() == set(entry.metrics)
    cell = arms[ALL_IMAGES].cells[0]
    assert all(arm.cells == (cell,) for arm in arms.values())
    arguments = cell.arguments
    rows, _ = train_validation_split(arguments["count"], SPLIT["seed"], SPLIT["validation"])
    assert len(rows) == TRAINED >= arguments["fitted"] + arguments["validated"]
    assert arguments["fitted"] % arguments["block"] == arguments["validated"] % arguments["block"] == 0
    record = Record("a" * 64, "", {"accuracy": 65.0, "few": {"20480": 60.0, "1280": 40.0}}, {}, {})
    assert arms[ALL_IMAGES].number(record) == 65.0
    assert arms["ntkd.random.cifar10.infinite.images_1280.accuracy"].number(record) == 40.0


def test_what_is_recorded_is_read_back(monkeypatch, tmp_path) -> None:
    limit = recorded_limit()
    assert list(limit["images"]) == [1280, 2560, 5120, 10240, 20480, TRAINED]
    assert limit["accuracy"].is_monotonic_increasing  # more images, more accuracy
    for words in ("45,000", f"{limit['accuracy'].iloc[-1]:.2f} %"):
        assert words in str(show_recorded(limit, LIMIT, "limit"))
    monkeypatch.setattr(protocols, "results_root", lambda: tmp_path)
    assert recorded_limit().empty
    assert "ntkd record --list" in str(show_recorded(recorded_limit(), LIMIT, "limit"))
