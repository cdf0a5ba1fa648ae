"""Every layer of torch.nn and many networks: each method returns the kernel of the loop or refuses."""

import inspect
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context

import pytest
import torch
from torch import nn

from ntkd_lib.ntk.empirical import empirical_ntk
from tests.ntk.sweep import architectures, layers, loop
from tests.ntk.sweep.cases import CASES, find_faults
from tests.ntk.sweep.loop import Outcome, faults, run_case
from tests.ntk.sweep.plain import WITHOUT_PARAMETERS

LAYERS = {
    name
    for name, kind in inspect.getmembers(nn, inspect.isclass)
    if issubclass(kind, nn.Module) and name not in layers.BASES
}


@pytest.fixture(scope="module")
def process() -> Iterator[Executor]:
    """Start a process without checks of types, which compile each inner function anew at every call."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        yield pool


@pytest.mark.parametrize("name", CASES)
def test_every_method_returns_the_kernel_of_the_loop_or_refuses_in_one_line(
    name: str, process: Executor
) -> None:
    assert process.submit(find_faults, name).result() == []


def test_every_layer_of_the_package_is_in_the_sweep_or_known_to_hold_no_parameter() -> None:
    assert LAYERS - set(layers.SETTINGS) - WITHOUT_PARAMETERS == set(), "add them to the sweep"
    assert not WITHOUT_PARAMETERS & set(layers.SETTINGS)


@pytest.mark.parametrize("name", sorted(WITHOUT_PARAMETERS & LAYERS))
def test_a_layer_outside_the_sweep_makes_no_parameter(name: str) -> None:
    kinds = [base for base in inspect.getmro(getattr(nn, name)) if issubclass(base, nn.Module)]
    source = "".join(inspect.getsource(base.__init__) for base in kinds if base is not nn.Module)
    assert "Parameter(" not in source
    assert not any(f"{other}(" in source.replace("super().", "") for other in LAYERS & set(layers.SETTINGS))


def test_the_sweep_is_as_wide_as_it_says() -> None:
    assert len(architectures.CASES) >= 40
    assert len(CASES) == len(layers.CASES) + len(architectures.CASES)
    calls = {call for case in CASES.values() for call in loop.calls_of(case)}
    assert calls == set(loop.ALL_CALLS)
    assert sum(case.expect == "value" for case in CASES.values()) > 0.8 * len(CASES)


def _wrong(*arguments: object, **options: object) -> torch.Tensor:
    return empirical_ntk(*arguments, **options) * (1 + 1e-8)


def _crash(*_: object, **__: object) -> torch.Tensor:
    raise RuntimeError("The size of tensor a (4) must match the size of tensor b (2)")


def _two_lines(*_: object, **__: object) -> torch.Tensor:
    raise ValueError("model: one\ntwo")


def _refusal(*_: object, **__: object) -> torch.Tensor:
    raise ValueError("model: got no kernel")


@pytest.mark.parametrize(
    ("stand_in", "fault"),
    [(_wrong, "error 1.0e-08"), (_crash, "RuntimeError"), (_two_lines, "ValueError"), (_refusal, "refused")],
)
def test_the_sweep_notices(monkeypatch: pytest.MonkeyPatch, stand_in: object, fault: str) -> None:
    monkeypatch.setattr(loop, "empirical_ntk", stand_in)
    assert any(fault in line for line in faults(run_case(CASES["Linear 0"])))


def test_a_value_where_none_exists_is_a_fault() -> None:
    outcomes = run_case(replace(CASES["Linear 0"], expect="refusal"))
    assert {outcome.fault for outcome in outcomes} == {"a value where none exists"}


def test_a_refusal_of_a_named_method_is_no_fault_and_of_auto_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "empirical_ntk", _refusal)
    outcomes: list[Outcome] = run_case(CASES["Linear 0"])
    assert {o.method for o in outcomes if o.fault and o.method in loop.METHODS} == {"auto"}
