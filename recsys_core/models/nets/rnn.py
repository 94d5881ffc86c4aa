"""A recurrent network over a history: a memory that every item changes a little.

With x_t the vector of the t-th item, h_(t-1) the memory before it, * element by element, sigma the logistic curve:

    rnn    h_t = tanh(W x_t + U h_(t-1) + b)
    gru    r, z = sigma(W x_t + U h_(t-1) + b),   n = tanh(W_n x_t + b_n + r * (U_n h_(t-1) + c_n))
           h_t = (1 - z) * n + z * h_(t-1)
    lstm   i, f, o = sigma(W x_t + U h_(t-1) + b),   g = tanh(W_g x_t + U_g h_(t-1) + b_g)
           c_t = f * c_(t-1) + i * g,   h_t = o * tanh(c_t)

The memory of the top layer, brought to the width of the item vectors, says what comes next: an item's score is its dot
product with the item's vector. The vectors that are read and those that are scored are the same ones, which saves half
of the weights.

Sources: Hidasi et al. 2016, "Session-based Recommendations with Recurrent Neural Networks", section 3.1, whose items
are read one-hot and scored by weights of their own; Cho et al. 2014, "Learning Phrase Representations using RNN
Encoder-Decoder", eq. 5 to 8, in torch's form, which resets after the product with U_n; Hochreiter and Schmidhuber
1997, "Long Short-Term Memory", with the forget gate of Gers et al. 2000.
"""

from typing import Literal

import torch
from torch import Tensor, nn

from recsys_core.models.nets.dropout import ByteDropout

CellName = Literal["rnn", "gru", "lstm"]
INITIAL_SPREAD = 0.02
"""Standard deviation of the item vectors before training, so that the first scores are all near 0."""


class RecurrentNet(nn.Module):
    """Reads histories in order.

    Args:
        n_items: I, size of the catalogue; the token I is padding.
        width: D, numbers in each item vector, and in the memory.
        cell: What changes the memory.
        layers: Memories on top of each other; each reads the one below.
        dropout: Share of the numbers set to 0 in training, of what is read and of what each memory passes on.
    """

    def __init__(
        self, n_items: int, width: int, *, cell: CellName = "gru", layers: int = 1, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.items = nn.Embedding(n_items + 1, width, padding_idx=n_items)
        between = dropout if layers > 1 else 0.0
        kind = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}[cell]
        self.reader = kind(width, width, num_layers=layers, batch_first=True, dropout=between)
        self.out = nn.Linear(width, width)
        self.dropout = ByteDropout(dropout)
        self._start()

    def forward(self, tokens: Tensor) -> Tensor:
        """Return (B, T, D) what each place says about the next item; tokens: (B, T) int64, padded at the right."""
        read = self.dropout(self.items(tokens))  # (B, T, D)
        memory, _ = self.reader(read)  # (B, T, D)
        said: Tensor = self.out(self.dropout(memory))
        return said

    def _start(self) -> None:
        """Draw the first weights: small item vectors, orthogonal recurrent ones, which keep the length of a memory."""
        with torch.no_grad():
            nn.init.normal_(self.items.weight, std=INITIAL_SPREAD)
            self.items.weight[-1] = 0.0
            for name, weight in self.reader.named_parameters():
                if "weight_hh" in name:
                    for part in weight.split(weight.shape[1]):
                        nn.init.orthogonal_(part)
