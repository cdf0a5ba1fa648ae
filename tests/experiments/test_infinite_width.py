"""Regression on infinitely many filters with all images: against a fit in memory, and what is recorded."""

from pathlib import Path
from typing import Any

import pytest

from ntkd_lib.data.load import train_validation_split
from ntkd_lib.data.registry import Located, forget, locate
from ntkd_lib.experiments.ntkd_colour.setting import SPLIT_SEED, VALIDATION_SHARE, prepare
from ntkd_lib.experiments.ntkd_controls import many_images, record_limit
from ntkd_lib.experiments.ntkd_controls.recorded import recorded_limit
from ntkd_lib.experiments.ntkd_controls.regression import choose, hits
from ntkd_lib.figures.ntkd_controls import limit_table
from ntkd_lib.lab.cells import Record
from ntkd_lib.lab.claims import load_claims
from ntkd_lib.lab.verdicts import judge
from ntkd_lib.ntk import blocked_store
from ntkd_lib.ntk.infinite.convolutional import convolutional_kernels

LOCATED = Located("cifar-10", "real", "NTKD_DATA", None, "0" * 64, "")
SMALL = {"images": 200, "fitted": 128, "validated": 52, "block": 64, "rank": 20, "compiled": False, "seed": 0}
HALVED = (8, 16, 32, 64, 128)


@pytest.fixture
def arguments(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    """Ask for few of the drawn textures, whatever this machine has."""
    monkeypatch.delenv("NTKD_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("NTKD_BUILD", str(tmp_path / "build"))
    forget()
    yield {"data": "cifar-10", "sha256": locate("cifar-10").sha256, **SMALL}
    forget()


def test_gives_what_a_fit_in_memory_gives_and_computes_blocks_once(arguments, monkeypatch) -> None:
    found = many_images.regress(arguments, {}).values
    setting = prepare({**arguments, "device": "cpu"})
    train, labels = setting.train.images[setting.rows], setting.train.labels[setting.rows]
    theta = convolutional_kernels(train, filter_size=7).ntk
    cross = convolutional_kernels(setting.test.images, train, filter_size=7).ntk
    chosen = choose(theta[:128, :128], labels[:128], theta[128:, :128], labels[128:])
    truth = setting.test.labels
    few = {str(n): hits(theta[:n, :n], labels[:n], cross[:, :n], truth, chosen.ridge) for n in HALVED}
    assert found == {
        "accuracy": hits(theta, labels, cross, truth, chosen.ridge),
        "validation": chosen.validation,
        "ridge": chosen.ridge,
        "images": 180,
        "few": few,
    }
    assert found["accuracy"] > 2 * 10  # ten classes
    monkeypatch.setattr(blocked_store, "_write", lambda *_: pytest.fail("computed again"))
    assert many_images.regress(arguments, {}).values == found


def test_record_is_no_verdict_on_the_claim_for_it_leaves_images_out() -> None:
    claim = next(claim for claim in load_claims().claims if claim.metric_names == (record_limit.METRIC,))
    record = Record("a" * 64, "", {"accuracy": 65.0, "few": {"8": 10.0}}, {}, {"seconds": 1.0})
    found = record_limit.metrics(record)
    protocol = {**record_limit.PROTOCOL, "trained_images": record_limit.TRAINED}
    verdict = judge(claim, [record_limit.RECORDING.evidence(LOCATED, protocol, found, 1.0)])
    assert verdict.reason == "protocol: trained_images is 45000, allowed: 50000"
    assert verdict.value == 65.0


def test_what_is_recorded_is_read_back(monkeypatch, tmp_path) -> None:
    monkeypatch.setattr("ntkd_lib.experiments.recording.results_root", lambda: tmp_path)
    assert recorded_limit() == {}
    assert "ntkd_controls.record_limit" in str(limit_table(recorded_limit(), 67.33))
    values = {"accuracy": 65.0, "few": {"20480": 60.0, "1280": 40.0}}
    found = record_limit.metrics(Record("a" * 64, "", values, {}, {"seconds": 1.0}))
    record_limit.RECORDING.save(record_limit.RECORDING.evidence(LOCATED, record_limit.PROTOCOL, found, 1.0))
    assert list(recorded_limit().items()) == [(1280, 40.0), (20480, 60.0), (45000, 65.0)]
    for words in ("45,000", "65.00 %", "67.33 %"):
        assert words in str(limit_table(recorded_limit(), 67.33))


def test_cell_has_all_images_of_the_students() -> None:
    arguments = record_limit.limit_cell(LOCATED).arguments
    assert arguments["images"] == 50_000
    assert arguments["fitted"] + arguments["validated"] <= record_limit.TRAINED
    rows, _ = train_validation_split(50_000, SPLIT_SEED, VALIDATION_SHARE)
    assert len(rows) == record_limit.TRAINED
    assert arguments["fitted"] % arguments["block"] == arguments["validated"] % arguments["block"] == 0
