import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ntkd_lib.lab import progress
from ntkd_lib.lab.progress import Progress, duration


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def clock(monkeypatch):
    """Seconds that pass only when a test says so."""
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])

    def wait(seconds):
        now[0] += seconds

    return wait


@pytest.fixture
def run(clock, capsys):
    def lines(total, costs, seconds, mode="plain", workers=1):
        by_key = {str(place): cost for place, cost in enumerate(costs)}
        with Progress(total, by_key, workers, mode) as shown:
            for key, passed in zip(by_key, seconds, strict=True):
                shown.outlook.begin(key)
                clock(passed)
                shown.advance(key)
        return capsys.readouterr().err.splitlines()

    return lines


def test_plain_lines_say_done_left_and_time_left_at_most_every_ten_seconds(run):
    assert run(60, [4.0] * 48, [6.0] * 48)[:4] == [
        "12 of 60 cells from the store, 48 to run, about 3 min 12 s",
        "14 of 60 cells done, 46 left, about 3 min 46 s",
        "16 of 60 cells done, 44 left, about 3 min 51 s",
        "18 of 60 cells done, 42 left, about 3 min 48 s",
    ]


def test_the_last_line_says_how_long_it_took(run):
    assert run(3, [1.0] * 3, [1.0] * 3) == [
        "0 of 3 cells from the store, 3 to run, about 3 s",
        "3 of 3 cells done in 3 s",
    ]


def test_the_first_guess_shares_the_work_among_workers(run):
    lines = run(4, [100.0, 100.0, 50.0, 50.0], [50.0] * 4, workers=2)
    assert lines[0] == "0 of 4 cells from the store, 4 to run, about 2 min 30 s"
    assert lines[1] == "1 of 4 cells done, 3 left, about 57 s"


def test_a_full_store_is_one_line(run):
    assert run(7, [], []) == ["7 of 7 cells from the store"]


def test_none_is_silent(run):
    assert run(2, [1.0, 1.0], [20.0, 20.0], mode="none") == []


@pytest.mark.parametrize("stream, mode", [(Terminal(), "bar"), (io.StringIO(), "plain")])
def test_auto_is_a_bar_in_a_terminal_and_lines_elsewhere(stream, mode, monkeypatch):
    monkeypatch.setattr(progress.sys, "stderr", stream)
    assert Progress(1, {"a": 1.0}, 1, "auto").mode == mode


def test_the_bar_shows_done_left_and_time_left(clock, monkeypatch):
    stream = Terminal()
    monkeypatch.setattr(progress.sys, "stderr", stream)
    with Progress(4, dict.fromkeys("abc", 2.0), 1, "auto") as shown:
        shown.outlook.begin("a")
        clock(3.0)
        shown.advance("a")
        shown.say("cell a failed: ValueError")
    text = stream.getvalue()
    assert re.search(r"50%\|.*\| 2 of 4 cells, 2 left, about 6 s", text)
    assert "\rcell a failed: ValueError\n" in text


@given(st.floats(0, 1e6), st.floats(0, 1e6))
def test_durations_never_show_sixty_and_longer_ones_never_read_shorter(one, other):
    def seconds(text):
        units = {"s": 1, "min": 60, "h": 3600}
        return sum(int(number) * units[unit] for number, unit in re.findall(r"(\d+) (\w+)", text))

    assert not re.search(r"\b60 (s|min)", duration(one))
    assert (seconds(duration(one)) <= seconds(duration(other))) or one >= other
