r"""Markov chain: the next item depends on the last one, by counted transitions.

    n_ji       number of times item i followed item j in a history, weighted by 1 / d at distance d <= `distance`
    P(i | j) = (n_ji + alpha q_i) / (n_j + alpha)        n_j = sum_i n_ji

q_i is the share of item i in all transitions. The smoothing alpha mixes both: an item that was rarely followed by
anything is mostly followed by popular items. With alpha = 0, an item without a transition has no score.

    x_ui = sum_{m = 0}^{M - 1} gamma^m P(i | j_m)        j_0 the last item of the history, j_1 the one before, ...

With M = 1 this is the first-order Markov chain; larger M let earlier items vote with less weight (gamma). A distance
above 1 also counts items that followed within a few steps ('sequential rules'). With `direction` = both, transitions
count in both directions (co-occurrences). A repetition of an item is no transition to itself.

Interactions with weights: a transition counts with c, the confidence of `models.weights` of its later interaction, or 0
if that is negative. Scores depend on the history alone.

Source: Ludewig and Jannach 2018, "Evaluation of Session-based Recommendation Algorithms", section 3 (Markov chains
and sequential rules, weighted by 1 / d); the smoothing is that of MacKay and Peto 1995, "A Hierarchical Dirichlet
Language Model", with the shares as the measure.
"""

from typing import Annotated, ClassVar, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.sparse import csr_array

from recsys_core.contracts import (
    Ability,
    Explanation,
    FloatArray,
    FoldIn,
    IntArray,
    Knob,
    ModelConfig,
    ModelInfo,
    QueryBatch,
    Ragged,
    RunContext,
)
from recsys_core.data import Dataset
from recsys_core.models.base import Recommender
from recsys_core.models.linear import weighted_sums
from recsys_core.models.weights import confidence

Pairs: TypeAlias = tuple[IntArray, IntArray, FloatArray]
"""(N,) earlier item, later item, and weight of transitions."""


class MarkovConfig(ModelConfig):
    """Settings of the Markov chain."""

    smoothing: Annotated[float, Field(ge=0, le=1e6), Knob(0, 100, symbol=r"\alpha")] = 10.0
    """Number of virtual transitions to popular items that is added to the transitions of each item. 0 gives plain
    relative frequencies."""
    distance: Annotated[int, Field(ge=1, le=100), Knob(1, 10, label="Maximum distance")] = 1
    """Largest number of steps between two items that counts as a transition, with weight 1 / steps. 1: only the next
    item."""
    direction: Annotated[Literal["forward", "both"], Knob()] = "forward"
    """Whether only later items follow an item, or earlier ones count as well (co-occurrence)."""
    last_items: Annotated[int, Field(ge=1, le=100), Knob(1, 10, symbol="M", label="Last items")] = 1
    """Number of most recent items of the history that vote; 1 is the first-order chain."""
    decay: Annotated[float, Field(ge=0, le=1), Knob(0.2, 1.0, symbol=r"\gamma")] = 0.7
    """Factor by which the vote of an item is smaller than that of the following one (only with several last items)."""


