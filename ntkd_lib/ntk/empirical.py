"""The exact empirical tangent kernel of a PyTorch network: its kinds and its methods.

Kinds, for ``n`` and ``m`` samples and ``c`` logits; every function of `ntkd_lib.ntk` uses these names:

- ``full``, ``(n, m, c, c)``: every pair of logits;
- ``trace``, ``(n, m)``: summed over equal logits, as in the loss of NTK distillation;
- ``per_class``, ``(c, n, m)``: one kernel per logit, as in the distilled kernel;
- ``pseudo``, ``(n, m)``: the kernel of the sum of logits.

Methods, for ``p`` parameters and ``F`` operations of one sample's forward pass; all compute the same kernel:

- ``structured``: parameter by parameter in its cheapest form; stores the factors of each layer;
- ``contraction``: whole Jacobians, ``n c F + n m c^2 p`` operations; stores ``(n + m) c p`` numbers;
- ``products``: NTK-vector products, ``n m c F`` operations; stores a few copies of the parameters;
- ``auto``: the method with the fewest operations, predicted from one sample (`ntkd_lib.ntk.choice`).

If ``auto`` fails, or an entry differs from plain autograd, the kernel is computed by one backward pass per
sample and logit, with a `SlowKernelWarning`.

Source: NTKD paper, Eq. 2 and 6-7; Novak, Sohl-Dickstein, Schoenholz (2022).
"""

import contextlib
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from typing import SupportsIndex

import numpy as np
import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from ntkd_lib.ntk.assembly import ignore, streamed_kernel, tiled_kernel
from ntkd_lib.ntk.checks import check_model, check_request
from ntkd_lib.ntk.choice import MEMORY, choose_method, choose_tile
from ntkd_lib.ntk.functional import TransformError
from ntkd_lib.ntk.kinds import Kind, finish
from ntkd_lib.ntk.layout import Plan, UnsettledError, is_known, make_plan
from ntkd_lib.ntk.network import Batch, Logits, Output, as_network
from ntkd_lib.ntk.probe import Probe, ProbeError, SlowKernelWarning, check_results
from ntkd_lib.ntk.recording import OutputError, record
from ntkd_lib.ntk.structured import warn_whole
from ntkd_lib.ntk.tiles import METHODS

FEW = 8  # samples on which methods are probed whose kernels are never formed


def empirical_ntk(
    model: nn.Module | Callable,
    x1: Batch,
    x2: Batch | None = None,
    *,
    kind: Kind = "full",
    method: str = "auto",
    tile: SupportsIndex | str | None = None,
    memory: float = MEMORY,
    dtype: torch.dtype | None = None,
    probe: bool = True,
    output: Output | None = None,
    parameters: Mapping[str, Tensor | np.ndarray] | None = None,
) -> Float[Tensor, "..."]:
    """Compute the tangent kernel ``Theta(x, x') = J(x) J(x')'`` over all trainable parameters.

    Kinds, methods and sources: `ntkd_lib.ntk.empirical`. Differentiable with respect to the parameters if
    gradients are enabled and ``dtype`` is None.

    Args:
        model: Network with outputs ``(n, c)``, ``(n, t, c)`` or ``(n,)``; or a function of ``parameters`` and
            inputs.
        x1: First batch: a tensor or array, a tuple of them, or a dictionary of keyword inputs.
        x2: Second batch; None for ``x1`` itself, and then the result is exactly symmetric.
        method: ``structured``, ``contraction``, ``products`` or ``auto``.
        tile: Samples at a time on each side: peak memory holds a tile and the output. None for all
            at once, ``"auto"`` for as many as fit into ``memory``.
        memory: Bytes that a tile may take if ``tile`` is ``"auto"``.
        dtype: Computes in this type on a copy of the model; None keeps the model's own.
        probe: Whether one random entry is compared with plain autograd on two samples that run alone. If
            it differs by more than rounding, the kernel is computed by a slow, exact loop.
        output: Which of several outputs holds the logits: a key, a position, an attribute, or a function of
            the output.
        parameters: Tensors or arrays by name, if ``model`` is a function. Those that require a gradient are
            trained; all if none does.

    Raises:
        ValueError: Unknown kind or method, shapes that do not fit, a layer that mixes samples, a random
            forward pass, a sample by number whose gradient is not finite.
        OutputError: An output that is not ``(n, c)``.
        TransformError: A layer that the named method cannot run.

    Warns:
        SlowKernelWarning: The layer by name, if the loop takes over.
        WholeJacobianWarning: Parameters that the structured method does not know, by name.

    >>> linear = nn.Linear(3, 1, bias=False)
    >>> x = torch.tensor([[1.0, 2.0, 0.0], [0.0, 1.0, 1.0]])
    >>> empirical_ntk(linear, x, kind="trace").detach()  # a linear model's kernel is X X'
    tensor([[5., 2.],
            [2., 2.]])
    """
    model, x1, x2 = as_network(model, x1, x2, output, parameters, dtype)
    check_request(x1, x2, kind, method, tile, memory)
    check_model(model)
    model, plan, trial = start_probe(model, x1, x2, kind)
    tile = tile if tile in (None, "auto") else int(tile)
    compute = partial(_compute, model, x1, x2, kind, int(memory), plan)
    methods = [method]
    if method == "auto":
        methods = [choose_method(model, x1, len(x1 if x2 is None else x2), kind, plan), "structured"]
    error = None
    for name in dict.fromkeys(methods):
        try:
            kernel = compute(name, tile, trial if probe else None)
            warn_whole(plan.left_out if name == "structured" else ())
            return kernel
        except (UnsettledError, ProbeError) as failure:
            error = failure
        except TransformError as failure:
            if method != "auto":
                raise
            error = failure
    trial.check_alone(plan)
    warn_slow(error)
    return compute("loop", tile or "auto", trial if probe else None)


