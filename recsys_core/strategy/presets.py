"""Presets: strategies for what the market asks for, built from the fields that the data have.

A preset names the fields that it needs. Where one is missing there is no strategy, and `missing` says what to add;
nothing is guessed. Thresholds are quantiles of the data, in whole days or interactions, so a preset is a starting
point, not an optimum.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from recsys_core.columns import CATEGORIES, ITEM, TIMESTAMP
from recsys_core.data.dataset import NO_TIMESTAMP
from recsys_core.strategy.bands import entries_of, labels_of
from recsys_core.strategy.cards import Strategy
from recsys_core.strategy.facts import AGE, DAY_MS, INACTIVE, POPULARITY, Facts
from recsys_core.text import _, later

SEASON_FIELDS = ("season", "campaign", CATEGORIES)
STOCK_FIELDS = ("stock", "inventory", "quantity")
PROVIDER_FIELDS = ("provider", "seller", "supplier", "brand", "author", "artist", "publisher", "studio")
RECENT_DAYS = 30
NEEDS = {
    "season": later("a text field of the items named season, campaign or categories"),
    "time": later("timestamps of the interactions"),
    "trend": later("a value of that field whose share of the interactions rose in the last 30 days"),
    "stock": later("a numeric field of the items named stock, inventory or quantity"),
    "provider": later("a field of the items named provider, seller, brand, author or similar, with several values"),
}
Cards = list[dict[str, Any]]


@dataclass(frozen=True)
class Preset:
    """A strategy for a situation of the market.

    Args:
        key: Language-neutral name.
        title: Display name.
        idea: What it does, in one sentence.
        moves: Metrics of price tags that it is meant to move, without cut-off.
        strategy: The strategy; None if the data lack something.
        missing: What the data lack, in words.
    """

    key: str
    title: str
    idea: str
    moves: tuple[str, ...]
    strategy: Strategy | None
    missing: tuple[str, ...]


@dataclass(frozen=True)
class _Kind:
    """A preset before it is built: `build` returns cards, or raises _Missing."""

    key: str
    title: str
    idea: str
    moves: tuple[str, ...]
    build: Callable[[Facts, int], Cards]


class _Missing(Exception):
    """The data lack something; the argument is a key of `NEEDS`."""


def presets_for(facts: Facts, *, k: int = 10, pool: int = 100) -> tuple[Preset, ...]:
    """Return all presets for a data set, those without the needed fields with what is missing.

    Args:
        facts: Facts of the data.
        k: Length of the lists.
        pool: Number of candidates per user.
    """
    return tuple(_built(kind, facts, k, pool) for kind in KINDS)


def _built(kind: _Kind, facts: Facts, k: int, pool: int) -> Preset:
    title, idea = _(kind.title), _(kind.idea)
    try:
        cards = kind.build(facts, k)
    except _Missing as error:
        return Preset(kind.key, title, idea, kind.moves, None, (_(NEEDS[str(error)]),))
    strategy = Strategy.model_validate({"name": title, "cards": cards, "k": k, "pool": max(k, pool)})
    return Preset(kind.key, title, idea, kind.moves, strategy, ())


def _season(facts: Facts, _k: int) -> Cards:
    field = _field(facts, SEASON_FIELDS, "season", numeric=False)
    value = _rising(facts, field)
    return [{"kind": "boost", "when": {"field": field, "op": "has", "value": value}, "places": 5}]


def _clearance(facts: Facts, _k: int) -> Cards:
    stock = _field(facts, STOCK_FIELDS, "stock", numeric=True)
    level = float(facts.table[stock].quantile(0.75))
    slow = {"field": POPULARITY, "op": "<=", "value": float(facts.table[POPULARITY].median())}
    return [
        {"kind": "filter", "when": {"field": stock, "op": "<=", "value": 0.0}, "action": "drop"},
        {"kind": "boost", "when": {"field": stock, "op": ">=", "value": level, "also": [slow]}, "places": 8},
    ]


def _new_items(facts: Facts, k: int) -> Cards:
    if facts.table[AGE].isna().all():
        raise _Missing(_("time"))
    young = {"field": AGE, "op": "<=", "value": float(np.ceil(facts.table[AGE].quantile(0.2)))}
    return [{"kind": "quota", "when": young, "least": max(1, round(0.2 * k)), "places": k}]


def _providers(facts: Facts, k: int) -> Cards:
    field = _field(facts, PROVIDER_FIELDS, "provider")
    providers = facts.table[field].nunique()
    if providers < 2:
        raise _Missing(_("provider"))
    cap = {"kind": "cap", "field": field, "most": max(1, -(-k * 2 // min(providers, k)))}
    return [cap, {"kind": "exposure", "each": field, "least": 0.5 / providers}]


def _churn(facts: Facts, _k: int) -> Cards:
    inactive = facts.user_table[INACTIVE]
    if inactive.isna().all():
        raise _Missing(_("time"))
    known = {"field": POPULARITY, "op": ">=", "value": float(np.floor(facts.table[POPULARITY].quantile(0.9)))}
    away = {"field": f"user.{INACTIVE}", "op": ">=", "value": float(np.floor(inactive.quantile(0.75))), "also": [known]}
    return [{"kind": "boost", "when": away, "places": 5}]


KINDS = (
    _Kind(
        "season",
        later("Season"),
        later("Raises the items whose season or category gained most in the last 30 days of the data."),
        ("ndcg", "hit_rate", "exposure", "value"),
        _season,
    ),
    _Kind(
        "clearance",
        later("Clearance"),
        later("Drops items that are out of stock and raises slow items of which much is in stock."),
        ("value", "coverage", "gini", "ndcg"),
        _clearance,
    ),
    _Kind(
        "new_items",
        later("New items"),
        later("Gives every list at least one item in five from the newest fifth of the catalog."),
        ("novelty", "coverage", "ndcg"),
        _new_items,
    ),
    _Kind(
        "provider_fairness",
        later("Provider fairness"),
        later("Limits how often a provider is in one list; gives each at least half of an equal share of exposure."),
        ("exposure", "gini", "ndcg"),
        _providers,
    ),
    _Kind(
        "churn_risk",
        later("Churn risk"),
        later("Shows users who have been away longest more of the popular items among their candidates."),
        ("hit_rate", "ndcg", "novelty"),
        _churn,
    ),
)
"""All presets, in the order in which they are shown."""


def _field(facts: Facts, names: tuple[str, ...], need: str, *, numeric: bool | None = None) -> str:
    """Return the first field of one of these names, in any case, that has values.

    Args:
        facts: Facts of the data.
        names: Names in lower case, the preferred first.
        need: Key of `NEEDS`.
        numeric: Whether the values must be numbers, or text; None for either.

    Raises:
        _Missing: There is no such field.
    """
    by_name = {str(column).casefold(): str(column) for column in facts.table}
    for name in names:
        if name in by_name:
            column = facts.table[by_name[name]]
            if column.notna().any() and numeric in (None, pd.api.types.is_numeric_dtype(column)):
                return by_name[name]
    raise _Missing(need)


def _rising(facts: Facts, field: str) -> str:
    """Return the value of a field whose share of the interactions rose most in the last days of the data."""
    frame = facts.data.interactions
    if not facts.data.has_timestamps:
        raise _Missing(_("time"))
    cells: Mapping[int, list[str]] = {
        item: entries_of(label) for item, label in enumerate(labels_of(facts.table[field])) if label is not None
    }
    frame = frame[frame[TIMESTAMP] != NO_TIMESTAMP]
    recent = frame[TIMESTAMP] > frame[TIMESTAMP].max() - RECENT_DAYS * DAY_MS
    shares = []
    for part in (frame[recent], frame):
        counts = np.bincount(part[ITEM], minlength=facts.data.n_items)
        totals: dict[str, float] = {}
        for item, values in cells.items():
            for value in values:
                totals[value] = totals.get(value, 0.0) + counts[item] / len(values)
        shares.append(pd.Series(totals, dtype=np.float64) / max(len(part), 1))
    gain = shares[0] - shares[1]
    if gain.empty or not gain.max() > 0:
        raise _Missing(_("trend"))
    return str(gain.sort_values(ascending=False, kind="stable").index[0])
