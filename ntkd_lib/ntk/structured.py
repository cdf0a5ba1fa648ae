"""Structured tangent kernels: parameter by parameter in the cheapest form, without the whole Jacobian.

One forward pass records the input of each layer, one batched backward pass the gradient of each logit at
its output; these two determine the per-sample gradients of every supported layer. Source: Novak,
Sohl-Dickstein, Schoenholz (2022), structured derivatives. Other parameters get
whole Jacobians.
"""

import warnings
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor, nn

from ntkd_lib.ntk.contraction import jacobian, looped_jacobian
from ntkd_lib.ntk.factors import Factor, Gradients, OnePosition, Positions
from ntkd_lib.ntk.functional import TransformError, plain_operations
from ntkd_lib.ntk.kinds import Kind
from ntkd_lib.ntk.layers.outer import (
    CONVOLUTIONS,
    DENSE,
    TRANSPOSED,
    Dense,
    OuterProducts,
    bias_gradients,
    joined,
    parts_of,
    weight_gradients,
)
from ntkd_lib.ntk.layers.rows import (
    EMBEDDINGS,
    NORMS,
    PRELU,
    lookup_signals,
    norm_gradients,
    slope_gradients,
    table_gradients,
)
from ntkd_lib.ntk.layout import Plan, check_finite, is_known, make_plan, two_samples
from ntkd_lib.ntk.recording import ForwardRecord, LayerCall, ParameterPart, record
from ntkd_lib.ntk.work import LayerShape, cheapest, gradient_pair_work, position_pair_work

TABLE = 4  # times the looked-up rows that a table of embeddings may have where its gradients are formed
OUTER = (*DENSE, *CONVOLUTIONS, *TRANSPOSED)


class WholeJacobianWarning(UserWarning):
    """Some parameters are unknown to the structured method and use whole Jacobians."""


@dataclass(frozen=True)
class Group:
    """A parameter, or a part of it, and the layer calls that use it.

    Attributes:
        bias: The bias of the same layers, if it is counted with it.
    """

    attribute: str
    part: ParameterPart
    uses: tuple[LayerCall, ...]
    bias: ParameterPart | None = None


@dataclass(frozen=True)
class ParameterTrace:
    """A parameter with the recorded inputs and output gradients that determine its per-sample gradients.

    Attributes:
        uses: Each call that reaches the logits, the layer's input, the signal ``(n, c, ...)``:
            gradients of the logits with respect to its output, and how many rows of both are one sample's.
        own: Gradients by call, of layers that compute all their parameters at once; shared by these.
    """

    group: Group
    uses: tuple[tuple[LayerCall, Tensor, Tensor, int], ...]
    own: dict[LayerCall, dict[str, Tensor]]

    def name(self) -> str:
        """Name the parameter."""
        return self.group.part.label()

    def outer(self) -> OuterProducts | None:
        """Return the gradients as a sum of outer products.

        Returns:
            The parts, or None if the gradients are no such sum.
        """
        types = {type(use.layer) in TRANSPOSED for use, *_ in self.uses}
        weight = self.group.attribute == "weight" and all(type(use.layer) in OUTER for use, *_ in self.uses)
        if not weight or len(types) != 1:
            return None
        return joined([_of_samples(parts_of(use.layer, a, b), rows) for use, a, b, rows in self.uses])

    def lookup(self) -> tuple[Int[Tensor, "n d"], Float[Tensor, "n c e d"]] | None:
        """Return the gradients as signals at the looked-up rows of a table.

        Returns:
            Indices and signals by position, or None if this is no table of embeddings alone.
        """
        if not all(isinstance(use.layer, nn.Embedding) for use, *_ in self.uses):
            return None
        lookups = [
            (_together(places, rows), _together(signals, rows))
            for use, a, b, rows in self.uses
            for places, signals in (lookup_signals(use.layer, a, b),)
        ]
        return torch.cat([places for places, _ in lookups], 1), torch.cat([b for _, b in lookups], 3)

    def gradients(self) -> Float[Tensor, "n c p"]:
        """Compute the gradients of the parameter, without a bias that is grouped with it.

        Returns:
            Gradients of each class and sample.
        """
        return sum(self._of_use(*use).unflatten(0, (-1, use[3])).sum(1) for use in self.uses).flatten(2)

    def _of_use(self, use: LayerCall, inputs: Tensor, signal: Tensor, _: int) -> Float[Tensor, "r c ..."]:
        if not hasattr(use.layer, "per_sample_gradients"):
            return _gradients(use.layer, self.group.attribute, inputs, signal)
        if use not in self.own:
            self.own[use] = use.layer.per_sample_gradients(inputs, signal)
        return self.own[use][self.group.attribute]


def _of_samples(parts: OuterProducts, rows: int) -> OuterProducts:
    return OuterProducts(_together(parts.inputs, rows), _together(parts.signals, rows))


