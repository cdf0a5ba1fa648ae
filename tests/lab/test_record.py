"""Protocols recorded in pieces: nothing is lost or mixed, and nothing departs from what is registered."""

import json
import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from ntkd_lib.lab import provenance
from ntkd_lib.lab import record as recorder
from ntkd_lib.lab.cells import CellError
from ntkd_lib.lab.claims import load_claims
from ntkd_lib.lab.evidence import DataState, Point, load_evidence
from ntkd_lib.lab.protocols import Arm, NoNumberError, Protocol, ProtocolError, value_of
from ntkd_lib.lab.record import open_recording, record

SEEDS = (0, 1, 2, 3)
PARAMETERS = {"steps": 5, "sleep": 0.0}
STATE = DataState(kind="real", sha256="ab" * 32, source="test")
METRICS = ("ntkd.pair.none", "ntkd.pair.ntkd")
BOOK = {
    "schema_version": 1,
    "claims": [],
    "metrics": {name: {"unit": "percent", "what": f"Accuracy of {name}."} for name in METRICS},
    "protocols": {
        "pair": {
            "registered": "2026-11-28",
            "notebook": "01_demo",
            "tier": "paper",
            "seeds": list(SEEDS),
            "metrics": ["ntkd.pair.*"],
            "parameters": PARAMETERS,
        }
    },
}

DRIVER = """
import sys
from pathlib import Path

from ntkd_lib.lab.record import open_recording, record
from ntkd_lib.lab.store import CellStore
from tests.lab.test_record import STATE, pair

package, folder, sleep = sys.argv[1:4]
recording = open_recording(pair(package, float(sleep)), STATE)
for line in record(recording, CellStore(folder), workers=2):
    print(line)
"""


