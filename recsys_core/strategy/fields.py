"""The fields that conditions can name, with what an editor offers for each: kind and usual values."""

from dataclasses import dataclass

import numpy as np

from recsys_core.columns import LIST_SEPARATOR
from recsys_core.strategy.conditions import USER_PREFIX
from recsys_core.strategy.facts import ID, RELATIONS, Facts

MOST_VALUES = 200


@dataclass(frozen=True)
class FieldInfo:
    """A field of conditions.

    Args:
        name: As in a condition: `price`, `user.city`, `interacted_days`.
        numeric: Whether it holds numbers, else text.
        many: Whether its cells are lists of entries, such as categories.
        values: Values or entries of a text field, the most frequent first.
        median: Median of a numeric field, 0 without any value.
        groups: Whether values repeat, so that they form groups: categories, not titles.
    """

    name: str
    numeric: bool
    many: bool = False
    values: tuple[str, ...] = ()
    median: float = 0.0
    groups: bool = False

    @property
    def of_items(self) -> bool:
        """Whether the field depends on the item alone."""
        return self.name not in RELATIONS and not self.name.startswith(USER_PREFIX)


def fields_of(facts: Facts) -> dict[str, FieldInfo]:
    """Return the fields of a data set by name: of items, then of users, then between them."""
    found = [_of_column(facts, str(name), of_users=False) for name in facts.table]
    found += [_of_column(facts, str(name), of_users=True) for name in facts.user_table]
    found += [FieldInfo(name, True, median=1.0) for name in RELATIONS]
    return {field.name: field for field in found}


def _of_column(facts: Facts, name: str, *, of_users: bool) -> FieldInfo:
    shown = f"{USER_PREFIX}{name}" if of_users else name
    values = facts.values(name, of_users=of_users)
    if values.names is None:
        known = values.values[~values.missing]
        median = float(np.median(known)) if len(known) else 0.0
        return FieldInfo(shown, True, median=median, groups=_repeats(len(np.unique(known)), len(known)))
    if name == ID:
        return FieldInfo(shown, False)
    many = any(LIST_SEPARATOR in text for text in values.names)
    if many and not of_users:
        entries = facts.entries(name)
        names, codes = entries.names, entries.entry
    else:
        names, codes = values.names, values.values[~values.missing].astype(np.int64)
    order = np.argsort(-np.bincount(codes, minlength=len(names)), kind="stable")[:MOST_VALUES]
    values_by_count = tuple(names[one] for one in order)
    return FieldInfo(shown, False, many, values_by_count, groups=_repeats(len(names), len(codes)))


def _repeats(distinct: int, cells: int) -> bool:
    """Return whether there are at least two cells per value on average."""
    return 0 < 2 * distinct <= cells
