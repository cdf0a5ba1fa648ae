"""Headless Chromium through the DevTools protocol, over a pipe: no port, no extra library."""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-extensions",
    "--disable-sync",
    "--hide-scrollbars",
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--remote-debugging-pipe",
)
PATIENCE = 90.0  # seconds for an answer or a page; a busy machine takes half a minute
LOCAL = ("file:", "data:", "blob:", "about:", "chrome-error:")
TALLEST = 6000
READY = """(async () => {
  if (window.MathJax && MathJax.startup && MathJax.startup.promise) await MathJax.startup.promise;
  await document.fonts.ready;
  const shown = [...document.images].filter(i => i.offsetParent);
  shown.forEach(i => { i.loading = 'eager'; });
  await Promise.all(shown.map(i => i.decode().catch(() => 0)));
  return document.readyState;
})()"""
KEYS = {"Tab": 9, "End": 35, "Home": 36, "ArrowLeft": 37, "ArrowRight": 39}
# Nothing slides or fades, so that a picture never catches a page half way.
STILL = """document.addEventListener('DOMContentLoaded', () => {
  const style = document.createElement('style');
  style.textContent = '*, *::before, *::after { transition: none !important; animation: none !important; }';
  document.head.append(style); })"""


class BrowserError(RuntimeError):
    """Chromium did not start, answer or load a page."""


@dataclass
class Seen:
    """What a page did while it was open."""

    errors: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)
    loaded: bool = False


def find_browser() -> str | None:
    """Find Chromium or Chrome."""
    return os.environ.get("NTKD_BROWSER") or next(
        (path for name in NAMES if (path := shutil.which(name))), None
    )


class Browser:
    """One tab of a headless Chromium."""

    def __init__(self, read: int, write: int) -> None:
        self._read, self._write = read, write
        self._buffer = b""
        self._next = 0
        self._session: str | None = None
        self.seen = Seen()
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self._call(f"{domain}.enable")
        self._call("Page.addScriptToEvaluateOnNewDocument", source=STILL)

    def _call(self, method: str, timeout: float = PATIENCE, **params: Any) -> dict[str, Any]:
        self._next += 1
        number = self._next
        message = {"id": number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        self._send(json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + timeout
        while True:
            answer = self._receive(deadline)
            if answer.get("id") == number:
                if "error" in answer:
                    raise BrowserError(f"{method}: {answer['error'].get('message')}")
                return answer["result"]

    def _send(self, raw: bytes) -> None:
        while raw:
            try:
                raw = raw[os.write(self._write, raw) :]
            except BrokenPipeError as error:
                raise BrowserError("Chromium does not answer") from error

    def _receive(self, deadline: float) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._read], [], [], max(0.0, deadline - time.monotonic()))
            chunk = os.read(self._read, 1 << 20) if ready else b""
            if not chunk:
                raise BrowserError("Chromium does not answer")
            self._buffer += chunk
        raw, _, self._buffer = self._buffer.partition(b"\0")
        message = json.loads(raw)
        self._note(message.get("method", ""), message.get("params", {}))
        return message

    def _note(self, method: str, params: dict[str, Any]) -> None:
        if method == "Page.loadEventFired":
            self.seen.loaded = True
        elif method == "Network.requestWillBeSent":
            url = params["request"]["url"]
            self.seen.outside += [] if url.startswith(LOCAL) else [url]
        elif method == "Runtime.exceptionThrown":
            details = params["exceptionDetails"]
            self.seen.errors.append(details.get("exception", {}).get("description") or details["text"])
        elif method == "Runtime.consoleAPICalled" and params["type"] in ("error", "assert"):
            self.seen.errors.append(
                " ".join(str(a.get("value", a.get("description"))) for a in params["args"])
            )
        elif method == "Log.entryAdded" and params["entry"]["level"] == "error":
            self.seen.errors.append(f"{params['entry']['text']} {params['entry'].get('url', '')}".strip())

    def open(self, url: str) -> Seen:
        """Open a page and wait until it is loaded, its formulas are set and its images decoded."""
        self.seen = Seen()
        self._call("Page.navigate", url=url)
        deadline = time.monotonic() + PATIENCE
        while not self.seen.loaded:
            self._receive(deadline)
        self.evaluate(READY)
        return self.seen

    def evaluate(self, script: str) -> Any:
        """Run JavaScript in the page, waiting for a promise."""
        result = self._call(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True, timeout=2 * PATIENCE
        )
        if "exceptionDetails" in result:
            raise BrowserError(str(result["exceptionDetails"].get("exception", {}).get("description")))
        return result["result"].get("value")

    def press(self, key: str) -> None:
        """Press a key and let it go."""
        for event in ("rawKeyDown", "keyUp"):
            words = {"type": event, "key": key, "code": key, "windowsVirtualKeyCode": KEYS[key]}
            self._call("Input.dispatchKeyEvent", **words)

    def resize(self, width: int, height: int) -> None:
        """Set the size of the window; pages opened from now on have it."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self._call("Emulation.setDeviceMetricsOverride", **size)

    def prefer(self, scheme: Literal["light", "dark"]) -> None:
        """Set the colour scheme that the reader's system asks for."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self._call("Emulation.setEmulatedMedia", features=features)

    def screenshot(self, *, whole: bool = True) -> bytes:
        """Take a picture of the page."""
        size = self._call("Page.getLayoutMetrics")["cssContentSize"]
        if not whole:
            return base64.b64decode(self._call("Page.captureScreenshot")["data"])
        clip = {"x": 0, "y": 0, "width": size["width"], "height": min(size["height"], TALLEST), "scale": 1}
        taken = self._call("Page.captureScreenshot", captureBeyondViewport=True, clip=clip)
        return base64.b64decode(taken["data"])

    def printed(self) -> bytes:
        """Print the page."""
        return base64.b64decode(self._call("Page.printToPDF", printBackground=False)["data"])


@contextmanager
def browsing(program: str) -> Iterator[Browser]:
    """Start a headless Chromium with a fresh profile, and end it afterwards."""
    to_browser, from_browser = os.pipe(), os.pipe()
    pipes = f'exec 3<&{to_browser[0]} 4>&{from_browser[1]}; exec "$@"'
    with tempfile.TemporaryDirectory(prefix="ntkd-browser-", ignore_cleanup_errors=True) as profile:
        process = subprocess.Popen(
            ["bash", "-c", pipes, "bash", program, *FLAGS, f"--user-data-dir={profile}", "about:blank"],
            pass_fds=(to_browser[0], from_browser[1]),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        os.close(to_browser[0])
        os.close(from_browser[1])
        try:
            yield Browser(from_browser[0], to_browser[1])
        finally:
            _end(process)
            os.close(from_browser[0])
            os.close(to_browser[1])


def _end(process: subprocess.Popen[bytes]) -> None:
    with_group = os.getpgid(process.pid) if process.poll() is None else None
    if with_group is not None:
        os.killpg(with_group, 15)
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
