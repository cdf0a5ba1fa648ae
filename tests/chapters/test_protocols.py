"""Every declared protocol: registered, fair within a seed, and read back from what is committed."""

import numpy as np
import pytest

from ntkd_lib.chapters.classification import page
from ntkd_lib.chapters.classification.studies import teacher_strength
from ntkd_lib.lab import protocols, results_root
from ntkd_lib.lab.claims import load_claims
from ntkd_lib.lab.protocols import Protocol, ProtocolError, protocols_of
from ntkd_lib.pipeline.notebooks import all_notebooks

SHA = "0" * 64
DECLARED = [p for notebook in all_notebooks() for p in protocols_of(notebook.chapter).values()]
SPEED = ("lr", "weight_decay")
OF_THE_LOSS = ("objective", "settings", "soft_labels", "tangent")


@pytest.fixture(params=DECLARED, ids=lambda protocol: protocol.name)
def protocol(request) -> Protocol:
    return request.param


def test_a_protocol_is_registered_and_measures_what_it_registers(protocol) -> None:
    entry = protocol.registered(load_claims())
    try:
        first, other = (protocol.arms(entry.parameters, s, SHA) for s in (entry.seeds[0], entry.seeds[-1]))
    except ProtocolError as error:  # it waits for trials that are registered and not yet recorded
        name, _, words = str(error).partition(": ")
        if words == f"its trials are not recorded yet; run: ntkd search {protocol.notebook[:2]} {name}":
            assert not (results_root() / f"searches/{name}.json").exists()
            return
        before = next(p for p in DECLARED if p.name == name)
        recorded, seeds = protocols.recorded_metrics(before.path.stem), before.registered(load_claims()).seeds
        assert not recorded or any(len(metric.seeds) < len(seeds) for metric in recorded.values())
        return
    covered = [name for name in first if any(_matches(name, pattern) for pattern in entry.metrics)]
    assert list(first) == covered
    assert first.keys() == other.keys()


def _matches(name: str, pattern: str) -> bool:
    return name.startswith(pattern[:-1]) if pattern.endswith(".*") else name == pattern


@pytest.mark.parametrize("name", ["unmatched", "digits-six-epochs"])
def test_compared_arms_of_a_seed_differ_in_their_loss_alone(name) -> None:
    protocol = next(each for each in DECLARED if each.name == name)
    arms = protocol.arms(protocol.registered(load_claims()).parameters, 3, SHA)
    names = ("none", "kd", "ntkd") if name != "unmatched" else ("none", "ntkd")
    for prefix in ("ntkd.cifar10.unmatched", "ntkd.cifar10.labels_point", "ntkd.mnist"):
        group = [arms[f"{prefix}.{n}.accuracy"].cells[0] for n in names if f"{prefix}.{n}.accuracy" in arms]
        alike = [{k: v for k, v in c.arguments.items() if k not in OF_THE_LOSS} for c in group]
        assert all(each == alike[0] for each in alike)
        speeds = [[cell.arguments["schedule"][part] for part in SPEED] for cell in group]
        assert all(each == speeds[0] for each in speeds)
        assert all(cell.arguments["tested"] for cell in group)


def test_committed_recordings_are_read_back(monkeypatch, tmp_path) -> None:
    scores, gaps = page.recorded_scores().set_index("label"), page.recorded_gaps("cifar10")
    assert scores.loc["soft-label KD", "seeds"] == 5
    assert {"KD − labels only", "NTKD − KD, 1 % of labels"} <= set(gaps["label"])
    teachers = teacher_strength.recorded_teachers()
    assert list(teachers["label"]) == ["small residual network", "ResNet-18", "wide residual network"]
    assert list(teacher_strength.recorded_strength()["seeds"]) == [5, 5]
    assert "NTKD − labels only" in set(page.recorded_gaps("mnist")["label"])
    crossed = page.recorded_crossings()
    np.testing.assert_allclose(crossed["first"] - crossed["second"], crossed["mean"])
    monkeypatch.setattr(protocols, "results_root", lambda: tmp_path)
    for read in (
        page.recorded_scores,
        page.recorded_crossings,
        teacher_strength.recorded_teachers,
    ):
        assert read().empty
    assert page.recorded_gaps("mnist").empty
    assert teacher_strength.recorded_strength().empty
