"""The command `ntkd record`: what is refused, what is run, and what a list says."""

import sys
from types import SimpleNamespace

import pytest
import yaml
from click.testing import CliRunner

from ntkd_lib.lab import record as recorder
from ntkd_lib.lab.cells import CellResult
from ntkd_lib.lab.layout import results_root
from ntkd_lib.lab.protocols import Arm, Protocol, ProtocolError
from ntkd_lib.lab.work import work
from ntkd_lib.pipeline import recording
from ntkd_lib.pipeline.cli import cli
from ntkd_lib.pipeline.workbench import exclusive
from tests.lab.judging import NoAliases, entry
from tests.lab.test_record import BOOK, METRICS


@work()
def measure(seed: int, arm: int) -> CellResult:
    """Return a number that names the call."""
    return CellResult({"accuracy": 10.0 * arm + seed})


def arms(parameters, seed, sha256):
    """Describe two arms of a seed."""
    return {name: Arm((measure.cell(seed=seed, arm=arm),)) for arm, name in enumerate(METRICS)}


def late(parameters, seed, sha256):
    """Wait for trials."""
    raise ProtocolError("its trials are not recorded yet")


PROTOCOLS = {"pair": arms, "pair of arms": arms, "late": late}


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Declare three protocols and a claim that they serve, in a clean checkout."""
    book = {**BOOK, "protocols": dict.fromkeys(PROTOCOLS, BOOK["protocols"]["pair"])}
    book["claims"] = [entry({"kind": "at_least", "threshold": 1}, METRICS[0])]
    (tmp_path / "claims.yml").write_text(yaml.dump(book, Dumper=NoAliases))
    monkeypatch.setenv("NTKD_ROOT", str(tmp_path))
    monkeypatch.setenv("NTKD_BUILD", str(tmp_path / "build"))
    source = SimpleNamespace(name="01_demo", chapter="lab2")
    declared = [Protocol(name, "01_demo", "", arms) for name, arms in PROTOCOLS.items()]
    monkeypatch.setattr(recording, "find_notebook", lambda _: source)
    monkeypatch.setattr(recording, "all_notebooks", lambda: [source])
    monkeypatch.setitem(sys.modules, "lab2", SimpleNamespace())
    monkeypatch.setitem(sys.modules, "lab2.plan", SimpleNamespace(PROTOCOLS=declared))
    monkeypatch.setattr(recorder, "code_state", lambda: {"dirty": False})
    return tmp_path


def call(*words):
    """Run `ntkd record` in this process."""
    return CliRunner().invoke(cli, ["record", *words])


@pytest.mark.parametrize(
    "words",
    [("--seeds", "3"), ("--minutes", "30"), ("--redo", "0"), ("--workers", "1"), ("01", "pair", "--list")],
)
def test_a_list_refuses_what_it_would_ignore(project, words):
    refused = call(*words)
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert refused.stderr == (
        "ntkd: a list takes neither a PROTOCOL nor options; to record, name a NOTEBOOK without --list\n"
    )
    assert call("01", "--list").stdout == call("--list").stdout == call().stdout


def test_a_list_says_what_each_protocol_serves_and_names_it_as_a_shell_reads_it(project):
    call("01", "pair", "--workers", "1", "--seeds", "0,1")
    assert call("--list").stdout.splitlines() == [
        "01 pair: 4 of 8 numbers recorded, about 4 s of one core left; claims: ntkd-demo",
        "01 'pair of arms': 0 of 8 numbers recorded, about 8 s of one core left; claims: ntkd-demo",
        "01 late: its trials are not recorded yet; claims: ntkd-demo",
    ]


def test_a_protocol_that_is_not_named_is_asked_for_with_the_list_to_choose_from(project):
    refused = call("01")
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert refused.stderr == ("ntkd: 01_demo has 3 recorded protocols; choose one of ntkd record 01 --list\n")


@pytest.mark.parametrize("minutes", ["nan", "0", "-1", "soon"])
def test_minutes_are_a_number_above_0(project, minutes):
    refused = call("01", "pair", "--minutes", minutes)
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert refused.stderr.startswith("ntkd: Invalid value for '--minutes': ")
    assert not (project / "results").exists()


def test_one_process_records_a_protocol_and_others_record_other_ones(project):
    with exclusive(results_root() / ".01_pair.lock", "recording pair"):
        refused = call("01", "pair", "--workers", "1")
        other = call("01", "pair of arms", "--workers", "1")
        assert other.exit_code == 0, other.stderr
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert refused.stderr.startswith("ntkd: recording pair is already running (process ")
    done = call("01", "pair", "--workers", "1")
    assert done.exit_code == 0, done.stderr
    assert done.stdout.endswith("results/01_pair.json: 8 of 8 numbers recorded\n")
