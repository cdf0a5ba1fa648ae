"""The command line: one line for an error, and exit codes that say what happened."""

import threading
import time
import urllib.request
from types import SimpleNamespace

import click
import pytest
from click.testing import CliRunner

from ntkd_lib.data import report
from ntkd_lib.pipeline import doctor
from ntkd_lib.pipeline.cli import OneLineGroup, cli, gathered
from ntkd_lib.pipeline.doctor import Finding, examine, read_pins
from ntkd_lib.pipeline.errors import PipelineError
from ntkd_lib.pipeline.notebooks import find_notebook, target_of
from ntkd_lib.pipeline.run import run_target
from ntkd_lib.pipeline.serve import book_server
from tests.pipeline.toy import NAME


def call(*words):
    """Run a command in this process."""
    return CliRunner().invoke(cli, list(words))


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("run", "91"), f"unknown notebook '91': there are {NAME}"),
        (("run", "toy_90"), f"unknown notebook 'toy_90': there are {NAME}; did you mean '{NAME}'?"),
        (("run", "90", "-p", "rate"), "'rate' has no value; allowed: NAME=VALUE, such as seeds=[0,1,2]"),
    ],
)
def test_a_refusal_is_one_line(inside, words, line):
    result = call(*words)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(f"ntkd: {line}")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("rum",), "No such command 'rum'"),
        (("run",), "Missing argument 'NOTEBOOK'"),
        (("run", "90", "--tier", "gpu"), "Invalid value for '--tier': 'gpu' is not one of"),
        (("run", "90", "--workers", "0"), "Invalid value for '--workers'"),
        (("run", "90", "-p", "rate=0.1", "-p", "rate=0.2"), "-p rate is given twice"),
        (
            ("verify", "--contract", "nowhere.yml"),
            "Invalid value for '--contract': File 'nowhere.yml' does not exist",
        ),
    ],
)
def test_a_wrong_command_line_is_one_line(inside, words, line):
    result = call(*words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"ntkd: {line}")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("command", [("run", "90", "--tier", "smoke"), ("reproduce", "--tier", "smoke")])
@pytest.mark.parametrize("address", ["nonsense", "tcp://127.0.0.1:1", "http://127.0.0.1:1"])
def test_a_scheduler_that_is_not_there_is_one_line_before_any_work(inside, command, address):
    start = time.monotonic()
    result = call(*command, "--scheduler", address)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("ntkd: scheduler ")
    assert time.monotonic() - start < 20  # a Dask client would wait for 30


@pytest.mark.parametrize("words", [("book",), ("run", "01"), ("params", "01"), ("reproduce",), ("verify",)])
def test_without_a_checkout_one_line_says_what_is_needed(tmp_path, monkeypatch, words):
    monkeypatch.setenv("NTKD_ROOT", str(tmp_path / "site-packages"))
    result = call(*words)
    assert result.exit_code == 1
    assert result.stderr == (
        f"ntkd: there is no checkout of the project in {tmp_path}/site-packages: "
        "work in one, or name it in NTKD_ROOT\n"
    )


@pytest.mark.parametrize("words", [(), ("--debug",), ("--help",)])
def test_help_lists_the_commands(words):
    result = call(*words)
    assert (result.exit_code, result.stderr) == (0, "")
    for command in ("run", "params", "reproduce", "book", "verify", "doctor", "data", "serve"):
        assert f"\n  {command} " in result.stdout


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (PipelineError("two\nlines"), 1, "ntkd: two lines"),
        (KeyError("lost"), 1, "ntkd: unexpected KeyError: 'lost' (add --debug for the traceback)"),
        (KeyboardInterrupt(), 130, "ntkd: stopped"),
        (OSError(28, "No space left on device"), 1, "ntkd: [Errno 28] No space left on device"),
    ],
)
def test_every_error_ends_in_one_line(error, code, line):
    @click.group(cls=OneLineGroup)
    def group():
        pass

    @group.command()
    def fail():
        raise error

    result = CliRunner().invoke(group, ["fail"])
    assert (result.exit_code, result.stderr.strip()) == (code, line)


def test_debug_shows_the_traceback_wherever_it_stands(inside):
    for words in (["--debug", "run", "91"], ["run", "91", "--debug"]):
        assert isinstance(CliRunner().invoke(cli, words).exception, PipelineError)


