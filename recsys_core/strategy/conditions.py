"""Conditions of rules: field, operator and value, over items, users, and what lies between a user and an item.

A condition compares a field with a value or with another field. Fields are

- of the item: `price` or `item.price`; any attribute, `id`, `popularity`, `age_days`;
- of the user: `user.city`; any attribute, `id`, `interactions`, `inactive_days`;
- of the user with the item: `interacted_days` (days since the last interaction, missing if there was none) and
  `interacted_times` (number of interactions).

Text is compared by code point. A missing value meets no condition but `is missing`, as NULL in SQL.
"""

import operator
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from recsys_core.columns import LIST_SEPARATOR
from recsys_core.contracts import PAD, BoolArray, IntArray
from recsys_core.errors import ConfigError
from recsys_core.strategy.facts import RELATIONS, TIMES, Facts, Values
from recsys_core.text import _

Operator = Literal["=", "!=", "<", "<=", ">", ">=", "contains", "has", "in", "not in", "is missing", "is not missing"]
COMPARE = {
    "=": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip
LISTS, MISSING = ("in", "not in"), ("is missing", "is not missing")
USER_PREFIX, ITEM_PREFIX = "user.", "item."
Scalar = Annotated[float, Field(allow_inf_nan=False)] | str


class Condition(BaseModel):
    """A condition such as price <= 20; items without a value do not meet it."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    field: str
    """Field of the item, of the user (`user.city`), or between them (`interacted_days`)."""
    op: Operator
    """`contains`: part of a text; `has`: entry of a list such as categories."""
    value: Scalar | tuple[Scalar, ...] | None = None
    """Number or text; a list of them for `in` and `not in`."""
    other: str | None = None
    """Field to compare with, instead of a value."""
    also: tuple["Condition", ...] = ()
    """Further conditions that must be met as well."""

    @model_validator(mode="after")
    def _value_fits(self) -> "Condition":
        given = (self.value is not None) + (self.other is not None)
        if self.op in MISSING:
            if given:
                raise ValueError(_("'{op}' takes no value").format(op=self.op))
        elif given != 1:
            raise ValueError(_("'{op}' takes either a value or another field").format(op=self.op))
        elif self.op in LISTS and not (isinstance(self.value, tuple) and self.value):
            raise ValueError(_("'{op}' takes a list of values").format(op=self.op))
        elif self.op not in LISTS and isinstance(self.value, tuple):
            raise ValueError(_("'{op}' takes one value; a list goes with 'in'").format(op=self.op))
        elif self.op == "contains" and self.other is not None:
            raise ValueError(_("'contains' takes a value"))
        return self

    @property
    def fields(self) -> tuple[str, ...]:
        """Names of all fields, further conditions included."""
        own = (self.field,) if self.other is None else (self.field, self.other)
        return own + tuple(name for one in self.also for name in one.fields)

    @property
    def about_items(self) -> bool:
        """Whether the condition depends on the item alone."""
        return not any(name in RELATIONS or name.startswith(USER_PREFIX) for name in self.fields)

    @property
    def about_users(self) -> bool:
        """Whether the condition depends on the user alone."""
        return all(name.startswith(USER_PREFIX) for name in self.fields)

    def of_items(self, facts: Facts) -> BoolArray:
        """Return (I,) which items meet a condition over item fields.

        Raises:
            ConfigError: A field does not exist, is not one of items, or cannot be compared with the value.
        """
        if not self.about_items:
            raise ConfigError(
                _("The condition '{value}' depends on the user; it needs users and their candidates.").format(
                    value=self
                )
            )
        everything = np.arange(facts.data.n_items)
        return facts.kept(self, lambda: self._evaluated(facts, np.zeros(1, np.int64), everything))

    def holds(self, facts: Facts, users: IntArray, items: IntArray) -> BoolArray:
        """Return (B, N) which candidates meet the condition; False for padding.

        Args:
            facts: Facts of the data.
            users: (B,) user positions.
            items: (B, N) candidates, padded with `PAD`.

        Raises:
            ConfigError: A field does not exist, or cannot be compared with the value.
        """
        safe = np.maximum(items, 0)
        met = self.of_items(facts)[safe] if self.about_items else self._evaluated(facts, users[:, None], safe)
        found: BoolArray = np.broadcast_to(met, items.shape) & (items != PAD)
        return found

    def _evaluated(self, facts: Facts, users: IntArray, items: IntArray) -> BoolArray:
        """Return which pairs meet the condition; users and items have shapes that broadcast."""
        met = self._single(facts, users, items)
        for one in self.also:
            met = met & one._evaluated(facts, users, items)
        return met

    def _single(self, facts: Facts, users: IntArray, items: IntArray) -> BoolArray:
        own = values_of(self.field, facts, users, items)
        if self.op in MISSING:
            return own.missing if self.op == "is missing" else ~own.missing
        if self.op == "has":
            return self._has(facts, users, items, own)
        if self.op == "contains":
            self._comparable(own.numeric, {isinstance(self.value, str)}, repr(self.value))
            return ~own.missing & own.mapped(lambda text: str(self.value) in text)
        if isinstance(self.value, tuple):
            self._comparable(own.numeric, {isinstance(one, str) for one in self.value}, repr(list(self.value)))
            inside = own.among(self.value)
            return ~own.missing & (inside if self.op == "in" else ~inside)
        if self.other is None:
            assert isinstance(self.value, float | str)
            self._comparable(own.numeric, {isinstance(self.value, str)}, repr(self.value))
            value = self.value
            return ~own.missing & own.mapped(lambda one: COMPARE[self.op](one, value))
        theirs = values_of(self.other, facts, users, items)
        self._comparable(own.numeric, {not theirs.numeric}, f"'{self.other}'")
        met: BoolArray = np.asarray(COMPARE[self.op](own.filled(), theirs.filled()), dtype=bool)
        return met & ~own.missing & ~theirs.missing

    def _has(self, facts: Facts, users: IntArray, items: IntArray, own: Values) -> BoolArray:
        """Return whether a list cell has an entry: the value, or the other field's."""
        if own.numeric:
            raise ConfigError(
                _("'{field}' holds numbers; 'has' looks for an entry of a list such as categories.").format(
                    field=self.field
                )
            )
        if self.other is None:
            self._comparable(False, {isinstance(self.value, str)}, repr(self.value))
            return ~own.missing & own.mapped(lambda text: self.value in text.split(LIST_SEPARATOR))
        theirs = values_of(self.other, facts, users, items)
        self._comparable(False, {not theirs.numeric}, f"'{self.other}'")
        lists, wanted = np.broadcast_arrays(own.filled(), theirs.filled())
        pairs = zip(lists.ravel(), wanted.ravel(), strict=True)
        met = np.fromiter((one in text.split(LIST_SEPARATOR) for text, one in pairs), bool, lists.size)
        found: BoolArray = met.reshape(lists.shape) & ~own.missing & ~theirs.missing
        return found

    def _comparable(self, numeric: bool, texts: set[bool], with_what: str) -> None:
        if texts != {not numeric}:
            kind = "numbers" if numeric else "text"
            raise ConfigError(
                _("'{field}' holds {kind}, which cannot be compared with {with_what}.").format(
                    field=self.field, kind=kind, with_what=with_what
                )
            )

    def sql(self) -> str:
        """Return the condition as an expression of SQL over `item`, `user` and `pair`; see `Filter.sql`."""
        return " AND ".join([self._sql(), *(one.sql() for one in self.also)])

    def _sql(self) -> str:
        name = column(self.field)
        if self.op in MISSING:
            return f"{name} IS {'NOT ' if self.op == 'is not missing' else ''}NULL"
        if isinstance(self.value, tuple):
            return f"{name} {self.op.upper()} ({', '.join(map(literal, self.value))})"
        value = column(self.other) if self.value is None else literal(self.value)  # type: ignore[arg-type]
        if self.op == "contains":
            return f"contains({name}, {value})"
        if self.op == "has":
            return f"list_contains(string_split({name}, '{LIST_SEPARATOR}'), {value})"
        return f"{name} {'<>' if self.op == '!=' else self.op} {value}"

    def __str__(self) -> str:
        if self.op in MISSING:
            own = f"{self.field} {self.op}"
        elif isinstance(self.value, tuple):
            own = f"{self.field} {self.op} {', '.join(map(_shown, self.value))}"
        else:
            own = f"{self.field} {self.op} {self.other if self.value is None else _shown(self.value)}"
        return " and ".join([own, *map(str, self.also)])


def values_of(field: str, facts: Facts, users: IntArray, items: IntArray) -> Values:
    """Return the values of a field for pairs of users and items, in a shape that broadcasts to theirs.

    Raises:
        ConfigError: There is no such field.
    """
    if field in RELATIONS:
        numbers = facts.relation(field, *np.broadcast_arrays(users, items))
        return Values(numbers, np.isnan(numbers))
    of_user = field.startswith(USER_PREFIX)
    table = facts.user_table if of_user else facts.table
    name = field.removeprefix(USER_PREFIX if of_user else ITEM_PREFIX)
    if name not in table:
        kind = "user" if of_user else "item"
        raise ConfigError(
            _("There is no {kind} field '{name}'. Known: {columns}.").format(
                kind=kind, name=name, columns=", ".join(map(str, table.columns))
            )
        )
    return facts.values(name, of_users=of_user).taking(users if of_user else items)


def column(field: str) -> str:
    """Return the field as a column of SQL."""
    if field in RELATIONS:
        return f'coalesce(pair."{TIMES}", 0)' if field == TIMES else f'pair."{field}"'
    of_user = field.startswith(USER_PREFIX)
    name = field.removeprefix(USER_PREFIX if of_user else ITEM_PREFIX).replace('"', '""')
    return f'"user"."{name}"' if of_user else f'item."{name}"'


def literal(value: float | str) -> str:
    """Return a value as a literal of SQL."""
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else f"CAST({value!r} AS DOUBLE)"


def _shown(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:g}"
