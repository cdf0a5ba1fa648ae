"""One case of the sweep: what a network gives by a plain loop, and what each method makes of it."""

import math
import random
import re
import warnings
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from itertools import product
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ntkd_lib.ntk.empirical import empirical_ntk
from ntkd_lib.ntk.kinds import KINDS, Kind
from ntkd_lib.ntk.landmarks import LandmarkKernel
from ntkd_lib.ntk.operator import NTKOperator

METHODS = ("auto", "structured", "contraction", "products")
# Other entry points: the kernel times unit vectors, and the diagonal that is kept beside landmarks.
ENTRIES = ("operator", "landmarks")
SIZES = (1, 4, 20)
# NTK-vector products pass through the network once per column: many samples meet two columns only.
MANY = 20
COLUMNS = 2
# Sizes at which gradients are enabled while the kernel is computed.
WITH_GRAPH = 4
TOLERANCE = 1e-9
ALL_CALLS = [
    *product(METHODS, KINDS, SIZES),
    ("operator", "full", WITH_GRAPH),
    ("landmarks", "trace", WITH_GRAPH),
]
CLEAR = re.compile(r"[a-z][a-z0-9_]*( '[^'\n]*')?: [^\n]+")
LONGEST = 400

Expectation = Literal["value", "refusal", "either"]


@dataclass(frozen=True)
class Case:
    """A network and its samples.

    Attributes:
        name: Its name, unique in the sweep.
        build: Makes the network, in evaluation mode unless it says otherwise.
        draw: Draws samples, ``(n, ...)``.
        expect: ``value``: ``auto`` must return the kernel, other methods may refuse in one line; ``refusal``:
            no kernel of single samples exists, every method must refuse; ``either``: value or refusal.
    """

    name: str
    build: Callable[[], nn.Module]
    draw: Callable[[int], Tensor]
    expect: Expectation = "value"


@dataclass(frozen=True)
class Outcome:
    """What one call of a method came to.

    Attributes:
        method: Method of the call.
        kind: Kind of kernel.
        n: Samples.
        error: Relative error, NaN where there is no value.
        refusal: Text of a refusal in one line, else empty.
        fault: What is wrong with the call, else empty.
        slow: Whether the library warned of a slower way.
    """

    method: str
    kind: Kind
    n: int
    error: float = math.nan
    refusal: str = ""
    fault: str = ""
    slow: bool = False


def loop_jacobian(model: nn.Module, x: Tensor) -> Float[Tensor, "n c p"]:
    """Differentiate every logit of every sample alone, by plain reverse mode on the network as it is."""
    state = buffers(model)

    def rows(sample: Tensor) -> Tensor:
        restore(model, state)
        return torch.stack([_gradient(model, logit) for logit in model(sample[None])[0]])

    jacobian = torch.stack([rows(sample) for sample in x])
    restore(model, state)
    return jacobian


def _gradient(model: nn.Module, logit: Tensor) -> Float[Tensor, " p"]:
    logit.backward(retain_graph=True)
    slopes = []
    for parameter in model.parameters():
        if parameter.requires_grad:
            slope = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
            slope = slope.to_dense() if slope.is_sparse else slope
            slopes.append(
                (torch.view_as_real(slope.resolve_conj()) if slope.is_complex() else slope).flatten()
            )
        parameter.grad = None
    return torch.cat(slopes)


def buffers(model: nn.Module) -> dict[str, Tensor]:
    """Copy the buffers of a network, which some layers change when they run."""
    return {name: values.clone() for name, values in model.named_buffers()}


def restore(model: nn.Module, state: dict[str, Tensor]) -> None:
    """Put copied buffers back."""
    for name, values in model.named_buffers():
        values.copy_(state[name])


def loop_kernel(left: Tensor, right: Tensor, kind: Kind) -> Tensor:
    """Contract two Jacobians into a kernel of one kind."""
    full = torch.einsum("ncp,mdp->nmcd", left, right)
    if kind == "full":
        return full
    if kind == "pseudo":
        return full.sum((2, 3))
    diagonal = full.diagonal(dim1=2, dim2=3)
    return diagonal.sum(2) if kind == "trace" else diagonal.permute(2, 0, 1)


