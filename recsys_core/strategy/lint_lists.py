"""What shows in lists only: cards that change none, too few candidates, and cards that change those of one class."""

from collections.abc import Iterator, Set

import numpy as np

from recsys_core.contracts import BoolArray, IntArray
from recsys_core.strategy.apply import Outcome
from recsys_core.strategy.cards import Boost, Calibration, Decay, Dpp, FairRatio, Filter, Mmr, Pin, Strategy, Xquad
from recsys_core.strategy.facts import ACTIVITY, Facts
from recsys_core.strategy.findings import Finding, Level, finding
from recsys_core.text import later, percent

RERANKS = (Boost, Calibration, Decay, Dpp, Filter, Mmr, Pin, Xquad)
"""Cards that are there to change lists; rules may hold already."""
CHANCE = 1e-6
"""Largest probability that all changed lists are of one class if classes had nothing to do with it."""
CLASSES = 30
"""Largest number of values of a user field that forms classes."""

UNCHANGED = later("Card {card} changes none of the {users} lists.")
NO_PROTECTED = later("Card {card}: {few} of {users} users have no protected candidate.")
ONE_CLASS = later(
    "Card {card} changes the lists of {changed} users, all of them with {field} = {value} ({share} of all)."
)
LESS_ACTIVE = later("Card {card} changes the lists of {changed} users, all of them in the less active half.")
MORE_ACTIVE = later("Card {card} changes the lists of {changed} users, all of them in the more active half.")


def seen_in_lists(strategy: Strategy, outcome: Outcome, told: Set[int], facts: Facts) -> list[Finding]:
    """Return the findings that the lists of a strategy show.

    Args:
        strategy: The strategy.
        outcome: Its lists.
        told: Cards that need no further finding about their effect.
        facts: Facts of the data.
    """
    found: list[Finding] = []
    users = outcome.pool.users
    numbers = [number for number, card in enumerate(strategy.cards) if card.on]
    for step, number in enumerate(numbers, start=1):
        card = strategy.cards[number]
        before, after = outcome.trail[step - 1][1], outcome.trail[step][1]
        if isinstance(card, FairRatio) and number not in told:
            found += _unprotected(number, card, before, users, facts)
        changed = _differ(before, after, strategy.k)
        if number in told:
            continue
        if not changed.any():
            behind = step < len(numbers) and before.shape == after.shape  # later cards may bring these into lists
            moved = behind and _differ(before, after, before.shape[1]).any()
            if isinstance(card, RERANKS) and not moved:
                found.append(finding("warning", "dead", number, UNCHANGED, users=f"{len(users):,}"))
        else:
            found += _of_one_class(number, changed, users, facts)
    for one in outcome.shortfalls:
        share = one.users / max(one.total, 1)
        level: Level = "error" if one.kind == "exposure" or share == 1 else "warning"
        if one.card not in told:
            found.append(Finding(level, "supply", one.card, one.sentences[0]))
    return found


def _differ(before: IntArray, after: IntArray, k: int) -> BoolArray:
    """Return (B,) whose first k items differ."""
    width = min(k, before.shape[1], after.shape[1])
    changed: BoolArray = (before[:, :width] != after[:, :width]).any(axis=1)
    return changed


def _unprotected(number: int, card: FairRatio, before: IntArray, users: IntArray, facts: Facts) -> Iterator[Finding]:
    none = ~card.when.holds(facts, users, before).any(axis=1)
    if none.any():
        level: Level = "error" if none.all() else "warning"
        values = {"few": f"{int(none.sum()):,}", "users": f"{len(users):,}"}
        yield finding(level, "supply", number, NO_PROTECTED, **values)


def _of_one_class(number: int, changed: BoolArray, users: IntArray, facts: Facts) -> Iterator[Finding]:
    """Yield the first class of users that all changed lists are of, unless that may be chance."""
    table = facts.user_table.iloc[users]
    count = int(changed.sum())
    for field in table.columns:
        values = facts.values(str(field), of_users=True).taking(users)
        if values.names is None or not 2 <= len(values.names) <= CLASSES or values.missing[changed].any():
            continue
        codes = np.unique(values.values[changed])
        share = float(((values.values == codes[0]) & ~values.missing).mean())
        if len(codes) == 1 and share**count < CHANCE:
            texts = {"changed": f"{count:,}", "field": field, "value": values.names[int(codes[0])]}
            yield finding("note", "one class", number, ONE_CLASS, **texts, share=percent(share))
            return
    activity = facts.values(ACTIVITY, of_users=True).values[users]
    middle = np.median(activity)
    for template, half in ((LESS_ACTIVE, activity <= middle), (MORE_ACTIVE, activity > middle)):
        if half[changed].all() and float(half.mean()) ** count < CHANCE:
            yield finding("note", "one class", number, template, changed=f"{count:,}")
