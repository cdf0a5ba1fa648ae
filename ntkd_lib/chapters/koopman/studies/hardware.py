"""Accuracy on imperfect hardware: few weight levels, noisy functions and dead functions."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ntkd_lib.chapters.koopman.inputs import read_inputs
from ntkd_lib.koopman.dictionaries import Monomials
from ntkd_lib.koopman.hardware import function_scale, missing, noisy, quantise
from ntkd_lib.koopman.lifted import LiftedInputs
from ntkd_lib.lab import CellResult, Record, derive_seed
from ntkd_lib.lab.work import work

BITS, NOISE, MISSING = (8, 6, 4, 3), (0.01, 0.03, 0.1, 0.3), (0.01, 0.03, 0.1)
Blocks = list[Float[Tensor, "m _"]]  # of images; the last one is shorter


@work(cost=lambda components, **_: 1 + 0.002 * components**2)
def faulty_accuracy(
    seed: int, *, degree: int, components: int, weights: str, inputs: Record, solution: Record
) -> CellResult:
    """Test an array of weights of a solution on faulty hardware: accuracy by level for each kind of fault."""
    parts = read_inputs(inputs, components)
    monomials = Monomials(components, degree)
    scale = function_scale(LiftedInputs(monomials, parts.train.scores))
    scaled = (torch.tensor(solution.arrays[weights]) * scale).float()
    unit = [block / scale.float()[:, None] for block in LiftedInputs(monomials, parts.test.scores)]
    accuracy = parts.test.accuracy
    return CellResult(
        {
            "bits": {str(bits): accuracy(_guess(quantise(scaled, bits), unit)) for bits in BITS},
            "noise": {str(level): accuracy(_guess(scaled, _add_noise(unit, level, seed))) for level in NOISE},
            "missing": {str(share): accuracy(_guess(scaled, _drop(unit, share, seed))) for share in MISSING},
        }
    )


def _add_noise(blocks: Blocks, level: float, seed: int) -> Blocks:
    generator = torch.Generator().manual_seed(derive_seed("noise", level, seed))
    return [noisy(block, level, generator) for block in blocks]


def _drop(blocks: Blocks, share: float, seed: int) -> Blocks:
    number = derive_seed("missing", share, seed)  # the same functions in every block
    return [missing(block, share, torch.Generator().manual_seed(number)) for block in blocks]


def _guess(weights: Float[Tensor, "c m"], blocks: Blocks) -> Int[Tensor, " n"]:
    return torch.cat([(weights @ block).argmax(0) for block in blocks])
