"""Histories as pairs of people and items, in batches of whole people, with items drawn against each pair."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from recsys_core.contracts import BoolArray, FloatArray, IntArray, Ragged


@dataclass(frozen=True, eq=False)
class PairBatch:
    """All N items of B people.

    Args:
        users: (B,) positions.
        rows: (N,) which of the B people has the item, increasing.
        items: (N,) positions, increasing for each person.
        learn: (N,) which of them are to be learned from.
        weights: (N,) weight of each pair in the loss, at least 0; None for 1.
    """

    users: Tensor
    rows: Tensor
    items: Tensor
    learn: Tensor
    weights: Tensor | None = None

    def draw(self, n_items: int, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return (L, K) items drawn evenly from the catalogue for each pair to learn from, and which are held anyway.

        Args:
            n_items: Size of the catalogue.
            count: K.
            generator: Gives the chance.
        """
        rows = self.rows[self.learn]
        drawn = torch.randint(0, n_items, (len(rows), count), generator=generator)
        keys, asked = self.rows * n_items + self.items, rows.unsqueeze(1) * n_items + drawn
        place = torch.searchsorted(keys, asked).clamp_(max=len(keys) - 1)
        return drawn, keys[place] == asked


@dataclass(frozen=True, eq=False)
class Pairs:
    """What each person has, and which of it is learned from.

    Args:
        items: A row a person, each with distinct items, increasing.
        learn: Aligned with `items.values`; None for all.
        weights: Of each pair in the loss, aligned with `items.values`; None for 1.
    """

    items: Ragged
    learn: BoolArray | None = None
    weights: FloatArray | None = None

    def people(self) -> IntArray:
        """Return the positions of the people who have something to learn from."""
        if self.learn is None:
            return np.flatnonzero(self.items.lengths)
        return np.unique(self.items.row_numbers()[self.learn])

    def batches(self, size: int, rng: np.random.Generator) -> Iterator[PairBatch]:
        """Yield everybody once, in random order, with about `size` items in a batch; nobody is parted."""
        order = rng.permutation(self.people())
        end = np.cumsum(self.items.lengths[order])
        number = (end - 1) // size if len(end) else end
        for users in np.split(order, np.flatnonzero(np.diff(number)) + 1):
            if len(users):
                yield self.batch(users)

    def batch(self, users: IntArray) -> PairBatch:
        """Return these people with all that they have."""
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
