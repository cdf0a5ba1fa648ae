"""Lifted inputs, block by block: held in memory if they fit, else recomputed in each pass."""

from collections.abc import Iterator

from jaxtyping import Float, Int
from torch import Tensor

from ntkd_lib.koopman.dictionaries import Dictionary

BLOCK = 512  # images; a block of 861 float32 functions stays in the cache between its two products
MEMORY = 512 * 2**20  # bytes


class LiftedInputs:
    """The lifted design matrix of some inputs, one block of columns after another.

    60,000 inputs and 12,341 functions are 3 GB in float32; such a matrix is never held. One of at most
    ``memory`` bytes is kept after its first pass.
    """

    def __init__(self, dictionary: Dictionary, scores: Float[Tensor, "n d"], *, memory: int = MEMORY) -> None:
        self.dictionary = dictionary
        self.scores = scores
        self.memory = memory
        self._held: list[Tensor] = []

    @property
    def size(self) -> int:
        """Bytes of the whole matrix."""
        return self.dictionary.count * len(self.scores) * self.scores.element_size()

    @property
    def streamed(self) -> bool:
        """Whether each pass recomputes the functions."""
        return self.size > self.memory

    def __len__(self) -> int:
        return len(self.scores)

    def __iter__(self) -> Iterator[Float[Tensor, "m b"]]:
        """Yield the blocks, functions along rows."""
        if self._held:
            yield from self._held
            return
        made = []
        for part in self.scores.split(BLOCK):
            block = self.dictionary.lift(part)
            if not self.streamed:
                made.append(block)
            yield block
        self._held = made  # only after a whole pass: whoever stops early has not seen all blocks

    def subset(self, rows: Int[Tensor, " k"]) -> "LiftedInputs":
        """Select some of the inputs."""
        return LiftedInputs(self.dictionary, self.scores[rows], memory=self.memory)

    def double(self) -> "LiftedInputs":
        """Return the lift in float64, recomputed in each pass."""
        return LiftedInputs(self.dictionary, self.scores.double(), memory=0)
