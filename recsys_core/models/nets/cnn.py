"""Convolutions over the last items of a history (Caser).

At every place t the last L item vectors form an image E (L, D); before the beginning of a history it is filled with
zeros. Two kinds of filters look at it:

    horizontal    o_k = max over places p of relu(F_k . E[p : p + h] + b_k)    F_k (h, D), heights h = 1..L
    vertical      v_k = G_k E                                                  G_k (L,), gives D numbers

A horizontal filter fires when h items in a row form the pattern that it has learned, wherever in the window; a vertical
one is a weighted sum of the last L items. Both together, through one layer, are the short-term interest:

    z_t = relu(W [o; v] + b)

The paper adds a learned vector of each user, which somebody unknown does not have. What stands here for long-term
interest is the mean of the vectors of all items until t, so an unknown person's history counts like that of a known.

A filter of height h gives the same value wherever a window looks at the same h items. So each value is computed once in
a sequence and a sliding maximum over L - h + 1 places gives the o_k of all windows: one pass over a sequence of T items
answers all T questions, as if each window had been cut out and looked at.

Source: Tang and Wang 2018, "Personalized Top-N Sequential Recommendation via Convolutional Sequence Embedding", eq. 3
to 10.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from recsys_core.models.nets.dropout import ByteDropout

INITIAL_SPREAD = 0.02


class ConvolutionalNet(nn.Module):
    """Looks at the last items with horizontal and vertical filters.

    Args:
        n_items: I, size of the catalogue; the token I is padding.
        width: D, numbers in each item vector.
        span: L, items that the filters see.
        horizontal: Filters of each height from 1 to L.
        vertical: Weighted sums of the last L items.
        long_term: Whether the mean of all items until then is read, too.
        dropout: Share of what the filters found that is set to 0 in training.
    """

    def __init__(
        self,
        n_items: int,
        width: int,
        *,
        span: int,
        horizontal: int,
        vertical: int,
        long_term: bool = True,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.span, self.long_term = span, long_term
        self.items = nn.Embedding(n_items + 1, width, padding_idx=n_items)
        self.across = nn.ModuleList(nn.Conv1d(width, horizontal, height) for height in range(1, span + 1))
        self.down = nn.Linear(span, vertical, bias=False)
        self.mix = nn.Linear(horizontal * span + vertical * width, width)
        self.out = nn.Linear(2 * width if long_term else width, width)
        self.dropout = ByteDropout(dropout)
        with torch.no_grad():
            nn.init.normal_(self.items.weight, std=INITIAL_SPREAD)
            self.items.weight[-1] = 0.0

    def forward(self, tokens: Tensor) -> Tensor:
        """Return (B, T, D) what each place says about the next item; tokens: (B, T) int64, padded at the right."""
        read = self.items(tokens)  # (B, T, D)
        padded = functional.pad(read, (0, 0, self.span - 1, 0))  # (B, L - 1 + T, D)
        found = torch.cat([self.horizontal(padded), self.vertical(padded)], dim=2)
        short = functional.relu(self.mix(self.dropout(found)))  # (B, T, D)
        if self.long_term:
            count = torch.arange(1, tokens.shape[1] + 1, dtype=read.dtype).unsqueeze(1)
            short = torch.cat([short, self.dropout(read.cumsum(dim=1) / count)], dim=2)
        said: Tensor = self.out(short)
        return said

    def horizontal(self, padded: Tensor) -> Tensor:
        """Return (B, T, L x filters) the strongest response of each horizontal filter in the window of each place."""
        image = padded.transpose(1, 2)  # (B, D, L - 1 + T)
        return torch.cat(
            [
                functional.max_pool1d(functional.relu(filters(image)), self.span - place, stride=1)
                for place, filters in enumerate(self.across)
            ],
            dim=1,
        ).transpose(1, 2)

    def vertical(self, padded: Tensor) -> Tensor:
        """Return (B, T, filters x D) the weighted sums of the window of each place."""
        windows = padded.unfold(1, self.span, 1)  # (B, T, D, L)
        summed: Tensor = self.down(windows).transpose(2, 3).flatten(2)
        return summed
