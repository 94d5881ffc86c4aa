"""The cards of a strategy: what each does to a list, as immutable settings."""

import operator
from typing import Annotated, Literal

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, model_validator

from recsys_core.contracts import BoolArray
from recsys_core.errors import ConfigError
from recsys_core.strategy.relevance import Scaling

Operator = Literal["=", "!=", "<", "<=", ">", ">=", "contains"]
COMPARE = {
    "=": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip


class Condition(BaseModel):
    """A condition over a field of the items, such as price <= 20; items without a value do not meet it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    field: str
    op: Operator
    value: float | str

    def holds(self, table: pd.DataFrame) -> BoolArray:
        """Return (I,) which items meet the condition.

        Raises:
            ConfigError: The field does not exist, or its values cannot be compared with the value.
        """
        if self.field not in table:
            raise ConfigError(f"There is no item field '{self.field}'. Known: {', '.join(map(str, table.columns))}.")
        column = table[self.field]
        if self.op == "contains":
            return (
                column.astype("str").str.contains(str(self.value), regex=False).to_numpy(bool)
                & column.notna().to_numpy()
            )
        numeric = pd.api.types.is_numeric_dtype(column)
        if numeric == isinstance(self.value, str):
            kind = "numbers" if numeric else "text"
            raise ConfigError(f"'{self.field}' holds {kind}, which cannot be compared with {self.value!r}.")
        values = column.to_numpy(np.float64) if numeric else column.astype("str").to_numpy()
        met: BoolArray = np.asarray(COMPARE[self.op](values, self.value), dtype=bool) & column.notna().to_numpy()
        return met

    def sql(self) -> str:
        """Return the condition as an expression of SQL."""
        name = '"' + self.field.replace('"', '""') + '"'
        value = f"{self.value!r}" if isinstance(self.value, float) else "'" + self.value.replace("'", "''") + "'"
        if self.op == "contains":
            return f"contains({name}, {value})"
        return f"{name} {'<>' if self.op == '!=' else self.op} {value}"


class Card(BaseModel):
    """A step of a strategy."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    on: bool = True
    """Whether the card is applied."""


class Filter(Card):
    """Keeps or drops the items that meet a condition."""

    kind: Literal["filter"] = "filter"
    when: Condition
    action: Literal["keep", "drop"] = "keep"


class Boost(Card):
    """Moves the items that meet a condition up or down by a number of places."""

    kind: Literal["boost"] = "boost"
    when: Condition
    places: Annotated[int, Field(ge=-1000, le=1000)] = 3
    """Places upwards; negative: downwards. Items that move to the same place keep their order."""


class Decay(Card):
    """Multiplies relevance by 0.5 per half-life of popularity or age, so that popular or old items fall."""

    kind: Literal["decay"] = "decay"
    by: Literal["popularity", "age_days"] = "age_days"
    half_life: Annotated[float, Field(gt=0)] = 180.0
    """Interactions, or days, that halve the relevance."""
    scaling: Literal["rank", "minmax"] = "rank"
    """Scale of the relevance, which must not be negative: a factor below 1 would raise it."""


class Mmr(Card):
    """Maximal marginal relevance."""

    kind: Literal["mmr"] = "mmr"
    weight: Annotated[float, Field(ge=0, le=1)] = 0.7
    """lambda: 1 is relevance alone, 0 diversity alone."""
    window: Annotated[int, Field(ge=0, le=100)] = 0
    """Number of items placed before that count; 0: all."""
    scaling: Scaling = "rank"


class Dpp(Card):
    """Determinantal point process."""

    kind: Literal["dpp"] = "dpp"
    sharpness: Annotated[float, Field(ge=0, le=20)] = 3.0
    """alpha: 0 is diversity alone."""
    scaling: Scaling = "rank"


class Calibration(Card):
    """Categories in the proportions of the history."""

    kind: Literal["calibration"] = "calibration"
    weight: Annotated[float, Field(ge=0, le=1)] = 0.5
    """lambda: 0 is relevance alone."""
    scaling: Scaling = "rank"


class Xquad(Card):
    """Covers the categories of the history."""

    kind: Literal["xquad"] = "xquad"
    weight: Annotated[float, Field(ge=0, le=1)] = 0.5
    """lambda: 0 is relevance alone."""
    scaling: Literal["rank", "minmax"] = "rank"


class FairRatio(Card):
    """FA*IR: enough items that meet a condition in every prefix."""

    kind: Literal["fair_ratio"] = "fair_ratio"
    when: Condition
    share: Annotated[float, Field(ge=0, le=1)] = 0.3
    level: Annotated[float, Field(gt=0, lt=1)] = 0.1


class Cap(Card):
    """At most a number of items with the same value of a field in any window of consecutive places."""

    kind: Literal["cap"] = "cap"
    field: str
    most: Annotated[int, Field(ge=1, le=1000)] = 2
    window: Annotated[int, Field(ge=0, le=1000)] = 0
    """Consecutive places; 0: the whole list."""


class Pin(Card):
    """An item at a place of every list, whether or not the model recommends it."""

    kind: Literal["pin"] = "pin"
    item: str
    """Identifier of the item."""
    place: Annotated[int, Field(ge=1, le=1000)] = 1


AnyCard = Annotated[
    Filter | Boost | Decay | Mmr | Dpp | Calibration | Xquad | FairRatio | Cap | Pin, Field(discriminator="kind")
]


class Strategy(BaseModel):
    """An ordered list of cards: it reads the `pool` best items of a model and gives lists of `k`."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    name: str = ""
    cards: tuple[AnyCard, ...] = ()
    pool: Annotated[int, Field(ge=1, le=1000)] = 100
    """Number of candidates per user."""
    k: Annotated[int, Field(ge=1, le=1000)] = 10
    """Length of the lists."""

    @model_validator(mode="after")
    def _pool_is_enough(self) -> "Strategy":
        if self.pool < self.k:
            raise ValueError(f"a pool of {self.pool} candidates cannot fill lists of {self.k}")
        return self