def pair(package, sleep=0.0):
    """Describe two arms that share a teacher, four seeds each."""
    from ntkd_lib.lab.cells import Cell

    def arms(parameters, seed, sha256):
        work, more = f"{package}.work:square", {"sleep": sleep, "sha256": sha256}
        teacher = Cell("teacher", work, {"x": 99, **more})
        students = {
            name: Cell(f"{name}/{seed}", work, {"x": seed + 10 * arm, **more}, needs={"t": teacher})
            for arm, name in enumerate(METRICS)
        }
        return {name: Arm((cell,), value_of("y")) for name, cell in students.items()}

    return Protocol("pair", "01_demo", "demo", arms)


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Make a project whose contract registers the protocol."""
    root = tmp_path / "project"
    root.mkdir()
    (root / "claims.yml").write_text(yaml.safe_dump(BOOK))
    monkeypatch.setenv("NTKD_ROOT", str(root))
    monkeypatch.setattr(recorder, "code_state", lambda: {"dirty": False})
    return root


def numbers(root):
    """Read what is recorded: values, plateaus and cells of each metric."""
    path = root / "results" / "01_pair.json"
    return {n: (m.seeds, m.values, m.cells) for n, m in load_evidence(path).metrics.items()}


def test_every_number_is_recorded_with_its_origin(project, toy, store):
    recording = open_recording(pair(toy.name), STATE)
    assert (len(recording.left), recording.rows) == (8, {})
    assert record(recording, store, workers=1) == []
    evidence = load_evidence(project / "results" / "01_pair.json")
    assert evidence.metrics[METRICS[1]].values == [100, 121, 144, 169]
    assert evidence.metrics[METRICS[0]].machines == [provenance.machine_kind()] * 4
    assert evidence.protocol == "pair"
    assert evidence.parameters == {"tier": "paper", **PARAMETERS}
    book = load_claims()
    assert evidence.definitions == {name: book.metrics[name].digest for name in METRICS}
    assert evidence.origins.keys() == {key for metric in evidence.metrics.values() for key in metric.cells}
    assert open_recording(pair(toy.name), STATE).left == []


def test_a_series_is_recorded_seed_by_seed(project, toy, store):
    def line(record):
        return [Point(x=0.0, y=1.0), Point(x=2.0, y=record.values["y"])]

    protocol = pair(toy.name)

    def arms(*of):
        return {name: replace(arm, number=line) for name, arm in protocol.arms(*of).items()}

    assert record(open_recording(replace(protocol, arms=arms), STATE), store, workers=1) == []
    metric = load_evidence(project / "results" / "01_pair.json").metrics[METRICS[1]]
    assert (metric.values, metric.seeds) == (None, [*SEEDS])
    assert [points[-1].y for points in metric.series] == [100, 121, 144, 169]
    assert open_recording(replace(protocol, arms=arms), STATE).left == []


def test_cells_of_one_name_and_different_content_are_refused_not_dropped(project, toy, store):
    protocol = pair(toy.name)

    def clash(parameters, seed, sha256):
        arms = protocol.arms(parameters, seed, sha256)
        return {n: replace(arm, cells=(replace(arm.cells[0], name=n),)) for n, arm in arms.items()}

    recording = open_recording(replace(protocol, arms=clash), STATE)
    with pytest.raises(CellError, match="two cells with different content have this name"):
        record(recording, store, workers=1)


def test_pieces_add_up_to_the_whole_run(project, toy, store):
    whole = open_recording(pair(toy.name), STATE)
    record(whole, store, workers=1)
    expected = numbers(project)
    (project / "results" / "01_pair.json").unlink()
    for piece in ([3], [0, 2], []):
        record(open_recording(pair(toy.name), STATE), type(store)(store.root / "x"), seeds=piece, workers=1)
    assert numbers(project) == expected


def test_no_cell_is_started_that_would_not_end_in_time(project, toy, store):
    record(open_recording(pair(toy.name), STATE), store, minutes=1e-9, workers=1)
    assert not (project / "results" / "01_pair.json").exists()


def start(toy, root, store, tmp_path, sleep):
    script = tmp_path / "driver.py"
    script.write_text(textwrap.dedent(DRIVER))
    here = Path(__file__).resolve().parents[2]
    paths = os.pathsep.join([str(here), str(toy.root)])
    environment = {**os.environ, "NTKD_ROOT": str(root), "PYTHONPATH": paths}
    command = [sys.executable, str(script), toy.name, str(store), str(sleep)]
    return subprocess.Popen(command, env=environment, start_new_session=True)


def recorded_count(root):
    path = root / "results" / "01_pair.json"
    return (
        sum(len(m["seeds"]) for m in json.loads(path.read_text())["metrics"].values()) if path.exists() else 0
    )


def commit(root):
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@t", "-C", str(root)]
    subprocess.run([*git, "add", "-A"], check=True)
    subprocess.run([*git, "commit", "-qm", "a piece", "--allow-empty"], check=True)


@pytest.mark.slow
def test_killed_at_five_moments_and_continued_in_a_fresh_clone_gives_the_undisturbed_numbers(
    project, toy, tmp_path
):
    subprocess.run(["git", "-C", str(project), "init", "-q"], check=True)
    commit(project)
    assert start(toy, project, tmp_path / "calm", tmp_path, 0.4).wait(120) == 0
    expected = numbers(project)
    (project / "results" / "01_pair.json").unlink()
    draw, root, before = random.Random(4), project, 0
    for number in range(5):
        process = start(toy, root, tmp_path / f"store{number}", tmp_path, 0.4)
        deadline = time.monotonic() + 60
        while recorded_count(root) <= before and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.3 * draw.random())
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        before = recorded_count(root)
        commit(root)
        clone = tmp_path / f"clone{number}"
        subprocess.run(["git", "clone", "-q", str(root), str(clone)], check=True)
        root = clone
        assert recorded_count(root) == before >= min(number + 1, 8)  # each piece has added what it finished
    assert start(toy, root, tmp_path / "last", tmp_path, 0.4).wait(120) == 0
    assert numbers(root) == expected


def test_a_seed_begun_on_another_machine_is_run_again_whole(project, toy, store, monkeypatch):
    first = open_recording(pair(toy.name), STATE)
    only = {place: arm for place, arm in first.arms.items() if place != (METRICS[1], 2)}
    record(replace(first, arms=only), store, workers=1)
    monkeypatch.setattr(recorder, "machine_kind", lambda: "elsewhere")
    lines = record(open_recording(pair(toy.name), STATE), store, workers=1)
    assert lines == ["seed 2 was begun with another machine; run it again whole: --redo 2"]
    with pytest.raises(ProtocolError, match=f"^{lines[0]}$"):
        record(open_recording(pair(toy.name), STATE), store, seeds=[2, 3], workers=1)
    assert numbers(project)[METRICS[1]][0] == [0, 1, 3]
    assert record(open_recording(pair(toy.name), STATE), store, redo=[2], workers=1) == []
    assert numbers(project)[METRICS[1]][0] == [0, 1, 2, 3]


def test_a_seed_that_is_run_again_keeps_its_numbers_until_the_first_new_one(project, toy, store):
    record(open_recording(pair(toy.name), STATE), store, seeds=[0, 1, 3], workers=1)
    before = numbers(project)
    record(open_recording(pair(toy.name), STATE), store, redo=[3], minutes=1e-9, workers=1)
    toy.edit("work.py", 'arguments["x"] ** 2', 'arguments["x"] ** 2 + 0')
    record(open_recording(pair(toy.name), STATE), store, redo=[3], minutes=1e-9, workers=1)
    assert numbers(project) == before  # no cell ends in time
    record(open_recording(pair(toy.name), STATE), store, seeds=[2], redo=[3], workers=1)
    for name, (seeds, values, cells) in numbers(project).items():
        assert (seeds, values[:2], cells[:2]) == ([0, 1, 2, 3], before[name][1][:2], before[name][2][:2])
        assert (values[3], cells[3] != before[name][2][2]) == (before[name][1][2], True)


def test_the_first_new_number_of_a_seed_takes_the_place_of_all_earlier_ones(project, toy, store):
    record(open_recording(pair(toy.name), STATE), store, workers=1)
    again = open_recording(pair(toy.name), STATE)
    only = {place: arm for place, arm in again.arms.items() if place != (METRICS[1], 3)}
    again = replace(again, arms=only)
    record(again, store, redo=[3], workers=1)
    assert [numbers(project)[name][0] for name in METRICS] == [[0, 1, 2, 3], [0, 1, 2]]
    assert again.left == []


def test_an_arm_without_a_number_is_named_and_stays_open(project, toy, store):
    def missing(record):
        raise NoNumberError("30 dB is not reached")

    first = open_recording(pair(toy.name), STATE)
    place = (METRICS[1], 2)
    arms = {**first.arms, place: replace(first.arms[place], number=missing)}
    recording = replace(first, arms=arms)
    assert record(recording, store, workers=1) == [f"{METRICS[1]}, seed 2: 30 dB is not reached"]
    assert numbers(project)[METRICS[1]][0] == [0, 1, 3]
    assert recording.left == [place]


@pytest.mark.parametrize("number", [lambda _: 1 / 0, lambda _: float("nan")], ids=["by zero", "NaN"])
def test_an_arm_whose_number_fails_leaves_the_others_recorded(project, toy, store, number):
    first = open_recording(pair(toy.name), STATE)
    place = (METRICS[1], 2)
    arms = {**first.arms, place: replace(first.arms[place], number=number)}
    (problem,) = record(replace(first, arms=arms), store, workers=1)
    assert problem.startswith(f"{METRICS[1]}, seed 2: ")
    assert numbers(project)[METRICS[1]][0] == [0, 1, 3]


def test_arms_of_a_higher_rank_run_last(project, toy, store, monkeypatch):
    first = open_recording(pair(toy.name), STATE)
    arms = {place: replace(arm, rank=int(place[0] == METRICS[0])) for place, arm in first.arms.items()}
    order = []
    monkeypatch.setattr(recorder.Recording, "add", lambda self, place, records: order.append(place))
    record(replace(first, arms=arms), store, workers=1)
    assert order == [(name, seed) for name in METRICS[::-1] for seed in SEEDS]


def test_a_seed_begun_with_other_code_is_run_again_whole(project, toy, store):
    first = open_recording(pair(toy.name), STATE)
    only = {place: arm for place, arm in first.arms.items() if place != (METRICS[1], 2)}
    record(replace(first, arms=only), store, workers=1)
    toy.edit("work.py", 'arguments["x"] ** 2', 'arguments["x"] ** 2 + 0')
    lines = record(open_recording(pair(toy.name), STATE), store, workers=1)
    assert lines == ["seed 2 was begun with other code or data; run it again whole: --redo 2"]


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"notebook": "02_demo"}, "protocol pair is registered for notebook 01_demo"),
        ({"name": "other"}, "protocol other is not registered under protocols in claims.yml"),
    ],
)
def test_a_protocol_that_is_not_registered_is_refused(project, toy, change, line):
    with pytest.raises(ProtocolError, match=line):
        open_recording(replace(pair(toy.name), **change), STATE)


def test_evidence_of_other_parameters_is_not_added_to(project, toy, store):
    record(open_recording(pair(toy.name), STATE), store, workers=1)
    book = json.loads(json.dumps(BOOK))
    book["protocols"]["pair"]["parameters"]["steps"] = 6
    (project / "claims.yml").write_text(yaml.safe_dump(book))
    with pytest.raises(ProtocolError, match="holds other parameters than are registered"):
        open_recording(pair(toy.name), STATE)


@pytest.mark.parametrize("dirty", [True, None])  # None: without git, or if it takes too long
def test_uncommitted_changes_are_refused(project, toy, store, monkeypatch, dirty):
    monkeypatch.setattr(recorder, "code_state", lambda: {"dirty": dirty})
    with pytest.raises(ProtocolError, match="without uncommitted changes"):
        record(open_recording(pair(toy.name), STATE), store)
