"""The value of a list: what its items earned in the test interactions of the users who would have been shown it.

value@k is the sum, over the first k items, of the worth of the user's own test interactions with them. An interaction
is worth the weight of its event, times the amount of the item: nothing, its price, or its margin. It counts what users
did under other lists; it is no forecast of revenue.
"""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from recsys_core.columns import EVENT, ITEM, USER
from recsys_core.contracts import PAD, FloatArray, IntArray, Ragged
from recsys_core.data import Dataset
from recsys_core.errors import ConfigError
from recsys_core.evaluation.list_metrics import Worth
from recsys_core.strategy.candidates import Candidates
from recsys_core.strategy.facts import Facts
from recsys_core.text import _

Weight = Annotated[float, Field(allow_inf_nan=False)]


class ValueModel(BaseModel):
    """What an interaction is worth."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    weights: dict[str, Weight] = Field(default_factory=dict)
    """Worth of each event, such as view 0, click 0.1, purchase 1, refund -1; events that are not named are worth 0.
    Empty: every interaction is worth 1."""
    price: str | None = None
    """Field with the price of the items, by which the weights are multiplied."""
    margin: str | Annotated[float, Field(ge=-1, le=1)] | None = None
    """Share of the price that is margin, as a number or a field of the items; without a price, a field with amounts."""


@dataclass(frozen=True)
class Unpriced:
    """Test interactions that a value cannot count, or may count against its meaning.

    Args:
        interactions: Interactions of the test users with items whose amount is unknown.
        items: Number of these items.
        of: Number of interactions with an event that is worth something.
        negative: Number of these interactions with items whose amount is below 0, which turns their worth around.
        negative_items: Number of these items.
    """

    interactions: int
    items: int
    of: int
    negative: int = 0
    negative_items: int = 0


def amounts(model: ValueModel, facts: Facts) -> FloatArray:
    """Return (I,) the amount of each item, NaN where it is unknown.

    Raises:
        ConfigError: A field does not exist or does not hold numbers, or a margin share has no price.
    """
    amount = np.ones(facts.data.n_items)
    if model.price is not None:
        amount = amount * _numbers(facts, model.price)
    if isinstance(model.margin, str):
        return amount * _numbers(facts, model.margin)
    if model.margin is not None:
        if model.price is None:
            raise ConfigError(_("A margin share needs a price: name the field with the prices of the items."))
        return amount * model.margin
    return amount


def worth_of(model: ValueModel, candidates: Candidates) -> Worth:
    """Return the worth of each user's test interactions, summed by item; items of unknown amount are left out.

    Raises:
        ConfigError: The data have no such event or field.
    """
    keys, values = _by_pair(model, candidates)
    known = ~np.isnan(values)
    items = candidates.train.n_items
    rows = Ragged.from_keys(keys[known] // items, keys[known] % items, len(candidates.users))
    return Worth(rows, values[known])


def unpriced(model: ValueModel, candidates: Candidates) -> Unpriced:
    """Return how many test interactions the value cannot count, and how many have a negative amount."""
    _rows, item, weight = _worthwhile(model, candidates)
    amount, counted = amounts(model, candidates.facts)[item], weight != 0
    unknown, below = np.isnan(amount) & counted, (amount < 0) & counted
    sizes = [(int(which.sum()), len(np.unique(item[which]))) for which in (unknown, below)]
    return Unpriced(*sizes[0], int(counted.sum()), *sizes[1])


def _by_pair(model: ValueModel, candidates: Candidates) -> tuple[IntArray, FloatArray]:
    """Return the distinct keys row x items + item, increasing, and the worth of each; NaN where it is unknown."""
    rows, item, weight = _worthwhile(model, candidates)
    amount = amounts(model, candidates.facts)[item]
    keys, place = np.unique(rows * candidates.train.n_items + item, return_inverse=True)
    worth = np.where(weight != 0, weight * amount, 0.0)
    return keys, np.bincount(place, weights=worth, minlength=len(keys)).astype(np.float64)


def _worthwhile(model: ValueModel, candidates: Candidates) -> tuple[IntArray, IntArray, FloatArray]:
    """Return row, item and event weight of the test interactions of the candidates' users."""
    frame = candidates.test.interactions
    row_of = np.full(candidates.test.n_users, PAD, dtype=np.int64)
    row_of[candidates.users] = np.arange(len(candidates.users))
    rows = row_of[frame[USER].to_numpy()]
    weight = _event_weights(model, candidates.test)
    kept = rows != PAD
    return rows[kept], frame[ITEM].to_numpy(np.int64)[kept], weight[kept]


def _event_weights(model: ValueModel, test: Dataset) -> FloatArray:
    frame = test.interactions
    if not model.weights:
        return np.ones(len(frame))
    if EVENT not in frame:
        raise ConfigError(
            _("Events are weighted, but '{test_name}' has no events: leave the weights empty.").format(
                test_name=test.name
            )
        )
    known = {str(event) for event in frame[EVENT].dropna().unique()}
    if not known & set(model.weights):
        events = ", ".join(sorted(known))
        raise ConfigError(
            _("None of {weights} is among the test interactions. They have: {events}.").format(
                weights=", ".join(model.weights), events=events
            )
        )
    weights: FloatArray = frame[EVENT].astype("str").map(model.weights).fillna(0.0).to_numpy(np.float64)
    return weights


def _numbers(facts: Facts, field: str) -> FloatArray:
    if field not in facts.table:
        raise ConfigError(
            _("There is no item field '{field}'. Known: {columns}.").format(
                field=field, columns=", ".join(map(str, facts.table.columns))
            )
        )
    try:
        return facts.table[field].to_numpy(np.float64, na_value=np.nan)
    except (TypeError, ValueError) as error:
        raise ConfigError(_("The item field '{field}' does not hold numbers.").format(field=field)) from error
