"""Networks of attention for the benchmark: an encoder, a decoder, and one of the size of GPT-2 small."""

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention


class SequenceEncoder(nn.Module):
    """Two encoder layers, averaged over positions."""

    def __init__(self, width: int) -> None:
        """Build the layers, with four heads and feed-forward parts four times as wide."""
        super().__init__()
        layer = nn.TransformerEncoderLayer(width, 4, 4 * width, dropout=0, batch_first=True)
        self.first, self.read = nn.Linear(width, width), nn.Linear(width, 10)
        self.body = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)

    def forward(self, x: Tensor) -> Tensor:
        """Compute the logits of sequences ``(n, t, d)``."""
        return self.read(self.body(self.first(x)).mean(1))


class SequenceDecoder(nn.Module):
    """Two decoder layers that attend to their own past and to another projection of the sequence."""

    def __init__(self, width: int) -> None:
        """Build the layers, with four heads and feed-forward parts four times as wide."""
        super().__init__()
        layer = nn.TransformerDecoderLayer(width, 4, 4 * width, dropout=0, batch_first=True)
        self.first, self.memory = nn.Linear(width, width), nn.Linear(width, width)
        self.body, self.read = nn.TransformerDecoder(layer, 2), nn.Linear(width, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Compute the logits of sequences ``(n, t, d)``."""
        mask = nn.Transformer.generate_square_subsequent_mask(x.shape[1])
        return self.read(self.body(self.first(x), self.memory(x), tgt_mask=mask).mean(1))


class Block(nn.Module):
    """Causal attention and a feed-forward part, both normalised first."""

    def __init__(self, width: int, heads: int) -> None:
        """Build the layers."""
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Transform sequences ``(n, t, d)``."""
        q, k, v = self.qkv(self.norm1(x)).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        mixed = scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(mixed.transpose(1, 2).flatten(2))
        return x + self.down(nn.functional.gelu(self.up(self.norm2(x)), approximate="tanh"))


class CausalDecoder(nn.Module):
    """Twelve blocks of the sizes of GPT-2 small on learned tokens and positions, with ten logits."""

    WORDS = 50_257

    def __init__(self, width: int = 768, heads: int = 12, blocks: int = 12, length: int = 1024) -> None:
        """Build the layers."""
        super().__init__()
        self.words, self.places = nn.Embedding(self.WORDS, width), nn.Embedding(length, width)
        self.blocks = nn.Sequential(*(Block(width, heads) for _ in range(blocks)))
        self.norm, self.read = nn.LayerNorm(width), nn.Linear(width, 10)

    def forward(self, words: Tensor) -> Tensor:
        """Compute the logits after the last of the words ``(n, t)``."""
        places = torch.arange(words.shape[1]).expand_as(words)
        return self.read(self.norm(self.blocks(self.words(words) + self.places(places)))[:, -1])
