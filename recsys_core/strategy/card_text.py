"""What the cards of a strategy are called, what they are for, and what one of them does, as text."""

from collections.abc import Callable
from typing import Any

from recsys_core.strategy.cards import (
    Boost,
    Calibration,
    Cap,
    Card,
    Decay,
    Dpp,
    Explore,
    Exposure,
    FairRatio,
    Filter,
    Mix,
    Mmr,
    Pin,
    Quota,
    Slots,
    Xquad,
)
from recsys_core.text import _, later, percent

TITLES: dict[type[Card], str] = {
    Mix: later("Mix models"),
    Filter: later("Filter"),
    Boost: later("Boost or bury"),
    Decay: later("Decay"),
    Mmr: later("Diversity (MMR)"),
    Dpp: later("Diversity (DPP)"),
    Calibration: later("Calibration"),
    Xquad: later("Category coverage (xQuAD)"),
    FairRatio: later("Fair ratio (FA*IR)"),
    Exposure: later("Exposure shares"),
    Cap: later("Cap"),
    Quota: later("Quota"),
    Slots: later("Slots"),
    Pin: later("Pin"),
    Explore: later("Exploration"),
}
"""Title of each card, in the order in which they are offered."""
IDEAS: dict[type[Card], str] = {
    Mix: later("Combines the lists of several models."),
    Filter: later("Keeps or drops the items that meet a condition."),
    Boost: later("Moves the items that meet a condition up or down."),
    Decay: later("Lowers popular, old or often repeated items."),
    Mmr: later("Trades relevance for items that are unlike those above them."),
    Dpp: later("Prefers lists whose items are relevant and unlike each other."),
    Calibration: later("Gives categories the shares that they have in the user's history."),
    Xquad: later("Covers the categories of the user's history early."),
    FairRatio: later("Keeps a minimum share of protected items at every place of the list."),
    Exposure: later("Bounds the share of all exposure that a group of items receives."),
    Cap: later("Limits how many items share a value."),
    Quota: later("Requires or limits items that meet a condition."),
    Slots: later("Reserves places for items that meet a condition."),
    Pin: later("Puts one item at a fixed place."),
    Explore: later("Draws lists at random and logs the propensities, so that they can be evaluated later."),
}


def title(kind: type[Card]) -> str:
    """Return the title of a kind of card."""
    return _(TITLES[kind])


def idea(kind: type[Card]) -> str:
    """Return one sentence about what a kind of card does."""
    return _(IDEAS[kind])


def summary(card: Card) -> str:
    """Return what a card does with its settings, in a few words."""
    return SUMMARIES[type(card)](card)


def _mix(card: Mix) -> str:
    models = ", ".join(part.model for part in card.models)
    methods = {
        "weighted": _("weighted scores of {models}"),
        "rrf": _("reciprocal rank fusion of {models}"),
        "interleave": _("{models} in turn"),
        "slots": _("places shared between {models}"),
    }
    return methods[card.method].format(models=models)


def _filter(card: Filter) -> str:
    words = _("keep {condition}") if card.action == "keep" else _("drop {condition}")
    return words.format(condition=card.when)


def _boost(card: Boost) -> str:
    if card.by == "factor":
        return _("{condition}: relevance × {factor}").format(condition=card.when, factor=f"{card.factor:g}")
    words = _("{condition}: {n} places up") if card.places >= 0 else _("{condition}: {n} places down")
    return words.format(condition=card.when, n=abs(card.places))


def _decay(card: Decay) -> str:
    amounts = {
        "popularity": _("half the relevance per {n} interactions of the item"),
        "age_days": _("half the relevance per {n} days of age"),
        "interacted_times": _("half the relevance per {n} earlier interactions of the user with the item"),
    }
    return amounts[card.by].format(n=f"{card.half_life:g}")


def _weighted(card: Any) -> str:
    return f"λ = {card.weight:g}"


def _fair_ratio(card: FairRatio) -> str:
    return _("{condition}: at least {share} at every place, significance level {level}").format(
        condition=card.when, share=percent(card.share), level=f"{card.level:g}"
    )


def _exposure(card: Exposure) -> str:
    group = str(card.when) if card.when is not None else _("each {field}").format(field=card.each)
    return _("{group}: {least} to {most} of the exposure").format(
        group=group, least=percent(card.least), most=percent(card.most)
    )


def _cap(card: Cap) -> str:
    if card.window:
        return _("at most {n} with the same {field} in any {window} places").format(
            n=card.most, field=card.field, window=card.window
        )
    return _("at most {n} with the same {field}").format(n=card.most, field=card.field)


def _quota(card: Quota) -> str:
    group = str(card.when) if card.when is not None else _("each {field}").format(field=card.each)
    where = _("the whole list")
    if card.places:
        where = (_("any {n} places") if card.sliding else _("the first {n} places")).format(n=card.places)
    if card.most is None:
        return _("{group}: at least {least} in {where}").format(group=group, least=card.least, where=where)
    return _("{group}: {least} to {most} in {where}").format(group=group, least=card.least, most=card.most, where=where)


def _slots(card: Slots) -> str:
    return _("places {first} to {last}: {condition}").format(first=card.first, last=card.last, condition=card.when)


def _pin(card: Pin) -> str:
    words = _("{item} at place {place}").format(item=card.item, place=card.place)
    if card.start is None and card.end is None:
        return words
    start, end = (str(day) if day is not None else "…" for day in (card.start, card.end))
    return f"{words}, {start} – {end}"


def _explore(card: Explore) -> str:
    if card.method == "epsilon":
        return _("with probability {epsilon}, a random candidate").format(epsilon=f"{card.epsilon:g}")
    if card.method == "softmax":
        return _("drawn by relevance, temperature {temperature}").format(temperature=f"{card.temperature:g}")
    return _("drawn by Thompson sampling")


SUMMARIES: dict[type[Card], Callable[[Any], str]] = {
    Mix: _mix,
    Filter: _filter,
    Boost: _boost,
    Decay: _decay,
    Mmr: _weighted,
    Dpp: lambda card: f"α = {card.sharpness:g}",
    Calibration: _weighted,
    Xquad: _weighted,
    FairRatio: _fair_ratio,
    Exposure: _exposure,
    Cap: _cap,
    Quota: _quota,
    Slots: _slots,
    Pin: _pin,
    Explore: _explore,
}
