"""Latent directions of users and items from interactions alone, by regularized correspondence analysis.

Interaction counts minus their expectation under independence, n_u n_i / N, are scaled so that active users and popular
items do not dominate:

    B_ui = (n_ui - n_u n_i / N) / sqrt((n_u + t_u) (n_i + t_i))        t_u = N / U, t_i = N / I

The singular vectors of B are the directions of largest variation. The coordinate of a user on direction d is

    s_d u_d sqrt(N / (n_u + t_u))

and likewise for items, so that those with few interactions stay near the origin.

Source: correspondence analysis (Greenacre 2007, "Correspondence Analysis in Practice", A.2) with the mean number of
interactions added to each count, as in Qin and Rohe 2013 for spectral clustering; singular vectors by subspace
iteration as in Halko, Martinsson and Tropp 2011, algorithm 4.4, with one pass over the interactions per product.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import csr_array

from recsys_core.columns import ITEM, USER
from recsys_core.contracts import FloatArray, RunContext
from recsys_core.data.dataset import Dataset
from recsys_core.profiles.streams import blocks, connected, counted

DIRECTIONS = 12
SPARE = 8
ROUNDS = 3
IN_MEMORY = 4_000_000
"""Maximum number of interactions whose matrix is held in memory. Larger data are first approximated on a sample of
users, then refined in one pass over all interactions."""
SEED = 42


@dataclass(frozen=True, eq=False)
class Directions:
    """Coordinates of users and items on latent directions.

    Args:
        users: (U, D) coordinates; 0 for users without interactions.
        items: (I, D) coordinates.
        strength: (D,) singular values, decreasing, at most 1.
    """

    users: FloatArray
    items: FloatArray
    strength: FloatArray


def directions(dataset: Dataset, ctx: RunContext, size: int = DIRECTIONS) -> Directions:
    """Return the coordinates of users and items on at most `size` latent directions.

    The sign of each direction makes the item with the largest absolute coordinate positive. Results are deterministic.

    Raises:
        Cancelled: The work was cancelled.
    """
    products = Products(dataset, ctx)
    wide = min(size + SPARE, dataset.n_users, dataset.n_items)
    if products.total == 0 or wide < 1:
        return Directions(np.zeros((dataset.n_users, 0)), np.zeros((dataset.n_items, 0)), np.empty(0))
    start: FloatArray = replace(ctx, seed=SEED).rng("directions").standard_normal((dataset.n_items, wide))
    rounds = ROUNDS
    if products.total > IN_MEMORY:
        some = Products(dataset, ctx, every=-(-products.total // IN_MEMORY))
        if some.total:
            start, rounds = some.of_items(_turned(some, start, ROUNDS)), 1
    basis = _turned(products, start, rounds)
    right, strength, left = np.linalg.svd(products.of_items(basis), full_matrices=False)
    kept = slice(0, min(size, int((strength > 1e-5).sum())))
    items = right[:, kept] * strength[kept] * (products.item_scale * np.sqrt(products.total))[:, None]
    users = (basis @ left.T)[:, kept] * strength[kept] * (products.user_scale * np.sqrt(products.total))[:, None]
    if items.shape[1]:
        farthest = items[np.abs(items).argmax(axis=0), np.arange(items.shape[1])]
        signs = np.where(farthest < 0, -1.0, 1.0)
        items, users = items * signs, users * signs
    return Directions(users, items, strength[kept])


def _turned(products: "Products", start: FloatArray, rounds: int) -> FloatArray:
    """Return (U, W) an orthonormal basis after subspace iterations from a start (I, W)."""
    basis = np.linalg.qr(products.of_users(start))[0]
    for _ in range(rounds):
        basis = np.linalg.qr(products.of_users(np.linalg.qr(products.of_items(basis))[0]))[0]
    return basis


class Products:
    """Products of the scaled matrix and its transpose with thin matrices.

    Args:
        dataset: Any data set.
        ctx: Receives progress and can cancel the work.
        every: Use only every n-th user; the matrix is then held in memory, as for few interactions.
    """

    def __init__(self, dataset: Dataset, ctx: RunContext, every: int = 1) -> None:
        self.dataset, self.ctx, self.every = dataset, ctx, every
        self.shape = (dataset.n_users, dataset.n_items)
        with connected(dataset) as connection:
            self.user_count, self.item_count = (
                counted(connection, column, size, f"{USER} % {every} = 0").astype(np.float64)
                for column, size in zip((USER, ITEM), self.shape, strict=True)
            )
        self.total = int(self.user_count.sum())
        self.kept: list[tuple[csr_array, csr_array]] | None = None
        if every > 1 or self.total <= IN_MEMORY:
            whole = sum(self._read(), csr_array(self.shape, dtype=np.float32))
            self.kept = [(csr_array(whole), csr_array(whole.T))]
        self.user_scale = 1 / np.sqrt(self.user_count + max(1.0, self.total / max(1, self.shape[0])))
        self.item_scale = 1 / np.sqrt(self.item_count + max(1.0, self.total / max(1, self.shape[1])))

    def _read(self) -> Iterator[csr_array]:
        for block in blocks(self.dataset, self.ctx, "compute latent directions"):
            chosen = block.user % self.every == 0
            ones = np.ones(int(chosen.sum()), dtype=np.float32)
            yield csr_array((ones, (block.user[chosen], block.item[chosen])), shape=self.shape)

    def _pairs(self) -> Iterable[tuple[csr_array, csr_array]]:
        """Return the counts and their transpose, as a whole or in blocks."""
        return self.kept if self.kept is not None else ((counts, counts.T) for counts in self._read())

    def of_users(self, thin: FloatArray) -> FloatArray:
        """Return (U, W) product of the scaled matrix with (I, W)."""
        scaled = self.item_scale[:, None] * thin
        sums = np.outer(self.user_count, -(self.item_count @ scaled) / self.total)
        return self.user_scale[:, None] * self._added(sums, scaled, 0)

    def of_items(self, thin: FloatArray) -> FloatArray:
        """Return (I, W) product of the transposed scaled matrix with (U, W)."""
        scaled = self.user_scale[:, None] * thin
        sums = np.outer(self.item_count, -(self.user_count @ scaled) / self.total)
        return self.item_scale[:, None] * self._added(sums, scaled, 1)

    def _added(self, sums: FloatArray, scaled: FloatArray, side: int) -> FloatArray:
        """Add the product of the counts, or of their transpose, with a thin matrix."""
        single = scaled.astype(np.float32)
        for pair in self._pairs():
            sums += pair[side] @ single
        return sums
