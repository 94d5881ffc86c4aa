"""Random ranking: the lower bound of every comparison. A model that does not beat it has learned nothing."""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from recsys_core.contracts import PAD, FloatArray, FoldIn, ModelConfig, ModelInfo, QueryBatch, RunContext
from recsys_core.data import Dataset
from recsys_core.data.random_keys import Keys, mixed
from recsys_core.models.base import Recommender
from recsys_core.models.compiled import compiled

KNOWN, UNKNOWN = 0, 1
"""Offsets of two random streams, so that known and unknown users never share one."""
KEYS = ("user_keys", "item_keys")


class RandomConfig(ModelConfig):
    """Random has no settings; it uses the seed of the run."""


class Random(Recommender[RandomConfig]):
    """Scores every item by a number drawn uniformly from 0 to 1.

    The number is determined by the seed and the identifiers of user and item (for unknown users, by their history). So
    a user's list depends neither on the other users in the query nor on the order of a file, and is the same in every
    run with the same seed.
    """

    info: ClassVar[ModelInfo] = ModelInfo(
        key="random",
        title="Random",
        family="baselines",
        idea="Ranks items at random, with one independent draw per user.",
        formula=r"\hat{x}_{ui} \sim U(0, 1)",
        source="The usual control in experiments.",
        stochastic=True,
        fold_in=FoldIn.APPROXIMATE,
        fold_in_note="The numbers are drawn anew for each history.",
    )
    config_type = RandomConfig
    fitted = ("seed",)

    def _fit(self, train: Dataset, ctx: RunContext) -> None:
        for _ in ctx.track(range(1), stage="draw the seed"):
            self.seed = np.array(ctx.rng("random").integers(2**63), dtype=np.int64)
            self.user_keys: Keys | None = train.user_vocabulary.keys
            self.item_keys: Keys | None = train.item_vocabulary.keys

    @classmethod
    def memory_estimate(cls, config: RandomConfig, n_users: int, n_items: int, n_interactions: int) -> int:
        """Return the bytes of the hashed identifiers, during hashing."""
        return 150 * (n_users + n_items)

    def _score(self, query: QueryBatch) -> FloatArray:
        scores = np.empty((len(query), self.n_items))
        if self.user_keys is None or self.item_keys is None:  # stored by a version that drew by position
            for row, (user, history) in enumerate(zip(query.user, query.history, strict=True)):
                path = [UNKNOWN, *history.tolist()] if user == PAD else [KNOWN, int(user)]
                scores[row] = np.random.default_rng([int(self.seed), *path]).random(self.n_items)
            return scores
        known = mixed(self.user_keys[query.user], int(self.seed) + KNOWN)
        history_keys = [mixed(self.item_keys[history]).sum(dtype=np.uint64) for history in query.history]
        unknown = mixed(np.array(history_keys, dtype=np.uint64), int(self.seed) + UNKNOWN)
        _fill(np.where(query.user == PAD, unknown, known), self.item_keys, scores)
        return scores

    def _network_arrays(self) -> Mapping[str, NDArray[Any]]:
        return {name: keys for name in KEYS if (keys := getattr(self, name)) is not None}

    def _load_network_arrays(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        self.user_keys, self.item_keys = (arrays.get(name) for name in KEYS)


@compiled
def _fill(users: Keys, items: Keys, numbers: FloatArray) -> None:
    """Fill (B, I) with a number from 0 to 1 per pair of keys; see `recsys_core.data.random_keys.mixed`."""
    for row in range(len(users)):
        for item in range(len(items)):
            state = (users[row] ^ items[item]) + np.uint64(0x9E3779B97F4A7C15)
            state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            numbers[row, item] = np.float64((state ^ (state >> np.uint64(31))) >> np.uint64(11)) * 2.0**-53
