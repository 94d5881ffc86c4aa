"""Exposure: bounds on the share of attention that a provider or a category gets over all users.

The exposure of an item at place r is 1 / log2(1 + r). The share of a group is the exposure of its items divided by that
of all items, over the lists of all users; an item with several entries of a field counts for each of them.

A global pass adds the same price lambda_g to the relevance of a group's items for every user and sorts again. For given
prices these lists maximize the sum over users and places of exposure times (relevance + prices), so the smallest prices
that reach the bounds are the multipliers of maximizing relevance under them. Each violated group's price is found by
bisection, as its share grows with it; groups take turns until all bounds hold. A price differs between users by up to
one place of a list (from a hash of the user), without which all lists would change at once.

Sources: Singh and Joachims 2018, "Fairness of exposure in rankings", section 3, for exposure and its bounds; Järvelin
and Kekäläinen 2002 for the discount. The bounds there are per query, in expectation over rankings.
"""

from dataclasses import replace
from typing import Literal

import numpy as np
from pydantic import model_validator

from recsys_core.contracts import PAD, FloatArray, IntArray
from recsys_core.data.random_keys import mixed
from recsys_core.models.compiled import compiled
from recsys_core.strategy.card import Card, Share
from recsys_core.strategy.conditions import Condition
from recsys_core.strategy.facts import Facts
from recsys_core.strategy.placement import placed
from recsys_core.strategy.pool import ExposureBound, Pool
from recsys_core.strategy.rules import NO_LIMIT, Bound, Groups, groups_of
from recsys_core.text import _

LARGEST_PRICE = 4.0
"""Price at which a group is at the top, or below 0 at the end, of every list; relevance is at most 1."""
BISECTIONS = 24
ROUNDS = 60
"""Prices that are set at most."""
TOLERANCE = 1e-9
"""Of a share."""


class Exposure(Card):
    """At least and at most a share of the exposure over all users for a group of items."""

    kind: Literal["exposure"] = "exposure"
    when: Condition | None = None
    """The group: items that meet a condition."""
    each: str = ""
    """Item field, instead of a condition: a group per value, or per entry of a list such as categories."""
    least: Share = 0.0
    most: Share = 1.0
    scaling: Literal["rank", "minmax"] = "rank"
    """Scale of the relevance that prices are added to."""

    @model_validator(mode="after")
    def _consistent(self) -> "Exposure":
        if (self.when is None) == (not self.each):
            raise ValueError(_("exposure is about either a condition ('when') or each value of a field ('each')"))
        if self.most < self.least:
            raise ValueError(
                _("shares of at least {least:g} and at most {most:g} cannot both hold").format(
                    least=self.least, most=self.most
                )
            )
        return self

    def step(self, pool: Pool, facts: Facts) -> Pool:
        """Return the candidates with prices added, for all users together."""
        market = _Market(self, pool, facts)
        prices = np.zeros(len(market.groups.owner))
        bounds: dict[int, ExposureBound] = {}
        for _unused in range(ROUNDS):
            shares = market.shares(prices)
            missing = np.maximum(self.least - shares, shares - self.most)
            missing[[group for group, one in bounds.items() if not _attainable(one)]] = 0.0
            group = int(missing.argmax()) if len(missing) else 0
            if not len(missing) or missing[group] <= TOLERANCE:
                break
            if group not in bounds:
                bounds[group] = market.bound(group)
            prices[group] = market.price(prices, group, raising=shares[group] < self.least)
        return replace(market.sorted(prices), bounds=(*pool.bounds, *bounds.values()))


def _attainable(bound: ExposureBound) -> bool:
    return bound.least <= bound.highest + TOLERANCE and bound.most >= bound.lowest - TOLERANCE


