"""The contract's metrics of notebook 07 at the paper's size, from made-up curves."""

from dataclasses import replace

import pytest

from ntkd_lib.chapters.nint import NOTEBOOK, plan
from ntkd_lib.chapters.nint.parameters import NintParameters
from ntkd_lib.chapters.nint.studies import full_size
from ntkd_lib.chapters.nint.work import race
from ntkd_lib.chapters.run import Run
from ntkd_lib.lab.cells import Record
from ntkd_lib.lab.claims import load_claims
from ntkd_lib.lab.layout import tier_layout
from ntkd_lib.lab.parameters import load_parameters
from ntkd_lib.lab.work import Data

STEPS = [0, 500, 1000, 2000, 3000, 5000]
EARLY = [10.0, 31.0, 36.0, 38.0, 39.0, 40.0]
LATE = [10.0, 28.0, 35.0, 37.0, 38.0, 39.9]
SIGNALS = {"signals": Data("signals", "0" * 64)}
BEHIND = [value - 1 for value in EARLY]


def curve(quality, steps=STEPS):
    return {"step": steps, "cpu": steps, "wall": steps, "quality": quality, "stopped": ""}


@pytest.fixture
def run():
    """A run of the paper's size: uniform sampling is a decibel behind, full batch later."""
    parameters = load_parameters(NintParameters, NOTEBOOK, "paper", {"seeds": [0, 1]})
    special = {"full": LATE, "uniform": BEHIND}
    curves = {name: curve(special.get(name, EARLY)) for name in plan.RACE}
    cells = plan.plan(parameters, SIGNALS)
    records = {
        cell.name: Record(f"{number:064x}", cell.name, {"curves": curves}, {}, {"seconds": 1.0})
        for number, cell in enumerate(cells)
    }
    return Run(NOTEBOOK, parameters, records, {}, tier_layout("paper"), {}, tuple(cells))


def replace_curves(run, curves, **labels):
    """Put other curves into the records of the races on other architectures with these labels."""
    for record in run.select(race, study="architectures", **labels):
        run.records[record.name] = replace(record, values={"curves": curves})


def test_the_papers_size_has_the_metrics_of_the_claims_that_no_protocol_serves(run):
    book = load_claims()
    claims = [c for c in book.claims if c.notebook == NOTEBOOK and c.tier == "paper" and not c.replacement]
    served = {prefix.removesuffix("*") for each in book.protocols.values() for prefix in each.metrics}
    names = {name for claim in claims for name in claim.metric_names}
    assert set(full_size.metrics(run)) == {name for name in names if not name.startswith(tuple(served))}


def test_gain_on_crops_is_the_difference_after_1000_steps(run):
    assert full_size.metrics(run)["nint.crop256.nint.gain_over_uniform_1000"].values == [1.0, 1.0]


def test_the_least_saving_counts_every_architecture(run):
    # to 25 dB NINT takes 500 * 15 / 21 steps, full batch 500 * 15 / 18
    assert full_size.metrics(run)["nint.arch.time_saving_min"].values == pytest.approx([100 / 7] * 2)
    same = {"nint": curve(LATE), "full": curve(LATE)}
    replace_curves(run, same, network="wire", seed=1)
    assert full_size.metrics(run)["nint.arch.time_saving_min"].values == pytest.approx([100 / 7, 0.0])


def test_an_architecture_that_misses_the_target_gives_no_saving(run):
    low = curve([10.0, 20.0], [0, 5000])
    replace_curves(run, {"nint": low, "full": low}, network="wire", seed=1, subject="div2k-512-01")
    assert "nint.arch.time_saving_min" not in full_size.metrics(run)


def test_crops_and_architectures_are_raced_at_the_papers_size_alone():
    parameters = load_parameters(NintParameters, NOTEBOOK, "paper", {"seeds": [0]})
    cells = full_size.cells(parameters, SIGNALS["signals"])
    crops = [cell.arguments for cell in cells if cell.labels["study"] == "crops"]
    assert [crop["subject"]["name"] for crop in crops] == list(full_size.IMAGES)
    for crop in crops:
        assert (crop["subject"]["kind"], crop["subject"]["size"], crop["steps"]) == ("crop", 256, 1000)
        assert crop["network"] == {"name": "siren", "width": 256, "hidden": 4}
    others = [cell.arguments for cell in cells if cell.labels["study"] == "architectures"]
    assert {(other["network"]["name"], other["steps"]) for other in others} == {("ffn", 5000), ("wire", 5000)}
    assert full_size.cells(NintParameters(), SIGNALS["signals"]) == []
