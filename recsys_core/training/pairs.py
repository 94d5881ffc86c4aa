"""User-item pairs in batches of whole users, with negative sampling."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from recsys_core.contracts import BoolArray, FloatArray, IntArray, Ragged


@dataclass(frozen=True, eq=False)
class PairBatch:
    """All N items of B users.

    Args:
        users: (B,) positions.
        rows: (N,) row of the user of each item, increasing.
        items: (N,) positions, increasing for each user.
        learn: (N,) whether each pair is a training target.
        weights: (N,) weight of each pair in the loss, at least 0; None for 1.
    """

    users: Tensor
    rows: Tensor
    items: Tensor
    learn: Tensor
    weights: Tensor | None = None

    def on(self, device: torch.device) -> "PairBatch":
        """Return the batch on a device."""
        return replace(self, **{name: part.to(device) for name, part in vars(self).items() if part is not None})

    def draw(self, n_items: int, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return (L, K) negatives sampled uniformly for each target pair, and whether the user has each of them.

        Args:
            n_items: Size of the catalog.
            count: K.
            generator: Source of randomness.
        """
        rows = self.rows[self.learn]
        drawn = torch.randint(0, n_items, (len(rows), count), generator=generator, device=rows.device)
        keys, drawn_keys = self.rows * n_items + self.items, rows.unsqueeze(1) * n_items + drawn
        place = torch.searchsorted(keys, drawn_keys).clamp_(max=len(keys) - 1)
        return drawn, keys[place] == drawn_keys


@dataclass(frozen=True, eq=False)
class Pairs:
    """The items of each user, and which pairs are training targets.

    Args:
        items: One row per user, with distinct, increasing items.
        learn: Whether each pair is a training target, aligned with `items.values`; None for all.
        weights: Weight of each pair in the loss, aligned with `items.values`; None for 1.
    """

    items: Ragged
    learn: BoolArray | None = None
    weights: FloatArray | None = None

    def users(self) -> IntArray:
        """Return the positions of users with at least one training target."""
        if self.learn is None:
            return np.flatnonzero(self.items.lengths)
        return np.unique(self.items.row_numbers()[self.learn])

    def batches(self, size: int, rng: np.random.Generator) -> Iterator[PairBatch]:
        """Yield every user once, in random order, with about `size` items per batch; users are not split."""
        order = rng.permutation(self.users())
        end = np.cumsum(self.items.lengths[order])
        number = (end - 1) // size if len(end) else end
        for users in np.split(order, np.flatnonzero(np.diff(number)) + 1):
            if len(users):
                yield self.batch(users)

    def batch(self, users: IntArray) -> PairBatch:
        """Return the batch of these users with all their items."""
        chosen = self.items.take(users)
        learn = np.ones(len(chosen.values), dtype=bool)
        if self.learn is not None:
            learn = Ragged(self.learn, self.items.offsets).take(users).values
        weights = None
        if self.weights is not None:
            weights = torch.from_numpy(Ragged(self.weights, self.items.offsets).take(users).values)
        return PairBatch(
            torch.from_numpy(np.asarray(users, dtype=np.int64)),
            torch.from_numpy(chosen.row_numbers()),
            torch.from_numpy(chosen.values.astype(np.int64)),
            torch.from_numpy(learn),
            weights,
        )
