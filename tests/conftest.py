"""What every test runs under: one thread, no network, nothing of the user's touched."""

import importlib
import os
import socket
import sys

import pytest
from hypothesis import settings

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ["NTKD_OFFLINE"] = "1"
for name in ("NTKD_SCHEDULER", "NTKD_ROOT", "NTKD_BUILD", "DATA"):
    os.environ.pop(name, None)

settings.register_profile("repeatable", derandomize=True, deadline=None, max_examples=50)
settings.load_profile("repeatable")

LOCAL = ("127.", "::1", "localhost", "0.0.0.0")


def pytest_configure(config):
    """Load large libraries before any module of ntkd_lib, where tests will run.

    While jaxtyping's hook loads one, Python looks for compiled files under another name, and compiles every
    library that is imported meanwhile from its source.
    """
    if config.getoption("numprocesses", None) and not hasattr(config, "workerinput"):
        return  # workers run them
    for name in ("dask.array", "pandas", "pydantic", "seaborn", "sklearn.manifold"):
        importlib.import_module(name)


@pytest.fixture(scope="session")
def _own_build(tmp_path_factory):
    return tmp_path_factory.mktemp("build")


@pytest.fixture(autouse=True)
def _apart_from_the_user(monkeypatch, _own_build):
    """Send what a test generates to a folder of its own, never to the build/ of the checkout."""
    monkeypatch.setenv("NTKD_BUILD", str(_own_build))


@pytest.fixture(autouse=True)
def _no_network(monkeypatch):
    """Refuse any connection that leaves this machine."""
    connect = socket.socket.connect

    def local_only(self, address):
        if isinstance(address, tuple) and not str(address[0]).startswith(LOCAL):
            raise ConnectionRefusedError(f"a test asked for {address[0]}: tests run without a network")
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", local_only)


@pytest.fixture(autouse=True)
def _subnormal_numbers():
    """Let floats be as small as they may be again: some cells flush them, which lasts for the process."""
    yield
    if torch := sys.modules.get("torch"):
        torch.set_flush_denormal(False)