class Markov(Recommender[MarkovConfig]):
    """Scores an item by the probability that it follows the last item of the history."""

    info: ClassVar[ModelInfo] = ModelInfo(
        key="markov",
        title="Markov chain",
        family="sequential",
        idea="Recommends the items that most often came next after the last item of the history.",
        formula=r"\hat{x}_{ui} = \sum_{m < M} \gamma^m P(i \mid j_m), \quad"
        r" P(i \mid j) = \frac{n_{ji} + \alpha q_i}{n_j + \alpha}",
        source="Ludewig and Jannach 2018, section 3; MacKay and Peto 1995",
        abilities=frozenset({Ability.EXPLAINS_ITEMS}),
        fold_in=FoldIn.SEQUENCE,
        weights="A transition counts with the confidence of its later interaction, log2(1 + weight / median weight).",
        weighs_histories=False,
        views=("transitions",),
    )
    config_type = MarkovConfig
    fitted = ("transitions", "share")

    transitions: csr_array
    """(I, I) n_ji: row j has the items that followed item j."""
    share: FloatArray
    """(I,) q."""

    def _fit(self, train: Dataset, ctx: RunContext) -> None:
        query = train.queries()
        weights: FloatArray = np.ones(len(query.values))
        if query.weights is not None and not np.isnan(self.weight_unit):
            weights = np.maximum(confidence(query.weights, self.weight_unit), 0.0).astype(np.float64)
        self.transitions = csr_array((self.n_items, self.n_items), dtype=np.float64)
        for distance in ctx.track(range(1, self.config.distance + 1), stage="count transitions"):
            self.transitions = self.transitions + self._counted(query.history, weights, distance)
        self.transitions.sort_indices()
        self._loaded()
        followed = np.asarray(self.transitions.sum(axis=0), dtype=np.float64).ravel()
        self.share = followed / followed.sum() if followed.sum() > 0 else np.full(self.n_items, 1.0 / self.n_items)

    def _counted(self, history: Ragged, weights: FloatArray, distance: int) -> csr_array:
        """Return (I, I) the transitions at one distance."""
        before, after, weight = pairs_at(history, weights, distance)
        if self.config.direction == "both":
            before, after = np.concatenate([before, after]), np.concatenate([after, before])
            weight = np.concatenate([weight, weight])
        size = (self.n_items, self.n_items)
        counted = csr_array((weight / distance, (before.astype(np.int32), after.astype(np.int32))), shape=size)
        counted.sum_duplicates()
        counted.eliminate_zeros()
        return counted

    def _loaded(self) -> None:
        """Derive the number of transitions from each item."""
        self.totals = np.asarray(self.transitions.sum(axis=1), dtype=np.float64).ravel()  # (I,) n_j

    def _score(self, query: QueryBatch) -> FloatArray:
        votes = self.votes(query)
        counted = weighted_sums(self._divided(votes), self.transitions)
        common = self._common(votes)
        if self.config.smoothing > 0:
            counted = np.nan_to_num(counted, nan=0.0) + common[:, None] * self.share
        counted[np.diff(votes.indptr) == 0] = np.nan
        return counted

    def votes(self, query: QueryBatch) -> csr_array:
        """(B, I) the weight of each history item: gamma^m for the m-th last; for a repeated item the sum."""
        offsets = query.history.offsets
        age = np.repeat(offsets[1:], query.history.lengths) - np.arange(len(query.values)) - 1
        kept = age < self.config.last_items
        rows = query.history.row_numbers()[kept]
        weight = np.power(self.config.decay, age[kept], dtype=np.float64)
        shape = (len(query), self.n_items)
        found = csr_array((weight, (rows, query.history.values[kept].astype(np.int32))), shape=shape)
        found.sum_duplicates()
        found.eliminate_zeros()
        return found

    def _divided(self, votes: csr_array) -> csr_array:
        """(B, I) gamma^m / (n_j + alpha); 0 where the denominator is."""
        below = self.totals[votes.indices] + self.config.smoothing
        values = np.divide(votes.data, below, out=np.zeros(len(below)), where=below > 0)
        return csr_array((values, votes.indices, votes.indptr), shape=votes.shape)

    def _common(self, votes: csr_array) -> FloatArray:
        """(B,) factor of q_i in the score: what smoothing adds."""
        smoothed = self._divided(votes)
        return self.config.smoothing * np.asarray(smoothed.sum(axis=1), dtype=np.float64).ravel()

    def probabilities(self, item: int) -> tuple[FloatArray, FloatArray]:
        """Return (I,) P(i | item) and (I,) P(item | j); NaN where an item has no transition and no smoothing."""
        alpha = self.config.smoothing
        with np.errstate(invalid="ignore"):
            out = (self.transitions[[item]].toarray()[0] + alpha * self.share) / (self.totals[item] + alpha)
            into = (self.transitions[:, [item]].toarray()[:, 0] + alpha * self.share[item]) / (self.totals + alpha)
        return out, into

    def explain(self, query: QueryBatch, item: int) -> Explanation:
        """Split the score of `item` into the transitions from the last items; the remainder is what smoothing adds.

        Raises:
            CannotScore: The history is empty or, without smoothing, nothing followed its last items.
        """
        score = self._score_to_explain(query, item)
        votes = self.votes(query)
        divided = self._divided(votes)
        shares = divided.data * self.transitions[:, [item]].toarray()[divided.indices, 0]
        counts = shares != 0.0
        remainder = float(self._common(votes)[0] * self.share[item])
        return Explanation(item, score, "history", divided.indices[counts].astype(np.int64), shares[counts], remainder)

    def as_read(self, query: QueryBatch) -> QueryBatch:
        """Return the query with the last items alone."""
        offsets = query.history.offsets
        age = np.repeat(offsets[1:], query.history.lengths) - np.arange(len(query.values)) - 1
        return query.only(age < self.config.last_items)

    @classmethod
    def memory_estimate(cls, config: MarkovConfig, n_users: int, n_items: int, n_interactions: int) -> int:
        """Return the bytes of the transitions at one distance and of their sum, and of the histories."""
        sides = 2 if config.direction == "both" else 1
        kept = min(n_interactions * sides * config.distance, n_items * n_items)
        return (60 + 70 * sides) * n_interactions + 24 * kept + 8 * (n_users + n_items)

    @classmethod
    def work_estimate(cls, config: MarkovConfig, n_users: int, n_items: int, n_interactions: int) -> float:
        """Return the steps of sorting the histories and of counting pairs."""
        return (200.0 + 50.0 * config.distance) * n_interactions


def pairs_at(history: Ragged, weights: FloatArray, distance: int) -> Pairs:
    """Return the pairs of items of a history that are `distance` steps apart; an item and itself are no pair.

    Args:
        history: U rows, oldest first.
        weights: (N,) weight of each interaction; a pair has that of the later one.
        distance: Number of steps, at least 1.
    """
    rows: NDArray[np.integer] = history.row_numbers()
    before, after = history.values[:-distance], history.values[distance:]
    kept = (rows[:-distance] == rows[distance:]) & (before != after)
    return before[kept].astype(np.int64), after[kept].astype(np.int64), weights[distance:][kept]
