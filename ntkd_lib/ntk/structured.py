"""Structured tangent kernels: parameter by parameter in the cheapest form, without the whole Jacobian.

One forward pass records what each layer was given, one batched backward pass what each logit sends back
to its output; from these two every known layer's per-sample gradients follow. Source: Novak,
Sohl-Dickstein, Schoenholz (2022), structured derivatives. Parameters that reach the logits by other ways
get whole Jacobians.
"""

import warnings
from collections import defaultdict
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from ntkd_lib.ntk.contraction import jacobian
from ntkd_lib.ntk.factors import Factor, Gradients, OnePosition, Positions
from ntkd_lib.ntk.kinds import Kind
from ntkd_lib.ntk.layers.outer import (
    CONVOLUTIONS,
    DENSE,
    TRANSPOSED,
    Outer,
    bias_gradients,
    joined,
    parts_of,
    weight_gradients,
)
from ntkd_lib.ntk.layers.rows import EMBEDDINGS, NORMS, lookup_signals, norm_gradients, table_gradients
from ntkd_lib.ntk.recording import Recording, Use, record
from ntkd_lib.ntk.work import Shape, cheapest

OUTER = (*DENSE, *CONVOLUTIONS, *TRANSPOSED)


def is_known(layer: nn.Module) -> bool:
    """Say whether the gradients of a layer's parameters follow from its input and the signal at its output.

    Exactly the listed types count and not their subclasses, whose forward pass may differ; and any layer
    with a method ``per_sample_gradients(inputs, signal)`` that gives the gradients ``(n, c, *p)`` of all its
    own parameters by name. Where that method holds much else, the layer's ``passing_values`` says how many
    values a sample, for ``tile="auto"``.

    Args:
        layer: Layer of a network.

    Returns:
        Whether it is known.
    """
    if isinstance(layer, nn.Embedding) and (layer.max_norm is not None or layer.scale_grad_by_freq):
        return False
    return type(layer) in (*OUTER, *NORMS, *EMBEDDINGS) or hasattr(layer, "per_sample_gradients")


class WholeJacobianWarning(UserWarning):
    """Some parameters are not known to the structured method and were given whole Jacobians."""


@dataclass(frozen=True)
class Group:
    """A parameter and its uses.

    Attributes:
        attribute: Its name in the layer.
        parameter: The parameter.
        uses: Uses of it.
        bias: Whether the bias of the same layers is counted with it.
    """

    attribute: str
    parameter: nn.Parameter
    uses: tuple[Use, ...]
    bias: bool = False


@dataclass(frozen=True)
class Fed:
    """A parameter and all from which its per-sample gradients follow.

    Attributes:
        group: The parameter and its uses.
        uses: Each use that reaches the logits, what its layer was given, and the signal ``(n, c, ...)``:
            gradients of the logits with respect to its output.
        own: Gradients by use, of layers that give those of all their parameters at once; shared by these.
    """

    group: Group
    uses: tuple[tuple[Use, Tensor, Tensor], ...]
    own: dict[Use, dict[str, Tensor]]

    def outer(self) -> Outer | None:
        """Give the gradients as a sum of outer products.

        Returns:
            The parts, or None where the gradients are no such sum.
        """
        types = {type(use.layer) in TRANSPOSED for use, *_ in self.uses}
        weight = self.group.attribute == "weight" and all(type(use.layer) in OUTER for use, *_ in self.uses)
        if not weight or len(types) != 1:
            return None
        return joined([parts_of(use.layer, inputs, signal) for use, inputs, signal in self.uses])

    def lookup(self) -> tuple[Int[Tensor, "n d"], Float[Tensor, "n c e d"]] | None:
        """Give the gradients as signals at the rows of a table that were looked up.

        Returns:
            Indices and signals by position, or None where this is not the table of one embedding.
        """
        use, inputs, signal = self.uses[0]
        alone = len(self.uses) == 1 and isinstance(use.layer, nn.Embedding)
        return lookup_signals(use.layer, inputs, signal) if alone else None

    def gradients(self) -> Float[Tensor, "n c p"]:
        """Form the gradients of the parameter, without a bias that is counted with it.

        Returns:
            Gradients of each class and sample.
        """
        return sum(self._of_use(*use) for use in self.uses).flatten(2)

    def _of_use(self, use: Use, inputs: Tensor, signal: Tensor) -> Float[Tensor, "n c ..."]:
        if not hasattr(use.layer, "per_sample_gradients"):
            return _gradients(use.layer, self.group.attribute, inputs, signal)
        if use not in self.own:
            self.own[use] = use.layer.per_sample_gradients(inputs, signal)
        return self.own[use][self.group.attribute]


