"""Show a built book at an address of this machine only."""

from collections.abc import Callable
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from ntkd_lib.pipeline.errors import PipelineError, one_line

HOST = "127.0.0.1"


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it so
        """Say nothing about single requests."""


def book_server(html: Path, port: int) -> ThreadingHTTPServer:
    """Open a server for a built book, without answering yet."""
    if not (html / "index.html").is_file():
        raise PipelineError(
            f"there is no book in {html}; build it first: ntkd reproduce --tier {html.parent.name}"
        )
    try:
        return ThreadingHTTPServer((HOST, port), partial(_Quiet, directory=str(html)))
    except OSError as error:
        raise PipelineError(
            f"port {port} cannot be used: {one_line(error.strerror or error)}; try --port 0"
        ) from error


def serve(html: Path, port: int, say: Callable[[str], None] = print) -> None:
    """Answer requests until Ctrl-C."""
    with book_server(html, port) as server:
        say(f"the book is at http://{HOST}:{server.server_address[1]}/ (Ctrl-C ends)")
        server.serve_forever()
