"""Lint: faults of a strategy that can be found before it is applied, and with lists, those that lists show.

- dead: a card that changes nothing, by its settings or because no item meets its condition;
- shadowed: a card whose effect an earlier or a stricter card takes away;
- contradiction: cards that cannot all have what they say;
- supply: more items are demanded than there are;
- one class: a card that changes the lists of one class of users only;
- date: a campaign that is over or has not begun.

Conditions are compared by the items that meet them, so a finding is about these data.
"""

from collections.abc import Mapping

from recsys_core.contracts import IntArray, TopK
from recsys_core.strategy.apply import apply
from recsys_core.strategy.cards import Strategy
from recsys_core.strategy.facts import Facts
from recsys_core.strategy.findings import Finding
from recsys_core.strategy.lint_idle import idle_settings
from recsys_core.strategy.lint_lists import seen_in_lists
from recsys_core.strategy.lint_rules import conflicting_rules
from recsys_core.strategy.lint_sets import walk

__all__ = ["Finding", "check"]


def check(
    strategy: Strategy,
    facts: Facts,
    lists: TopK | Mapping[str, TopK] | None = None,
    users: IntArray | None = None,
) -> list[Finding]:
    """Return the findings about the cards that are on, by card and with errors first.

    Args:
        strategy: The strategy.
        facts: Facts of the data.
        lists: Lists of the model, or of each model of a mix, to find what shows in them only.
        users: (B,) positions of their users.

    Raises:
        ConfigError: A card does not fit the data.
    """
    cards = [(number, card) for number, card in enumerate(strategy.cards) if card.on]
    idle = idle_settings(cards, strategy.k, facts)
    dead = {one.card for one in idle}
    rest = [(number, card) for number, card in cards if number not in dead]
    found, passing = walk(rest, facts)
    found += conflicting_rules(rest, passing, strategy.k, facts)
    if lists is not None and users is not None:
        told = dead | {one.card for one in found}
        found += seen_in_lists(strategy, apply(strategy, lists, users, facts), told, facts)
    order = {"error": 0, "warning": 1, "note": 2}
    return sorted([*idle, *found], key=lambda one: (one.card, order[one.level]))
