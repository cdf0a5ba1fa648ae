"""Structured tangent kernels: parameter by parameter in the cheapest form, without the whole Jacobian.

One forward pass records the input of each layer, one batched backward pass the gradient of each logit at
its output; these two determine the per-sample gradients of every supported layer. Other parameters get
whole Jacobians. Source: Novak, Sohl-Dickstein, Schoenholz (2022), structured derivatives.
"""

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ntkd_lib.ntk.choice import LayerShape, cheapest, gradient_pair_work, position_pair_work
from ntkd_lib.ntk.contraction import jacobian, looped_jacobian
from ntkd_lib.ntk.factors import Factor, Gradients, OnePosition, Positions, check_forms
from ntkd_lib.ntk.functional import TransformError
from ntkd_lib.ntk.kinds import Kind
from ntkd_lib.ntk.layers.rows import table_gradients
from ntkd_lib.ntk.layout import Plan, UnsettledError, make_plan, two_samples
from ntkd_lib.ntk.traces import ParameterTrace, visit_parameters

TABLE = 4  # times the looked-up rows that a table of embeddings may have where its gradients are formed


class WholeJacobianWarning(UserWarning):
    """Some parameters are unknown to the structured method and use whole Jacobians."""


def structured_factors(
    model: nn.Module, inputs: Tensor, kind: Kind, plan: Plan | None = None
) -> dict[str, Factor]:
    """Compute the factors that every trainable parameter contributes to the kernel of a batch.

    Raises:
        ValueError: A network whose samples mix, or that changes a layer's input in place.
    """
    factors: dict[str, Factor] = {}
    visit_factors(model, inputs, kind, plan or make_plan(model, two_samples(inputs)), factors.__setitem__)
    return factors


def visit_factors(
    model: nn.Module,
    inputs: Tensor,
    kind: Kind,
    plan: Plan,
    visit: Callable[[str, Factor], None],
    room: int | None = None,
) -> None:
    """Pass on the factors of all parameters in turn, so that each can be used and dropped.

    Args:
        visit: Called with a name and a factor.
        room: Values that gradients may take at a time, which then come as several factors of one name; None
            for one factor per name.
    """

    def visit_trace(trace: ParameterTrace) -> None:
        for name, factor in _factors(trace, kind, room):
            visit(name, factor)

    left_out = visit_parameters(model, inputs, kind, plan, visit_trace)
    if left_out:
        features = whole_jacobian(model, inputs, plan)
        visit(", ".join(left_out), Gradients(features.sum(1, keepdim=True) if kind == "pseudo" else features))


def structured_kernel(left: dict[str, Factor], right: dict[str, Factor], kind: Kind) -> Float[Tensor, "..."]:
    """Sum the contributions of all parameters to the kernel between two batches.

    Raises:
        UnsettledError: Factors that do not fit together, or none of a parameter that both batches depend on.
    """
    total = None
    for name in (name for name in left if name in right):
        check_forms(name, left[name], right[name])
        part = left[name].pair(right[name], kind)
        graph = total is not None and (total.requires_grad or part.requires_grad or total.dtype != part.dtype)
        total = part if total is None else total + part if graph else total.add_(part)
    if total is None:
        raise UnsettledError("model: the parameters that its logits depend on change from batch to batch")
    return total


def _factors(trace: ParameterTrace, kind: Kind, room: int | None) -> Iterator[tuple[str, Factor]]:
    """List the factors of a parameter and its bias, in the cheapest form."""
    parts, name, bias = trace.outer(), trace.name(), trace.group.bias
    if parts is None:
        lookup, layer = trace.lookup(), trace.uses[0][0].layer
        own = Gradients(trace.gradients()) if lookup is None else _embedding_factor(layer, *lookup, kind)
        yield name, own
        return
    n, c, g, o, d = parts.signals.shape
    k = parts.inputs.shape[2]
    way = cheapest(LayerShape(c, g, o, k, d), kind)
    both = name if bias is None else f"{name}, {bias.label()}"
    if way == "one position":
        inputs, signals = parts.inputs.flatten(1), parts.signals.flatten(2).contiguous()
        yield both, OnePosition(inputs, signals, bias is not None)
    elif way == "positions":
        b = parts.signals[:, :, 0].permute(0, 3, 1, 2).contiguous()
        yield both, Positions(parts.inputs[:, 0].mT.contiguous(), b, bias is not None)
    else:
        parts = parts if bias is None else parts.with_bias()  # and rows not powers of two apart
        for piece in parts.split(max(k + 1, o) if room is None else room // (n * c * g * min(k, o))):
            yield both, Gradients(piece.gradients().flatten(2))


def _embedding_factor(layer: nn.Embedding, places: Tensor, b: Tensor, kind: Kind) -> Factor:
    """Form the gradients of a table if it has few rows; else keep the looked-up rows alone."""
    (_, c, o, d), rows = b.shape, len(layer.weight)
    formed, looked_up = LayerShape(c, 1, o, rows, d), LayerShape(c, 1, o, 1, d)
    if rows <= TABLE * d and gradient_pair_work(formed, kind) < position_pair_work(looked_up, kind):
        return Gradients(table_gradients(layer, places, b).flatten(2))
    return Positions(places, b.permute(0, 3, 1, 2).contiguous(), bias=False)


def warn_whole(names: Sequence[str], stacklevel: int = 3) -> None:
    """Warn of parameters that get whole Jacobians.

    Warns:
        WholeJacobianWarning: By name.
    """
    if names:
        what = "this parameter" if len(names) == 1 else "these parameters"
        why = f"not known to the structured method, whole Jacobians are formed for {what}"
        warnings.warn(f"{', '.join(names)}: {why}", WholeJacobianWarning, stacklevel=stacklevel)


def whole_jacobian(model: nn.Module, inputs: Tensor, plan: Plan) -> Float[Tensor, "n c p"]:
    """Form the whole Jacobian of parameters that are not known, by a loop if function transforms fail."""
    if not (torch.is_grad_enabled() and plan.half_differentiable()):
        with suppress(TransformError):
            return jacobian(model, inputs, plan.left_out)
    return looped_jacobian(model, inputs, plan.left_out)
