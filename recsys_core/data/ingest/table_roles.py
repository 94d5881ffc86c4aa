"""The tables of a data set, the roles that their columns can have, and the scale of ratings."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise

from recsys_core.columns import (
    CATEGORIES,
    EVENT,
    INTERACTIONS,
    ITEM_ID,
    ITEMS,
    PRICE,
    RATING,
    SOCIAL,
    SOURCE_ID,
    TARGET_ID,
    TIMESTAMP,
    TITLE,
    USER_ID,
    USERS,
    WEIGHT,
)
from recsys_core.contracts import RatingScale
from recsys_core.data.ingest.column_names import LIKELY, evidence_of_name, words_of
from recsys_core.data.ingest.column_words import ID_WORD

IGNORED = "ignored"
"""Kind of a file that is left out of the data set."""

ROLES: Mapping[str, tuple[str, ...]] = {
    INTERACTIONS: (USER_ID, ITEM_ID, RATING, TIMESTAMP, EVENT, WEIGHT, TITLE, CATEGORIES, PRICE),
    USERS: (USER_ID,),
    ITEMS: (ITEM_ID, TITLE, CATEGORIES, PRICE),
    SOCIAL: (SOURCE_ID, TARGET_ID, WEIGHT),
    IGNORED: (),
}
"""What a column can be, for each table; the first ones without which the table cannot be read."""

REQUIRED: Mapping[str, tuple[str, ...]] = {
    INTERACTIONS: (USER_ID, ITEM_ID),
    USERS: (USER_ID,),
    ITEMS: (ITEM_ID,),
    SOCIAL: (SOURCE_ID, TARGET_ID),
    IGNORED: (),
}

_SCALES = (
    (1.0, 5.0),
    (0.5, 5.0),
    (0.0, 5.0),
    (1.0, 10.0),
    (0.0, 10.0),
    (0.0, 1.0),
    (-1.0, 1.0),
    (1.0, 7.0),
    (0.0, 100.0),
    (-10.0, 10.0),
)
_FEW_RATINGS = 200
_TABLE_NAMES = (
    (SOCIAL, re.compile(r"trust|friend|social|follow|contacts|network|edges")),
    (USERS, re.compile(r"(users?|customers?|members?|people|profiles?|kunden|clients?|clientes|usuarios|uuser)$")),
    (
        ITEMS,
        re.compile(
            r"(items?|movies?|films?|artists?|products?|books?|tracks?|songs?|shows?|articles?|videos?|games?|anime|"
            r"recipes?|business(es)?|places?|venues?|news|jokes?|courses?|jobs?|ads?|listings?|hotels?|restaurants?|series|"
            r"catalog(ue)?|artikel|produkte|produits|productos|libros|livres|uitem)$"
        ),
    ),
)


def plain_name(name: str) -> str:
    """Return a name in small letters and digits only."""
    return re.sub(r"[\W_]+", "", name.lower())


def role_of_name(name: str) -> str | None:
    """Return what a column of this name is, None if the name says nothing that is sure."""
    evidence = evidence_of_name(name)
    best = max(evidence, key=lambda role: evidence[role], default=None)
    return best if best is not None and evidence[best] >= LIKELY else None


def guess_table_kind(file: str, names: Sequence[str], columns: Sequence[Sequence[str]]) -> str:
    """Return which of the four tables a file is, by the names of its columns, their cells, and its own name.

    Args:
        file: Name of the file.
        names: Names of the columns, none if the file has no header.
        columns: Sample values of each column.
    """
    roles = {role: column for column, name in reversed(list(enumerate(names))) if (role := role_of_name(name))}
    tagged = "tag" in map(plain_name, names)
    if {USER_ID, ITEM_ID} <= roles.keys() and not (tagged and RATING not in roles):
        return INTERACTIONS
    stem = plain_name(file.rsplit("/", 1)[-1].rsplit(".", 1)[0])
    named = next((table for table, pattern in _TABLE_NAMES if pattern.search(stem)), None)
    if {SOURCE_ID, TARGET_ID} <= roles.keys() or {USER_ID, TARGET_ID} <= roles.keys() or named == SOCIAL:
        return SOCIAL
    if USER_ID in roles or (named == USERS and RATING not in roles):
        own = roles.get(USER_ID)
        one_each = own is None or _one_row_each(columns[own])
        return IGNORED if tagged else USERS if one_each else INTERACTIONS
    if ITEM_ID in roles or TITLE in roles or named == ITEMS:
        own = roles.get(ITEM_ID)
        one_each = _one_row_each(columns[own]) if own is not None else not {RATING, TIMESTAMP} & roles.keys()
        return IGNORED if tagged else ITEMS if one_each else INTERACTIONS
    return INTERACTIONS


def _one_row_each(values: Sequence[str]) -> bool:
    """Return whether most identifiers have a row of their own, as in a table of users or items."""
    given = [value.strip() for value in values if value.strip()]
    return len(set(given)) >= 0.6 * len(given)


def guess_own_roles(
    table: str, names: Sequence[str], columns: Sequence[Sequence[str]], *, named: bool
) -> dict[str, int]:
    """Return the column of each role of a table of users, items or links, as far as it can be told.

    Args:
        table: One of these tables.
        names: Names of the columns.
        columns: Sample values of each column.
        named: Whether the names come from the file.
    """
    roles: dict[str, int] = {}
    allowed = ROLES[table]
    for column, name in enumerate(names if named else ()):
        role = role_of_name(name)
        if table == SOCIAL and role == USER_ID:
            role = SOURCE_ID if SOURCE_ID not in roles else TARGET_ID
        if role in allowed and role not in roles:
            roles[role] = column
    for role in REQUIRED[table]:
        free = [column for column in range(len(names)) if column not in roles.values()]
        if role in roles or not free:
            continue
        own = [column for column in free if named and ID_WORD in words_of(names[column])]
        own += [column for column in free if table != SOCIAL and _one_row_each(columns[column])]
        roles[role] = (own or free)[0]
    if table == SOCIAL and WEIGHT not in roles and len(names) == 3 and not named:
        roles[WEIGHT] = 2
    elif table == ITEMS and TITLE not in roles and not named and len(names) > 1:
        roles[TITLE] = 1
    return roles


def guess_scale(ratings: Sequence[float]) -> RatingScale | None:
    """Return the scale that people most likely rated on.

    The smallest and largest rating found; but a usual scale (1 to 5, ...) if fewer than one rating in a hundred lies
    outside it and not just one step away; and, where there are few ratings, the smallest usual scale around them.
    Counts, of which each is rarer than the one before, with a long tail, have no scale: heavy users are no mistakes.
    """
    if not ratings:
        return None
    ordered = sorted(ratings)
    low, high = ordered[0], ordered[-1]
    inner_low, inner_high = ordered[len(ordered) // 200], ordered[-1 - len(ordered) // 200]
    if (
        not _are_counts(ordered, inner_high)
        and _has_gaps(ordered, inner_low, inner_high)
        and (inner_low, inner_high) in _SCALES
    ):
        return RatingScale(inner_low, inner_high)
    if (low, high) in _SCALES or len(ordered) >= _FEW_RATINGS:
        return RatingScale(low, high)
    halves = any(value % 1 for value in ordered)
    for scale in sorted(_SCALES, key=lambda pair: (pair[1] - pair[0], -pair[0])):
        if scale[0] <= low and high <= scale[1] and not (halves and scale == (1.0, 5.0) and low < 1):
            return RatingScale(*scale)
    return RatingScale(low, high)


def _are_counts(ordered: Sequence[float], inner_high: float) -> bool:
    """Return whether numbers fall off from the smallest on, as plays or clicks do, with a tail of several numbers."""
    counts = Counter(ordered)
    inner = [counts[value] for value in sorted(counts) if value <= inner_high]
    tail = [value for value in counts if value > inner_high]
    whole = all(value % 1 == 0 and value >= 0 for value in counts)
    return whole and len(tail) >= 3 and all(before >= after for before, after in pairwise(inner))


def _has_gaps(ordered: Sequence[float], low: float, high: float) -> bool:
    """Return whether ratings beyond `low` and `high` are more than one step away from them or from each other."""
    beyond = sorted({*(value for value in ordered if not low <= value <= high), low, high})
    return any(after - before > 1 for before, after in pairwise(beyond) if (before, after) != (low, high))
