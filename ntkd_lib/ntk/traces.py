"""Parameters with the recorded tensors that determine their gradients, visited as the backward pass goes."""

from collections import defaultdict
from collections.abc import Callable, Collection
from dataclasses import dataclass
from math import prod

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor, nn

from ntkd_lib.ntk.functional import TransformError
from ntkd_lib.ntk.kinds import Kind
from ntkd_lib.ntk.layers.outer import CONVOLUTIONS, DENSE, OUTER, TRANSPOSED, OuterProducts, joined, parts_of
from ntkd_lib.ntk.layers.rows import lookup_signals, parameter_gradients
from ntkd_lib.ntk.layout import Plan, check_finite, is_known
from ntkd_lib.ntk.owners import check_owners
from ntkd_lib.ntk.recording import ForwardRecord, LayerCall, ParameterPart, record
from ntkd_lib.ntk.signals import all_signals, stream_signals

AT_ONCE = 2**22  # values of signals that are held together: to stream one takes a millisecond


@dataclass(frozen=True)
class Group:
    """A parameter, or a part of it, and the layer calls that use it.

    Attributes:
        attribute: What it is in these layers, such as their ``weight``; empty if not the same in all.
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
        """Return the gradients as a sum of outer products."""
        weight = self.group.attribute == "weight" and all(type(use.layer) in OUTER for use, *_ in self.uses)
        if not weight or len({_form(use) for use, *_ in self.uses}) != 1:
            return None
        return joined([_of_samples(parts_of(use.layer, a, b), rows) for use, a, b, rows in self.uses])

    def lookup(self) -> tuple[Int[Tensor, "n d"], Float[Tensor, "n c e d"]] | None:
        """Return the gradients as signals at the looked-up rows of a table."""
        if not all(isinstance(use.layer, nn.Embedding) for use, *_ in self.uses):
            return None
        lookups = [
            (_together(places, rows), _together(signals, rows))
            for use, a, b, rows in self.uses
            for places, signals in (lookup_signals(use.layer, a, b),)
        ]
        return torch.cat([places for places, _ in lookups], 1), torch.cat([b for _, b in lookups], 3)

    def gradients(self) -> Float[Tensor, "n c p"]:
        """Compute the gradients of the parameter, without a bias that is grouped with it."""
        key, calls = self.group.part.key, ((use, use[0].parts.items()) for use in self.uses)
        named = ((name, use) for use, parts in calls for name, part in parts if part.key == key)
        return sum(self._as(name, *use).unflatten(0, (-1, use[3])).sum(1).flatten(2) for name, use in named)

    def _as(self, name: str, use: LayerCall, inputs: Tensor, signal: Tensor, _: int) -> Tensor:
        if not hasattr(use.layer, "per_sample_gradients"):
            return parameter_gradients(use.layer, name, inputs, signal)
        if use not in self.own:
            self.own[use] = use.layer.per_sample_gradients(inputs, signal)
        return self.own[use][name]


def _of_samples(parts: OuterProducts, rows: int) -> OuterProducts:
    return OuterProducts(_together(parts.inputs, rows), _together(parts.signals, rows))


def _together(values: Shaped[Tensor, "r ... d"], rows: int) -> Shaped[Tensor, "n ... e"]:
    """Concatenate the positions of all rows of a sample."""
    return values if rows == 1 else values.unflatten(0, (-1, rows)).movedim(1, -2).flatten(-2)


def visit_parameters(
    model: nn.Module,
    inputs: Tensor,
    kind: Kind,
    plan: Plan,
    visit: Callable[[ParameterTrace], None],
    *,
    batched: bool = True,
) -> tuple[str, ...]:
    """Run a network forwards and backwards once, and pass on the recorded tensors parameter by parameter.

    Without gradients each parameter is visited when the backward pass has reached it, and then forgotten;
    signals that are small together are held at once.

    Args:
        model: Network with outputs ``(n, c)``.
        kind: Kind of kernel; ``pseudo`` sends back the sum of logits in place of each.
        visit: Called with each parameter, or part of one, that is known and reaches the logits.
        batched: Whether all logits are sent back at once; one after the other takes less time where the
            backward passes are large.

    Returns:
        Names of the parameters that are not known.

    Raises:
        ValueError: A network whose samples mix, or whose logits depend on no trainable parameter.
        UnsettledError: A network for whose batch the layouts of the plan do not hold.
        TransformError: A network that changes a layer's input in place.
        RuntimeError: What ``visit`` raises.
    """
    walk = _BackwardWalk(model, inputs, kind, plan, visit)
    if walk.waiting and batched and not torch.is_grad_enabled() and walk.signal_values() > AT_ONCE:
        try:
            stream_signals(walk.logits, list(walk.owners), walk.receive)
            walk.finish_all()
        except RuntimeError:  # some passes cannot be batched, and then others take over
            if walk.visiting:
                raise
        if walk.waiting:
            walk = _BackwardWalk(model, inputs, kind, plan, visit, walk.waiting)
    if walk.waiting:
        for use, signal in all_signals(walk.logits, list(walk.owners), batched=batched).items():
            walk.receive(use, signal)
        walk.finish_all()
    return plan.left_out


class _BackwardWalk:
    """Groups of layer calls that wait for their signals."""

    def __init__(
        self,
        model: nn.Module,
        inputs: Tensor,
        kind: Kind,
        plan: Plan,
        visit: Callable[[ParameterTrace], None],
        places: Collection[int] | None = None,
    ) -> None:
        recording = record(model, inputs, is_known)
        check_finite(inputs, recording)
        for use in recording.uses:
            if use.inputs._version != use.version:
                raise TransformError(f"layer {use.name!r}: its input is changed in place after it was used")
        self.visit, self.layouts, self.visiting = visit, plan.arranged(recording, len(inputs)), False
        with torch.enable_grad():
            self.logits = recording.logits.sum(1, keepdim=True) if kind == "pseudo" else recording.logits
        if places is None:
            check_owners(recording.logits, self.layouts)
        groups = dict(enumerate(group_uses(recording, plan.left_out)))
        self.waiting = {k: group for k, group in groups.items() if places is None or k in places}
        self.owners: dict[LayerCall, set[int]] = {}
        for k, group in self.waiting.items():
            for use in group.uses:
                self.owners.setdefault(use, set()).add(k)
        self.signals: dict[LayerCall, Tensor] = {}
        self.own: dict[LayerCall, dict[str, Tensor]] = {}

    def signal_values(self) -> int:
        """Count the values of all signals."""
        return self.logits.shape[1] * sum(prod(use.shape) for use in self.owners)

    def receive(self, use: LayerCall, signal: Tensor) -> None:
        """Store a signal, and finish the parameters for which it was the last."""
        self.signals[use] = signal
        for k in sorted(self.owners[use]):
            if all(other in self.signals for other in self.waiting[k].uses):
                self._finish(k)

    def finish_all(self) -> None:
        """Finish the parameters of which some calls do not reach the logits."""
        for k in sorted(self.waiting):
            self._finish(k)

    def _finish(self, k: int) -> None:
        uses = [use for use in self.waiting[k].uses if use in self.signals]
        if uses:
            arranged = tuple(self._arranged(use) for use in uses)
            self.visiting = True  # an error from here on may have left a part of this parameter behind
            self.visit(ParameterTrace(self.waiting[k], arranged, self.own))
            self.visiting = False
        for use in set(self.waiting.pop(k).uses):
            self.owners[use].discard(k)
            if not self.owners[use]:
                for table in (self.owners, self.signals, self.own, self.layouts):
                    table.pop(use, None)

    def _arranged(self, use: LayerCall) -> tuple[LayerCall, Tensor, Tensor, int]:
        layout, signal = self.layouts[use], self.signals[use]
        inputs = use.inputs if torch.is_grad_enabled() else use.inputs.detach()
        if inputs.is_floating_point() and inputs.dtype != signal.dtype:  # autocast has cast the inputs
            inputs, signal = (
                each.to(torch.promote_types(inputs.dtype, signal.dtype)) for each in (inputs, signal)
            )
        return use, layout.arrange(inputs), layout.arrange(signal, 1), layout.rows


def group_uses(recording: ForwardRecord, left_out: Collection[str]) -> list[Group]:
    """Group the recorded calls by parameter, and a bias with its weight if all calls use both."""
    members: dict[tuple[int, int, int], list[tuple[str, ParameterPart, LayerCall]]] = defaultdict(list)
    for use in recording.uses:
        for attribute, part in use.parts.items():
            if part.name not in left_out:
                members[part.key].append((attribute, part, use))
    groups, folded = [], set()
    for occurrences in members.values():
        attributes, part = {name for name, *_ in occurrences}, occurrences[0][1]
        attribute = attributes.pop() if len(attributes) == 1 else ""
        uses = tuple(dict.fromkeys(use for *_, use in occurrences))
        bias = _shared_bias(attribute, uses, members)
        folded |= {bias.key} if bias is not None else set()
        groups.append(Group(attribute, part, uses, bias))
    return [group for group in groups if group.part.key not in folded]


def _form(use: LayerCall) -> tuple[bool, int, int]:
    """Describe how a weight is multiplied: from which side, for how many outputs, in how many groups."""
    return type(use.layer) in TRANSPOSED, len(use.layer.weight), getattr(use.layer, "groups", 1)


def _shared_bias(attribute: str, uses: tuple[LayerCall, ...], members: dict) -> ParameterPart | None:
    folding = attribute == "weight" and {type(use.layer) for use in uses} <= {*DENSE, *CONVOLUTIONS}
    if not folding or len({_form(use) for use in uses}) > 1:
        return None
    biases = [use.parts.get("bias") for use in uses]
    if None in biases or len({bias.key for bias in biases}) > 1:
        return None
    return biases[0] if [use for *_, use in members.get(biases[0].key, [])] == list(uses) else None
