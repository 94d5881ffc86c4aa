"""The network of SASRec: item and position embeddings followed by blocks of self-attention.

Blocks (x (T, D), norm is layer normalization, sigma the logistic function, * element-wise):

    sasrec   a = x + Attention(norm(x))                          x' = a + W_2 gelu(W_1 norm(a))
    ligr     a = x + sigma(G_1 x) * Attention(norm(x))           x' = a + sigma(G_2 a) * W_2 gelu(W_1 norm(a))
    hstu     see `nets.hstu`

A causal network reads items, and position t depends on items 0..t. A cloze network also reads mask tokens, which have a
learned embedding instead of that of an item, and every position depends on all others. It counts positions from the
end of a sequence, like BERT4Rec, which pads on the left: so the place of the last item, and of the mask in use, is the
same in histories of all lengths.

Sources: Kang and McAuley 2018, "Self-Attentive Sequential Recommendation", section III, with pre-normalization;
Borisyuk et al. 2025, "From Features to Transformers: Redefining Ranking for Scalable Impact" (LiGR), whose learned
gates of the residual connections are the only difference here; Sun et al. 2019, "BERT4Rec", section 3 (cloze).
"""

from typing import Literal, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from recsys_core.models.nets.attention import SelfAttention
from recsys_core.models.nets.dropout import ByteDropout
from recsys_core.models.nets.hstu import HstuBlock

BlockName = Literal["sasrec", "ligr", "hstu"]

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
        self.attention = SelfAttention(embedding_dim, n_heads)
        self.before_layers = nn.LayerNorm(embedding_dim)
        self.inner = nn.Linear(embedding_dim, 4 * embedding_dim)
        self.outer = nn.Linear(4 * embedding_dim, embedding_dim)
        self.dropout = ByteDropout(dropout)

    def forward(self, states: Tensor, seen: Tensor | None = None) -> Tensor:
        """Return (B, T, D) states; `seen` as in `SelfAttention`."""
        return self._rest(states, self.attention(self.before_attention(states), seen))

    def explicit(self, states: Tensor, seen: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return the same, and the attention weights (B, H, T, T)."""
        found, weights = self.attention.explicit(self.before_attention(states), seen)
        return self._rest(states, found), weights

    def _rest(self, states: Tensor, attention: Tensor) -> Tensor:
        """Return the output for the input states and the output of attention, both (B, T, D)."""
        states = states + self.dropout(attention)
        result: Tensor = states + self.dropout(self._layers(states))
        return result

    def _layers(self, states: Tensor) -> Tensor:
        result: Tensor = self.outer(functional.gelu(self.inner(self.before_layers(states))))
        return result


class GatedBlock(Block):
    """The block of LiGR: a learned gate per residual connection, with a value for each dimension."""

    def __init__(self, embedding_dim: int, n_heads: int, dropout: float) -> None:
        super().__init__(embedding_dim, n_heads, dropout)
        self.attention_gate = nn.Linear(embedding_dim, embedding_dim)
        self.layers_gate = nn.Linear(embedding_dim, embedding_dim)

    def _rest(self, states: Tensor, attention: Tensor) -> Tensor:
        states = states + torch.sigmoid(self.attention_gate(states)) * self.dropout(attention)
        result: Tensor = states + torch.sigmoid(self.layers_gate(states)) * self.dropout(self._layers(states))
        return result


class SasRecNet(nn.Module):
    """Encodes a sequence of items.

    Args:
        n_items: I; token I is padding, and token I + 1 the mask of a cloze network.
        embedding_dim: D.
        n_layers: Number of blocks.
        n_heads: H.
        max_length: Maximum number of items; a cloze network can read one token more.
        dropout: Dropout probability.
        block: Kind of the blocks.
        cloze: Whether the network reads mask tokens and every position sees all others.
    """

    def __init__(
        self,
        n_items: int,
        embedding_dim: int,
        n_layers: int,
        n_heads: int,
        max_length: int,
        dropout: float,
        *,
        block: BlockName = "sasrec",
        cloze: bool = False,
    ) -> None:
        super().__init__()
        self.n_items, self.embedding_dim = n_items, embedding_dim
        places = max_length + 1 if cloze else max_length

        def new_block() -> nn.Module:
            if block == "hstu":
                return HstuBlock(embedding_dim, n_heads, dropout, places, bidirectional=cloze)
            return {"sasrec": Block, "ligr": GatedBlock}[block](embedding_dim, n_heads, dropout)

        self.items = nn.Embedding(n_items + 1, embedding_dim, padding_idx=n_items)
        self.positions = nn.Embedding(places, embedding_dim)
        self.blocks = nn.ModuleList(new_block() for _ in range(n_layers))
        self.norm = nn.LayerNorm(embedding_dim)
        self.dropout = ByteDropout(dropout)
        self.mask = nn.Parameter(torch.randn(embedding_dim) * INITIAL_SPREAD) if cloze else None
        self.apply(_draw)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return (B, T, D) the prediction vector of each position of `tokens` (B, T)."""
        states, seen = self._read(tokens), self._seen(tokens)
        for block in self.blocks:
            states = block(states, seen)
        result: Tensor = self.norm(states)
        return result

    def explicit(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Return the same, and the attention weights (L, B, H, T, T) of all blocks."""
        states, seen, weights = self._read(tokens), self._seen(tokens), []
        for block in self.blocks:
            states, found = cast("Block | HstuBlock", block).explicit(states, seen)
            weights.append(found)
        return self.norm(states), torch.stack(weights)

    def _read(self, tokens: Tensor) -> Tensor:
        places = self._places(tokens)
        result: Tensor = self.dropout(self._vectors(tokens) * self.embedding_dim**0.5 + places)
        return result

    def _places(self, tokens: Tensor) -> Tensor:
        """(T, D) or (B, T, D) the embeddings of positions."""
        count, seen = tokens.shape[1], self._seen(tokens)
        if seen is None:
            return self.positions.weight[:count]
        place = torch.arange(1, count + 1, device=tokens.device)
        from_end: Tensor = self.positions((seen.sum(dim=1, keepdim=True) - place).clamp(min=0))
        return from_end

    def _vectors(self, tokens: Tensor) -> Tensor:
        """(B, T, D) the embeddings of tokens."""
        if self.mask is None:
            vectors: Tensor = self.items(tokens)
            return vectors
        is_mask = tokens > self.n_items
        return torch.where(is_mask.unsqueeze(2), self.mask, self.items(tokens.masked_fill(is_mask, self.n_items)))

    def _seen(self, tokens: Tensor) -> Tensor | None:
        """(B, T) the positions without padding; None for a causal network, in which no item attends to padding."""
        return None if self.mask is None else tokens != self.n_items


def _draw(module: nn.Module) -> None:
    """Initialize the weights of a module."""
    if isinstance(module, nn.Linear | nn.Embedding):
        nn.init.normal_(module.weight, std=INITIAL_SPREAD)
    if isinstance(module, nn.Linear):
        nn.init.zeros_(module.bias)
    if isinstance(module, nn.Embedding) and module.padding_idx is not None:
        with torch.no_grad():
            module.weight[module.padding_idx] = 0.0
