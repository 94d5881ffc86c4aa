"""True behavior of the users of a synthetic shop, from which the value of any policy follows exactly."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

import numpy as np

from recsys_core.contracts import FloatArray, IntArray
from recsys_core.data.plackett_luce import place_probabilities
from recsys_core.data.synthetic.parameter_file import load_parameters, save_parameters
from recsys_core.errors import ConfigError
from recsys_core.text import _

Reward = Literal["click", "purchase", "revenue", "profit"]
REWARDS: tuple[Reward, ...] = ("click", "purchase", "revenue", "profit")


@dataclass(frozen=True, eq=False)
class ShopTruth:
    """Parameters of a shop. A user examines place p, clicks what is examined, and buys what was clicked, each with a
    probability that depends on nothing else in the list (position-based model).

    Args:
        examination: (K,) probability that a place is examined.
        click: (U, I) probability of a click on an examined item.
        purchase: (U, I) probability of a purchase after a click; 0 for items without stock.
        price: (I,) price.
        profit: (I,) price times margin.
        activity: (U,) relative number of impressions of each user, mean 1.
        segment: (U,) segment of each user.
        logits: (S, I) logits of the logging policy for each segment: lists are drawn from Plackett-Luce.

    Source:
        Position-based model: Craswell et al. 2008, "An experimental comparison of click position-bias models".
    """

    examination: FloatArray
    click: FloatArray
    purchase: FloatArray
    price: FloatArray
    profit: FloatArray
    activity: FloatArray
    segment: IntArray
    logits: FloatArray

    @property
    def places(self) -> int:
        """K, the number of items shown per impression."""
        return len(self.examination)

    def reward(self, kind: Reward, users: IntArray | slice = slice(None)) -> FloatArray:
        """Return (B, I) the expected reward of an item at an examined place, for some users or all.

        Raises:
            ConfigError: There is no such reward.
        """
        factors: Mapping[Reward, FloatArray | float] = {"revenue": self.price, "profit": self.profit}
        if kind not in REWARDS:
            raise ConfigError(
                _("There is no reward '{kind}'. Known: {factors}.").format(kind=kind, factors=", ".join(REWARDS))
            )
        bought = 1.0 if kind == "click" else self.purchase[users]
        found: FloatArray = self.click[users] * bought * factors.get(kind, 1.0)
        return found

    def logging_policy(self) -> FloatArray:
        """Return (S, K, I) the probability of each item at each place, for each segment."""
        return place_probabilities(self.logits, self.places)

    def user_values(self, users: IntArray, item: IntArray, probability: FloatArray, kind: Reward) -> FloatArray:
        """Return (B,) the expected reward of an impression of each user under a policy.

        Args:
            users: (B,) positions.
            item: (B, N) candidates, negative where there is none.
            probability: (B, P, N) probability of each candidate at each place, P <= K.
            kind: The reward.

        Raises:
            ConfigError: The policy fills more places than the shop shows.
        """
        if probability.shape[1] > self.places:
            raise ConfigError(
                _("The policy fills {probability_shape} places, but the shop shows {places}.").format(
                    probability_shape=probability.shape[1], places=self.places
                )
            )
        worth = np.take_along_axis(self.reward(kind, users), np.maximum(item, 0), axis=1) * (item >= 0)
        examination = self.examination[: probability.shape[1]]
        values: FloatArray = np.einsum("bpn,bn,p->b", probability, worth, examination)
        return values

    def value(self, users: IntArray, item: IntArray, probability: FloatArray, kind: Reward) -> float:
        """Return the expected reward of an impression, over the impressions of these users."""
        weights = self.activity[users]
        return float(weights @ self.user_values(users, item, probability, kind) / weights.sum())

    def save(self, path: Path) -> None:
        """Write all parameters into one npz file, floats in single precision."""
        save_parameters(self, path)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Load what `save` wrote.

        Raises:
            DataError: The file is missing or incomplete.
        """
        arrays = load_parameters(cls, path, "behavior")
        wide = {
            name: value.astype(np.float64) if value.dtype == np.float32 else value for name, value in arrays.items()
        }
        return cls(**wide)
