"""The network of `two_tower`: a tower for users, a tower for items, and the in-batch softmax over both."""

import torch
from torch import Tensor, nn
from torch.nn import functional

INITIAL_SPREAD = 0.1
"""Standard deviation of initial embeddings."""


class Tower(nn.Module):
    """x / |x| of x = e + W_L relu(... W_1 e): layers beside a direct connection, then unit length.

    Args:
        size: D, of input and output.
        hidden: Units of each hidden layer.
        n_layers: L, number of hidden layers; 0 for e / |e|.
    """

    def __init__(self, size: int, hidden: int, n_layers: int) -> None:
        super().__init__()
        sizes = [size, *[hidden] * n_layers]
        parts: list[nn.Module] = []
        for layer in range(n_layers):
            parts += [nn.Linear(sizes[layer], sizes[layer + 1]), nn.ReLU()]
        self.layers = nn.Sequential(*parts, nn.Linear(hidden, size)) if n_layers else None

    def forward(self, inputs: Tensor) -> Tensor:
        """Return (N, D) unit vectors for inputs e (N, D)."""
        return functional.normalize(inputs if self.layers is None else inputs + self.layers(inputs), dim=1)


class TwoTowerNet(nn.Module):
    """Vectors of users and items; see `recsys_core.models.two_tower` for the formulas.

    Args:
        attributes: (U, A) user attributes; A may be 0.
        features: (I, F) item features; F may be 0.
        embedding_dim: D.
        hidden: Units of each hidden layer.
        n_layers: Number of hidden layers of each tower.
        dropout: Dropout probability of the inputs of the towers.
    """

    attributes: Tensor
    features: Tensor

    def __init__(
        self, attributes: Tensor, features: Tensor, embedding_dim: int, hidden: int, n_layers: int, dropout: float
    ) -> None:
        super().__init__()
        n_users, n_items = len(attributes), len(features)
        self.users = nn.Embedding(n_users + 1, embedding_dim, padding_idx=n_users)  # p_u, 0 for unknown users
        self.items = nn.Embedding(n_items, embedding_dim)  # q_i
        self.marks = nn.Embedding(n_items, embedding_dim)  # y_j
        unknown = attributes.new_zeros(1, attributes.shape[1])
        self.register_buffer("attributes", torch.cat([attributes, unknown]), persistent=False)
        self.register_buffer("features", features, persistent=False)
        self.of_attributes = nn.Linear(attributes.shape[1], embedding_dim, bias=False) if attributes.shape[1] else None
        self.of_features = nn.Linear(features.shape[1], embedding_dim, bias=False) if features.shape[1] else None
        self.user_tower = Tower(embedding_dim, hidden, n_layers)
        self.item_tower = Tower(embedding_dim, hidden, n_layers)
        self.dropout = nn.Dropout(dropout)
        for part in (self.users, self.items, self.marks, self.of_attributes, self.of_features):
            if part is not None:
                nn.init.normal_(part.weight, std=INITIAL_SPREAD)
        with torch.no_grad():
            self.users.weight[-1] = 0.0

    def user_inputs(self, user: Tensor, of_history: Tensor) -> Tensor:
        """Return (N, D) the inputs of the users' tower, 0 where nothing is known.

        Args:
            user: (N,) positions; U for an unknown user.
            of_history: (N, D) the contribution of their histories.
        """
        inputs: Tensor = self.users(user) + of_history
        if self.of_attributes is not None:
            inputs = inputs + self.of_attributes(functional.embedding(user, self.attributes))
        return inputs

    def item_inputs(self, items: Tensor) -> Tensor:
        """Return (N, D) the inputs of the items' tower for items (N,), 0 where nothing is known."""
        inputs: Tensor = self.items(items)
        if self.of_features is not None:
            inputs = inputs + self.of_features(functional.embedding(items, self.features))
        return inputs

    def of_users(self, user: Tensor, of_history: Tensor) -> Tensor:
        """Return (N, D) unit vectors of users; see `user_inputs`."""
        vectors: Tensor = self.user_tower(self.dropout(self.user_inputs(user, of_history)))
        return vectors

    def of_items(self, items: Tensor) -> Tensor:
        """Return (N, D) unit vectors of items (N,)."""
        vectors: Tensor = self.item_tower(self.dropout(self.item_inputs(items)))
        return vectors


def in_batch_loss(
    scores: Tensor, log_rates: Tensor, same: Tensor, weights: Tensor | None = None, *, corrected: bool = True
) -> Tensor:
    """Return the mean softmax loss of N pairs against the items of the other pairs, with logQ correction.

    The loss of pair n is -s_nn + log Q_n + log sum_m exp(s_nm - log Q_m), over m = n and all m not in `same`.

    Args:
        scores: (N, N) score of item m for the user of pair n, divided by the temperature.
        log_rates: (N,) log Q_m, the probability that an item of the batch is the item of pair m.
        same: (N, N) whether pair m has the item, or is of the user, of pair n.
        weights: (N,) weight of each pair, at least 0; None for 1.
        corrected: False for scores without the correction.

    Source: Yi et al. 2019, eq. 4 and 5.
    """
    if corrected:
        scores = scores - log_rates
    right = scores.diagonal()
    others = same & ~torch.eye(len(scores), dtype=torch.bool, device=scores.device)
    losses = torch.logsumexp(scores.masked_fill(others, -torch.inf), dim=1) - right
    return losses.mean() if weights is None else (losses * weights).mean()
