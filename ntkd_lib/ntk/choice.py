"""Choose by predicted operations the cheapest method, and the tile that fits into memory, from one sample."""

from dataclasses import dataclass
from math import isqrt, prod
from typing import Literal

from jaxtyping import Shaped
from torch import Tensor, nn

from ntkd_lib.ntk.factors import STEP
from ntkd_lib.ntk.kinds import Kind, class_pairs
from ntkd_lib.ntk.layers.outer import DENSE, OUTER, TRANSPOSED
from ntkd_lib.ntk.layout import Plan, make_plan, two_samples
from ntkd_lib.ntk.recording import LayerCall
from ntkd_lib.ntk.traces import group_uses

Way = Literal["one position", "gradients", "positions"]

# Small batched products and element-wise passes run at a fraction of the rate of one large product.
POSITION_PENALTY = 2.0
# Partners that share the cost of one sample's gradients; a constant, so that all tiles choose alike.
PARTNERS = 64


@dataclass(frozen=True)
class LayerShape:
    """Sizes of one call of a weight."""

    classes: int
    groups: int
    outputs: int
    inputs: int  # values that meet one output channel in a group
    positions: int  # positions at which the weight is used


def cheapest(shape: LayerShape, kind: Kind) -> Way:
    """Choose the cheapest form for one weight."""
    if shape.positions == 1 and shape.groups == 1:
        return "one position"
    if shape.groups > 1:
        return "gradients"
    first = gradient_work(shape) / PARTNERS + gradient_pair_work(shape, kind)
    return "positions" if POSITION_PENALTY * position_pair_work(shape, kind) < first else "gradients"


def gradient_work(shape: LayerShape) -> int:
    """Count the floating-point operations that form one sample's gradients."""
    return 2 * shape.classes * shape.groups * shape.outputs * shape.inputs * shape.positions


def gradient_pair_work(shape: LayerShape, kind: Kind) -> int:
    """Count the operations of inner products of gradients."""
    return 2 * class_pairs(shape.classes, kind) * shape.groups * shape.outputs * shape.inputs


def position_pair_work(shape: LayerShape, kind: Kind) -> int:
    """Count the operations of the Gram matrices of positions."""
    c, o, k, d = shape.classes, shape.outputs, shape.inputs, shape.positions
    work = 2 * d * d * (k + c * o)
    return work + 2 * class_pairs(c, kind) * d * o if kind == "full" else work


def one_position_pair_work(shape: LayerShape, kind: Kind) -> int:
    """Count the operations of a dense layer's two Gram matrices."""
    return 2 * (shape.inputs + class_pairs(shape.classes, kind) * shape.outputs)


MEMORY = 2**30

# NTK-vector products work on many small passes, and whole Jacobians come from convolutions of single samples:
# only a clear gain in operations pays for either.
PENALTY = 2.0


