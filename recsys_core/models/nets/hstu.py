"""The block of HSTU: attention whose weights are pointwise instead of a softmax, and a gate instead of layers.

    U, V, Q, K = silu(W_1 norm(x) + b_1)                each (T, D), split into H heads
    A_ij = silu(Q_i . K_j + r_(i-j)) / N                for the positions j that position i sees, else 0
    x' = x + W_2 (norm(A V) * U) + b_2

r is the relative attention bias, one number per distance, shared by the heads; N is the maximum length, so that a
weight does not depend on the other sequences of a batch. The weights of a position can be negative and need not sum to
1.

Source: Zhai et al. 2024, "Actions Speak Louder than Words: Trillion-Parameter Sequential Transducers for Generative
Recommendations", eq. 1 to 3. Departures: the bias depends on positions only, not on times, and the position embeddings
of SASRec are added to the input, so that all kinds of blocks read the same input.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from recsys_core.models.nets.attention import attended, causal
from recsys_core.models.nets.dropout import ByteDropout

BIAS_SPREAD = 0.02
"""Standard deviation of the initial relative attention bias."""
LEAST_VARIANCE = 1e-6
"""Added to the variance by layer normalization, small because the values of A V are."""


class PointwiseAttention(nn.Module):
    """Multi-head pointwise attention with relative bias, up to the gate; see the module.

    Args:
        embedding_dim: D.
        n_heads: H, a divisor of D.
        places: N, maximum length.
        bidirectional: Whether positions see later ones, too, which have biases of their own.
    """

    def __init__(self, embedding_dim: int, n_heads: int, places: int, *, bidirectional: bool) -> None:
        super().__init__()
        self.n_heads, self.places = n_heads, places
        self.project = nn.Linear(embedding_dim, 4 * embedding_dim)
        self.ahead = places - 1 if bidirectional else 0
        self.bias = nn.Parameter(BIAS_SPREAD * torch.randn(places + self.ahead))
        self.norm = nn.LayerNorm(embedding_dim, eps=LEAST_VARIANCE)
        self.off: int | None = None
        """An ablated head, whose part of the gated output is zero."""

    def forward(self, states: Tensor, seen: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return norm(A V) * U (B, T, D) and the weights A (B, H, T, T).

        Args:
            states: (B, T, D).
            seen: (B, T) the positions that every position attends to; None for itself and all earlier ones (causal).
        """
        batch, places, embedding_dim = states.shape
        gate, *parts = functional.silu(self.project(states)).chunk(4, dim=2)
        value, query, key = (part.view(batch, places, self.n_heads, -1).transpose(1, 2) for part in parts)
        may = attended(seen) if seen is not None else causal(places, states.device)
        raw = query @ key.transpose(2, 3) + self.relative(places)
        weights = (functional.silu(raw) / self.places) * may
        gated = self.norm((weights @ value).transpose(1, 2).flatten(2)) * gate
        if self.off is not None:
            size = embedding_dim // self.n_heads
            gated = gated.clone()
            gated[..., self.off * size : (self.off + 1) * size] = 0.0
        return gated, weights

    def relative(self, places: int) -> Tensor:
        """Return (T, T) the bias r_(i-j) of attention from position i to position j."""
        place = torch.arange(places, device=self.bias.device)
        distance = place.unsqueeze(1) - place + self.ahead
        return self.bias[distance.clamp(min=0)]


class HstuBlock(nn.Module):
    """Pointwise attention with a gate and a residual connection; it has no feed-forward layers.

    Args:
        embedding_dim: D.
        n_heads: H.
        dropout: Dropout probability of the gated output of attention.
        places: Maximum length.
        bidirectional: Whether positions see later ones, too.
    """

    def __init__(self, embedding_dim: int, n_heads: int, dropout: float, places: int, *, bidirectional: bool) -> None:
        super().__init__()
        self.before_attention = nn.LayerNorm(embedding_dim, eps=LEAST_VARIANCE)
        self.attention = PointwiseAttention(embedding_dim, n_heads, places, bidirectional=bidirectional)
        self.outer = nn.Linear(embedding_dim, embedding_dim)
        self.dropout = ByteDropout(dropout)

    def forward(self, states: Tensor, seen: Tensor | None = None) -> Tensor:
        """Return (B, T, D) states; `seen` as in `PointwiseAttention`."""
        return self.explicit(states, seen)[0]

    def explicit(self, states: Tensor, seen: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return the same, and the weights A (B, H, T, T)."""
        gated, weights = self.attention(self.before_attention(states), seen)
        return states + self.outer(self.dropout(gated)), weights
