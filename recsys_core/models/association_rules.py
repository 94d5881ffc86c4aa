r"""Association rules: items are scored by rules of frequently co-occurring items.

A basket is the unordered set of items of one session, one day, or the whole history of a user (`baskets`). FP-growth
finds all frequent itemsets. An itemset S and one of its items b give the rule A -> b with A = S without b, and

    support     share of all baskets that contain A and b
    confidence  support(A and b) / support(A): share of the baskets with A that also contain b
    lift        confidence / support(b): relative to all baskets; 1 means that A and b are independent

A rule is kept if it reaches the minimum support, confidence and lift. It fires for a user whose history contains A, and

    best:  x_ui = maximum of the confidence of the rules -> i that fire
    sum:   x_ui = sum of the confidence of the rules -> i that fire

An item without a firing rule has no score. Scores depend on the history in the query alone.

Interaction weights are ignored: a basket contains an item or not.

Source: the source document, section 1 ('rule-based recommendation'), which gives no formula; Agrawal, Imielinski and
Swami 1993 for support and confidence, Han, Pei and Yin 2000 for FP-growth, implemented by mlxtend. Pairs, which suffice
for rules of length 2, are counted by one matrix product instead, which finds the same pairs many times faster. Rules
with several items on the right side are omitted, as items are scored one by one.
"""

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal, NamedTuple

import numpy as np
import pandas as pd
from pydantic import Field
from scipy.sparse import csr_array, triu

from recsys_core.batches import FloatArray, IntArray, QueryBatch
from recsys_core.columns import ITEM, TIMESTAMP, USER
from recsys_core.contracts import SOURCE_DOCUMENT, Ability, Explanation, Knob, ModelConfig, ModelInfo, Need, RunContext
from recsys_core.data import Dataset
from recsys_core.data.dataset import NO_TIMESTAMP
from recsys_core.models.base import Recommender
from recsys_core.models.compiled import Sparse, compiled, sparse
from recsys_core.models.content import as_bytes, from_bytes
from recsys_core.models.histories import history_matrix
from recsys_core.text import _, percent

MINUTE, DAY = 60_000, 86_400_000
"""In milliseconds."""
ROUNDING = 1e-9
"""Tolerance within which a share reaches a bound."""
FEW_PAIRS = 125_000
"""Frequent pairs that the memory estimate assumes in any case: all pairs of few items may be frequent."""


class FrequentSets(NamedTuple):
    """Frequent itemsets by length, from 1: `sets` (n, L) positions, increasing, and `support` (n,)."""

    sets: list[IntArray]
    support: list[FloatArray]

    def by_length(self) -> Iterator[tuple[IntArray, FloatArray]]:
        """Yield itemsets and their support, length by length."""
        yield from zip(self.sets, self.support, strict=True)


class AssociationRulesConfig(ModelConfig):
    """Settings of association rules."""

    baskets: Annotated[Literal["history", "day", "session"], Knob()] = "history"
    """Definition of a basket: the whole history of a user, their interactions of one day (UTC), or of one session."""
    min_support: Annotated[float, Field(gt=0, le=1), Knob(0.02, 0.2, scale="log", label="Minimum support")] = 0.05
    """Minimum share of baskets that contain all items of a rule. Small values give many rules and long run times."""
    min_confidence: Annotated[float, Field(ge=0, le=1), Knob(0.05, 0.8, label="Minimum confidence")] = 0.1
    """Minimum share of the baskets with the antecedent of a rule that also contain the consequent."""
    min_lift: Annotated[float, Field(ge=0, le=1000), Knob(0, 2, label="Minimum lift")] = 1.0
    """Minimum ratio of confidence to the support of the consequent; 1 keeps rules with a positive association."""
    max_length: Annotated[int, Field(ge=2, le=5), Knob(2, 3, label="Maximum rule length")] = 2
    """Maximum number of items in a rule, antecedent and consequent together."""
    scoring: Annotated[Literal["sum", "best"], Knob()] = "sum"
    """Score of an item: the sum of the confidence of all rules that fire, or the best of them."""
    session_gap: Annotated[
        float, Field(gt=0, le=100_000), Knob(5, 300, scale="log", advanced=True, label="Session gap (minutes)")
    ] = 30.0
    """Minutes of inactivity after which a new session starts (only used if baskets are sessions)."""


