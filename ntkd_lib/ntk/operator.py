"""The tangent kernel as a linear operator: products with a kernel that never exists."""

from collections.abc import Callable
from contextlib import nullcontext

import numpy as np
import torch
from jaxtyping import Float, Num, Shaped
from scipy.sparse.linalg import LinearOperator
from torch import Tensor, nn
from torch.func import vjp, vmap

from ntkd_lib.ntk.checks import check_model, check_request
from ntkd_lib.ntk.choice import MEMORY, measure_network
from ntkd_lib.ntk.contraction import looped_jacobian, real_values
from ntkd_lib.ntk.empirical import start_probe, warn_slow
from ntkd_lib.ntk.functional import Parameters, TransformError, call_with, located, split_parameters, tangent
from ntkd_lib.ntk.kinds import Kind, long_product
from ntkd_lib.ntk.layout import Plan
from ntkd_lib.ntk.network import Batch, as_network
from ntkd_lib.ntk.probe import Probe, ProbeError, check_gradients, check_results
from ntkd_lib.ntk.products import still_rows

DIRECTIONS = 8  # in weight space, held at a time, each as large as the network
TRIED = 8  # samples on which the network is tried for mixing them
COPIES = 6  # times that a pass holds what the layers give out, for each direction; measured 3 to 5