def structured_factors(model: nn.Module, inputs: Tensor, kind: Kind) -> list[Factor]:
    """Collect what every trainable parameter contributes to the kernel of a batch.

    Args:
        model: Network with outputs ``(n, c)``.
        inputs: Batch of samples.
        kind: Kind of kernel, which decides the cheapest form.

    Returns:
        Factors in an order that depends on the network alone; differentiable where gradients are enabled.

    Raises:
        ValueError: A network whose samples mix, or that changes a layer's input in place.

    Warns:
        WholeJacobianWarning: Parameters that the method does not know, by name.
    """
    fed, unseen = feed(model, inputs, kind)
    factors = [_factor(each, kind) for each in fed]
    if unseen:
        features = whole_jacobian(model, inputs, unseen)
        factors.append(Gradients(features.sum(1, keepdim=True) if kind == "pseudo" else features))
    return factors


def feed(model: nn.Module, inputs: Tensor, kind: Kind) -> tuple[list[Fed], list[str]]:
    """Run a network forwards and backwards once, and sort what came to every layer by parameter.

    Args:
        model: Network with outputs ``(n, c)``.
        inputs: Batch of samples.
        kind: Kind of kernel; ``pseudo`` sends back the sum of logits in place of each.

    Returns:
        All parameters that are known and reach the logits, and the names of those that are not known.

    Raises:
        ValueError: A network whose samples mix, that changes a layer's input in place, or whose logits depend
            on no trainable parameter.
    """
    recording = record(model, inputs, is_known)
    check_samples_apart(model, inputs, recording)
    if recording.logits.grad_fn is None:
        raise ValueError("model: its logits depend on no trainable parameter")
    unseen = recording.unseen(model)
    groups = group_uses(recording, {id(p) for p in unseen.values()})
    signals = _signals(recording, groups, kind)
    own: dict[Use, dict[str, Tensor]] = {}
    fed = [Fed(g, tuple((u, _inputs(u), signals[u]) for u in g.uses if u in signals), own) for g in groups]
    return [each for each in fed if each.uses], list(unseen)


def structured_kernel(left: list[Factor], right: list[Factor], kind: Kind) -> Float[Tensor, "..."]:
    """Sum the contributions of all parameters to the kernel between two batches.

    Args:
        left: Factors of the first batch.
        right: Factors of the second batch.
        kind: Kind of kernel.

    Returns:
        Kernel, ``full`` as ``(n, c, m, c)``.
    """
    total = left[0].pair(right[0], kind)
    for a, b in zip(left[1:], right[1:], strict=True):
        part = a.pair(b, kind)
        total = total + part if total.requires_grad or part.requires_grad else total.add_(part)
    return total


def group_uses(recording: Recording, left_out: set[int]) -> list[Group]:
    """Sort the recorded uses by parameter, and count a bias with its weight where both are used alike.

    Args:
        recording: Watched forward pass.
        left_out: Identities of parameters that are not to be grouped.

    Returns:
        One group a parameter, or a weight with its bias.
    """
    members: dict[int, list[tuple[str, nn.Parameter, Use]]] = defaultdict(list)
    for use in recording.uses:
        for attribute, parameter in use.parameters():
            if id(parameter) not in left_out:
                members[id(parameter)].append((attribute, parameter, use))
    groups, folded = [], set()
    for found in members.values():
        attribute, parameter, _ = found[0]
        uses = tuple(use for *_, use in found)
        bias = _shared_bias(attribute, uses, members)
        folded |= {id(bias)} if bias is not None else set()
        groups.append(Group(attribute, parameter, uses, bias is not None))
    return [group for group in groups if id(group.parameter) not in folded]


def _shared_bias(attribute: str, uses: tuple[Use, ...], members: dict) -> nn.Parameter | None:
    if attribute != "weight" or any(type(use.layer) not in (*DENSE, *CONVOLUTIONS) for use in uses):
        return None
    biases = {id(use.layer.bias): use.layer.bias for use in uses}
    (bias,) = biases.values() if len(biases) == 1 else (None,)
    if bias is None or [use for *_, use in members.get(id(bias), [])] != list(uses):
        return None
    return bias


def _signals(recording: Recording, groups: list[Group], kind: Kind) -> dict[Use, Tensor]:
    uses = list(dict.fromkeys(use for group in groups for use in group.uses))
    create_graph = torch.is_grad_enabled()
    with torch.enable_grad():
        logits = recording.logits.sum(1, keepdim=True) if kind == "pseudo" else recording.logits
        try:
            rows = _backward(logits, uses, create_graph)
        except RuntimeError:  # some backward passes, such as that of circular padding, cannot be batched
            rows = _backward_one_by_one(logits, uses, create_graph)
    found = {use: row.transpose(0, 1) for use, row in zip(uses, rows, strict=True) if row is not None}
    return found if create_graph else {use: row.detach() for use, row in found.items()}


