"""Price tags: what a strategy and each of its cards changes, with paired intervals over users, before it goes live.

Four views of each card that is on:

- alone: the strategy with this card only, against the raw lists;
- left out: the strategy against itself without this card;
- in order: the lists after this card against those before it; these steps sum to the whole;
- whole (no card): the final lists against the raw ones.

Everything is computed from stored candidates and held-out interactions: nothing is trained, and nothing is known of
users' reactions to lists they were never shown. Intervals are those of single differences, not corrected for the number
of tags.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from recsys_core.contracts import RunContext
from recsys_core.evaluation.beyond_accuracy import weighted_exposure
from recsys_core.evaluation.diversity import DiversityBasis
from recsys_core.evaluation.list_metrics import (
    ListEvaluator,
    ListMetrics,
    ListSettings,
    is_share,
    mean_of,
)
from recsys_core.evaluation.metric_info import MetricName
from recsys_core.evaluation.paired import Paired, paired, share_of
from recsys_core.strategy.apply import Outcome, apply
from recsys_core.strategy.candidates import Candidates
from recsys_core.strategy.cards import Strategy
from recsys_core.strategy.exposure_groups import groups_of
from recsys_core.strategy.value import ValueModel, worth_of
from recsys_core.strategy.variants import Cards, Judged, Variants

View = Literal["whole", "alone", "left_out", "in_order"]
WHOLE = -1
"""Place of the card in a tag of the whole strategy."""
TAGS = ["view", "card", "metric", "before", "after", "difference", "low", "high", "users"]
AFFECTED = [
    "view", "card", "worse", "worse_low", "worse_high", "better", "better_low", "better_high", "changed", "short",
    "users",
]  # fmt: skip


@dataclass(frozen=True, eq=False)
class Prices:
    """Price tags of a strategy.

    Args:
        strategy: The strategy.
        table: One row per view, card and metric: `view`, `card` (place among the cards, `WHOLE` for the strategy),
            `metric`, `before` and `after` (means over users with a value for both), `difference`, `low`, `high` (NaN if
            undefined), `users`.
        affected: One row per view and card: `worse`, `better` (share of the users with relevant items whose NDCG@k
            falls, rises) with Wilson intervals `worse_low`, ...; `changed` (share of all users whose list differs),
            `short` (share of all users whose list has fewer than k items), `users` (with relevant items).
        confidence: Nominal coverage of all intervals.
    """

    strategy: Strategy
    table: pd.DataFrame
    affected: pd.DataFrame
    confidence: float

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of the metrics, in the order of the table."""
        return tuple(dict.fromkeys(self.table["metric"]))

    def of(self, view: View, card: int = WHOLE) -> pd.DataFrame:
        """Return the rows of one tag."""
        chosen = (self.table["view"] == view) & (self.table["card"] == card)
        return self.table[chosen].reset_index(drop=True)