class NTKOperator(LinearOperator):
    """Products with the tangent kernel, ``Theta(x1, x2) v = J(x1) (J(x2)' v)``.

    A reverse pass over ``x2`` in chunks adds up ``u = J(x2)' v``, a forward-mode pass over ``x1`` in chunks
    gives ``J(x1) u``: memory holds one chunk and a few copies of the weights. Products carry no gradients.

    Kinds: ``full``, shape ``(n c, m c)`` with sample-major rows ``i c + class``; ``trace``,
    ``sum_c J_c(x1) J_c(x2)'``, shape ``(n, m)``, at the price of ``c`` passes per column; ``pseudo``, the
    kernel of the sum of logits, ``(n, m)``.

    Source: Novak, Sohl-Dickstein, Schoenholz (2022), NTK-vector products.

    Args:
        model: Network with outputs ``(n, c)`` of type float32 or float64, which is the operator's type too.
        x1: First batch, in any form that `ntkd_lib.ntk.empirical.empirical_ntk` takes.
        x2: Second batch; None for ``x1`` itself, and then the operator is its own adjoint.
        kind: Kind of kernel, all but ``per_class``.
        chunk: Samples at a time; None for as many as fit into 1 GiB.
        probe: Whether one random entry is compared with plain autograd on two samples that run alone; a loop
            takes over, with a warning, if they differ.

    Raises:
        ValueError: What `ntkd_lib.ntk.empirical.empirical_ntk` refuses, kind ``per_class``, an empty chunk, a
            type of numbers other than the two.

    >>> linear = nn.Linear(3, 1, bias=False)
    >>> x = torch.tensor([[1.0, 2.0, 0.0], [0.0, 1.0, 1.0]])
    >>> NTKOperator(linear, x, kind="trace") @ np.array([1.0, 0.0])  # the first column of X X'
    array([5., 2.], dtype=float32)
    """

    def __init__(
        self,
        model: nn.Module,
        x1: Batch,
        x2: Batch | None = None,
        *,
        kind: Kind = "full",
        chunk: int | None = None,
        probe: bool = True,
    ) -> None:
        """Check the request and take the sizes from a few samples."""
        model, x1, x2 = as_network(model, x1, x2)
        check_request(x1, x2, kind, "auto", None, 1)
        if chunk is not None and chunk < 1:
            raise ValueError(f"chunk: got {chunk}, needs at least 1 sample")
        if kind == "per_class":
            raise ValueError("kind: got 'per_class', allowed for an operator are full, trace, pseudo")
        check_model(model)
        self.kind, self.own = kind, x2 is None
        self.model, plan, trial = start_probe(model, x1, x2, "full")
        logits = plan.alone.logits
        if logits.dtype not in (torch.float32, torch.float64):
            raise ValueError(f"model: got logits of type {logits.dtype}, allowed are float32, float64")
        self.x1, self.x2 = x1, x1 if x2 is None else x2
        self.classes, self.loops, self.torch_dtype = logits.shape[1], False, logits.dtype
        still_rows(plan.alone)
        self.chunk = chunk or _fitting(self.model, x1)
        if probe:
            self._probe(trial, plan)
        width = self.classes if kind == "full" else 1
        dtype = logits.detach().cpu().numpy().dtype
        super().__init__(dtype, (len(self.x1) * width, len(self.x2) * width))

    def _probe(self, trial: Probe, plan: Plan) -> None:
        """Compare one entry with autograd, and switch to the loop if it differs."""
        try:
            trial.check_product(self._entry, plan)
        except (ProbeError, TransformError) as error:
            for (x, k), name in zip(trial.sides, ("", "" if self.own else " of x2"), strict=True):
                check_gradients(self.model, x, range(max(0, k - TRIED), min(k + TRIED, len(x))), name)
            trial.check_alone(plan)
            warn_slow(error, stacklevel=4)
            self.loops = True

    def _entry(self, i: int, j: int, v: Float[Tensor, " c"]) -> Float[Tensor, " c"]:
        """Multiply all products of the logits of two samples with a direction, among some neighbours."""
        a, b = (max(0, k - TRIED // 2) for k in (i, j))
        rows, columns = self.x1[a : a + TRIED], self.x2[b : b + TRIED]
        cotangents = v.new_zeros(1, len(columns), len(v))
        cotangents[0, j - b] = v
        with located(self.model):
            return self._push(self._pull(cotangents, columns), rows)[0, i - a]

    def matmul(self, v: Float[Tensor, "columns k"]) -> Float[Tensor, "rows k"]:
        """Multiply the kernel with some columns."""
        with torch.no_grad(), nullcontext() if self.loops else located(self.model):
            groups = self._cotangents(v).split(DIRECTIONS)
            moved = torch.cat([self._push(self._pull(group, self.x2), self.x1) for group in groups])
        if v.isfinite().all():
            check_results(self.model, moved, (self.x1, 1), (self.x2, None, "" if self.own else " of x2"))
        return self._gathered(moved, v.shape[1])

    def gram(self, v: Num[Tensor, "columns k"]) -> Float[Tensor, "k k"]:
        """Compute ``V' Theta V`` from the gradients ``J' V``, without forward mode.

        Raises:
            ValueError: An operator between two batches.
        """
        if not self.own:
            raise ValueError("operator: got two batches, needs the kernel of one with itself")
        v = v.to(next(self.model.parameters()).device, self.torch_dtype)
        with torch.no_grad(), nullcontext() if self.loops else located(self.model):
            groups = self._cotangents(v).split(DIRECTIONS)
            pulled = [self._pull(group, self.x2).values() for group in groups]
        flat = [[real_values(g.reshape(len(g), -1)) for g in part] for part in pulled]
        rows = torch.cat([torch.cat(part, 1) for part in flat])
        rows = rows.unflatten(0, (v.shape[1], -1)).flatten(1)  # of kind trace the classes of a column add up
        gram = long_product(rows, rows)
        check_results(self.model, gram, (self.x1, None))
        return gram

    def _matmat(self, X: Num[np.ndarray, "columns k"]) -> Float[np.ndarray, "rows k"]:
        if np.iscomplexobj(X):
            raise ValueError("v: got complex numbers, a tangent kernel multiplies real ones")
        values = torch.from_numpy(np.ascontiguousarray(X, dtype=self.dtype))
        return self.matmul(values.to(next(self.model.parameters()).device)).cpu().numpy()

    def _adjoint(self) -> "NTKOperator":
        if self.own:
            return self
        return NTKOperator(self.model, self.x2, self.x1, kind=self.kind, chunk=self.chunk)

    def _cotangents(self, v: Tensor) -> Float[Tensor, "q m c"]:
        if v.ndim != 2 or len(v) != self.shape[1]:
            raise ValueError(f"v: got shape {tuple(v.shape)}, needs ({self.shape[1]}, k)")
        if self.kind == "full":
            return v.T.reshape(-1, len(self.x2), self.classes)
        if self.kind == "pseudo":
            return v.T[:, :, None].expand(-1, -1, self.classes)
        return (v.T[:, None, :, None] * torch.eye(self.classes).to(v)[:, None]).flatten(0, 1)

    def _pull(self, cotangents: Float[Tensor, "q m c"], x: Shaped[Tensor, "m ..."]) -> Parameters:
        """Compute ``J(x)' v`` for some directions."""
        total: Parameters = {}
        for samples, part in zip(x.split(self.chunk), cotangents.split(self.chunk, dim=1), strict=True):
            if self.loops:
                gradients = {"": torch.einsum("qmc,mcp->qp", part, looped_jacobian(self.model, samples))}
            else:
                output, moving = self._output(samples)
                (gradients,) = vmap(vjp(output, moving)[1])(part)
            total = {name: total[name].add_(g) for name, g in gradients.items()} if total else gradients
        return total

    def _push(self, directions: Parameters, x: Shaped[Tensor, "n ..."]) -> Float[Tensor, "q n c"]:
        """Compute ``J(x) u`` for some directions."""
        parts = []
        for samples in x.split(self.chunk):
            if self.loops:
                jacobian = looped_jacobian(self.model, samples)
                parts.append(torch.einsum("qp,ncp->qnc", directions[""], jacobian))
            else:
                output, moving = self._output(samples)
                parts.append(vmap(lambda u, f=output, at=moving: tangent(f, at, u))(directions))
        return torch.cat(parts, dim=1)

    def _output(self, samples: Tensor) -> tuple[Callable[[Parameters], Tensor], Parameters]:
        moving, rest = split_parameters(self.model)
        return lambda p: call_with(self.model, (p, rest), (samples,)), moving

    def _gathered(self, moved: Float[Tensor, "q n c"], columns: int) -> Float[Tensor, "rows k"]:
        if self.kind == "full":
            return moved.flatten(1).T
        if self.kind == "pseudo":
            return moved.sum(2).T
        return moved.unflatten(0, (columns, self.classes)).diagonal(dim1=1, dim2=3).sum(2).T


def _fitting(model: nn.Module, x: Tensor) -> int:
    sizes = measure_network(model, x[:1], "pseudo")
    values = sum(s.outputs * s.groups * s.positions for s in sizes.shapes)
    return max(1, MEMORY // (COPIES * DIRECTIONS * sizes.width * max(1, values)))