@contextmanager
def double_numbers() -> Iterator[None]:
    """Make float64 the type of new tensors."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


@dataclass
class Bench:
    """A network that was built, its samples, and its Jacobian by the loop.

    Attributes:
        case: What was built.
        model: The network.
        x: Samples.
        state: Buffers of the network as it was built.
        exact: Jacobian, None where no kernel of single samples exists.
    """

    case: Case
    model: nn.Module
    x: Tensor
    state: dict[str, Tensor]
    exact: Tensor | None

    def compute(self, method: str, kind: Kind, n: int) -> Outcome:
        """Compute one kernel and compare it with the loop's."""
        columns = COLUMNS if method == "products" and (n == MANY or (n > 1 and kind != "full")) else None
        other = None if columns is None else self.x[:columns]
        restore(self.model, self.state)
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            try:
                with nullcontext() if n == WITH_GRAPH else torch.no_grad():
                    kernel = self._kernel(method, kind, n, other).detach()
            except Exception as error:
                return Outcome(method, kind, n, **self._refused(error, method))
        slow = any(w.category.__module__.startswith("ntkd_lib") for w in seen)
        noise = [str(w.message) for w in seen if not w.category.__module__.startswith("ntkd_lib")]
        if self.exact is None:
            return Outcome(method, kind, n, slow=slow, fault="a value where none exists")
        right = loop_kernel(self.exact[:n], self.exact[: columns or n], kind)
        right = right.diagonal() if method == "landmarks" else right
        error = float((kernel - right).norm() / right.norm()) if kernel.shape == right.shape else math.inf
        return Outcome(method, kind, n, error, slow=slow, fault=self._wrong(error) or "".join(noise[:1])[:80])

    def _kernel(self, method: str, kind: Kind, n: int, other: Tensor | None) -> Tensor:
        x = self.x[:n]
        if method == "landmarks":
            return LandmarkKernel(self.model, x[:COLUMNS]).features(x)[1]
        if method == "operator":
            operator = NTKOperator(self.model, x, kind=kind)
            columns = operator.matmul(torch.eye(operator.shape[1]))
            return columns.view(n, -1, n, operator.classes).transpose(1, 2)
        return empirical_ntk(self.model, x, other, kind=kind, method=method)

    def _refused(self, error: Exception, method: str) -> dict[str, str]:
        text = str(error)
        if not (isinstance(error, ValueError) and CLEAR.fullmatch(text) and len(text) <= LONGEST):
            return {"fault": f"{type(error).__name__}: {text.strip()[:150]!r}"}
        needed = self.case.expect == "value" and method == "auto"
        return {"refusal": text, "fault": f"refused: {text}" if needed else ""}

    def _wrong(self, error: float) -> str:
        if not error <= TOLERANCE:
            return f"error {error:.1e}"
        if any(p.grad is not None for p in self.model.parameters()):
            return "gradients are left in the network"
        return ""


def build_bench(case: Case) -> Bench:
    """Build the network of a case from its own seed, and its Jacobian by the loop."""
    seed = zlib.crc32(case.name.encode())
    torch.manual_seed(seed)
    random.seed(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model, x = case.build(), case.draw(SIZES[-1])
        exact = None if case.expect == "refusal" else loop_jacobian(model, x)
    return Bench(case, model, x, buffers(model), exact)


def calls_of(case: Case) -> list[tuple[str, Kind, int]]:
    """Select the calls that a test can afford.

    The structured method, which differs by kind, meets all kinds and sizes. The others meet all kinds at one
    size, and at each other size one kind that changes from case to case; ``auto`` meets that kind alone.
    """
    own = KINDS[zlib.crc32(case.name.encode()) % len(KINDS)]
    return [
        (method, kind, n)
        for method, kind, n in ALL_CALLS
        if method in ("structured", *ENTRIES) or kind == own or (method != "auto" and n == WITH_GRAPH)
    ]


def run_case(case: Case, calls: Sequence[tuple[str, Kind, int]] | None = None) -> list[Outcome]:
    """Run methods, kinds and numbers of samples on a case."""
    with double_numbers():
        bench = build_bench(case)
        return [bench.compute(*call) for call in calls or calls_of(case)]


def faults(outcomes: list[Outcome]) -> list[str]:
    """List what is wrong, one line per call."""
    return [f"{o.method}, {o.kind}, n = {o.n}: {o.fault}" for o in outcomes if o.fault]