def test_the_command_line_wins_over_the_file(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("rate: 0.25\ntitle: mine\n")
    assert gathered(("rate=0.75",), path) == {"rate": 0.75, "title": "mine"}


def test_parameters_are_listed_with_range_unit_and_tiers(inside):
    lines = call("params", "90").stdout.splitlines()
    assert lines[0] == f"parameters of {NAME} (change one: ntkd run 90 -p NAME=VALUE)"
    assert "rate: number, 0 < rate <= 1, in 1/s" in lines or any(
        line.startswith("rate: ") and "1/s" in line and "1" in line for line in lines
    )
    assert "    default: 0.5 1/s" in lines
    assert "    default: [0, 1] (smoke), [0, 1, 2, 3, 4] (cpu), [0, 1, 2, 3, 4] (paper)" in lines
    assert "    How fast." in lines


def test_a_run_can_be_asked_for_in_python(inside):
    said = []
    assert run_target(target_of(find_notebook("90"), "smoke", {}), say=said.append) == inside.executed
    assert said == [f"{NAME}: up to date"]


def test_serving_needs_a_book(inside):
    result = call("serve", "--tier", "smoke")
    assert result.exit_code == 1
    assert result.stderr.startswith("ntkd: no book in ")
    assert result.stderr.endswith("; build it: ntkd book --tier smoke\n")


def test_the_book_is_served_on_this_machine_only(tmp_path):
    (tmp_path / "index.html").write_text("the book")
    with book_server(tmp_path, 0) as server:
        assert server.server_address[0] == "127.0.0.1"
        threading.Thread(target=server.handle_request, daemon=True).start()
        with urllib.request.urlopen(f"http://127.0.0.1:{server.server_address[1]}/") as answer:
            assert answer.read() == b"the book"


def test_a_port_in_use_is_said(tmp_path):
    (tmp_path / "index.html").write_text("the book")
    with book_server(tmp_path, 0) as server:
        port = server.server_address[1]
        with pytest.raises(PipelineError, match=f"^port {port} cannot be used: .*; try --port 0$"):
            book_server(tmp_path, port)


def test_the_doctor_goes_on_after_a_failed_check(monkeypatch):
    def broken():
        raise ImportError("no torch\nat all")

    good = Finding("python", "ok", "3.11")
    monkeypatch.setattr(doctor, "CHECKS", {"torch": broken, "python": lambda: good})
    first, second = examine()
    assert str(first).startswith(
        "bad   torch: ImportError: no torch at all -> install again: python -m pip install"
    )
    assert second is good
    result = call("doctor")
    assert (result.exit_code, result.stderr) == (1, "ntkd: 1 to put right\n")


def test_pins_of_other_systems_do_not_count(tmp_path):
    path = tmp_path / "constraints.txt"
    path.write_text(
        "click==8.5.1\nappnope==1.0.0 ; sys_platform == 'none'\nnumpy==2.4.6 ; python_version >= '3'\n"
    )
    assert read_pins(path) == {"click": "8.5.1", "numpy": "2.4.6"}


def test_a_package_of_another_version_is_found(inside, tmp_path, monkeypatch):
    (tmp_path / "constraints.txt").write_text("click==0.1\nno-such-package==1.0\n")
    monkeypatch.setenv("NTKD_ROOT", str(tmp_path))
    finding = doctor.check_packages()
    assert finding.status == "bad"
    assert finding.found.startswith("1 differ (click ")


@pytest.mark.parametrize(("version", "status"), [("1.0.4.post1", "ok"), ("2.1.7", "bad")])
def test_only_the_first_line_of_jupyter_book_will_do(monkeypatch, version, status):
    monkeypatch.setattr(doctor.importlib.metadata, "version", lambda name: version)
    assert doctor.check_book_tool().status == status


@pytest.mark.parametrize(
    ("states", "words"),
    [
        ({"a": "real", "b": "embedded", "c": "drawn"}, "ok    data: all data sets found"),
        ({"a": "real", "b": "stand-in"}, "note  data: no real copy of b -> see what to do: ntkd data"),
    ],
)
def test_data_that_this_project_draws_lack_nothing(monkeypatch, states, words):
    listed = [SimpleNamespace(name=name, found=state) for name, state in states.items()]
    monkeypatch.setattr(report, "rows", lambda: listed)
    assert str(doctor.check_data()) == words


@pytest.mark.parametrize("name", ["python", "jupyter-book", "kernel", "disk"])
def test_this_installation_is_in_order(name):
    assert doctor.CHECKS[name]().status == "ok"
