"""Kernels by NTK-vector products: a reverse pass on one side, a forward-mode pass on the other.

No Jacobian and no gradient is kept, so that memory grows with the network and the tile alone; worthwhile
where there are many logits and large weights. Source: Novak, Sohl-Dickstein, Schoenholz (2022).
"""

from collections import Counter
from collections.abc import Collection

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn
from torch.func import vjp, vmap

from ntkd_lib.ntk.functional import Parameters, TransformError, call_with, located, split_parameters, tangent
from ntkd_lib.ntk.kinds import Kind


def products_kernel(
    model: nn.Module,
    x1: Shaped[Tensor, "n ..."],
    x2: Shaped[Tensor, "m ..."],
    kind: Kind,
    left_out: Collection[str] = (),
) -> Float[Tensor, "..."]:
    """Compute a kernel column by column, ``Theta(x1, x) e_c = J(x1) J(x)' e_c``.

    Raises:
        TransformError: An embedding with padding whose table is used elsewhere; a layer without forward mode.
    """
    refuse_tables(model, left_out)
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


def refuse_tables(model: nn.Module, left_out: Collection[str] = ()) -> None:
    """Refuse tables of which forward mode moves rows that reverse mode holds still or scales.

    Raises:
        TransformError: The embedding by name.
    """
    owners = Counter(id(p) for layer in model.modules() for p in layer.parameters(recurse=False))
    for name, layer in model.named_modules():
        if not isinstance(layer, nn.Embedding):
            continue
        if layer.scale_grad_by_freq:
            raise TransformError(f"layer {name!r}: gradients scaled by frequency have no NTK-vector products")
        shared = owners[id(layer.weight)] > 1 or f"{name}.weight".lstrip(".") in left_out
        if layer.padding_idx is not None and shared:
            raise TransformError(
                f"layer {name!r}: an embedding with padding whose table is shared has no NTK-vector "
                "products; use method 'structured' or 'contraction'"
            )
