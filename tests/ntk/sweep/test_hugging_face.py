"""BERT and GPT-2 of Hugging Face with random weights, where transformers is installed."""

import pytest
import torch
from torch import Tensor, nn

from ntkd_lib.data.torchvision import import_torchvision
from tests.ntk.sweep.loop import Case, faults, run_case

import_torchvision()  # before transformers, which imports it too
transformers = pytest.importorskip("transformers")
SHARED = {"vocab_size": 11, "num_labels": 2, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}


class Logits(nn.Module):
    """The logits of a network that returns them under a name."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, ids: Tensor) -> Tensor:
        return self.net(input_ids=ids).logits


def bert() -> nn.Module:
    sizes = {"hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 12}
    config = transformers.BertConfig(**sizes, **SHARED, max_position_embeddings=9)
    return transformers.BertForSequenceClassification(config)


def gpt2() -> nn.Module:
    config = transformers.GPT2Config(n_embd=8, n_layer=2, n_head=2, n_positions=9, use_cache=False, **SHARED)
    return transformers.GPT2ForSequenceClassification(config)


def tokens(n: int) -> Tensor:
    return torch.randint(3, 11, (n, 5))


@pytest.mark.parametrize("make", [bert, gpt2])
def test_models_with_random_weights(make) -> None:
    case = Case(make.__name__, lambda: Logits(make().double()).eval(), tokens)
    assert faults(run_case(case)) == []