class AssociationRules(Recommender[AssociationRulesConfig]):
    """Scores an item by the rules from the history to the item."""

    info: ClassVar[ModelInfo] = ModelInfo(
        key="association_rules",
        title="Association rules",
        family="association rules",
        idea="Recommends items that frequently occur in the same basket as items in the user's history.",
        formula=r"\hat{x}_{ui} = \sum_{A \subseteq P(u)} \mathrm{conf}(A \to i), \quad"
        r" \mathrm{conf}(A \to i) = \frac{\mathrm{supp}(A \cup \{i\})}{\mathrm{supp}(A)}",
        source=f"{SOURCE_DOCUMENT}, section 1; Agrawal, Imielinski and Swami 1993; Han, Pei and Yin 2000 (FP-growth)",
        abilities=frozenset({Ability.EXPLAINS_ITEMS}),
        views=("rules",),
    )
    config_type = AssociationRulesConfig
    fitted = ("left", "right", "support", "confidence", "lift", "titles")

    left: csr_array
    """(R, I) 1 for the items on the left side of each rule."""
    right: IntArray
    """(R,) the item on the right side."""

    @classmethod
    def formula_of(cls, config: AssociationRulesConfig, *, rated: bool, weighted: bool) -> str:
        """Return the sum of the confidence of the rules that fire, or their maximum."""
        if config.scoring == "sum":
            return cls.info.formula
        return cls.info.formula.replace(r"\sum_{A", r"\max_{A")

    def needs(self) -> frozenset[Need]:
        """Return what these settings need: days and sessions need timestamps."""
        return self.info.needs | (set() if self.config.baskets == "history" else {Need.TIMESTAMPS})

    def _fit(self, train: Dataset, ctx: RunContext) -> None:
        for _unused in ctx.track(range(1), stage="fill baskets"):
            baskets = baskets_of(train, self.config.baskets, self.config.session_gap)  # (N, I)
        for _unused in ctx.track(range(1), stage="find frequent sets of items"):
            frequent = frequent_sets(baskets, self.config.min_support, self.config.max_length)
        for _unused in ctx.track(range(1), stage="make rules"):
            self._make_rules(frequent, baskets.shape[0])
        self.titles = as_bytes(train.titles())
        self._loaded()

    def _make_rules(self, frequent: FrequentSets, baskets: int) -> None:
        left, right, support = sides_of_rules(frequent)
        single = np.zeros(self.n_items)  # (I,) support of each item
        single[frequent.sets[0][:, 0]] = frequent.support[0]
        below = {  # support of itemsets of two or more, the left sides of longer rules
            tuple(row): share
            for sets, shares in list(frequent.by_length())[1:-1]
            for row, share in zip(sets.tolist(), shares, strict=True)
        }
        of_left = [
            single[rows[:, 0]] if rows.shape[1] == 1 else np.array([below[tuple(row)] for row in rows.tolist()])
            for rows in left
        ]
        every = np.concatenate(right), np.concatenate(support)
        confidence, one = every[1] * baskets, np.concatenate(of_left)  # in place: there may be millions of rules
        one *= baskets
        for counts in (confidence, one):
            np.rint(counts, out=counts)  # of counts: 3 / 8 is 0.375, which 0.3 / 0.8 is not
        confidence /= one
        del one, counts
        lift = confidence / single[every[0]]
        kept = (confidence >= self.config.min_confidence - ROUNDING) & (lift >= self.config.min_lift - ROUNDING)
        lengths = np.concatenate([np.full(len(rows), rows.shape[1]) for rows in left])
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        columns = np.concatenate([rows.ravel() for rows in left])
        sides = csr_array((np.ones(len(columns)), columns, offsets), shape=(len(kept), self.n_items))
        self.left, self.right, self.support = sides[kept], every[0][kept], every[1][kept]
        self.confidence, self.lift = confidence[kept], lift[kept]

    def _loaded(self) -> None:
        """Index the rules by the first item of their left side, for the search for rules that fire."""
        first = self.left.indices[self.left.indptr[:-1]] if len(self.right) else np.empty(0, dtype=np.int64)
        order = np.argsort(first, kind="stable")
        self.by_first = csr_array(
            (order.astype(np.float64), order, np.searchsorted(first[order], np.arange(self.n_items + 1))),
            shape=(self.n_items, max(1, len(order))),
        )

    def _score(self, query: QueryBatch) -> FloatArray:
        histories = sparse(history_matrix(query, self.n_items, "binary"))
        scores = np.full((len(query), self.n_items), np.nan)
        start, rules = self.by_first.indptr.astype(np.int64), self.by_first.indices.astype(np.int64)
        left, summed = sparse(self.left), self.config.scoring == "sum"
        add_rules(histories, start, rules, left, self.right, self.confidence, summed, scores)
        return scores

    def explain(self, query: QueryBatch, item: int) -> Explanation:
        """Return the rules that fired for `item`, highest confidence first; each contributes its confidence.

        Raises:
            CannotScore: No rule leads from the history to the item.
        """
        score = self._score_to_explain(query, item)
        held = np.zeros(self.n_items)
        held[query.history.values] = 1.0
        candidates = np.flatnonzero(self.right == item)
        candidates = candidates[self.left[candidates] @ held == np.diff(self.left.indptr)[candidates]]
        candidates = candidates[np.argsort(-self.confidence[candidates], kind="stable")]
        fired = candidates if self.config.scoring == "sum" else candidates[:1]
        titles = from_bytes(self.titles)
        labels = tuple(self._sentence(int(rule), titles) for rule in fired)
        return Explanation(item, score, "rules", fired, self.confidence[fired], 0.0, labels)

    def _why_no_scores(self, train: Dataset) -> str:
        """Return which thresholds left too few rules."""
        return _(
            "{n_right:,} rules reach min_support={min_support:g}, "
            "min_confidence={min_confidence:g} and min_lift={min_lift:g}; lower these values."
        ).format(
            n_right=len(self.right),
            min_support=self.config.min_support,
            min_confidence=self.config.min_confidence,
            min_lift=self.config.min_lift,
        )

    def _sentence(self, rule: int, titles: list[str]) -> str:
        left = " + ".join(
            titles[item] for item in self.left.indices[self.left.indptr[rule] : self.left.indptr[rule + 1]]
        )
        return (
            f"{left} → {titles[self.right[rule]]} (support {percent(self.support[rule])}, "
            f"confidence {percent(self.confidence[rule])}, lift {self.lift[rule]:.2f})"
        )

    @classmethod
    def memory_estimate(cls, config: AssociationRulesConfig, n_users: int, n_items: int, n_interactions: int) -> int:
        """Return the bytes of the baskets and of the expected number of frequent itemsets; longer ones take more."""
        size = 175 if config.max_length == 2 else 3000
        pairs = _frequent_pairs(config.min_support, n_users, n_items, n_interactions)
        pairs = max(pairs, min(FEW_PAIRS, _most_pairs(config, n_users, n_items, n_interactions)))
        return 60 * n_interactions + int(size * pairs) + 100 * n_items

    @classmethod
    def work_estimate(cls, config: AssociationRulesConfig, n_users: int, n_items: int, n_interactions: int) -> float:
        """Return the steps of counting pairs, and of FP-growth, which is interpreted, for longer itemsets."""
        in_basket = n_interactions / max(1, n_users)
        pairs = 3.0 * n_interactions * in_basket
        grown = 1e6 * _most_pairs(config, n_users, n_items, n_interactions) * (config.max_length - 2)
        return 100.0 * n_interactions + pairs + grown


