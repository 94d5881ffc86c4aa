"""A recurrent network over a history.

With x_t the embedding of the t-th item, h_(t-1) the previous hidden state, * element-wise, sigma the logistic function:

    rnn    h_t = tanh(W x_t + U h_(t-1) + b)
    gru    r, z = sigma(W x_t + U h_(t-1) + b),   n = tanh(W_n x_t + b_n + r * (U_n h_(t-1) + c_n))
           h_t = (1 - z) * n + z * h_(t-1)
    lstm   i, f, o = sigma(W x_t + U h_(t-1) + b),   g = tanh(W_g x_t + U_g h_(t-1) + b_g)
           c_t = f * c_(t-1) + i * g,   h_t = o * tanh(c_t)

The hidden state of the top layer, after a linear layer, predicts the next item: an item's score is its dot product with
the item's embedding. Input and output embeddings are tied, which saves half of the weights.

Sources: Hidasi et al. 2016, "Session-based Recommendations with Recurrent Neural Networks", section 3.1, with one-hot
inputs and separate output weights; Cho et al. 2014, "Learning Phrase Representations using RNN Encoder-Decoder", eq. 5
to 8, in torch's form, which applies the reset gate after the product with U_n; Hochreiter and Schmidhuber 1997, "Long
Short-Term Memory", with the forget gate of Gers et al. 2000.
"""

from typing import Literal

import torch
from torch import Tensor, nn

from recsys_core.models.nets.dropout import ByteDropout

CellName = Literal["rnn", "gru", "lstm"]
INITIAL_SPREAD = 0.02
"""Standard deviation of the initial item embeddings, small so that initial scores are near 0."""


class RecurrentNet(nn.Module):
    """Encodes histories in order.

    Args:
        n_items: I, size of the catalog; token I is padding.
        embedding_dim: D, dimension of item embeddings and hidden states.
        cell: Type of the recurrent cell.
        n_layers: Number of stacked recurrent layers.
        dropout: Dropout probability of the inputs and of the output of each layer.
    """

    def __init__(
        self, n_items: int, embedding_dim: int, *, cell: CellName = "gru", n_layers: int = 1, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.items = nn.Embedding(n_items + 1, embedding_dim, padding_idx=n_items)
        between = dropout if n_layers > 1 else 0.0
        kind = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}[cell]
        self.reader = kind(embedding_dim, embedding_dim, num_layers=n_layers, batch_first=True, dropout=between)
        self.out = nn.Linear(embedding_dim, embedding_dim)
        self.dropout = ByteDropout(dropout)
        self._start()

    def forward(self, tokens: Tensor) -> Tensor:
        """Return (B, T, D) the prediction vector of each position; tokens: (B, T) int64, right-padded."""
        inputs = self.dropout(self.items(tokens))  # (B, T, D)
        hidden, _ = self.reader(inputs)  # (B, T, D)
        predicted: Tensor = self.out(self.dropout(hidden))
        return predicted

    def _start(self) -> None:
        """Initialize weights: small item embeddings, and orthogonal recurrent weights, which preserve norms."""
        with torch.no_grad():
            nn.init.normal_(self.items.weight, std=INITIAL_SPREAD)
            self.items.weight[-1] = 0.0
            for name, weight in self.reader.named_parameters():
                if "weight_hh" in name:
                    for part in weight.split(weight.shape[1]):
                        nn.init.orthogonal_(part)
