"""Bad parameters: each refused in one line, at once, before anything starts, with nothing on disk changed."""

import time

import pytest
from click.testing import CliRunner

from ntkd_lib.pipeline import run
from ntkd_lib.pipeline.cli import cli
from tests.pipeline.toy import NAME

NUMBERS = [
    "nan",
    "NaN",
    "Infinity",
    "-Infinity",
    "inf",
    "1e999",
    "1_000",
    "0.1,0.2",
    "0x1",
    "1e",
    "--1",
    "",
    " ",
]
NUMBERS += [
    "true",
    "null",
    '"0.5"',
    "[0.5]",
    "{}",
    "0",
    "-0.1",
    "1.0001",
    "2",
    "half",
    "1/2",
    "0.5 # half",
    "½",
]
SEEDS = [
    "[]",
    "[0,0]",
    "[-1]",
    "[0.5]",
    "[true]",
    '["0"]',
    "[null]",
    "0",
    "null",
    "{}",
    "[0,1",
    "0,1",
    "[[0]]",
]
SEEDS += ["[2147483648]", "[NaN]", "range(3)"]
WORDS = [f"rate={text}" for text in NUMBERS] + [f"seeds={text}" for text in SEEDS]
WORDS += ["seed=-1", "seed=1.0", "seed=true", "seed=[0]", "title=1", "title=null", "title=[]", "title=true"]
WORDS += ["rat=0.5", "Rate=0.5", "seedz=[0]", "unknown=1", "tier=cpu", "tier=huge", "tier=1", "rate ", "rate"]
WORDS += [
    "=0.5",
    "ra te=0.5",
    "rate.x=0.5",
    "__class__=1",
    "model_config={}",
    "import os=1",
    "1=1",
    "𝐫ate=0.5",
]
FILES = [
    "rate: 1e3x",
    "rate: yes",
    "rate: 1_0",
    "rate: 012",
    "rate: 1:30",
    "rate: .nan",
    "rate: .inf",
    "rate: ~",
]
FILES += [
    "rate: '0.5'",
    "rate: 0.5\nrate: 0.6",
    "rate: !!python/object:os.system 1",
    "- rate",
    "rate: *x",
    "rate:",
]
FILES += [
    "? [1]\n: 2",
    "seeds: 0-3",
    "seeds: [0, 1e3]",
    "rate 0.5",
    "{",
    "\t",
    "title: [no]",
    "rate: 2026-01-01",
]
FILES += ["import os; os.system('touch ran'); x: 1", '"rate; x": 1', "rat: 0.5", "null: 1", "1: 1", "\0"]


@pytest.fixture
def refused(inside, monkeypatch, tmp_path):
    """Run with bad parameters and give the line that refuses them."""

    def never(*_, **__):
        raise AssertionError("something was started")

    monkeypatch.setattr(run, "prepare", never)
    monkeypatch.chdir(tmp_path)
    before = inside.files()

    def call(*words):
        start = time.process_time()
        result = CliRunner().invoke(cli, ["run", "90", "--tier", "smoke", *words])
        assert time.process_time() - start < 2
        assert (result.exit_code, result.stdout) == (1, "")
        assert inside.files() == before
        assert result.stderr.startswith("ntkd: ")
        assert result.stderr.count("\n") == 1
        return result.stderr

    return call


def test_there_are_enough_of_them():
    assert len({*WORDS}) + len({*FILES}) >= 90


@pytest.mark.parametrize("words", WORDS)
def test_a_bad_value_on_the_command_line_is_refused(refused, words):
    line = refused("-p", words)
    name = words.partition("=")[0].strip()
    assert "allowed" in line
    assert not name or name in line


@pytest.mark.parametrize("text", FILES)
def test_a_bad_file_is_refused(refused, text, tmp_path):
    (tmp_path / "mine.yaml").write_text(text)
    assert "allowed" in refused("-f", "mine.yaml")


def test_a_missing_file_is_refused(refused):
    assert "nowhere.yaml" in refused("-f", "nowhere.yaml")


@pytest.mark.parametrize(
    ("words", "near"), [("rat=0.5", "rate"), ("seeds_=[0]", "seeds"), ("tittle=x", "title")]
)
def test_the_nearest_name_is_said(refused, words, near):
    assert f"nearest: {near}; allowed: tier, seeds, seed, rate, title, fault" in refused("-p", words)


def test_a_bad_tier_file_is_refused(refused, inside, monkeypatch, tmp_path):
    toy = inside.copy(tmp_path / "own")
    monkeypatch.setenv("NTKD_ROOT", str(toy.root))
    toy.edit(toy.root / "notebooks/params/smoke.yaml", "[0, 1]", "[0, 0]")
    assert refused().startswith(f"ntkd: smoke.yaml: {NAME}: seeds = ")
