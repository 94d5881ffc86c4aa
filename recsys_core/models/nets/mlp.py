"""The network of `mlp`: user and item vectors, their dot product, and a multilayer perceptron added to it."""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

INITIAL_SPREAD = 0.05
"""Standard deviation of the initial embeddings."""


class PairNet(nn.Module):
    """Scores pairs of users and items; see `recsys_core.models.mlp` for the formulas.

    Shapes: N rows, I items, K items of a row, D embedding dimension, H units of the first layer.

    Args:
        attributes: (U, A) user attributes; A may be 0.
        features: (I, F) item features; F may be 0.
        embedding_dim: D.
        hidden_dims: Units of each hidden layer; empty for the dot product alone.
        dropout: Dropout probability of the user vectors.
    """

    attributes: Tensor
    features: Tensor

    def __init__(
        self, attributes: Tensor, features: Tensor, embedding_dim: int, hidden_dims: list[int], dropout: float
    ) -> None:
        super().__init__()
        n_users, n_items = len(attributes), len(features)
        self.people = nn.Embedding(n_users + 1, embedding_dim, padding_idx=n_users)  # p_u, 0 for unknown users
        self.items = nn.Embedding(n_items, embedding_dim)  # q_i
        self.marks = nn.Embedding(n_items, embedding_dim)  # y_j
        self.bias = nn.Parameter(torch.zeros(n_items))  # b_i
        unknown = attributes.new_zeros(1, attributes.shape[1])
        self.register_buffer("attributes", torch.cat([attributes, unknown]), persistent=False)
        self.register_buffer("features", features, persistent=False)
        self.of_attributes = nn.Linear(attributes.shape[1], embedding_dim, bias=False) if attributes.shape[1] else None
        self.of_features = nn.Linear(features.shape[1], embedding_dim, bias=False) if features.shape[1] else None
        self.dropout = nn.Dropout(dropout)
        self.first_person = nn.Linear(embedding_dim, hidden_dims[0]) if hidden_dims else None
        self.first_item = nn.Linear(embedding_dim, hidden_dims[0], bias=False) if hidden_dims else None
        self.layers = nn.ModuleList(nn.Linear(size, after) for size, after in pairwise(hidden_dims))
        self.last = nn.Linear(hidden_dims[-1], 1, bias=False) if hidden_dims else None
        self._draw()

    def _draw(self) -> None:
        """Initialize embeddings; layers keep torch's default initialization."""
        for part in (self.people, self.items, self.marks, self.of_attributes, self.of_features):
            if part is not None:
                nn.init.normal_(part.weight, std=INITIAL_SPREAD)
        with torch.no_grad():
            self.people.weight[-1] = 0.0

    def person_vectors(self, user: Tensor, of_history: Tensor) -> Tensor:
        """Return (N, D) v = p_u + of_history + A a_u.

        Args:
            user: (N,) positions; U for an unknown user.
            of_history: (N, D) the contribution of their histories.
        """
        vectors: Tensor = self.people(user) + of_history
        if self.of_attributes is not None:
            vectors = vectors + self.of_attributes(functional.embedding(user, self.attributes))
        return vectors

    def item_vectors(self) -> Tensor:
        """Return (I, D) w = q_i + F x_i."""
        if self.of_features is None:
            return self.items.weight
        vectors: Tensor = self.items.weight + self.of_features(self.features)
        return vectors

    def pairs(self, users: Tensor, items: Tensor, positions: Tensor) -> Tensor:
        """Return (N, K) scores of some items for each user.

        Args:
            users: (N, D) user vectors.
            items: (I, D) vectors of all items.
            positions: (N, K) positions of the items to score.
        """
        users = self.dropout(users)
        chosen = functional.embedding(positions, items)  # (N, K, D)
        bias = functional.embedding(positions, self.bias.unsqueeze(1)).squeeze(2)
        scores = torch.bmm(chosen, users.unsqueeze(2)).squeeze(2) + bias
        if self.first_person is None or self.first_item is None:
            return scores
        first = functional.embedding(positions, self.first_item(items)) + self.first_person(users).unsqueeze(1)
        return scores + self._rest(first)

    def of_all(self, user: Tensor, items: Tensor, first: Tensor | None) -> Tensor:
        """Return (I,) scores of all items for one user; for inference only, as it works in place.

        Args:
            user: (D,) user vector.
            items: (I, D) vectors of all items.
            first: (I, H) the items' part of the first layer, see `first_of_items`.
        """
        scores = torch.addmv(self.bias, items, user)
        if self.first_person is None or first is None:
            return scores
        hidden = (first + self.first_person(user)).relu_()
        for layer in self.layers:
            hidden = layer(hidden).relu_()
        assert self.last is not None
        return scores + torch.mv(hidden, self.last.weight[0])

    def first_of_items(self, items: Tensor) -> Tensor | None:
        """Return (I, H) the items' part of the first layer; None without layers."""
        return None if self.first_item is None else self.first_item(items)

    def _rest(self, first: Tensor) -> Tensor:
        """Return (N, K) the output of the layers for (N, K, H) pre-activations of the first one."""
        hidden = torch.relu(first)
        for layer in self.layers:
            hidden = torch.relu(layer(hidden))
        assert self.last is not None
        added: Tensor = self.last(hidden).squeeze(2)
        return added
