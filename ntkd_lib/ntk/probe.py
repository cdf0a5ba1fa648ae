"""One random entry of a kernel against plain reverse-mode autograd on single samples.

Two samples run alone, ``i`` and ``j``, and two random directions over the logits, ``u`` and ``v``, give
``u' Theta(x_i, x_j) v`` for two backward passes. All products of the logits of these samples follow from
what a method keeps of them; they must agree with that number, and the kernel's entry with them.
"""

import copy
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from ntkd_lib.ntk.assembly import Observer
from ntkd_lib.ntk.contraction import flat_gradient, looped_jacobian, single_logits
from ntkd_lib.ntk.factors import Factor
from ntkd_lib.ntk.functional import WRITERS, readable, unmoved
from ntkd_lib.ntk.kinds import Kind
from ntkd_lib.ntk.layout import Plan, are_close, product_rounding
from ntkd_lib.ntk.network import convert_values
from ntkd_lib.ntk.outlines import Outline, outlined_gradient
from ntkd_lib.ntk.structured import visit_factors
from ntkd_lib.ntk.tiles import TileData, Tiles

TOLERANCES = {torch.float64: 1e-10, torch.float32: 1e-5}  # over norms of gradients; others 32 roundings
ROUNDED = 1e-2  # errors up to this may be rounding that a network amplifies, or kinks passed on either side
EXACT = 1e-8  # then the method must agree in float64 to this
FEW = 6  # other samples of that batch
TINY = 1e-30
OFF = "% off plain autograd on samples that run alone"
CHUNK = 256  # samples that run together when a sample is compared with itself alone


class ProbeError(ValueError):
    """A computed kernel differs from plain autograd on single samples."""


class SlowKernelWarning(UserWarning):
    """A kernel is computed by a loop over samples, because a faster method failed."""