def _frequent_pairs(min_support: float, n_users: int, n_items: int, n_interactions: int) -> float:
    """Return the approximate number of item pairs that reach the support.

    Item counts follow Zipf's law with an exponent of 0.8, and two items are independent except that active users have
    both more often: by 1 + v^2, with v the coefficient of variation of user activity, 1.3 if it is log-normal with a
    standard deviation of 1.
    """
    shares = np.arange(1, n_items + 1, dtype=np.float64) ** -0.8
    counts = np.minimum(n_interactions * shares / shares.sum(), n_users)
    needed = min_support * n_users * n_users / ((1.0 + 1.3**2) * counts)  # count that the other item needs
    return float(np.searchsorted(-counts, -needed, side="right").sum()) / 2.0


def _most_pairs(config: AssociationRulesConfig, n_users: int, n_items: int, n_interactions: int) -> float:
    """Return the maximum number of co-occurring item pairs."""
    in_basket = n_interactions / max(1, n_users)
    return min(n_items * n_items / 2.0, n_users * in_basket * in_basket / 2.0)


def baskets_of(train: Dataset, kind: Literal["history", "day", "session"], session_gap: float) -> csr_array:
    """Return (N, I) 1 where a basket contains an item; days and sessions omit interactions without a timestamp.

    Args:
        train: Interactions.
        kind: Definition of a basket.
        session_gap: Minutes of inactivity after which a new session starts.
    """
    frame = train.interactions
    if kind != "history":
        frame = frame[frame[TIMESTAMP] != NO_TIMESTAMP].sort_values([USER, TIMESTAMP], kind="stable")
    user = frame[USER].to_numpy()
    if kind == "history":
        basket = np.unique(user, return_inverse=True)[1]
    else:
        time = frame[TIMESTAMP].to_numpy()
        moment = time // DAY if kind == "day" else time
        apart = np.diff(moment) > (0 if kind == "day" else session_gap * MINUTE)
        basket = np.cumsum(np.concatenate([[False], (np.diff(user) != 0) | apart])[: len(user)])
    shape = (int(basket.max()) + 1 if len(basket) else 0, train.n_items)
    matrix = csr_array((np.ones(len(basket)), (basket, frame[ITEM].to_numpy())), shape=shape)
    matrix.sum_duplicates()
    matrix.data[:] = 1.0
    return matrix


