"""Faults 23 to 27: what a server of the book is asked by pages of other hosts, and by hand."""

import os
import signal
import socket
import threading
import time

import pytest

from ntkd_lib.pipeline.serve import HEADERS, _BookHandler, book_server
from tests.pipeline.toy import Toy

SECRET = "a file of this machine"


@pytest.fixture(scope="module")
def port(tmp_path_factory):
    """Serve a small book; beside it lies a file that is none of its."""
    folder = tmp_path_factory.mktemp("served")
    html = folder / "html"
    (html / "use").mkdir(parents=True)
    (html / "index.html").write_text("the book")
    (html / "use" / "page.html").write_text("a page")
    (html / "same.html").symlink_to("index.html")
    (folder / "secret.txt").write_text(SECRET)
    (html / "out.txt").symlink_to(folder / "secret.txt")
    (html / "up").symlink_to(folder)
    (html / "circle").symlink_to("circle")
    with book_server(html, 0) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def ask(port, path="/", host=None, method="GET"):
    """Send a request byte for byte, and return all of the answer."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        name = f"127.0.0.1:{port}" if host is None else host
        connection.sendall(f"{method} {path} HTTP/1.0\r\nHost: {name}\r\n\r\n".encode())
        return b"".join(iter(lambda: connection.recv(65536), b"")).decode()


@pytest.mark.parametrize(
    "path, text", [("/", "the book"), ("/use/page.html", "a page"), ("/same.html", "the book")]
)
def test_23_the_book_is_read_by_both_names_of_this_machine(port, path, text):
    for host in (f"127.0.0.1:{port}", f"localhost:{port}"):
        head, _, body = ask(port, path, host).partition("\r\n\r\n")
        assert (head.split()[1], body) == ("200", text)
        assert {f"{name}: {value}" for name, value in HEADERS.items()} <= set(head.split("\r\n"))


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:{}", "127.0.0.1", "localhost:1", "127.0.0.1:{}.evil", ""]
)
def test_24_no_other_host_is_answered(port, host):
    answer = ask(port, host=host.format(port))
    assert answer.split()[1] == "421"
    assert "the book" not in answer


LINKED = ("/out.txt", "/up/secret.txt", "/up/", "/circle")
ABOVE = ("/../secret.txt", "/%2e%2e/secret.txt", "//etc/passwd", "/index.html%00.txt", "/%00")


@pytest.mark.parametrize("path", [*LINKED, *ABOVE, "/use/", "/use", "/none.html"])
def test_25_nothing_outside_of_the_book_and_no_list_of_it_is_shown(port, path, capfd):
    answer = ask(port, path)
    assert answer.split()[1] in {"404", "301"}  # 301: a folder, with a slash at its end
    assert SECRET not in answer
    assert "page.html" not in answer
    assert capfd.readouterr().err == ""


def test_26_half_a_request_is_dropped_in_time_and_holds_nobody_up(port, monkeypatch):
    monkeypatch.setattr(_BookHandler, "timeout", 0.3)
    with socket.create_connection(("127.0.0.1", port), timeout=20) as half:
        half.sendall(b"GET / HTTP/1.0\r\n")
        assert ask(port).endswith("the book")
        assert half.recv(1) == b""
    assert ask(port, method="POST").split()[1] == "501"


def test_27_ctrl_c_ends_it_cleanly(tmp_path):
    (tmp_path / "build/smoke/html").mkdir(parents=True)
    (tmp_path / "build/smoke/html/index.html").write_text("the book")
    process = Toy(tmp_path).start("serve", "--tier", "smoke", "--port", "0")
    address = process.stdout.readline().split()[4]
    port = int(address.rsplit(":")[-1].rstrip("/"))
    with socket.create_connection(("127.0.0.1", port)):  # one that says nothing
        time.sleep(0.1)
        os.killpg(process.pid, signal.SIGINT)
        out, said = process.communicate(timeout=20)
    assert (process.returncode, out, said) == (0, "", "")