class Probe:
    """Comparison of a kernel with autograd on two of its samples."""

    def __init__(
        self, model: nn.Module, x1: Shaped[Tensor, "n ..."], x2: Shaped[Tensor, "m ..."] | None, kind: Kind
    ) -> None:
        """Draw the samples and the generator of the directions, which leaves the caller's untouched."""
        self.model, self.x1, self.own, self.kind = model, x1, x2 is None, kind
        self.generator = torch.Generator()
        self.generator.seed()
        other = x1 if x2 is None else x2
        self.i, self.j = draw_place(len(x1), None if x2 is None else len(x2), self.generator)
        self.sides = (x1, self.i), (other, self.j)
        self.samples = torch.cat([x[k : k + 1] for x, k in self.sides])
        self.rows: list[TileData | None] = [None, None]
        self.parts: dict[str, list[Tensor]] = {}
        self.directions: Tensor | None = None
        self.gradients: list[list[Outline]] = []
        others = x1 if len(x1) > 1 else other
        k = (self.i + 1) % len(x1) if len(x1) > 1 else self.j
        self.pair = self.samples if self.own else torch.cat([self.samples[:1], others[k : k + 1]])

    def observer(self, tiles: Tiles, *, tiled: bool = False) -> Observer:
        """Return an observer that stores the data of the two samples."""
        self.rows, self.parts = [None, None], {}

        def note(side: int | None, part: slice, data: TileData) -> None:
            for s, k in enumerate((self.i, self.j)):
                if self.rows[s] is None and side in (None, s) and part.start <= k < part.stop:
                    place = k - part.start
                    self.rows[s] = tiles.rows(data, [place] if tiled else slice(place, place + 1))

        return note

    def observe_factor(self, name: str, factor: Factor) -> None:
        """Store all products of the logits of the two samples that a factor of both batches contributes."""
        places = (self.i, self.j if self.own else len(self.x1) + self.j)
        left, *rows = (factor.rows(slice(k, k + 1)) for k in (self.i, *places))
        blocks = [left.pair(row, "full")[0, :, 0] for row in rows]
        before = self.parts.get(name, [0, 0])
        self.parts[name] = [a + b for a, b in zip(before, blocks, strict=True)]

    def observe_stream(self, name: str, data: Factor | Tensor) -> None:
        """Store the products that a streamed kernel passes on; a full kernel's own sum holds all of them."""
        summed, is_sum = self.kind == "full" and self.own, isinstance(data, Tensor)
        if summed and is_sum:
            self.parts = {name: [data[self.i, :, k].clone() for k in (self.i, self.j)]}
        elif not summed and not is_sum:
            self.observe_factor(name, data)

    @torch.no_grad()
    def differentiate(self, plan: Plan) -> None:
        """Draw the directions and compute both gradients: early, while the weights are in the cache.

        The first sample's graph is that of its recording; the second runs through the untouched network.
        """
        logits = plan.alone.logits
        width = 1 if self.kind == "pseudo" else logits.shape[1]  # the sum of logits has one direction
        drawn = torch.randn(2, width, generator=self.generator, dtype=torch.float64)
        drawn = (drawn / drawn.norm(dim=1, keepdim=True)).to(logits)
        u, v = self.directions = drawn.expand(2, logits.shape[1])
        parameters = [p for p in self.model.parameters() if p.requires_grad]
        with torch.enable_grad():
            logits = logits[0]
        first = outlined_gradient(logits, u, parameters)
        try:
            with torch.enable_grad(), unmoved(self.model):
                logits = self.model(readable(self.model, self.samples[1:].detach()))[0]
                second = outlined_gradient(logits, v, parameters)
        except RuntimeError:  # a reentrant checkpoint has no gradients with respect to chosen parameters
            second = outlined_gradient(single_logits(self.model, self.samples[1:]), v, parameters)
        self.gradients = [first, second]

    @torch.no_grad()
    def check(self, tiles: Tiles, kernel: Float[Tensor, "..."]) -> None:
        """Compare the drawn entry, and one of the diagonal, with autograd.

        Raises:
            ProbeError: By layer, if they differ by more than rounding explains.
        """
        if self.parts:
            blocks = [sum(part[s] for part in self.parts.values()) for s in (0, 1)]
        else:
            blocks = [tiles.pair(self.rows[0], other, "full")[0, :, 0].detach() for other in self.rows]
        first, second = self.gradients
        products = _product(first, first), _product(first, second)
        norms = products[0] ** 0.5, _product(second, second) ** 0.5
        for s, block in enumerate(blocks):
            exact, size = products[s], norms[0] * norms[s]
            error = abs(self._along(block, s) - exact)
            likely = error <= ROUNDED * size or product_rounding(kernel) > 0
            rounded = error <= tolerance_of(self.model, kernel) * size + TINY
            if not rounded and not (likely and self._is_rounding(tiles, s)):
                self._refuse(tiles, s, error / (abs(exact) + TINY))
        self._check_entries(kernel, *blocks, len(blocks[0]) * norms[0] * max(norms))

    def _along(self, block: Float[Tensor, "c c"], s: int) -> float:
        """Multiply a block, which has one row for the sum of logits, with the directions of its sides."""
        u, v = (self.directions[k, : len(block)].to(block) for k in (0, s))
        return float(u @ block @ v)

    @torch.no_grad()
    def check_product(self, multiply: Callable[[int, int, Tensor], Tensor], plan: Plan) -> None:
        """Compare an operator's product for the drawn samples with autograd.

        Raises:
            ProbeError: They differ by more than rounding explains.
        """
        self.differentiate(plan)
        (a, b), (u, v) = self.gradients, self.directions
        error = abs(float(u @ multiply(self.i, self.j, v)) - _product(a, b))
        size = (_product(a, a) * _product(b, b)) ** 0.5
        if not error <= max(10 * tolerance_of(self.model, u), product_rounding(u)) * size + TINY:
            raise ProbeError(f"products: {100 * error / (size + TINY):.2g} {OFF}")

    def _is_rounding(self, tiles: Tiles, s: int) -> bool:
        """Repeat a comparison in float64, in which sums and kinks round elsewhere and faults stay."""
        if tolerance_of(self.model, self.directions) == TOLERANCES[torch.float64]:
            return False
        try:  # weights that carry a graph, as made by old hooks, cannot be copied
            twin, batch = self._in_float64(torch.cat([self.samples, self.x1[:FEW]]))
            parameters = [p for p in twin.parameters() if p.requires_grad]
            sides = [(single_logits(twin, batch[k : k + 1]), self.directions[k].double()) for k in (0, s)]
            first, second = (outlined_gradient(*side, parameters) for side in sides)
            tiles = type(tiles)(twin, self.kind, tiles.plan)
            data = tiles.keep(batch)
        except (RuntimeError, ValueError):
            return False
        block = tiles.pair(tiles.rows(data, [0]), tiles.rows(data, [s]), "full")[0, :, 0].detach()
        size = (_product(first, first) * _product(second, second)) ** 0.5
        return abs(self._along(block, s) - _product(first, second)) <= EXACT * size + TINY

    def _in_float64(self, batch: Shaped[Tensor, "..."]) -> tuple[nn.Module, Shaped[Tensor, "..."]]:
        convert = partial(convert_values, dtype=torch.float64)
        twin = copy.deepcopy(self.model)._apply(convert)
        if self.model in WRITERS:
            WRITERS.add(twin)
        return twin, convert(batch)

    def _check_entries(self, kernel: Tensor, own: Tensor, cross: Tensor, size: float) -> None:
        """Compare the kernel's entries with all products of the logits of the two samples."""
        places = [(self.i, self.j, cross)]
        if self.own:
            places += [(self.j, self.i, cross.T), (self.i, self.i, own)]
        for i, j, block in places:
            error = float((entry_of(kernel, i, j, self.kind) - reduce_block(block, self.kind)).norm())
            tolerance = max(tolerance_of(self.model, kernel), product_rounding(kernel))
            if not error <= tolerance * (size + float(block.norm())) + TINY:
                raise ProbeError(f"kernel: entry of samples {i}, {j} is not made of products of their logits")

    def _refuse(self, tiles: Tiles, s: int, error: float) -> None:
        """Raise an error that names the layer whose part of the kernel is furthest from autograd's."""
        trained = [p for p in self.model.parameters() if p.requires_grad]
        triples = zip(trained, self.gradients[0], self.gradients[s], strict=True)
        exact = {id(p): a.product(b) for p, a, b in triples}
        named = dict(self.model.named_parameters(remove_duplicate=False))
        worst, place = -1.0, f"method {type(tiles).__name__}"
        if "" in self.parts:
            self.parts = {}
            visit_factors(self.model, self.x1, self.kind, tiles.plan, self.observe_factor)
        for names, value in self._parts(s):
            members = {id(named[name]) for name in names}
            gap = abs(value - sum(exact.get(key, 0.0) for key in members))
            if gap > worst:
                layer = names[0].rpartition(".")[0]
                kind = type(self.model.get_submodule(layer)).__name__
                worst, place = gap, f"layer {layer!r} ({kind}): {', '.join(names)}"
        raise ProbeError(f"{place}: the tangent kernel is {100 * error:.2g} {OFF}")

    def _parts(self, s: int) -> list[tuple[list[str], float]]:
        """List the contributions of parameters to the drawn entry."""
        if self.parts:
            return [(_names(key), self._along(part[s], s)) for key, part in self.parts.items()]
        left, right = self.rows[0], self.rows[s]
        if isinstance(left, Tensor):
            return []
        named = {name: p for name, p in self.model.named_parameters() if p.requires_grad}
        if "" in left:
            sizes = [len(flat_gradient(p)) for p in named.values()]
            parts = zip(*(side[""].features[0].split(sizes, 1) for side in (left, right)), strict=True)
            sums = (self._along(a @ b.T, s) for a, b in parts)
            return [([name], value) for name, value in zip(named, sums, strict=True)]
        return [
            (_names(key), self._along(factor.pair(right[key], "full")[0, :, 0], s))
            for key, factor in left.items()
            if key in right
        ]

    def check_alone(self, plan: Plan) -> None:
        """Refuse a network whose output for a drawn sample changes with its batch or from run to run.

        Raises:
            ValueError: Which of both.
        """
        for x, k in self.sides:
            start = max(0, k - CHUNK // 2)
            batch, place, logits = x[start : start + CHUNK], k - start, None
            if product_rounding(plan.alone.logits):
                with suppress(RuntimeError, ValueError):  # it may not be copied, or not run in float64
                    logits = _logits(*self._in_float64(batch), place)
            alone, again, batch = logits or _logits(self.model, batch, place)
            for values, what in ((again, "from run to run"), (batch, "with the rest of its batch")):
                if not are_close(values, alone):
                    why = f"the output for a sample changes {what}, no tangent kernel exists"
                    raise ValueError(f"model: {why}")


@torch.enable_grad()  # forward passes may differentiate
def _logits(model: nn.Module, batch: Shaped[Tensor, "..."], place: int) -> tuple[Tensor, Tensor, Tensor]:
    """Run a sample of a batch alone, once more, and in the batch."""
    alone, again = (single_logits(model, batch[place : place + 1]) for _ in range(2))
    return alone, again, model(readable(model, batch))[place]


def _names(key: str) -> list[str]:
    return [name.partition("[")[0] for name in key.split(", ")]


def _product(a: list[Outline], b: list[Outline]) -> float:
    return sum(g.product(h) for g, h in zip(a, b, strict=True))


def draw_place(n: int, m: int | None, generator: torch.Generator) -> tuple[int, int]:
    """Draw the place of one entry, off the diagonal of an own kernel."""
    if m is not None:
        return int(torch.randint(n, (), generator=generator)), int(torch.randint(m, (), generator=generator))
    i, j = (torch.randperm(n, generator=generator)[:2].sort().values.tolist() * 2)[:2]
    return i, j


def tolerance_of(model: nn.Module, values: Tensor) -> float:
    """Return the relative error that rounding explains, in the coarsest type of values and parameters."""
    types = {values.dtype, *(p.dtype for p in model.parameters() if p.is_floating_point() or p.is_complex())}
    return max(TOLERANCES.get(each.to_real(), 32 * torch.finfo(each).eps) for each in types)


def entry_of(kernel: Float[Tensor, "..."], i: int, j: int, kind: Kind) -> Float[Tensor, "..."]:
    """Select the entry of a kernel for two samples."""
    return (kernel[:, i, j] if kind == "per_class" else kernel[i, j]).detach()


def reduce_block(block: Float[Tensor, "c c"], kind: Kind) -> Float[Tensor, "..."]:
    """Reduce all products of two samples' logits to the entry of a kernel of some kind."""
    if kind == "full":
        return block
    if kind == "pseudo":
        return block.sum()
    return block.diagonal() if kind == "per_class" else block.trace()


@torch.no_grad()
def check_gradients(
    model: nn.Module, x: Shaped[Tensor, "n ..."], places: Iterable[int], batch: str = "", first: int = 0
) -> None:
    """Refuse samples of a batch whose gradients are not finite.

    Raises:
        ValueError: The number of a sample, counted from that of the first.
    """
    for k in places:
        if not looped_jacobian(model, x[k : k + 1]).isfinite().all():
            sample = f"sample {first + k}{batch}"
            raise ValueError(f"model: the gradient of {sample} is not finite, so it has no tangent kernel")


def check_results(model: nn.Module, results: Float[Tensor, "..."], *sides: tuple) -> None:
    """Refuse results that are not finite: for good if the gradient of a sample is not, else this method's.

    Args:
        sides: Samples, the axis of their results or None if these are sums over all, and what
            `check_gradients` wants to name them.

    Raises:
        ProbeError: Where the gradients are finite.
    """
    if results.sum().isfinite() or (finite := results.isfinite()).all():
        return
    place = (~finite).nonzero()[0].tolist()
    for x, axis, *names in sides:
        check_gradients(model, x, range(len(x)) if axis is None else [place[axis]], *names)
    entry = ", ".join(map(str, place))
    raise ProbeError(f"kernel: entry {entry} is not finite in {results.dtype}, the samples' gradients are")


def check_kernel(
    model: nn.Module,
    kernel: Float[Tensor, "..."],
    x1: Shaped[Tensor, "n ..."],
    x2: Shaped[Tensor, "m ..."] | None = None,
    *,
    kind: Kind = "trace",
) -> None:
    """Compare one random entry of a kernel, and one of its diagonal, with autograd on single samples.

    For kernels from closed forms: one backward pass per logit for each of two samples.

    Args:
        model: Network with outputs ``(n, c)``, left as it is.
        kernel: The kernel that was computed for it.
        x2: Second batch; None for ``x1`` itself.

    Raises:
        ProbeError: The entry by place, if it differs by more than rounding explains.
    """
    probe = Probe(model, x1, x2, kind)
    with torch.no_grad():
        left, right = (looped_jacobian(model, sample)[0] for sample in probe.samples.split(1))
    pairs = [(probe.i, probe.j, left, right)]
    if x2 is None:
        pairs += [(probe.j, probe.i, right, left), (probe.i, probe.i, left, left)]
    for i, j, a, b in pairs:
        error = (entry_of(kernel, i, j, kind) - reduce_block(a @ b.T, kind)).norm()
        share = float(error / (a.norm() * b.norm() + TINY))
        if not share <= max(10 * tolerance_of(model, kernel), product_rounding(kernel)):
            entry, off = f"its entry of samples {i} and {j}", f"{share:.1e} of the norms of their gradients"
            raise ProbeError(f"kernel: {entry} differs from plain autograd on these samples alone by {off}")
