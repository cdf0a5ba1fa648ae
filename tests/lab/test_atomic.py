import json
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ntkd_lib.lab import atomic
from ntkd_lib.lab.atomic import write_bytes, write_json, write_text


def test_parents_are_made_and_nothing_else_is_left(tmp_path):
    write_bytes(tmp_path / "a" / "b" / "c.bin", b"\x00\xff")
    assert (tmp_path / "a" / "b" / "c.bin").read_bytes() == b"\x00\xff"
    assert [path.name for path in (tmp_path / "a" / "b").iterdir()] == ["c.bin"]


def test_a_link_stays_and_what_it_names_is_replaced(tmp_path):
    real, link = tmp_path / "real", tmp_path / "link"
    real.write_bytes(b"old")
    link.symlink_to(real)
    write_bytes(link, b"new")
    assert link.is_symlink()
    assert real.read_bytes() == b"new"


def test_text_keeps_its_line_ends_and_letters(tmp_path):
    write_text(tmp_path / "t", "é\r\nθ\n")
    assert (tmp_path / "t").read_bytes() == "é\r\nθ\n".encode()


def test_json_is_sorted_indented_and_ends_the_line(tmp_path):
    write_json(tmp_path / "j", {"b": 1, "a": [0.1]})
    assert (tmp_path / "j").read_text() == '{\n "a": [\n  0.1\n ],\n "b": 1\n}\n'


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_json_without_a_number_for_it_is_refused_and_the_earlier_file_stays(tmp_path, value):
    write_json(tmp_path / "j", 1)
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "j", {"loss": value})
    assert json.loads((tmp_path / "j").read_text()) == 1


@pytest.mark.parametrize("broken", ["fsync", "replace"])
def test_a_failing_disk_leaves_the_earlier_file_and_no_other(tmp_path, monkeypatch, broken):
    write_bytes(tmp_path / "f", b"good")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(*((atomic.os, "fsync") if broken == "fsync" else (Path, "replace")), full)
    with pytest.raises(OSError, match="No space left"):
        write_bytes(tmp_path / "f", b"new")
    assert (tmp_path / "f").read_bytes() == b"good"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_real_limit_on_file_size_leaves_the_earlier_file(tmp_path):
    write_bytes(tmp_path / "f", b"good")

    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))

    code = "import sys; from ntkd_lib.lab import atomic; atomic.write_bytes(sys.argv[1], b'x' * 100_000)"
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "f")], preexec_fn=limit, capture_output=True, text=True
    )
    assert "File too large" in done.stderr
    assert (tmp_path / "f").read_bytes() == b"good"
    assert len(list(tmp_path.iterdir())) == 1


def test_permissions_are_those_of_any_new_file(tmp_path):
    write_bytes(tmp_path / "f", b"")
    (tmp_path / "g").touch()
    assert (tmp_path / "f").stat().st_mode == (tmp_path / "g").stat().st_mode
