"""Apply a strategy to the lists of a model, with a trail of every item's place after each card."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from recsys_core.contracts import PAD, FloatArray, IntArray, TopK
from recsys_core.errors import ConfigError
from recsys_core.strategy.calibrated import calibrated
from recsys_core.strategy.cards import (
    Boost,
    Calibration,
    Cap,
    Card,
    Decay,
    Dpp,
    FairRatio,
    Filter,
    Mmr,
    Pin,
    Strategy,
    Xquad,
)
from recsys_core.strategy.dpp import dpp
from recsys_core.strategy.facts import Facts
from recsys_core.strategy.fair_ratio import fair_ratio
from recsys_core.strategy.mmr import mmr
from recsys_core.strategy.relevance import NONE, scaled
from recsys_core.strategy.xquad import xquad


@dataclass(frozen=True, eq=False)
class Pool:
    """Candidates of users, best first.

    Args:
        users: (B,) user positions.
        item: (B, N) candidates, padded with `PAD` at the end.
        score: (B, N) scores of the model, NaN for padding and pinned items that the model did not recommend.
        k: Length of the final lists.
    """

    users: IntArray
    item: IntArray
    score: FloatArray
    k: int

    def taking(self, columns: IntArray) -> "Pool":
        """Return the pool in a new order: (B, N) columns, `NONE` for nothing."""
        safe = np.maximum(columns, 0)
        gone = columns == NONE
        item = np.where(gone, PAD, np.take_along_axis(self.item, safe, axis=1))
        score = np.where(gone, np.nan, np.take_along_axis(self.score, safe, axis=1))
        return replace(self, item=item, score=score)

    def first(self, order: IntArray) -> "Pool":
        """Return the pool with the columns of (B, K) `order` first, and the others behind in their old order."""
        pool = self.item.shape[1]
        place = np.broadcast_to(np.arange(pool) + order.shape[1], self.item.shape).copy()
        for column in range(order.shape[1]):
            rows = np.flatnonzero(order[:, column] != NONE)
            place[rows, order[rows, column]] = column
        place = np.where(self.item == PAD, 2 * pool + order.shape[1], place)
        return self.taking(np.argsort(place, axis=1, kind="stable"))

    def relevance(self) -> FloatArray:
        """Return (B, N) decreasing values along each list: the order decides, as earlier cards left it."""
        ranks = np.broadcast_to(-np.arange(self.item.shape[1], dtype=np.float64), self.item.shape)
        return np.where(self.item == PAD, np.nan, ranks)


@dataclass(frozen=True, eq=False)
class Outcome:
    """Lists of a strategy.

    Args:
        lists: (B, k) the final lists; scores are those of the model.
        trail: The card and the candidates (B, N) after it, first the raw lists under None.
    """

    lists: TopK
    trail: tuple[tuple[Card | None, IntArray], ...]

    def places(self, user: int, item: int) -> list[int]:
        """Return the place of an item, from 1, in the list of one user after each step; 0 where it is not in it."""
        found = []
        for _, items in self.trail:
            columns = np.flatnonzero(items[user] == item)
            found.append(int(columns[0]) + 1 if len(columns) else 0)
        return found


def apply(strategy: Strategy, lists: TopK | Mapping[str, TopK], users: IntArray, facts: Facts) -> Outcome:
    """Apply the cards of a strategy in their order.

    Args:
        strategy: The strategy.
        lists: (B, N) the best candidates of a model, at most `strategy.pool` of them are read.
        users: (B,) positions of the users.
        facts: Facts of the data.

    Raises:
        ConfigError: A card names a field or an item that does not exist, or needs categories that the data lack.
    """
    pool = start(strategy, lists, users)
    trail: list[tuple[Card | None, IntArray]] = [(None, pool.item)]
    for card in strategy.cards:
        if card.on:
            pool = step(card, pool, facts)
            trail.append((card, pool.item))
    return Outcome(finish(pool), tuple(trail))


def start(strategy: Strategy, lists: TopK | Mapping[str, TopK], users: IntArray) -> Pool:
    """Return the candidates before any card; see `apply`."""
    lists = next(iter(lists.values())) if isinstance(lists, Mapping) else lists
    return Pool(users, lists.item[:, : strategy.pool], lists.score[:, : strategy.pool].astype(np.float64), strategy.k)


def step(card: Card, pool: Pool, facts: Facts) -> Pool:
    """Return the candidates after a card, whether it is on or not; see `apply`."""
    return STEPS[type(card)](card, pool, facts)


def finish(pool: Pool) -> TopK:
    """Return the final lists, padded to their length."""
    k = pool.k
    short = max(0, k - pool.item.shape[1])
    item = np.pad(pool.item[:, :k], ((0, 0), (0, short)), constant_values=PAD)
    score = np.pad(pool.score[:, :k], ((0, 0), (0, short)), constant_values=np.nan)
    return TopK(item, score.astype(np.float32))


def _filter(card: Filter, pool: Pool, facts: Facts) -> Pool:
    met = card.when.holds(facts.table)[np.maximum(pool.item, 0)]
    stays = (met if card.action == "keep" else ~met) & (pool.item != PAD)
    order = np.argsort(~stays, axis=1, kind="stable")
    return pool.taking(np.where(np.take_along_axis(stays, order, axis=1), order, NONE))


def _boost(card: Boost, pool: Pool, facts: Facts) -> Pool:
    met = card.when.holds(facts.table)[np.maximum(pool.item, 0)] & (pool.item != PAD)
    step = np.sign(card.places) * 0.5
    place = np.arange(pool.item.shape[1]) - np.where(met, card.places + step, 0.0)
    return pool.taking(np.argsort(np.where(pool.item == PAD, np.inf, place), axis=1, kind="stable"))


def _decay(card: Decay, pool: Pool, facts: Facts) -> Pool:
    amounts = facts.table[card.by].to_numpy(np.float64)
    if np.isnan(amounts).all():
        raise ConfigError(f"The card 'decay' by {card.by} needs timestamps, which '{facts.data.name}' does not have.")
    amount = np.nan_to_num(amounts)[np.maximum(pool.item, 0)]
    lowered = _scaled(card, pool) * 0.5 ** (amount / card.half_life)
    return pool.taking(np.argsort(np.where(pool.item == PAD, np.inf, -lowered), axis=1, kind="stable"))


def _scaled(card: Decay | Mmr | Dpp | Calibration | Xquad, pool: Pool) -> FloatArray:
    """Return the relevance: by the current order, or from the scores of the model."""
    return scaled(pool.relevance() if card.scaling == "rank" else pool.score, card.scaling)


def _mmr(card: Mmr, pool: Pool, facts: Facts) -> Pool:
    vectors = facts.vectors[np.maximum(pool.item, 0)]
    return pool.first(mmr(_scaled(card, pool), vectors, pool.k, card.weight, card.window))


def _dpp(card: Dpp, pool: Pool, facts: Facts) -> Pool:
    return pool.first(dpp(_scaled(card, pool), facts.vectors[np.maximum(pool.item, 0)], pool.k, card.sharpness))


def _calibration(card: Calibration, pool: Pool, facts: Facts) -> Pool:
    shares = _categories(card, facts)[np.maximum(pool.item, 0)]
    return pool.first(calibrated(_scaled(card, pool), shares, facts.interests(pool.users), pool.k, card.weight))


def _xquad(card: Xquad, pool: Pool, facts: Facts) -> Pool:
    aspects = (_categories(card, facts) > 0).astype(np.float64)[np.maximum(pool.item, 0)]
    return pool.first(xquad(_scaled(card, pool), aspects, facts.interests(pool.users), pool.k, card.weight))


def _categories(card: Calibration | Xquad, facts: Facts) -> FloatArray:
    if not facts.shares.shape[1]:
        raise ConfigError(f"The card '{card.kind}' needs item categories, which '{facts.data.name}' does not have.")
    return facts.shares


def _fair_ratio(card: FairRatio, pool: Pool, facts: Facts) -> Pool:
    protected = card.when.holds(facts.table)[np.maximum(pool.item, 0)]
    return pool.first(fair_ratio(scaled(pool.relevance(), "rank"), protected, pool.k, card.share, card.level))


def _cap(card: Cap, pool: Pool, facts: Facts) -> Pool:
    """Place the best candidate that keeps the cap; items that would break it are left out."""
    if card.field not in facts.table:
        raise ConfigError(f"There is no item field '{card.field}'. Known: {', '.join(map(str, facts.table.columns))}.")
    codes = facts.table[card.field].astype("category").cat.codes.to_numpy()  # -1: no value, never capped
    code = np.where(pool.item == PAD, -1, codes[np.maximum(pool.item, 0)])
    rows = np.arange(len(pool.item))
    free = pool.item != PAD
    order = np.full(pool.item.shape, NONE)
    placed = np.full(pool.item.shape, -1)
    for place in range(pool.item.shape[1]):
        recent = placed[:, max(0, place - card.window + 1) if card.window else 0 : place]
        counts = (recent[:, None, :] == code[:, :, None]).sum(axis=2)
        allowed = free & ((counts < card.most) | (code == -1))
        able = allowed.any(axis=1)
        chosen = allowed.argmax(axis=1)
        order[:, place] = np.where(able, chosen, NONE)
        placed[:, place] = np.where(able, code[rows, chosen], -1)
        free[rows[able], chosen[able]] = False
        if not able.any():
            break
    return pool.taking(order)


def _pin(card: Pin, pool: Pool, facts: Facts) -> Pool:
    position = int(facts.data.item_vocabulary.positions([card.item])[0])
    if position == PAD:
        raise ConfigError(f"There is no item '{card.item}' to pin.")
    where = pool.item == position
    score = np.where(
        where.any(axis=1), np.take_along_axis(pool.score, where.argmax(axis=1)[:, None], axis=1)[:, 0], np.nan
    )
    kept = np.argsort(where, axis=1, kind="stable")
    others = pool.taking(np.where(np.take_along_axis(where, kept, axis=1), NONE, kept))
    place = min(card.place - 1, pool.item.shape[1])
    filled = (others.item != PAD).sum(axis=1)
    places = np.minimum(place, filled)
    item = np.full((len(others.item), pool.item.shape[1] + 1), PAD)
    values = np.full(item.shape, np.nan)
    columns = np.arange(pool.item.shape[1])[None] + (np.arange(pool.item.shape[1])[None] >= places[:, None])
    np.put_along_axis(item, columns, others.item, axis=1)
    np.put_along_axis(values, columns, others.score, axis=1)
    np.put_along_axis(item, places[:, None], position, axis=1)
    np.put_along_axis(values, places[:, None], score[:, None], axis=1)
    return replace(pool, item=item, score=values)


STEPS: dict[type[Card], Callable[..., Pool]] = {
    Filter: _filter,
    Boost: _boost,
    Decay: _decay,
    Mmr: _mmr,
    Dpp: _dpp,
    Calibration: _calibration,
    Xquad: _xquad,
    FairRatio: _fair_ratio,
    Cap: _cap,
    Pin: _pin,
}
