"""The network of LightGCN: embeddings of users and items, propagated over the graph of interactions."""

from typing import Any

import numpy as np
import torch
from scipy.sparse import csr_array
from torch import Tensor, nn
from torch.nn import functional

INITIAL_STD = 0.1
"""Standard deviation of initial embeddings, as in He et al. 2020."""


class Edges(nn.Module):
    """A sparse matrix (R, C) by row, which moves to the device of the network but is not part of its state.

    Args:
        matrix: Its values become float32.
    """

    column: Tensor
    value: Tensor
    start: Tensor

    def __init__(self, matrix: csr_array) -> None:
        super().__init__()
        arrays = {
            "column": matrix.indices.astype(np.int64),
            "value": matrix.data.astype(np.float32),
            "start": matrix.indptr.astype(np.int64),
        }
        for name, array in arrays.items():
            self.register_buffer(name, torch.from_numpy(array), persistent=False)

    def times(self, vectors: Tensor) -> Tensor:
        """Return (R, D) the product with vectors (C, D); no gradient flows."""
        product: Tensor = functional.embedding_bag(
            self.column, vectors, self.start, mode="sum", include_last_offset=True, per_sample_weights=self.value
        )
        return product


class LightGcnNet(nn.Module):
    """He et al. 2020, section 3: E^(k+1) = D^-1/2 A D^-1/2 E^(k), and the mean of all layers.

    Args:
        graph: (U, I) the normalized interactions, 1 / sqrt(|P(u)| |R(i)|).
        embedding_dim: D.
        n_layers: K, number of propagations.
    """

    def __init__(self, graph: csr_array, embedding_dim: int, n_layers: int) -> None:
        super().__init__()
        n_users, n_items = graph.shape
        self.users = nn.Parameter(torch.randn(n_users, embedding_dim) * INITIAL_STD)  # E^(0) of users
        self.items = nn.Parameter(torch.randn(n_items, embedding_dim) * INITIAL_STD)  # E^(0) of items
        self.n_layers = n_layers
        self.by_user, self.by_item = Edges(graph), Edges(graph.T.tocsr())

    def forward(self) -> tuple[Tensor, Tensor]:
        """Return (U, D) and (I, D) the final vectors."""
        final: tuple[Tensor, Tensor] = _MeanOfLayers.apply(  # type: ignore[no-untyped-call]
            self.users, self.items, self.by_user, self.by_item, self.n_layers
        )
        return final

    def lower_items(self) -> Tensor:
        """Return (I, D) the sum of the item vectors of layers 0 to K - 1, which users of the next layer receive."""
        with torch.no_grad():
            layers = list(_layers(self.users, self.items, self.by_user, self.by_item, self.n_layers))
            lower = torch.zeros_like(self.items)
            for _, items in layers[:-1]:
                lower += items
        return lower


def _layers(users: Tensor, items: Tensor, by_user: Edges, by_item: Edges, count: int) -> list[tuple[Tensor, Tensor]]:
    """Return the vectors of users and items in layers 0 to `count`."""
    layers = [(users, items)]
    for _ in range(count):
        users, items = by_user.times(items), by_item.times(users)
        layers.append((users, items))
    return layers


class _MeanOfLayers(torch.autograd.Function):
    """Mean of all layers. The operator is a symmetric matrix, so the gradient is propagated as the vectors are."""

    @staticmethod
    def forward(
        ctx: Any, users: Tensor, items: Tensor, by_user: Edges, by_item: Edges, count: int
    ) -> tuple[Tensor, Tensor]:
        """Return the final vectors of users and items."""
        ctx.graph = by_user, by_item, count
        return _mean(users, items, by_user, by_item, count)

    @staticmethod
    def backward(ctx: Any, *above: Tensor) -> tuple[Tensor, Tensor, None, None, None]:
        """Return the gradients of the embeddings."""
        users, items = _mean(above[0].contiguous(), above[1].contiguous(), *ctx.graph)
        return users, items, None, None, None


def _mean(users: Tensor, items: Tensor, by_user: Edges, by_item: Edges, count: int) -> tuple[Tensor, Tensor]:
    """Return the mean of the layers; by Horner's scheme, e <- e_0 + A e repeated `count` times."""
    mean_users, mean_items = users, items
    for _ in range(count):
        mean_users, mean_items = users + by_user.times(mean_items), items + by_item.times(mean_users)
    return mean_users / (count + 1), mean_items / (count + 1)
