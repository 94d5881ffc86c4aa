"""What the rules of a strategy could not have: for how many users, and which rule binds.

A rule binds for a user if the shortfall disappears when the user's list is placed without it.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from recsys_core.contracts import PAD, BoolArray, IntArray, TopK
from recsys_core.profiles.phrases import Words
from recsys_core.strategy.card import Card
from recsys_core.strategy.exposure import Exposure, exposed_groups, shares_of
from recsys_core.strategy.facts import Facts
from recsys_core.strategy.placement import placed
from recsys_core.strategy.pool import Pool, filled
from recsys_core.strategy.rules import Bound, PinnedItem, Rule, Slot, groups_of, slots_of
from recsys_core.text import later, percent

TOLERANCE = 1e-6
"""Of a share of the exposure."""


LEAST = later("Card {card}: the minimum does not hold in the lists of {users} of {total} users.")
FEW = later("{few} of them have too few such candidates.")
BINDS = later("Without card {other} it would hold for {users} of them.")
SHORT = later("Card {card}: the lists of {users} of {total} users have empty places, since no other candidate fits.")
SLOT = later("Card {card}: {users} of {total} users have a place without such an item.")
PINNED = later("Card {card}: the item is not at its place in the lists of {users} of {total} users.")
GONE = later("{few} of them do not have it as a candidate after later cards.")
EXPOSURE = later("Card {card}: the share of {group} is {share}, not {wanted}.")
UNATTAINABLE = later("These candidates allow shares from {lowest} to {highest}.")


WORDS = {"least": (LEAST, FEW), "short": (SHORT, FEW), "slot": (SLOT, FEW), "pin": (PINNED, GONE)}
"""What to say of each kind, and of users whose candidates do not suffice."""


@dataclass(frozen=True)
class Shortfall:
    """What a card could not have; `str(shortfall)` says so in the current language.

    Args:
        card: Number of the card in the strategy, from 0.
        kind: "least", "short", "slot", "pin" or "exposure".
        users: Users concerned; 0 for exposure, which is about all of them.
        total: All users.
        few: Users with too few candidates for the rule.
        binding: Number of another card, and the users for whom the rule would hold without it.
        about: Exposure: share and bounds of a group.
    """

    card: int
    kind: str
    users: int
    total: int
    few: int = 0
    binding: tuple[tuple[int, int], ...] = ()
    about: tuple[Words, ...] = ()

    @property
    def sentences(self) -> tuple[Words, ...]:
        """The sentences: what is lacking, then why."""
        if self.about:
            return self.about
        told, scarce = WORDS[self.kind]
        counts = {"card": str(self.card + 1), "users": f"{self.users:,}", "total": f"{self.total:,}"}
        found = [Words(told, counts)]
        if self.few:
            found.append(Words(scarce, {"few": f"{self.few:,}"}))
        found += [Words(BINDS, {"other": str(card + 1), "users": f"{helped:,}"}) for card, helped in self.binding]
        return tuple(found)

    def __str__(self) -> str:
        return " ".join(map(str, self.sentences))


def summed(parts: Iterable[Shortfall], total: int) -> tuple[Shortfall, ...]:
    """Return the shortfalls of blocks of users as one per card and kind, by card; exposure is about one block only."""
    found: dict[tuple[int, str, tuple[Words, ...]], Shortfall] = {}
    for part in parts:
        key = part.card, part.kind, part.about
        known = found.get(key, replace(part, users=0, total=total, few=0, binding=()))
        helped = dict(known.binding)
        for card, users in part.binding:
            helped[card] = helped.get(card, 0) + users
        counts = {"users": known.users + part.users, "few": known.few + part.few}
        found[key] = replace(known, **counts, binding=tuple(helped.items()))  # type: ignore[arg-type]
    return tuple(sorted(found.values(), key=lambda one: one.card))


def shortfalls_of(cards: Sequence[Card], pool: Pool, lists: TopK, facts: Facts) -> tuple[Shortfall, ...]:
    """Return the shortfalls of the final lists.

    Args:
        cards: The cards of the strategy.
        pool: The candidates after the last card.
        lists: (B, k) the final lists.
        facts: Facts of the data.
    """
    report = _Report(pool, facts)
    found = []
    for rule in pool.rules:
        found += report.of_rule(rule, lists.item)
    for number, card in enumerate(cards):
        if isinstance(card, Exposure) and card.on:
            found += _exposure(number, card, pool, lists.item, facts)
    return tuple(sorted(found, key=lambda one: one.card))


@dataclass(frozen=True, eq=False)
class _Report:
    """Shortfalls of the rules.

    Args:
        pool: The candidates after the last card.
        facts: Facts of the data.
    """

    pool: Pool
    facts: Facts

    def of_rule(self, rule: Rule, lists: IntArray) -> list[Shortfall]:
        """Return the shortfalls of one rule."""
        found = []
        if isinstance(rule, Bound):
            if rule.least:
                few = self._supply(rule) < rule.least
                found.append(self._told(rule, lists, self._below(rule), few, "least"))
            found.append(self._told(rule, lists, self._short(rule), None, "short", own=True))
        elif isinstance(rule, Slot):
            few = (self._met(rule, self.pool.users, self.pool.item)).sum(axis=1) <= rule.last - rule.first
            found.append(self._told(rule, lists, self._unfilled(rule), few, "slot"))
        else:
            few = ~(self.pool.item == rule.item).any(axis=1)
            found.append(self._told(rule, lists, self._unpinned(rule), few, "pin"))
        return [one for one in found if one is not None]

    def _told(
        self,
        rule: Rule,
        lists: IntArray,
        broken: Callable[[IntArray, IntArray], BoolArray],
        few: BoolArray | None,
        kind: str,
        *,
        own: bool = False,
    ) -> Shortfall | None:
        """Return a shortfall with the rules that bind; None if the rule is not broken anywhere.

        With `own`, only users count for whom the rule itself binds.
        """
        users = self.pool.users
        rows = np.flatnonzero(broken(users, lists))
        if own and len(rows):
            rows = rows[~broken(users[rows], self._without(rule, rows))]
        if not len(rows):
            return None
        scarce = 0 if few is None else int(few[rows].sum())
        rest = rows if few is None else rows[~few[rows]]
        binding = []
        for other in self.pool.rules if len(rest) and not own else ():
            helped = 0 if other is rule else int((~broken(users[rest], self._without(other, rest))).sum())
            if helped:
                binding.append((other.number, helped))
        return Shortfall(rule.number, kind, len(rows), len(users), scarce, tuple(binding))

    def _without(self, rule: Rule, rows: IntArray) -> IntArray:
        """Return (R, k) the lists of some users without a rule."""
        pool = replace(self.pool, users=self.pool.users[rows], item=self.pool.item[rows], score=self.pool.score[rows])
        rules = tuple(one for one in self.pool.rules if one is not rule)
        return placed(pool, self.facts, rules=rules).item[:, : pool.k]

    def _supply(self, rule: Bound) -> IntArray:
        """Return (B,) candidates of the rarest group."""
        return self._counts(rule, self.pool.users, self.pool.item, whole=True)

    def _counts(self, rule: Bound, users: IntArray, items: IntArray, *, whole: bool = False) -> IntArray:
        """Return (B,) items of the rarest group: in all, or in the worst window of the bound."""
        groups = groups_of((rule,), users, items, self.pool.k, self.facts)
        smallest = np.full(len(users), items.shape[1])
        for group in range(len(groups.owner)):
            inside = np.zeros(len(groups.start) - 1, dtype=np.bool_)
            inside[np.repeat(np.arange(len(inside)), np.diff(groups.start))[groups.group == group]] = True
            member = inside[groups.key] & (items != PAD)
            if whole:
                count = member.sum(axis=1)
            else:
                width = int(groups.places[group])
                sums = np.cumsum(np.pad(member[:, : self.pool.k], ((0, 0), (1, 0))), axis=1)
                windows = sums[:, width:] - sums[:, :-width] if groups.sliding[group] else sums[:, width : width + 1]
                count = windows.min(axis=1, initial=items.shape[1])
            smallest = np.minimum(smallest, count)
        return smallest

    def _below(self, rule: Bound) -> Callable[[IntArray, IntArray], BoolArray]:
        return lambda users, lists: self._counts(rule, users, filled(lists, self.pool.k, PAD)) < rule.least

    def _short(self, rule: Bound) -> Callable[[IntArray, IntArray], BoolArray]:
        enough = dict(zip(self.pool.users.tolist(), (self.pool.item != PAD).sum(axis=1).tolist(), strict=True))

        def broken(users: IntArray, lists: IntArray) -> BoolArray:
            wanted = np.minimum(self.pool.k, [enough[user] for user in users.tolist()])
            short: BoolArray = (lists != PAD).sum(axis=1) < wanted
            return short

        return broken

    def _met(self, rule: Slot, users: IntArray, items: IntArray) -> BoolArray:
        met: BoolArray = slots_of((rule,), users, items, self.facts).met[0]
        return met

    def _unfilled(self, rule: Slot) -> Callable[[IntArray, IntArray], BoolArray]:
        def broken(users: IntArray, lists: IntArray) -> BoolArray:
            full = filled(lists, self.pool.k, PAD)
            part = slice(rule.first, min(rule.last + 1, self.pool.k))
            counts = (full[:, part] != PAD) | rule.strict
            found: BoolArray = (counts & ~self._met(rule, users, full)[:, part]).any(axis=1)
            return found

        return broken

    def _unpinned(self, rule: PinnedItem) -> Callable[[IntArray, IntArray], BoolArray]:
        def broken(_users: IntArray, lists: IntArray) -> BoolArray:
            if rule.place >= self.pool.k:
                return np.zeros(len(lists), dtype=np.bool_)
            at = filled(lists, self.pool.k, PAD)[:, rule.place]
            found: BoolArray = (at != rule.item) & (at != PAD)
            return found

        return broken


def _exposure(number: int, card: Exposure, pool: Pool, lists: IntArray, facts: Facts) -> list[Shortfall]:
    """Return the groups whose share in the final lists is out of bounds."""
    groups, names = exposed_groups(card, pool.users, lists, facts)
    shares = shares_of(lists, groups)
    limits = {bound.group: bound for bound in pool.bounds if bound.number == number}
    found = []
    for group in np.flatnonzero(np.maximum(card.least - shares, shares - card.most) > TOLERANCE):
        low = shares[group] < card.least
        wanted = f"{'>=' if low else '<='} {percent(card.least if low else card.most)}"
        values = {"card": str(number + 1), "group": names[group], "share": percent(float(shares[group]))}
        sentences = [Words(EXPOSURE, {**values, "wanted": wanted})]
        limit = limits.get(names[group])
        if limit is not None:
            allowed = {"lowest": percent(limit.lowest), "highest": percent(limit.highest)}
            sentences.append(Words(UNATTAINABLE, allowed))
        found.append(Shortfall(number, "exposure", 0, len(pool.users), about=tuple(sentences)))
    return found
