"""Asking hosts: all at once, within the deadline, once a process."""

import os
import threading
import time

from ntkd_lib.data import download
from ntkd_lib.data.download import mark_absent, reachable_hosts, recently_absent


def test_only_hosts_that_answer_are_returned(server):
    assert reachable_hosts([f"{server.url}/a", f"{server.url}/b", "http://127.0.0.1:9/c"]) == {server.url}


def test_name_lookups_that_hang_cost_one_deadline(monkeypatch):
    stuck = threading.Event()
    monkeypatch.setattr(download, "_ask", lambda *_: stuck.wait(20))
    start = time.monotonic()
    assert reachable_hosts([f"http://host{k}.invalid/x" for k in range(5)], deadline=0.2) == frozenset()
    assert 0.1 < time.monotonic() - start < 10
    stuck.set()


def test_a_host_is_asked_once(monkeypatch):
    asked = []

    def answer(host, _deadline, answers):
        asked.append(host)
        answers[host] = True

    monkeypatch.setattr(download, "_ask", answer)
    for _ in range(3):
        assert reachable_hosts(["http://one.invalid/x"]) == {"http://one.invalid"}
    assert asked == ["http://one.invalid"]


def test_an_answer_after_the_deadline_does_not_count(monkeypatch):
    late, done = threading.Event(), threading.Event()

    def answer(host, _deadline, answers):
        late.wait(20)
        answers[host] = True
        done.set()

    monkeypatch.setattr(download, "_ask", answer)
    assert not reachable_hosts(["http://one.invalid/x"], deadline=0.1)
    late.set()
    assert done.wait(5)
    assert not reachable_hosts(["http://one.invalid/x"], deadline=0.1)


def test_whatever_goes_wrong_is_no_answer(monkeypatch):
    def breaks(*_, **__):
        raise UnicodeError("label empty or too long")

    monkeypatch.setattr("requests.head", breaks)
    assert not reachable_hosts(["http://one.invalid/x"])


def test_the_mark_of_absence_grows_old(tmp_path):
    assert not recently_absent(tmp_path)
    mark_absent(tmp_path / "cache")
    assert recently_absent(tmp_path / "cache")
    old = time.time() - download.REMEMBER - 1
    os.utime(tmp_path / "cache/.no-network", (old, old))
    assert not recently_absent(tmp_path / "cache")


def test_the_mark_is_left_out_where_nothing_can_be_written(tmp_path):
    (tmp_path / "file").write_text("in the way")
    mark_absent(tmp_path / "file")
    assert not recently_absent(tmp_path / "file")
