"""Softmax self-attention, by torch's fused kernel and by an explicit path that returns the weights."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional


class SelfAttention(nn.Module):
    """Multi-head self-attention: every position attends to itself and to earlier positions, or to all.

        head h:  sum_j softmax_j (q_i . k_j / sqrt(D / H)) v_j,      q, k, v = W_q x, W_k x, W_v x

    The heads are concatenated and projected by W_o. Vaswani et al. 2017, section 3.2. Attention weights have no
    dropout: it would disable torch's fused kernel, which on a CPU costs more than the rest of the network.

    Args:
        embedding_dim: D.
        n_heads: H, a divisor of D.
    """

    def __init__(self, embedding_dim: int, n_heads: int) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.project = nn.Linear(embedding_dim, 3 * embedding_dim)
        self.mix = nn.Linear(embedding_dim, embedding_dim)
        self.off: int | None = None
        """An ablated head, whose output is zero."""

    def forward(self, states: Tensor, seen: Tensor | None = None) -> Tensor:
        """Return (B, T, D) the attention output.

        Args:
            states: (B, T, D).
            seen: (B, T) the positions that every position attends to; None for itself and all earlier ones (causal).
        """
        query, key, value = self._heads_of(states)
        if seen is None:
            return self._joined(functional.scaled_dot_product_attention(query, key, value, is_causal=True))
        return self._joined(functional.scaled_dot_product_attention(query, key, value, attn_mask=attended(seen)))

    def explicit(self, states: Tensor, seen: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return the same, and the attention weights (B, H, T, T) after softmax."""
        query, key, value = self._heads_of(states)
        scores = query @ key.transpose(2, 3) / math.sqrt(query.shape[3])
        may = attended(seen) if seen is not None else causal(states.shape[1], states.device)
        weights = scores.masked_fill(~may, -math.inf).softmax(dim=3)
        return self._joined(weights @ value), weights

    def _heads_of(self, states: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(B, H, T, D / H) queries, keys and values."""
        batch, places, embedding_dim = states.shape
        parts = self.project(states).view(batch, places, 3, self.n_heads, embedding_dim // self.n_heads)
        query, key, value = parts.permute(2, 0, 3, 1, 4)
        return query, key, value

    def _joined(self, outputs: Tensor) -> Tensor:
        """(B, T, D) the concatenated outputs of all heads, projected."""
        if self.off is not None:
            outputs = outputs.clone()
            outputs[:, self.off] = 0.0
        mixed: Tensor = self.mix(outputs.transpose(1, 2).flatten(2))
        return mixed


def causal(places: int, device: torch.device) -> Tensor:
    """Return (T, T) whether position i attends to position j: to itself and to earlier ones."""
    return torch.ones((places, places), dtype=torch.bool, device=device).tril()


def attended(seen: Tensor) -> Tensor:
    """Return (B, 1, 1, T) the mask of attention to the positions in `seen` (B, T)."""
    return seen[:, None, None, :]
