"""Kernels by NTK-vector products: a reverse pass on one side, a forward-mode pass on the other.

No Jacobian and no gradient is kept, so that memory grows with the network and the tile alone; worthwhile
where there are many logits and large weights. Source: Novak, Sohl-Dickstein, Schoenholz (2022).
"""

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn
from torch.func import vjp, vmap

from ntkd_lib.ntk.functional import Parameters, TransformError, call_with, located, split_parameters, tangent
from ntkd_lib.ntk.kinds import Kind
from ntkd_lib.ntk.recording import ForwardRecord, nodes_behind, padding_row


def products_kernel(
    model: nn.Module, x1: Shaped[Tensor, "n ..."], x2: Shaped[Tensor, "m ..."], kind: Kind
) -> Float[Tensor, "..."]:
    """Compute a kernel column by column, ``Theta(x1, x) e_c = J(x1) J(x)' e_c``.

    Raises:
        TransformError: A layer without forward mode.
    """
    moving, rest = split_parameters(model)

    def output(parameters: Parameters, samples: Tensor) -> Tensor:
        return call_with(model, (parameters, rest), (samples,))

    def columns(sample: Tensor) -> Tensor:
        logits, pull = vjp(lambda p: output(p, sample[None]), moving)
        ones = torch.ones_like(logits)
        cotangents = ones[None] if kind == "pseudo" else torch.eye(logits.shape[1]).to(logits)[:, None]

        def column(cotangent: Tensor) -> Tensor:
            return tangent(lambda p: output(p, x1), moving, pull(cotangent)[0])

        return vmap(column)(cotangents)

    with located(model):
        blocks = torch.stack([columns(sample) for sample in x2])
    if kind == "full":
        return blocks.permute(2, 3, 0, 1)
    if kind == "pseudo":
        return blocks[:, 0].sum(2).T
    diagonal = blocks.diagonal(dim1=1, dim2=3)
    return diagonal.sum(2).T if kind == "trace" else diagonal.permute(2, 1, 0)


def still_rows(recording: ForwardRecord) -> dict[str, int]:
    """List the rows of tables that reverse mode holds still, by the name of the table.

    Raises:
        TransformError: Gradients scaled by frequency; such a row of a table that is computed, or that other
            operations read too, since forward mode moves it for all alike.
    """
    nodes, rows = list(nodes_behind([recording.logits.grad_fn], {})), {}
    tables = [node for node in nodes if node.name() == "EmbeddingBackward0"]
    for table in tables:
        leaf, row = table.next_functions[0][0], padding_row(table)
        name = recording.names.get(id(getattr(leaf, "variable", None)), "")
        layer = f"layer {name.rpartition('.')[0]!r}" if name else "model"
        if table._saved_scale_grad_by_freq:
            raise TransformError(f"{layer}: gradients scaled by frequency have no NTK-vector products")
        if row is None:
            continue
        others = (node for node in nodes if node not in tables or padding_row(node) != row)
        if not name or any(leaf is step for node in others for step, _ in node.next_functions):
            why = "an embedding with padding whose table is shared or computed has no NTK-vector products"
            raise TransformError(f"{layer}: {why}; use method 'structured' or 'contraction'")
        rows[name] = row
    return rows