def frequent_sets(baskets: csr_array, min_support: float, max_length: int) -> FrequentSets:
    """Return the frequent itemsets of (N, I) baskets."""
    number = baskets.shape[0]
    least = min_support * number - ROUNDING
    counts = np.asarray(baskets.sum(axis=0)).ravel()
    kept = np.flatnonzero((counts > 0) & (counts >= least))
    held = baskets[:, kept]
    sets: list[IntArray] = [kept[:, None]]
    support: list[FloatArray] = [counts[kept] / max(1, number)]
    if max_length == 2:
        pairs = triu((held.T @ held).tocoo(), k=1).tocsr()
        enough = pairs.data >= least
        row = np.repeat(np.arange(len(kept)), np.diff(pairs.indptr))[enough]
        sets.append(np.column_stack([kept[row], kept[pairs.indices[enough]]]))
        support.append(pairs.data[enough] / max(1, number))
    elif len(kept):
        itemsets = grown(held, least / number, max_length)
        for length in range(2, max_length + 1):
            of_length = {items: share for items, share in itemsets.items() if len(items) == length}
            sets.append(kept[np.array(sorted(of_length), dtype=np.int64).reshape(-1, length)])
            support.append(np.array([of_length[items] for items in sorted(of_length)], dtype=np.float64))
    return FrequentSets(sets, support)


def grown(baskets: csr_array, min_support: float, max_length: int) -> dict[tuple[int, ...], float]:
    """Return the support of each frequent itemset of (N, K) baskets, found by FP-growth."""
    from mlxtend.frequent_patterns import fpgrowth

    table = pd.DataFrame(baskets.toarray() > 0)
    found = fpgrowth(table, min_support=min_support, max_len=max_length)
    sets = (tuple(sorted(int(item) for item in items)) for items in found["itemsets"])
    return dict(zip(sets, found["support"].tolist(), strict=True))


def sides_of_rules(frequent: FrequentSets) -> tuple[list[IntArray], list[IntArray], list[FloatArray]]:
    """Return left sides (r, L - 1), right sides (r,) and supports (r,) of all rules, as lists by length and item."""
    left: list[IntArray] = [np.empty((0, 1), dtype=np.int64)]
    right: list[IntArray] = [np.empty(0, dtype=np.int64)]
    support: list[FloatArray] = [np.empty(0)]
    for sets, shares in list(frequent.by_length())[1:]:
        for place in range(sets.shape[1]):
            left.append(np.delete(sets, place, axis=1))
            right.append(sets[:, place])
            support.append(shares)
    return left, right, support


@compiled
def add_rules(
    histories: Sparse,
    start: IntArray,
    rules: IntArray,
    left: Sparse,
    right: IntArray,
    confidence: FloatArray,
    summed: bool,
    scores: FloatArray,
) -> None:
    """Fill `scores` (B, I), initially NaN, with the maximum or summed confidence of the rules that fire.

    Args:
        histories: (B, I).
        start: (I + 1,) offsets in `rules` by the first item of the left side.
        rules: (R,) rules ordered by the first item of their left side.
        left: (R, I) left sides.
        right: (R,) right sides.
        confidence: (R,).
        summed: Whether to sum instead of taking the maximum.
        scores: Updated in place.
    """
    held = np.zeros(scores.shape[1], dtype=np.bool_)
    for user in range(len(scores)):
        entries = histories.column[histories.start[user] : histories.start[user + 1]]
        held[entries] = True
        for first in entries:
            for place in range(start[first], start[first + 1]):
                rule = rules[place]
                fires = True
                for other in range(left.start[rule] + 1, left.start[rule + 1]):
                    fires = fires and held[left.column[other]]
                if not fires:
                    continue
                before, item = scores[user, right[rule]], right[rule]
                if np.isnan(before):
                    scores[user, item] = confidence[rule]
                elif summed:
                    scores[user, item] = before + confidence[rule]
                else:
                    scores[user, item] = max(before, confidence[rule])
        held[entries] = False
