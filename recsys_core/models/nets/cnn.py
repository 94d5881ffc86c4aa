"""Convolutions over the most recent items of a history (Caser).

At every position t the embeddings of the last L items form an image E (L, D), zero-padded before the start of the
history. It is processed by two kinds of filters:

    horizontal    o_k = max over positions p of relu(F_k . E[p : p + h] + b_k)    F_k (h, D), heights h = 1..L
    vertical      v_k = G_k E                                                     G_k (L,), output (D,)

A horizontal filter detects a pattern of h consecutive items anywhere in the window; a vertical filter is a weighted sum
of the last L items. Both are combined by one layer into the short-term preference:

    z_t = relu(W [o; v] + b)

The paper adds a learned user embedding, which unknown users do not have. Here the long-term preference is the mean of
the embeddings of all items up to t, so histories of known and unknown users are treated alike.

A filter of height h has the same response in all windows that contain the same h items. So each response is computed
once per sequence, and a sliding maximum over L - h + 1 positions gives o_k of all windows: one pass over a sequence of
T items equals the evaluation of all T windows.

Source: Tang and Wang 2018, "Personalized Top-N Sequential Recommendation via Convolutional Sequence Embedding", eq. 3
to 10.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from recsys_core.models.nets.dropout import ByteDropout

INITIAL_SPREAD = 0.02


class ConvolutionalNet(nn.Module):
    """Applies horizontal and vertical filters to the most recent items.

    Args:
        n_items: I, size of the catalog; token I is padding.
        embedding_dim: D, dimension of the item embeddings.
        span: L, number of items in the window.
        horizontal: Number of horizontal filters of each height from 1 to L.
        vertical: Number of vertical filters.
        long_term: Whether to use the mean of all items so far, too.
        dropout: Dropout probability of the filter outputs.
    """

    def __init__(
        self,
        n_items: int,
        embedding_dim: int,
        *,
        span: int,
        horizontal: int,
        vertical: int,
        long_term: bool = True,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.span, self.long_term = span, long_term
        self.items = nn.Embedding(n_items + 1, embedding_dim, padding_idx=n_items)
        self.across = nn.ModuleList(nn.Conv1d(embedding_dim, horizontal, height) for height in range(1, span + 1))
        self.down = nn.Linear(span, vertical, bias=False)
        self.mix = nn.Linear(horizontal * span + vertical * embedding_dim, embedding_dim)
        self.out = nn.Linear(2 * embedding_dim if long_term else embedding_dim, embedding_dim)
        self.dropout = ByteDropout(dropout)
        with torch.no_grad():
            nn.init.normal_(self.items.weight, std=INITIAL_SPREAD)
            self.items.weight[-1] = 0.0

    def forward(self, tokens: Tensor) -> Tensor:
        """Return (B, T, D) the prediction vector of each position; tokens: (B, T) int64, right-padded."""
        inputs = self.items(tokens)  # (B, T, D)
        padded = functional.pad(inputs, (0, 0, self.span - 1, 0))  # (B, L - 1 + T, D)
        responses = torch.cat([self.horizontal(padded), self.vertical(padded)], dim=2)
        features = functional.relu(self.mix(self.dropout(responses)))  # (B, T, D)
        if self.long_term:
            count = torch.arange(1, tokens.shape[1] + 1, dtype=inputs.dtype, device=inputs.device).unsqueeze(1)
            features = torch.cat([features, self.dropout(inputs.cumsum(dim=1) / count)], dim=2)
        predicted: Tensor = self.out(features)
        return predicted

    def horizontal(self, padded: Tensor) -> Tensor:
        """Return (B, T, L x filters) the maximum response of each horizontal filter in the window of each position."""
        image = padded.transpose(1, 2)  # (B, D, L - 1 + T)
        return torch.cat(
            [
                functional.max_pool1d(functional.relu(filters(image)), self.span - place, stride=1)
                for place, filters in enumerate(self.across)
            ],
            dim=1,
        ).transpose(1, 2)

    def vertical(self, padded: Tensor) -> Tensor:
        """Return (B, T, filters x D) the weighted sums over the window of each position."""
        windows = padded.unfold(1, self.span, 1)  # (B, T, D, L)
        summed: Tensor = self.down(windows).transpose(2, 3).flatten(2)
        return summed