def _together(values: Shaped[Tensor, "r ... d"], rows: int) -> Shaped[Tensor, "n ... e"]:
    """Concatenate the positions of all rows of a sample."""
    return values if rows == 1 else values.unflatten(0, (-1, rows)).movedim(1, -2).flatten(-2)


def structured_factors(
    model: nn.Module, inputs: Tensor, kind: Kind, plan: Plan | None = None
) -> dict[str, Factor]:
    """Compute the factors that every trainable parameter contributes to the kernel of a batch.

    Args:
        model: Network with outputs ``(n, c)``.
        kind: Kind of kernel, which decides the cheapest form.
        plan: Where the samples lie; None to establish it.

    Returns:
        Factors by parameter, in an order that depends on the network alone; differentiable if gradients
        are enabled.

    Raises:
        ValueError: A network whose samples mix, or that changes a layer's input in place.
    """
    traces, left_out = trace_parameters(model, inputs, kind, plan)
    factors = {trace.name(): _factor(trace, kind) for trace in traces}
    if left_out:
        features = whole_jacobian(model, inputs, left_out)
        whole = Gradients(features.sum(1, keepdim=True) if kind == "pseudo" else features)
        factors[", ".join(left_out)] = whole
    return factors


def trace_parameters(
    model: nn.Module, inputs: Tensor, kind: Kind, plan: Plan | None = None, *, batched: bool = True
) -> tuple[list[ParameterTrace], list[str]]:
    """Run a network forwards and backwards once, and group the recorded tensors by parameter.

    Args:
        model: Network with outputs ``(n, c)``.
        kind: Kind of kernel; ``pseudo`` sends back the sum of logits in place of each.
        plan: Where the samples lie; None to establish it.
        batched: Whether all logits are sent back at once; one after the other takes less memory, and less
            time where the backward passes are large.

    Returns:
        All parameters that are known and reach the logits, and the names of those that are not known.

    Raises:
        ValueError: A network whose samples mix, or whose logits depend on no trainable parameter.
        TransformError: A network that changes a layer's input in place.
    """
    plan = plan or make_plan(model, two_samples(inputs))
    recording = record(model, inputs, is_known)
    check_finite(inputs, recording)
    for use in recording.uses:
        if use.inputs._version != use.version:
            raise TransformError(f"layer {use.name!r}: its input is changed in place after it was used")
    layouts = plan.arranged(recording, len(inputs))
    groups = group_uses(recording, {id(p) for name, p in model.named_parameters() if name in plan.left_out})
    signals = _signals(recording, groups, kind, batched)
    own: dict[LayerCall, dict[str, Tensor]] = {}
    traces = []
    for group in groups:
        uses = [use for use in group.uses if use in signals]
        parts = ((u, layouts[u], signals[u]) for u in uses)
        arranged = ((u, v.arrange(_inputs(u)), v.arrange(b, 1), v.rows) for u, v, b in parts)
        traces.append(ParameterTrace(group, tuple(arranged), own))
    return [trace for trace in traces if trace.uses], list(plan.left_out)


def structured_kernel(left: dict[str, Factor], right: dict[str, Factor], kind: Kind) -> Float[Tensor, "..."]:
    """Sum the contributions of all parameters to the kernel between two batches.

    Returns:
        Kernel, ``full`` as ``(n, c, m, c)``.
    """
    total = None
    for name, factor in left.items():
        part = factor.pair(right[name], kind)
        if total is None:
            total = part
        else:
            total = total + part if total.requires_grad or part.requires_grad else total.add_(part)
    return total


def group_uses(recording: ForwardRecord, left_out: set[int]) -> list[Group]:
    """Group the recorded calls by parameter, and a bias with its weight if all calls use both.

    Args:
        left_out: Identities of parameters that are not to be grouped.

    Returns:
        One group a parameter, or a weight with its bias.
    """
    members: dict[tuple[int, int, int], list[tuple[str, ParameterPart, LayerCall]]] = defaultdict(list)
    for use in recording.uses:
        for attribute, part in use.parts.items():
            if id(part.parameter) not in left_out:
                members[part.key].append((attribute, part, use))
    groups, folded = [], set()
    for occurrences in members.values():
        attribute, part, _ = occurrences[0]
        uses = tuple(use for *_, use in occurrences)
        bias = _shared_bias(attribute, uses, members)
        folded |= {bias.key} if bias is not None else set()
        groups.append(Group(attribute, part, uses, bias))
    return [group for group in groups if group.part.key not in folded]


def _shared_bias(attribute: str, uses: tuple[LayerCall, ...], members: dict) -> ParameterPart | None:
    if attribute != "weight" or any(type(use.layer) not in (*DENSE, *CONVOLUTIONS) for use in uses):
        return None
    biases = [use.parts.get("bias") for use in uses]
    if None in biases or len({bias.key for bias in biases}) > 1:
        return None
    return biases[0] if [use for *_, use in members.get(biases[0].key, [])] == list(uses) else None