def _backward(logits: Tensor, uses: list[Use], create_graph: bool) -> tuple[Tensor | None, ...]:
    return torch.autograd.grad(
        logits,
        [use.edge for use in uses],
        torch.eye(logits.shape[1]).to(logits)[:, None].expand(-1, *logits.shape),
        retain_graph=True,
        create_graph=create_graph,
        allow_unused=True,
        is_grads_batched=True,
    )


def _backward_one_by_one(logits: Tensor, uses: list[Use], create_graph: bool) -> list[Tensor | None]:
    edges = [use.edge for use in uses]
    rows = [
        torch.autograd.grad(
            logit.sum(), edges, retain_graph=True, create_graph=create_graph, allow_unused=True
        )
        for logit in logits.unbind(1)
    ]
    return [None if row[0] is None else torch.stack(row) for row in zip(*rows, strict=True)]


def _factor(fed: Fed, kind: Kind) -> Factor:
    parts = fed.outer()
    if parts is not None:
        return _outer_factor(parts, fed.group.bias, kind)
    found = fed.lookup()
    if found is not None:
        return _embedding_factor(fed.uses[0][0].layer, *found, kind)
    return Gradients(fed.gradients())


def _inputs(use: Use) -> Tensor:
    return use.inputs if torch.is_grad_enabled() else use.inputs.detach()


def _outer_factor(parts: Outer, bias: bool, kind: Kind) -> Factor:
    _, c, g, o, d = parts.signals.shape
    way = cheapest(Shape(c, g, o, parts.inputs.shape[2], d), kind)
    if way == "one position":
        return OnePosition(parts.inputs.flatten(1), parts.signals.flatten(2).contiguous(), bias)
    if way == "positions":
        b = parts.signals[:, :, 0].permute(0, 3, 1, 2).contiguous()
        return Positions(parts.inputs[:, 0].mT.contiguous(), b, bias)
    return Gradients((parts.with_bias() if bias else parts).gradients().flatten(2))


def _embedding_factor(layer: nn.Embedding, places: Tensor, b: Tensor, kind: Kind) -> Factor:
    _, c, o, d = b.shape
    if cheapest(Shape(c, 1, o, layer.num_embeddings, d), kind) == "gradients":
        return Gradients(table_gradients(layer, places, b).flatten(2))
    return Positions(places, b.permute(0, 3, 1, 2).contiguous(), bias=False)


def _gradients(layer: nn.Module, attribute: str, inputs: Tensor, signal: Tensor) -> Tensor:
    if type(layer) in NORMS:
        return norm_gradients(layer, attribute, inputs, signal)
    if type(layer) in EMBEDDINGS:
        return table_gradients(layer, *lookup_signals(layer, inputs, signal))
    if attribute == "bias":
        return bias_gradients(layer, signal)
    return weight_gradients(layer, parts_of(layer, inputs, signal))


def whole_jacobian(model: nn.Module, inputs: Tensor, names: list[str]) -> Float[Tensor, "n c p"]:
    """Form the whole Jacobian of parameters that are not known, with a note.

    Args:
        model: Network.
        inputs: Batch.
        names: Parameters by name.

    Returns:
        Jacobian.

    Warns:
        WholeJacobianWarning: Always, by name.
    """
    warnings.warn(
        f"{', '.join(names)}: not known to the structured method, whole Jacobians are formed for "
        f"{'this parameter' if len(names) == 1 else 'these parameters'}",
        WholeJacobianWarning,
        stacklevel=4,
    )
    return jacobian(model, inputs, names)


def check_samples_apart(model: nn.Module, inputs: Tensor, recording: Recording) -> None:
    """Refuse a network whose output for one sample changes with the rest of its batch.

    Args:
        model: Network.
        inputs: Batch.
        recording: Its watched forward pass.

    Raises:
        ValueError: With the name of the first layer at which the sample's values differ; or logits that are
            not finite.
    """
    if not recording.logits.isfinite().all():
        kind = "the inputs are" if not inputs.isfinite().all() else "the inputs are finite, the logits are"
        raise ValueError(f"model: {kind} not finite, so no tangent kernel exists")
    if len(inputs) == 1:
        return
    alone = record(model, inputs[:1], is_known)
    if _close(alone.logits[0], recording.logits[0]):
        return
    pairs = zip(alone.uses, recording.uses, strict=False)
    names = [a.name for a, b in pairs if a.name != b.name or not _close(a.inputs[0], b.inputs[0])]
    place = f"at or before layer {names[0]!r}" if names else "after the last layer that is trained"
    raise ValueError(f"model: the output for a sample changes with the rest of its batch, {place}")


def _close(a: Tensor, b: Tensor) -> bool:
    tolerance = 1e-3 if a.dtype == torch.float32 else 1e-6
    return bool((a - b).double().norm() <= tolerance * b.double().norm() + 1e-30)
