"""Count the operations of kernel methods from a network's sizes."""

from dataclasses import dataclass

from jaxtyping import Shaped
from torch import Tensor, nn

from ntkd_lib.dntk.ledger import Cost
from ntkd_lib.ntk.choice import measure_network, predicted_work
from ntkd_lib.ntk.kinds import Kind

FLOAT = 4
# A symmetric eigenproblem with all vectors takes about 9 n^3 operations (Golub and Van Loan, Sec. 8.3).
EIGH = 9
TILE = 2**30  # bytes that whatever is not a result may take: kernels are computed tile by tile


@dataclass(frozen=True)
class NetworkCosts:
    """Sizes of a network, and the counts that follow from them.

    A multiplication and an addition are two operations. A backward pass that forms the weights' gradients
    takes twice a forward pass.

    Attributes:
        pair: Operations of one entry of all per-class kernels, by the way that computes them; whole
            Jacobians take ``2 classes parameters``.
    """

    forward: float  # operations of one image's forward pass
    parameters: float
    classes: int
    pair: float
    held: float  # bytes of one image's Jacobian

    def passes(self, images: float) -> Cost:
        """Count forward passes."""
        return Cost(forward=images, flop=images * self.forward)

    def jacobian(self, images: float, rows: int | None = None) -> Cost:
        """Count one pass forward per image, and one backward per row, by default one row per class."""
        rows = self.classes if rows is None else rows
        count = images * rows
        return Cost(forward=images, backward=count, rows=count, flop=images * (1 + 2 * rows) * self.forward)

    def distillation(self, images: float, backward: float = 1.0) -> Cost:
        """Count passes forward and backward that change images.

        Args:
            images: Number of images, counted once for each step that they take part in.
            backward: Operations of a backward pass, in forward passes: 1 if weights are held still and only
                signals are sent back, 2 if the gradients of the weights are formed too.
        """
        return Cost(forward=images, backward=images, flop=(1 + backward) * images * self.forward)

    def kernel(self, images: float, others: float | None = None) -> Cost:
        """Count inner products of the per-class kernels, without the Jacobians that they need.

        Args:
            others: Columns; the kernel of the images themselves, of which half is computed, without them.
        """
        pairs = images * (images + 1) / 2 if others is None else images * others
        entries = images * (images if others is None else others)
        factors = min(TILE, (images + (others or 0)) * self.held)
        return Cost(flop=pairs * self.pair, bytes=FLOAT * self.classes * entries + factors)

    def gram(self, images: float, others: float | None, size: float, kernels: int | None = None) -> Cost:
        """Count inner products of features; by default of the symmetric kernel, one kernel per class."""
        kernels = self.classes if kernels is None else kernels
        pairs = images * (images + 1) / 2 if others is None else images * others
        return Cost(flop=2 * pairs * kernels * size, bytes=FLOAT * kernels * pairs)

    def projection(self, images: float, size: float) -> Cost:
        """Count the product of all per-class gradients with a dense matrix, without their Jacobians."""
        rows = images * self.classes
        return Cost(flop=2 * rows * self.parameters * size, bytes=FLOAT * rows * size)


def eigenproblem(size: float, count: float = 1) -> Cost:
    """Count symmetric eigenproblems with vectors."""
    return Cost(flop=count * EIGH * size**3, bytes=16 * size**2)


def solution(size: float, count: float = 1) -> Cost:
    """Count Cholesky solutions of linear systems."""
    return Cost(flop=count * size**3 / 3, bytes=8 * count * size**2)


def network_costs(model: nn.Module, image: Shaped[Tensor, "1 ..."], kind: Kind = "per_class") -> NetworkCosts:
    """Measure a network's sizes in one forward pass, with its structured kernel's inner products."""
    sizes = measure_network(model, image, kind)
    one, two = (predicted_work(sizes, n, n, kind)["structured"] for n in (1, 2))
    parameters = sum(p.numel() for p in model.parameters() if p.requires_grad)
    pair = (two - 2 * one) / 2  # work(n, n) is 2 n samples and n^2 pairs
    forward, held = float(sizes.forward_work()), float(sizes.width * sizes.classes * parameters)
    return NetworkCosts(forward, float(parameters), sizes.classes, pair, held)