def start_probe(
    model: nn.Module, x1: Shaped[Tensor, "n ..."], x2: Shaped[Tensor, "m ..."] | None, kind: Kind
) -> tuple[nn.Module, Plan, Probe]:
    """Draw the two samples of a probe, and make the plan of a network from them.

    Raises:
        OutputError: An output that holds no logits.
    """
    trial = Probe(model, x1, x2, kind)
    try:
        return model, make_plan(model, trial.pair), trial
    except OutputError:
        if isinstance(model, Logits):
            raise
        model = Logits(model, None)
        record(model, x1, is_known)  # names the shape of the whole batch in a refusal
        return start_probe(model, x1, x2, kind)


def find_fault(
    model: nn.Module,
    x1: Shaped[Tensor, "n ..."],
    x2: Shaped[Tensor, "m ..."] | None = None,
    kind: Kind = "trace",
    method: str = "structured",
) -> ValueError | None:
    """Probe a method on a few samples, for kernels that are never formed."""
    a, b = _few(x1), None if x2 is None else _few(x2)
    model, plan, trial = start_probe(model, a, b, kind)
    try:
        with torch.no_grad():
            _compute(model, a, b, kind, MEMORY, plan, method, None, trial)
    except (UnsettledError, ProbeError, TransformError) as error:
        trial.check_alone(plan)
        return error
    except ValueError:  # which comes again, by number, where all samples are computed
        return None
    return None


def _few(x: Tensor) -> Tensor:
    generator = torch.Generator()
    generator.seed()
    return x[torch.randperm(len(x), generator=generator)[:FEW].to(x.device)]


def warn_slow(error: ValueError, stacklevel: int = 3) -> None:
    """Warn that a kernel is computed by the slow loop.

    Warns:
        SlowKernelWarning: Always.
    """
    warnings.warn(f"{error}; computed sample by sample instead", SlowKernelWarning, stacklevel=stacklevel)


def _compute(
    model: nn.Module,
    x1: Tensor,
    x2: Tensor | None,
    kind: Kind,
    memory: int,
    plan: Plan,
    method: str,
    tile: int | str | None,
    trial: Probe | None,
) -> Tensor:
    transforms = torch.is_grad_enabled() and method in ("contraction", "products")
    if transforms and (operation := plan.half_differentiable(forward=method == "products")):
        raise ProbeError(f"method {method!r}: has no right gradient of the kernel through {operation}")
    if tile == "auto":
        tile = choose_tile(model, x1, kind, method, memory, plan=plan)
    tiles = METHODS[method](model, kind, plan)
    observe = trial.observer(tiles, tiled=tile is not None) if trial else ignore
    streams = method == "structured" and tile is None and not torch.is_grad_enabled()
    if trial and not trial.gradients and not streams:  # else later, when the pass has freed its memory
        with contextlib.suppress(RuntimeError):  # the method names the layer at fault, or it is tried again
            trial.differentiate(plan)
    if streams:
        note = trial.observe_stream if trial else None
        kernel = finish(streamed_kernel(model, kind, x1, x2, plan, note), kind)
    else:
        kernel = finish(tiled_kernel(tiles, kind, x1, x2, tile, observe), kind)
    rows, other = int(kind == "per_class"), (x1, "") if x2 is None else (x2, " of x2")
    check_results(model, kernel, (x1, rows), (other[0], rows + 1, other[1]))
    if trial:
        if not trial.gradients:
            trial.differentiate(plan)
        trial.check(tiles, kernel)
    return kernel