class _Market:
    """Shares of groups as a function of their prices.

    Args:
        card: The bounds.
        pool: Candidates of all users.
        facts: Facts of the data.
    """

    def __init__(self, card: Exposure, pool: Pool, facts: Facts) -> None:
        self.card, self.pool, self.facts = card, pool, facts
        self.groups, self.names = exposed_groups(card, pool.users, pool.item, facts)
        self.relevance = pool.relevance(card.scaling)  # (B, N)
        random = mixed(facts.data.user_vocabulary.keys[pool.users]) / 2.0**64
        self.dither: FloatArray = (random - 0.5) / max(pool.item.shape[1], 1)  # (B,)

    def value(self, prices: FloatArray) -> FloatArray:
        """Return (B, N) relevance with the prices (G,) of the groups of each candidate."""
        value = self.relevance.copy()
        add_prices(self.groups, prices, self.dither, value)
        return value

    def sorted(self, prices: FloatArray) -> Pool:
        """Return the candidates by relevance with prices."""
        return self.pool.sorted_by(-self.value(prices)) if prices.any() else self.pool

    def shares(self, prices: FloatArray) -> FloatArray:
        """Return (G,) shares of the exposure in the lists at these prices."""
        if self.pool.rules:
            lists = placed(self.sorted(prices), self.facts).item[:, : self.pool.k]
            groups, _ = exposed_groups(self.card, self.pool.users, lists, self.facts)
            return shares_of(lists, groups)
        return shares_of_best(self.value(prices), self.pool.k, self.groups, discounts(self.pool.k))

    def bound(self, group: int) -> ExposureBound:
        """Return the bounds of a group, and its shares at the extreme prices."""
        prices = np.zeros(len(self.groups.owner))
        prices[group] = -LARGEST_PRICE
        lowest = float(self.shares(prices)[group])
        highest = float(self.shares(-prices)[group])
        card = self.card
        return ExposureBound(self.pool.number, self.names[group], card.least, card.most, lowest, highest)

    def price(self, prices: FloatArray, group: int, *, raising: bool) -> float:
        """Return the price of a group closest to 0, or to its present price, at which its bound holds."""
        held, broken = (LARGEST_PRICE if raising else -LARGEST_PRICE), float(prices[group])
        for _unused in range(BISECTIONS):
            middle = (held + broken) / 2
            share = self.shares(np.where(np.arange(len(prices)) == group, middle, prices))[group]
            holds = share >= self.card.least if raising else share <= self.card.most
            held, broken = (middle, broken) if holds else (held, middle)
        return held


def exposed_groups(card: Exposure, users: IntArray, item: IntArray, facts: Facts) -> tuple[Groups, tuple[str, ...]]:
    """Return the groups of a card among (B, N) items, and their names."""
    rule = Bound(0, card.when, card.each, 0, NO_LIMIT, 0, False)
    names = (str(card.when),) if card.when is not None else facts.entries(card.each).names
    return groups_of((rule,), users, item, item.shape[1], facts), names


def discounts(k: int) -> FloatArray:
    """Return (k,) the exposure of each place, 1 / log2(1 + place)."""
    found: FloatArray = 1.0 / np.log2(np.arange(2, k + 2))
    return found


def shares_of(lists: IntArray, groups: Groups) -> FloatArray:
    """Return (G,) shares of the exposure; NaN if all lists are empty.

    Args:
        lists: (B, k) items, padded with `PAD`.
        groups: Groups of the same items.
    """
    value = np.where(lists == PAD, -np.inf, -np.arange(lists.shape[1], dtype=np.float64))
    return shares_of_best(value, lists.shape[1], groups, discounts(lists.shape[1]))


@compiled
def add_prices(groups: Groups, prices: FloatArray, dither: FloatArray, value: FloatArray) -> None:
    """Add the prices of its groups to the value (B, N) of each candidate; a price of 0 is no price."""
    for user in range(len(value)):
        for column in range(value.shape[1]):
            if value[user, column] == -np.inf:
                continue
            key = groups.key[user, column]
            for entry in range(groups.start[key], groups.start[key + 1]):
                price = prices[groups.group[entry]]
                if price != 0.0:
                    value[user, column] += price + dither[user]


@compiled
def shares_of_best(value: FloatArray, k: int, groups: Groups, exposure: FloatArray) -> FloatArray:
    """Return (G,) shares of the exposure in the lists of the k largest values, the first of equals.

    Args:
        value: (B, N); -inf for no candidate.
        k: Length of the lists.
        groups: Groups of the candidates.
        exposure: (k,) exposure of each place.
    """
    got, total = np.zeros(len(groups.owner)), 0.0
    best, column_of = np.empty(k), np.empty(k, np.int64)
    for user in range(len(value)):
        length = 0
        for column in range(value.shape[1]):
            own = value[user, column]
            if own == -np.inf or (length == k and own <= best[k - 1]):
                continue
            place = length if length < k else k - 1
            while place > 0 and best[place - 1] < own:
                best[place] = best[place - 1]
                column_of[place] = column_of[place - 1]
                place -= 1
            best[place] = own
            column_of[place] = column
            length = min(length + 1, k)
        for place in range(length):
            total += exposure[place]
            key = groups.key[user, column_of[place]]
            for entry in range(groups.start[key], groups.start[key + 1]):
                got[groups.group[entry]] += exposure[place]
    return got / total if total > 0.0 else np.full(len(got), np.nan)