class Pricing:
    """Prices strategies over the same candidates; keep it, since it keeps what strategies have in common.

    Args:
        candidates: Candidates of the users, with their ground truth.
        k: Length of the lists of all strategies.
        exposure_of: A field of the items whose values' shares of the exposure are priced.
        value: Prices `value@k`.
        diversity_basis: Item vectors used for diversity; leaderboards use co-occurrence.
        ctx: Threads, and the random numbers of a sampled diversity.

    Raises:
        ConfigError: There is no such field.
        DataError: Diversity by categories, or a value, needs what the data lack.
    """

    def __init__(
        self,
        candidates: Candidates,
        *,
        k: int = 10,
        exposure_of: str | None = None,
        value: ValueModel | None = None,
        diversity_basis: DiversityBasis = "co_occurrence",
        ctx: RunContext | None = None,
    ) -> None:
        self.candidates, self.k = candidates, k
        groups: Mapping[str, np.ndarray] = {}
        if exposure_of is not None:
            exposed = weighted_exposure(candidates.lists.item, min(k, candidates.pool), candidates.train.n_items)
            groups = groups_of(candidates.facts, exposure_of, exposed)
        worth = None if value is None else worth_of(value, candidates)
        settings = ListSettings(k, diversity_basis, groups, worth)
        own = candidates
        self.evaluator = ListEvaluator(own.train, own.relevant, own.history, own.listed(), settings, ctx)
        self._variants = Variants(candidates, self.evaluator, ctx or RunContext())

    def judged(self, strategy: Strategy) -> Judged:
        """Return the final lists of a strategy and their metrics.

        Raises:
            ConfigError: A card does not fit the data.
        """
        return self._judged(strategy, _on(strategy))

    def raw(self, strategy: Strategy) -> Judged:
        """Return the lists that a strategy starts from and their metrics."""
        return self._judged(strategy, ())

    def outcome(self, strategy: Strategy) -> Outcome:
        """Return the final lists of a strategy with the trail of every item."""
        return apply(self._own(strategy), self.candidates.sources, self.candidates.users, self.candidates.facts)

    def price(self, strategy: Strategy, *, confidence: float = 0.95) -> Prices:
        """Return the price tags of a strategy and of each card that is on.

        Raises:
            ConfigError: A card does not fit the data.
        """
        tags, affected = [], []
        pairs = list(_pairs(strategy))
        wanted = list(dict.fromkeys(cards for _view, _place, *both in pairs for cards in both))
        judged = dict(zip(wanted, self._variants.judged(self._own(strategy), wanted), strict=True))
        for view, place, before, after in pairs:
            pair = judged[before], judged[after]
            for metric in pair[1][1].values:
                found = difference_of(pair[0][1], pair[1][1], metric, confidence)
                tags.append((view, place, metric, *_fields(found)))
            affected.append((view, place, *_affected(*pair, self.k, confidence)))
        return Prices(strategy, pd.DataFrame(tags, columns=TAGS), pd.DataFrame(affected, columns=AFFECTED), confidence)

    def _judged(self, strategy: Strategy, cards: Cards) -> Judged:
        return self._variants.judged(self._own(strategy), [cards])[0]

    def _own(self, strategy: Strategy) -> Strategy:
        """Return the strategy with lists of length k."""
        if strategy.k == self.k:
            return strategy
        return strategy.model_copy(update={"k": self.k, "pool": max(strategy.pool, self.k)})


def _on(strategy: Strategy) -> Cards:
    return tuple(card for card in strategy.cards if card.on)


def _pairs(strategy: Strategy) -> Iterator[tuple[View, int, Cards, Cards]]:
    """Yield view, place of the card, and the cards before and after."""
    places = [place for place, card in enumerate(strategy.cards) if card.on]
    cards = _on(strategy)
    yield "whole", WHOLE, (), cards
    for number, place in enumerate(places):
        before, own, after = cards[:number], cards[number : number + 1], cards[number + 1 :]
        yield "alone", place, (), own
        yield "left_out", place, before + after, cards
        yield "in_order", place, before, before + own


def difference_of(before: ListMetrics, after: ListMetrics, metric: str, confidence: float = 0.95) -> Paired:
    """Return the paired difference of a metric; exactly 0 without any width if no metric differs for any user."""
    if before is after or before.digest == after.digest:
        mean = mean_of(after.values[metric])
        known = int((~np.isnan(after.values[metric])).sum())
        return Paired(mean, mean, 0.0, 0.0, 0.0, known)
    return paired(before.values[metric], after.values[metric], share=is_share(metric), confidence=confidence)


def _fields(pair: Paired) -> tuple[float, float, float, float, float, int]:
    return pair.before, pair.after, pair.difference, pair.low, pair.high, pair.users


def _affected(before: Judged, after: Judged, k: int, confidence: float) -> tuple[float, ...]:
    name = str(MetricName("ndcg", k))
    values = before[1].values[name], after[1].values[name]
    known = ~np.isnan(values[0]) & ~np.isnan(values[1])
    moved = (values[1] - values[0])[known]
    changed = (before[0].item != after[0].item).any(axis=1)
    return (
        *share_of(moved < 0, confidence),
        *share_of(moved > 0, confidence),
        float(changed.mean()) if len(changed) else np.nan,
        float((after[1].length < k).mean()) if len(changed) else np.nan,
        len(moved),
    )