@dataclass(frozen=True)
class NetworkSizes:
    """Sizes of a network."""

    classes: int  # logits, 1 for kind ``pseudo``
    shapes: tuple[LayerShape, ...]  # one for each weight of a dense layer or convolution
    others: int  # number of all other parameters, of tables of embeddings the looked-up rows alone
    width: int  # bytes of a value
    passing: int = 0  # values per sample that layers with their own ``per_sample_gradients`` hold at a time
    tables: int = 0  # number of all rows of these tables that a sample does not look up

    def forward_work(self) -> int:
        """Count the operations of one sample's forward pass."""
        return sum(gradient_work(s) // s.classes for s in self.shapes)

    def parameters(self) -> int:
        """Count the parameters, without the biases of dense layers and convolutions."""
        return self.others + self.tables + sum(s.groups * s.outputs * s.inputs for s in self.shapes)


def measure_network(
    model: nn.Module, sample: Shaped[Tensor, "1 ..."], kind: Kind, plan: Plan | None = None
) -> NetworkSizes:
    """Measure the sizes of a network in one sample's forward pass."""
    plan = plan or make_plan(model, two_samples(sample))
    recording = plan.alone
    classes = 1 if kind == "pseudo" else recording.logits.shape[1]
    groups = group_uses(recording, plan.left_out)
    outer = [g for g in groups if g.attribute == "weight" and all(type(u.layer) in OUTER for u in g.uses)]
    shapes = tuple(_shape(g.uses, classes) for g in outer)
    total = sum(p.numel() for p in model.parameters() if p.requires_grad)
    looked_up = [g for g in groups if all(isinstance(u.layer, nn.Embedding) for u in g.uses)]
    tables = sum(max(0, g.part.size - sum(prod(u.shape) for u in g.uses)) for g in looked_up)
    others = total - tables - sum(g.part.size for g in outer)
    passing = sum(_passing(u, classes) for u in recording.uses if hasattr(u.layer, "per_sample_gradients"))
    return NetworkSizes(classes, shapes, others, recording.logits.element_size(), passing, tables)


def choose_method(
    model: nn.Module, x1: Shaped[Tensor, "n ..."], columns: int, kind: Kind, plan: Plan | None = None
) -> str:
    """Choose the method that takes the fewest operations."""
    work = predicted_work(measure_network(model, x1[:1], kind, plan), len(x1), columns, kind)
    penalties = {"structured": 1.0, "contraction": PENALTY, "products": PENALTY}
    return min(penalties, key=lambda method: penalties[method] * work[method])


def predicted_work(sizes: NetworkSizes, rows: int, columns: int, kind: Kind) -> dict[str, float]:
    """Predict the floating-point operations of every method."""
    c, pairs, samples = sizes.classes, rows * columns, rows + columns
    signals = samples * (1 + c) * sizes.forward_work()
    gradients = samples * c * sizes.forward_work()
    others = 2 * pairs * class_pairs(c, kind) * sizes.others
    whole = 2 * pairs * class_pairs(c, kind) * sizes.parameters()
    formed = sum(gradient_work(s) for s in sizes.shapes if cheapest(s, kind) == "gradients")
    layers = samples * formed + pairs * sum(_pair_work(s, kind) for s in sizes.shapes)
    return {
        "contraction": signals + gradients + whole,
        "products": float(columns * c * ((rows * 3 + 3) * sizes.forward_work() + 2 * sizes.tables)),
        "structured": signals + others + layers,
    }


def choose_tile(
    model: nn.Module,
    x1: Shaped[Tensor, "n ..."],
    kind: Kind,
    method: str,
    memory: int,
    piece: int | None = None,
    plan: Plan | None = None,
) -> int:
    """Choose the largest tile such that two tiles and their block fit into a memory budget."""
    sizes = measure_network(model, x1[:1], kind, plan)
    stored, passing = _bytes_a_sample(sizes, kind, method)
    block = 3 * class_pairs(sizes.classes, kind) * sizes.width
    by_positions = method == "structured" and any(cheapest(s, kind) == "positions" for s in sizes.shapes)
    room = max(0, memory - STEP * sizes.width * by_positions - passing * (piece or 0))
    each = 2 * stored + (0 if piece else passing)
    return max(1, min(len(x1), (isqrt(each * each + 4 * block * room) - each) // (2 * block)))


def _bytes_a_sample(sizes: NetworkSizes, kind: Kind, method: str) -> tuple[int, int]:
    c, width = sizes.classes, sizes.width
    signals = sum((c * s.outputs + s.inputs) * s.groups * s.positions for s in sizes.shapes)
    signals += sizes.passing
    if method == "structured":
        stored = c * sizes.others + sum(_kept(s, kind) for s in sizes.shapes)
        return width * stored, 2 * width * signals
    whole = c * sizes.parameters()
    if method in ("contraction", "loop"):
        return width * whole, width * (whole + 2 * signals)
    return 0, width * c * 4 * signals


def _passing(use: LayerCall, classes: int) -> int:
    return getattr(use.layer, "passing_values", 0) + use.inputs.numel() + classes * prod(use.shape)


def _kept(s: LayerShape, kind: Kind) -> int:
    if cheapest(s, kind) == "gradients":
        return s.classes * s.groups * s.outputs * s.inputs
    return s.positions * (s.inputs + s.classes * s.outputs)


def _pair_work(s: LayerShape, kind: Kind) -> int:
    way = cheapest(s, kind)
    by_positions = one_position_pair_work if way == "one position" else position_pair_work
    return (gradient_pair_work if way == "gradients" else by_positions)(s, kind)


def _shape(uses: tuple[LayerCall, ...], classes: int) -> LayerShape:
    layer, use = uses[0].layer, uses[0]
    if type(layer) in DENSE:
        return LayerShape(classes, 1, *layer.weight.shape, sum(prod(u.shape[:-1]) for u in uses))
    if type(layer) in TRANSPOSED:
        positions = sum(len(u.inputs) * prod(u.inputs.shape[2:]) for u in uses)
        inner, outer = len(layer.weight) // layer.groups, layer.weight[0].numel()
        return LayerShape(classes, layer.groups, outer, inner, positions)
    positions = sum(u.shape[0] * prod(u.shape[2:]) for u in uses)
    return LayerShape(classes, layer.groups, use.shape[1] // layer.groups, layer.weight[0].numel(), positions)
