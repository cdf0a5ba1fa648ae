"""Show a built book at an address of this machine only."""

import contextlib
from collections.abc import Callable
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from ntkd_lib.pipeline.errors import PipelineError, one_line

HOST = "127.0.0.1"
HEADERS = {
    "Cache-Control": "no-cache",
    "Content-Security-Policy": "frame-ancestors 'none'",  # beside the policy that each page carries
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class _BookHandler(SimpleHTTPRequestHandler):
    """Answer with the files of one folder, if it is asked for by this machine's name."""

    timeout = 10  # seconds for which a connection may be silent
    server_version, sys_version = "ntkd", ""

    def handle(self) -> None:
        with contextlib.suppress(ConnectionError):  # a reader who has left
            super().handle()

    def send_head(self) -> Any:
        port, path = self.server.server_address[1], Path(self.translate_path(self.path))
        if self.headers.get("Host", "") not in {f"{name}:{port}" for name in (HOST, "localhost")}:
            return self.send_error(421, f"This server answers to {HOST}:{port}")
        with contextlib.suppress(ValueError, RuntimeError):  # a null byte, a circle of links
            if path.resolve().is_relative_to(Path(self.directory).resolve()):
                return super().send_head()
        return self.send_error(404)

    def list_directory(self, path: Any) -> None:  # noqa: ARG002
        self.send_error(404)

    def end_headers(self) -> None:
        for name, value in HEADERS.items():
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it so
        """Say nothing about single requests."""


def book_server(html: Path, port: int) -> ThreadingHTTPServer:
    """Open a server for a built book, without answering yet."""
    if not (html / "index.html").is_file():
        raise PipelineError(f"no book in {html}; build it: ntkd book --tier {html.parent.name}")
    try:
        return ThreadingHTTPServer((HOST, port), partial(_BookHandler, directory=str(html)))
    except OSError as error:
        reason = one_line(error.strerror or error)
        raise PipelineError(f"port {port} cannot be used: {reason}; try --port 0") from error


def serve(html: Path, port: int, say: Callable[[str], None] = print) -> None:
    """Answer requests until Ctrl-C."""
    with book_server(html, port) as server, contextlib.suppress(KeyboardInterrupt):
        say(f"the book is at http://{HOST}:{server.server_address[1]}/ (Ctrl-C ends)")
        server.serve_forever()
