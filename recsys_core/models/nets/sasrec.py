"""The network of SASRec: item and position embeddings followed by blocks of causal self-attention."""

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from recsys_core.models.nets.attention import CausalSelfAttention
from recsys_core.models.nets.dropout import ByteDropout

INITIAL_SPREAD = 0.02
"""Standard deviation of the initial weights and embeddings."""


class Block(nn.Module):
    """Self-attention and a position-wise feed-forward network, each with pre-normalization and a residual connection.

    Args:
        embedding_dim: D.
        n_heads: H.
        dropout: Dropout probability.
    """

    def __init__(self, embedding_dim: int, n_heads: int, dropout: float) -> None:
        super().__init__()
        self.before_attention = nn.LayerNorm(embedding_dim)
        self.attention = CausalSelfAttention(embedding_dim, n_heads)
        self.before_layers = nn.LayerNorm(embedding_dim)
        self.inner = nn.Linear(embedding_dim, 4 * embedding_dim)
        self.outer = nn.Linear(4 * embedding_dim, embedding_dim)
        self.dropout = ByteDropout(dropout)

    def forward(self, states: Tensor) -> Tensor:
        """Return (B, T, D) states."""
        return self._layers(states + self.dropout(self.attention(self.before_attention(states))))

    def explicit(self, states: Tensor) -> tuple[Tensor, Tensor]:
        """Return the same without dropout, and the attention weights (B, H, T, T)."""
        found, weights = self.attention.explicit(self.before_attention(states))
        return self._layers(states + found), weights

    def _layers(self, states: Tensor) -> Tensor:
        inner = functional.gelu(self.inner(self.before_layers(states)))
        result: Tensor = states + self.dropout(self.outer(inner))
        return result


class SasRecNet(nn.Module):
    """Encodes a sequence of items; position t depends on items 0..t alone.

    Args:
        n_items: I; token I is padding.
        embedding_dim: D.
        n_layers: Number of blocks.
        n_heads: H.
        max_length: Maximum sequence length.
        dropout: Dropout probability.
    """

    def __init__(
        self, n_items: int, embedding_dim: int, n_layers: int, n_heads: int, max_length: int, dropout: float
    ) -> None:
        super().__init__()
        self.embedding_dim = embedding_dim
        self.items = nn.Embedding(n_items + 1, embedding_dim, padding_idx=n_items)
        self.positions = nn.Embedding(max_length, embedding_dim)
        self.blocks = nn.ModuleList(Block(embedding_dim, n_heads, dropout) for _ in range(n_layers))
        self.norm = nn.LayerNorm(embedding_dim)
        self.dropout = ByteDropout(dropout)
        self.apply(_draw)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return (B, T, D) the prediction vector of each position of `tokens` (B, T)."""
        states = self._read(tokens)
        for block in self.blocks:
            states = block(states)
        result: Tensor = self.norm(states)
        return result

    def explicit(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Return the same without dropout, and the attention weights (L, B, H, T, T) of all blocks."""
        states, weights = self._read(tokens), []
        for block in self.blocks:
            states, found = cast(Block, block).explicit(states)
            weights.append(found)
        return self.norm(states), torch.stack(weights)

    def _read(self, tokens: Tensor) -> Tensor:
        places = self.positions.weight[: tokens.shape[1]]
        result: Tensor = self.dropout(self.items(tokens) * self.embedding_dim**0.5 + places)
        return result


def _draw(module: nn.Module) -> None:
    """Initialize the weights of a module."""
    if isinstance(module, nn.Linear | nn.Embedding):
        nn.init.normal_(module.weight, std=INITIAL_SPREAD)
    if isinstance(module, nn.Linear):
        nn.init.zeros_(module.bias)
    if isinstance(module, nn.Embedding) and module.padding_idx is not None:
        with torch.no_grad():
            module.weight[module.padding_idx] = 0.0