def _signals(
    recording: ForwardRecord, groups: list[Group], kind: Kind, batched: bool
) -> dict[LayerCall, Float[Tensor, "c ..."]]:
    if not groups:
        return {}
    uses = list(dict.fromkeys(use for group in groups for use in group.uses))
    create_graph = torch.is_grad_enabled()
    with torch.enable_grad(), plain_operations():
        logits = recording.logits.sum(1, keepdim=True) if kind == "pseudo" else recording.logits
        backward = _backward if batched else _backward_one_by_one
        try:
            rows = backward(logits, uses, create_graph)
        except RuntimeError:  # some backward passes, such as that of circular padding, cannot be batched
            rows = _backward_one_by_one(logits, uses, create_graph)
    signals = {use: row for use, row in zip(uses, rows, strict=True) if row is not None}
    return signals if create_graph else {use: row.detach() for use, row in signals.items()}


def _backward(logits: Tensor, uses: list[LayerCall], create_graph: bool) -> tuple[Tensor | None, ...]:
    return torch.autograd.grad(
        logits,
        [use.edge for use in uses],
        torch.eye(logits.shape[1]).to(logits)[:, None].expand(-1, *logits.shape),
        retain_graph=True,
        create_graph=create_graph,
        allow_unused=True,
        is_grads_batched=True,
    )


def _backward_one_by_one(logits: Tensor, uses: list[LayerCall], create_graph: bool) -> list[Tensor | None]:
    edges = [use.edge for use in uses]
    rows = [
        torch.autograd.grad(
            logit.sum(), edges, retain_graph=True, create_graph=create_graph, allow_unused=True
        )
        for logit in logits.unbind(1)
    ]
    return [None if row[0] is None else torch.stack(row) for row in zip(*rows, strict=True)]


def _factor(trace: ParameterTrace, kind: Kind) -> Factor:
    parts = trace.outer()
    if parts is not None:
        return _outer_factor(parts, trace.group.bias is not None, kind)
    lookup = trace.lookup()
    if lookup is not None:
        return _embedding_factor(trace.uses[0][0].layer, *lookup, kind)
    return Gradients(trace.gradients())


def _inputs(use: LayerCall) -> Tensor:
    return use.inputs if torch.is_grad_enabled() else use.inputs.detach()


def _outer_factor(parts: OuterProducts, bias: bool, kind: Kind) -> Factor:
    _, c, g, o, d = parts.signals.shape
    way = cheapest(LayerShape(c, g, o, parts.inputs.shape[2], d), kind)
    if way == "one position":
        return OnePosition(parts.inputs.flatten(1), parts.signals.flatten(2).contiguous(), bias)
    if way == "positions":
        b = parts.signals[:, :, 0].permute(0, 3, 1, 2).contiguous()
        return Positions(parts.inputs[:, 0].mT.contiguous(), b, bias)
    return Gradients((parts.with_bias() if bias else parts).gradients().flatten(2))


def _embedding_factor(layer: nn.Embedding, places: Tensor, b: Tensor, kind: Kind) -> Factor:
    """Form the gradients of a table if it has few rows; else keep the looked-up rows alone."""
    _, c, o, d = b.shape
    if layer.num_embeddings <= TABLE * d and gradient_pair_work(
        LayerShape(c, 1, o, layer.num_embeddings, d), kind
    ) < position_pair_work(LayerShape(c, 1, o, 1, d), kind):
        return Gradients(table_gradients(layer, places, b).flatten(2))
    return Positions(places, b.permute(0, 3, 1, 2).contiguous(), bias=False)


def _gradients(layer: nn.Module | Dense, attribute: str, inputs: Tensor, signal: Tensor) -> Tensor:
    if type(layer) in NORMS:
        return norm_gradients(layer, attribute, inputs, signal)
    if type(layer) in PRELU:
        return slope_gradients(layer, inputs, signal)
    if type(layer) in EMBEDDINGS:
        return table_gradients(layer, *lookup_signals(layer, inputs, signal))
    if attribute == "bias":
        return bias_gradients(layer, signal)
    return weight_gradients(layer, parts_of(layer, inputs, signal))


def warn_whole(names: Sequence[str], stacklevel: int = 3) -> None:
    """Warn of parameters that get whole Jacobians.

    Args:
        names: Parameters by name, maybe none.
        stacklevel: Callers between this function and the user's.

    Warns:
        WholeJacobianWarning: By name.
    """
    if names:
        warnings.warn(
            f"{', '.join(names)}: not known to the structured method, whole Jacobians are formed for "
            f"{'this parameter' if len(names) == 1 else 'these parameters'}",
            WholeJacobianWarning,
            stacklevel=stacklevel,
        )


def whole_jacobian(model: nn.Module, inputs: Tensor, names: Sequence[str]) -> Float[Tensor, "n c p"]:
    """Form the whole Jacobian of parameters that are not known, by a loop if function transforms fail."""
    try:
        return jacobian(model, inputs, names)
    except TransformError:
        return looped_jacobian(model, inputs, names)
