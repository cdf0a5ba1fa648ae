"""The check before a change is taken: it runs every step, and fails when one of them fails."""

import os
import re
import shutil
import subprocess

import pytest
import yaml

from tests.setup.project import ROOT

# make and .venv/bin/python leave a line for each call; the one whose line holds $FAILS fails.
RECORD = """#!/bin/sh
echo "{name} $*" >> "$CALLS"
case "{name} $*" in *"$FAILS"*) exit 1 ;; esac
exit 0
"""
TOOLS = ("bash", "sh", "dirname", "id", "timeout", "sleep")


@pytest.fixture
def workplace(tmp_path):
    """Return a checkout beside which nothing lies, and programs that only write down their calls."""
    project, programs = tmp_path / "ein Projekt", tmp_path / "programs"
    for folder in (project / ".ci", project / ".venv" / "bin", programs):
        folder.mkdir(parents=True)
    shutil.copy(ROOT / ".ci" / "run", project / ".ci" / "run")
    for tool in TOOLS:
        (programs / tool).symlink_to(shutil.which(tool))
    for path in (programs / "make", programs / "chromium", project / ".venv" / "bin" / "python"):
        put(path)
    put(project / ".venv" / "bin" / "ntkd")
    return tmp_path


def put(path):
    """Write a program that records its calls."""
    path.write_text(RECORD.format(name=path.name))
    path.chmod(0o755)


def run_ci(workplace, fails="nothing at all"):
    """Run the check and return its outcome and the calls that it made."""
    calls = workplace / "calls"
    outcome = subprocess.run(
        [workplace / "ein Projekt" / ".ci" / "run"],
        env={"PATH": str(workplace / "programs"), "CALLS": str(calls), "FAILS": fails},
        capture_output=True,
        text=True,
        timeout=60,
    )
    return outcome, calls.read_text().splitlines()


def test_it_runs_tests_smoke_and_page_checks_in_this_order(workplace):
    outcome, calls = run_ci(workplace)
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    assert calls == [
        "make setup",
        "make test",
        "make smoke",
        "python -m tests.book.check --tier smoke",
        "make verify TIER=smoke",
    ]
    assert outcome.stdout.endswith("all passed\n")


def test_it_says_how_long_each_step_took(workplace):
    outcome, _ = run_ci(workplace)
    durations = outcome.stdout.split("== durations\n")[1]
    assert [line.split()[0] for line in durations.splitlines()[:-1]] == [
        "setup",
        "browser",
        "axe",
        "tests",
        "smoke",
        "pages",
        "verify",
    ]


@pytest.mark.parametrize(
    "fails, step",
    [
        ("make test", "tests"),
        ("make smoke", "smoke"),
        ("book.check", "pages"),
        ("make verify", "verify"),
    ],
)
def test_one_failed_step_fails_it_and_the_others_still_run(workplace, fails, step):
    outcome, calls = run_ci(workplace, fails)
    assert outcome.returncode == 1
    assert outcome.stdout.endswith(f"failed: {step}\n")
    assert len(calls) == 5


def test_without_an_environment_it_stops_at_once(workplace):
    outcome, calls = run_ci(workplace, "make setup")
    assert outcome.returncode == 1
    assert calls == ["make setup"]


def test_data_and_contract_beside_the_checkout_are_used(workplace):
    (workplace / "shared" / "data").mkdir(parents=True)
    (workplace / "shared" / "data" / "unpack.py").touch()
    (workplace / "shared" / "claims.yml").touch()
    outcome, calls = run_ci(workplace)
    assert outcome.returncode == 0
    assert calls[1] == "python ../shared/data/unpack.py build/data mnist fashion-mnist cifar-10"
    assert calls[-1] == "ntkd verify --tier smoke --contract ../shared/claims.yml"


def test_a_contract_that_differs_fails_it(workplace):
    (workplace / "shared").mkdir()
    (workplace / "shared" / "claims.yml").touch()
    assert run_ci(workplace, "--contract")[0].returncode == 1


def test_accessibility_rules_that_cannot_be_had_are_no_failure(workplace):
    outcome, _ = run_ci(workplace)
    assert "no axe-core here" in outcome.stdout
    put(workplace / "programs" / "npm")
    outcome, calls = run_ci(workplace)
    assert "no axe-core here" not in outcome.stdout
    assert any(call.startswith("npm install") for call in calls)


def test_a_missing_browser_that_cannot_be_had_is_no_failure(workplace):
    (workplace / "programs" / "chromium").unlink()
    put(workplace / "programs" / "apt-get")
    outcome, calls = run_ci(workplace, "apt-get")
    assert outcome.returncode == 0
    assert "no chromium here" in outcome.stdout
    assert "make test" in calls


def test_it_can_be_started_from_anywhere():
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


@pytest.mark.parametrize("name, command", [("tests", "make test"), ("book", "make book")])
def test_a_workflow_gives_the_command_of_the_readme(name, command):
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / f"{name}.yml").read_text())
    steps = [step.get("run", "") for job in workflow["jobs"].values() for step in job["steps"]]
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert command in steps
    assert {step.split()[1] for step in steps if step.startswith("make ")} <= targets
