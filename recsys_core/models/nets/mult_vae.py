"""The network of Mult-VAE: a Gaussian encoder of a history and a multinomial decoder over all items."""

import torch
from torch import Tensor, nn
from torch.nn import functional


class MultVaeNet(nn.Module):
    """Liang et al. 2018, section 2.1: z ~ N(mu, sigma^2), both from tanh(W x), and scores V tanh(U z) + b.

    Args:
        n_items: I.
        embedding_dim: D, dimension of z.
        hidden: H, units of the hidden layers of encoder and decoder.
        dropout: Probability with which an item of the input is dropped in training.
    """

    def __init__(self, n_items: int, embedding_dim: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.dropout = dropout
        self.encoder = nn.Parameter(torch.empty(n_items, hidden))  # row j: what item j adds to the hidden layer
        self.encoder_bias = nn.Parameter(torch.zeros(hidden))
        self.moments = nn.Linear(hidden, 2 * embedding_dim)  # mu and log sigma^2
        self.decoder_hidden = nn.Linear(embedding_dim, hidden)
        self.decoder = nn.Parameter(torch.empty(n_items, hidden))
        self.decoder_bias = nn.Parameter(torch.zeros(n_items))
        for weight in (self.encoder, self.moments.weight, self.decoder_hidden.weight, self.decoder):
            nn.init.xavier_normal_(weight)
        for bias in (self.moments.bias, self.decoder_hidden.bias):
            nn.init.zeros_(bias)

    def encode(self, items: Tensor, offsets: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Return (B, D) mu and (B, D) log sigma^2.

        The input is divided by its Euclidean length; then dropout is applied.

        Args:
            items: (N,) items of all histories, one after the other.
            offsets: (B + 1,) start of each history.
            values: (N,) x of each item, at least 0.
        """
        rows = torch.repeat_interleave(torch.arange(len(offsets) - 1, device=offsets.device), offsets.diff())
        length = values.new_zeros(len(offsets) - 1).index_add(0, rows, values.square()).sqrt()
        inputs = values / length.clamp(min=torch.finfo(values.dtype).tiny)[rows]
        inputs = functional.dropout(inputs, self.dropout, self.training)
        summed = functional.embedding_bag(
            items, self.encoder, offsets, mode="sum", include_last_offset=True, per_sample_weights=inputs
        )
        mean, log_variance = self.moments(torch.tanh(summed + self.encoder_bias)).chunk(2, dim=1)
        return mean, log_variance

    def decoded(self, latent: Tensor) -> Tensor:
        """Return (B, H) the last hidden layer of the decoder for z (B, D)."""
        return torch.tanh(self.decoder_hidden(latent))

    def scores(self, latent: Tensor) -> Tensor:
        """Return (B, I) the logits of the items for z (B, D)."""
        return torch.addmm(self.decoder_bias, self.decoded(latent), self.decoder.T)


def divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Return (B,) KL(N(mu, sigma^2) || N(0, I)) = 1/2 sum (mu^2 + sigma^2 - 1 - log sigma^2), in natural-log units.

    Args:
        mean: (B, D).
        log_variance: (B, D).

    Source:
        Kingma and Welling 2014, "Auto-Encoding Variational Bayes", appendix B.
    """
    return 0.5 * (mean.square() + log_variance.exp() - 1.0 - log_variance).sum(dim=1)


def multinomial_loss(scores: Tensor, rows: Tensor, items: Tensor, values: Tensor) -> Tensor:
    """Return the negative log-likelihood -sum_i x_i log softmax(s)_i of all histories, summed.

    Computes sum_i x_i (log sum_j exp(s_j) - s_i) from the entries of x alone.

    Args:
        scores: (B, I) s.
        rows: (N,) history of each entry of x.
        items: (N,) item of each entry.
        values: (N,) x.

    Source:
        Liang et al. 2018, eq. 2.
    """
    norm = torch.logsumexp(scores, dim=1)  # (B,)
    totals = values.new_zeros(len(scores)).index_add(0, rows, values)
    loss: Tensor = norm @ totals - scores[rows, items] @ values
    return loss
